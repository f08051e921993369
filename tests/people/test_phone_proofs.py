"""Proofs by telephone: PINs, single-use codes, wrong entries, and where they come from."""

from datetime import timedelta

import pytest

from app.errors import Conflict, Invalid
from app.people import changing, phone_codes
from app.people.changing import Changes
from app.staff import phone_proofs, session_tokens
from app.staff.hashing import hash_password
from app.staff.models import Staff
from app.staff.passwords import WrongPresentPassword
from app.staff.phone_proofs import EntryResult, prove
from app.work import Work
from tests.support.identity.second_step import with_telephone
from tests.support.verbs import a_counsellor, an_administrator, logged

PIN, PHONE = "258036", "+38164999001"


@pytest.fixture
async def vera(work: Work) -> Staff:
    return await a_counsellor(work, "vera", endpoint=PHONE)


@pytest.mark.parametrize(
    "pin",
    [
        "",
        "12345",
        "1234567",
        "12345a",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
        "123456",
        "987654",
        "111111",
        "112112",
        "121212",
        "111222",
        "890123",
    ],
)
def test_a_pin_that_is_none_or_easy_to_guess_is_refused(pin: str) -> None:
    with pytest.raises(Invalid):
        phone_proofs.check_pin(pin)


async def test_the_own_pin_needs_the_password_and_is_kept_as_a_hash(
    work: Work, vera: Staff
) -> None:
    vera.password_hash = await hash_password("correct horse battery")
    await work.session.flush()
    with pytest.raises(WrongPresentPassword):
        await phone_proofs.set_own_pin(work, vera, "wrong", PIN, "")
    await phone_proofs.set_own_pin(work, vera, "correct horse battery", PIN, "")
    proof = await phone_proofs.proof_of(work, vera.id)
    assert proof is not None
    assert (proof.pin_hash or "").startswith("$argon2")
    assert PIN not in str(logged(work))
    assert logged(work)[-1][0] == "phone_pin_set"
    assert await prove(work, vera, PIN) is EntryResult.RIGHT
    assert not await phone_proofs.is_paired(work, vera), "a PIN alone proves no phone"


async def test_wrong_entries_lock_the_way_by_telephone_longer_and_longer(
    work: Work, vera: Staff
) -> None:
    await phone_proofs.set_pin(work, vera, PIN)
    found = [await prove(work, vera, "000000") for _ in range(5)]
    assert found == [EntryResult.WRONG] * 4 + [EntryResult.LOCKED]
    assert await prove(work, vera, PIN) is EntryResult.LOCKED, "even the right one"
    assert [kind for kind, _ in logged(work)].count("phone_locked") == 1
    work.now += timedelta(minutes=16)
    assert await prove(work, vera, "000000") is EntryResult.LOCKED
    work.now += timedelta(minutes=16)
    assert await prove(work, vera, PIN) is EntryResult.LOCKED, "twice as long"
    work.now += timedelta(minutes=15)
    assert await prove(work, vera, PIN) is EntryResult.RIGHT
    assert await prove(work, vera, "000000") is EntryResult.WRONG, "counted from the beginning"


async def test_a_new_pin_on_the_page_or_a_code_opens_what_was_locked(
    work: Work, vera: Staff
) -> None:
    for _ in range(5):
        await prove(work, vera, "000000")
    code = await phone_proofs.make_code(work, vera)
    assert await prove(work, vera, code) is EntryResult.HANDED
    assert await prove(work, vera, code) is EntryResult.WRONG, "it works once"


async def test_a_code_of_an_administrator_lives_three_days_and_leads_to_a_pin(
    work: Work, vera: Staff
) -> None:
    code = await phone_proofs.make_code(work, vera)
    assert code not in str(logged(work))
    work.now += phone_proofs.HANDED_LIVES + timedelta(minutes=1)
    assert await prove(work, vera, code) is EntryResult.WRONG
    for entry in ("123456", "12"):
        with pytest.raises(Invalid):
            await phone_proofs.choose(work, vera, entry)
    assert not await phone_proofs.choose(work, vera, PIN)
    with pytest.raises(Invalid):
        await phone_proofs.choose(work, vera, "369147")
    assert not await phone_proofs.choose(work, vera, PIN)
    assert await phone_proofs.choose(work, vera, PIN)
    assert await prove(work, vera, PIN) is EntryResult.RIGHT
    boro = await a_counsellor(work, "boro")
    with pytest.raises(Conflict):
        await phone_proofs.make_code(work, boro)


async def test_a_texted_code_lives_ten_minutes_and_not_many_are_sent(
    work: Work, vera: Staff
) -> None:
    first = await phone_proofs.text_code(work, vera, "available")
    assert first is not None
    assert await phone_proofs.text_code(work, vera, "available") is None, "one was sent just now"
    work.now += timedelta(minutes=3)
    second = await phone_proofs.text_code(work, vera, "break")
    assert second is not None
    assert await prove(work, vera, first) is EntryResult.WRONG
    work.now += timedelta(minutes=11)
    assert await prove(work, vera, second) is EntryResult.WRONG
    await phone_proofs.make_code(work, vera)
    assert await phone_proofs.text_code(work, vera, "available") is None, "it keeps the handed one"


async def test_a_second_phone_that_is_only_chosen_takes_no_number_from_a_colleague(
    work: Work, vera: Staff
) -> None:
    boro = await a_counsellor(work, "boro")
    boro.second_phone = "+38164999003"
    await work.session.flush()
    assert await phone_proofs.whose_unproven(work, "+38164999003") is None
    assert await phone_proofs.whose_unproven(work, PHONE) == vera
    await phone_proofs.pair(work, vera)
    boro.second_phone = PHONE
    await work.session.flush()
    assert await phone_proofs.whose_unproven(work, PHONE) is None


async def test_where_no_code_goes_by_telephone_only_a_pin_of_the_page_counts(
    work: Work, vera: Staff
) -> None:
    vera.password_hash = await hash_password("correct horse battery")
    before = await session_tokens.open_session(work, vera)
    own = (vera, "correct horse battery", PIN, before)
    await phone_proofs.set_own_pin(work, *own)
    texted = await phone_proofs.text_code(work, vera, "available") or ""
    work.settings.codes_by_telephone = False
    for entry in (PIN, texted):
        assert await prove(work, vera, entry) is EntryResult.WRONG
    # Nor does one of before, at a phone that is rung for the digits of the page.
    assert not await phone_proofs.prove_phone(work, vera, texted, shown=True)
    assert await phone_proofs.text_code(work, vera, "available") is None
    with pytest.raises(phone_proofs.OnlyAPin):
        await phone_codes.make(work, vera.id, by=None)
    # Without a second factor, the page refuses a PIN that would count for nothing.
    with pytest.raises(phone_proofs.OnlyAPin):
        await phone_proofs.set_own_pin(work, *own)
    work.now += timedelta(minutes=1)
    await with_telephone(work, vera)
    # Nor in a session that began before there was one: it has seen the password alone.
    with pytest.raises(phone_proofs.OnlyAPin):
        await phone_proofs.set_own_pin(work, *own)
    renewed = await session_tokens.note_proof(work, vera, before, "code")
    # The token of before has not seen it.
    with pytest.raises(phone_proofs.OnlyAPin):
        await phone_proofs.set_own_pin(work, *own)
    await phone_proofs.set_own_pin(work, *own[:-1], renewed.token)
    assert await prove(work, vera, PIN) is EntryResult.RIGHT
    # A code that its person reads on the page proves the telephone that is rung.
    code = await phone_proofs.make_code(work, vera)
    assert await prove(work, vera, code) is EntryResult.WRONG
    assert await phone_proofs.prove_phone(work, vera, code, shown=True)
    # A PIN that is chosen by key takes the place of one of the page, and does not count any more.
    await phone_proofs.set_pin(work, vera, PIN)
    assert await prove(work, vera, PIN) is EntryResult.WRONG


async def test_another_number_is_not_proven_and_loses_its_code(work: Work, vera: Staff) -> None:
    mila = await an_administrator(work)
    await phone_proofs.pair(work, vera)
    code = await phone_proofs.text_code(work, vera, "available")
    assert await phone_proofs.is_paired(work, vera)
    await changing.change(work, vera.id, Changes(endpoint="+38164999002"), by=mila)
    assert not await phone_proofs.is_paired(work, vera)
    assert await prove(work, vera, code or "") is EntryResult.WRONG
    await changing.change(work, vera.id, Changes(endpoint="browser"), by=mila)
    assert await phone_proofs.is_paired(work, vera), "only phones are proven"
