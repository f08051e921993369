"""Passkeys: adding, using and removing one, and what an attacker would send."""

from datetime import timedelta
from typing import Any

import pytest

from app.errors import Conflict, Invalid, NotFound
from app.log import set_up_logging
from app.people import factors, leaving
from app.staff import passkeys, second_factor
from app.staff.models import Awaits, Staff
from app.staff.passkey_rows import ChallengePurpose, Passkey
from app.staff.passkeys import Added, CounterWentBack, NoPasskey, WrongPasskey
from app.staff.roles import Role
from app.staff.sign_in_rules import (
    NoName,
    PasskeyRelaxed,
    Relaxed,
    Rules,
    rules_said,
    set_sign_in_rules,
    sign_in_rules,
)
from app.work import Work
from tests.support.identity.authenticator import Authenticator, HeldAlready
from tests.support.identity.second_step import with_telephone
from tests.support.verbs import a_counsellor, a_supervisor, an_administrator, logged

ORIGIN = "http://localhost:1"


@pytest.fixture
def named(work: Work) -> Work:
    """A helpline whose address has a name: an address that is a number has no passkeys."""
    work.settings.public_url = ORIGIN
    return work


async def added(work: Work, staff: Staff, device: Authenticator, name: str = "my phone") -> Added:
    sent = device.make(await passkeys.begin_adding(work, staff))
    challenge = await passkeys.take_challenge(work, staff, ChallengePurpose.ADDING, sent)
    return await passkeys.add(work, staff, name, sent, challenge)


async def used(
    work: Work,
    staff: Staff,
    device: Authenticator,
    purpose: ChallengePurpose = ChallengePurpose.SIGN_IN,
) -> Any:
    sent = device.answer(await passkeys.begin_using(work, staff, purpose))
    challenge = await passkeys.take_challenge(work, staff, purpose, sent)
    return await passkeys.use(work, staff, sent, challenge)


async def test_the_first_one_brings_recovery_codes_and_is_asked_for_at_sign_in(
    named: Work,
) -> None:
    ana, phone = await a_counsellor(named, "ana"), Authenticator(ORIGIN)
    first = await added(named, ana, phone)
    assert first.codes is not None
    assert len(first.codes) == second_factor.RECOVERY_CODES
    second = await added(named, ana, Authenticator(ORIGIN), "key ring")
    assert second.codes is None, "the codes of the first one stay"
    assert await second_factor.missing_of(named, ana) is Awaits.CODE
    state = await second_factor.state_of(named, ana)
    assert (state.passkeys, state.app_since, state.since) == (2, None, named.now)
    named.now += timedelta(minutes=1)
    assert (await used(named, ana, phone)).used_at == named.now
    await second_factor.use_code(named, ana, first.codes[0])
    acts = [(act, detail) for act, detail in logged(named) if act.startswith("passkey")]
    assert [(act, detail["before"], detail["after"]) for act, detail in acts] == [
        ("passkey_added", 0, 1),
        ("passkey_added", 1, 2),
    ]
    assert "key ring" not in str(logged(named))


async def test_names_are_checked_and_a_passkey_is_added_once(named: Work) -> None:
    ana, vera = await a_counsellor(named, "ana"), await a_supervisor(named)
    phone = Authenticator(ORIGIN)
    for name in ("", " ", "x" * 61, "a\x00b"):
        with pytest.raises(Invalid):
            await added(named, ana, phone, name)
    await added(named, ana, phone, "  my   phone ")
    assert [one.name for one in await passkeys.passkeys_of(named, ana)] == ["my phone"]
    with pytest.raises(Conflict, match="this name"):
        await added(named, ana, Authenticator(ORIGIN), "my phone")
    with pytest.raises(Conflict, match="already"):
        await added(named, vera, phone)


def _without_verifying(device: Authenticator) -> None:
    device.verifies = False


def _elsewhere(device: Authenticator) -> None:
    device.origin = "http://localhost.example:1"


def _for_another_site(device: Authenticator) -> None:
    device.site = "example.org"


def _with_another_key(device: Authenticator) -> None:
    device.key = Authenticator(ORIGIN).key


def _unknown(device: Authenticator) -> None:
    device.credential_id = bytes(32)


@pytest.mark.parametrize(
    "attack",
    [_without_verifying, _elsewhere, _for_another_site, _with_another_key, _unknown],
    ids=lambda one: one.__name__.strip("_"),
)
async def test_what_an_attacker_sends_is_refused(named: Work, attack: Any) -> None:
    ana, phone = await a_counsellor(named, "ana"), Authenticator(ORIGIN)
    await added(named, ana, phone)
    attack(phone)
    with pytest.raises(WrongPasskey):
        await used(named, ana, phone)
    if attack not in (_with_another_key, _unknown):
        fresh = Authenticator(ORIGIN)
        attack(fresh)
        with pytest.raises(WrongPasskey):
            await added(named, ana, fresh, "another")


def _key_of_another(work: Work, own: Passkey, other: Passkey) -> None:
    own.public_key_sealed = other.public_key_sealed


def _row_of_another(work: Work, own: Passkey, other: Passkey) -> None:
    other.staff_id, other.name = own.staff_id, "of another"


def _key_in_another_row_of_the_person(work: Work, own: Passkey, other: Passkey) -> None:
    # Sealed for the right person, as by a program that seals whatever it is told.
    key = work.keys.open(
        other.public_key_sealed, table="passkeys", column="public_key_sealed", row=other.staff_id
    )
    own.public_key_sealed = work.keys.seal(
        key, table="passkeys", column="public_key_sealed", row=own.staff_id
    )


def _rubbish(work: Work, own: Passkey, other: Passkey) -> None:
    own.public_key_sealed = b"\x01\x01" + bytes(60)


@pytest.mark.parametrize(
    "change",
    [_key_of_another, _row_of_another, _key_in_another_row_of_the_person, _rubbish],
    ids=lambda one: one.__name__.strip("_"),
)
async def test_who_writes_to_the_database_gives_no_account_a_passkey_of_another(
    named: Work, change: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    vera, eve = await a_supervisor(named), await a_counsellor(named, "eve")
    own, other = Authenticator(ORIGIN), Authenticator(ORIGIN)
    stored = (await added(named, vera, own)).passkey
    of_eve = (await added(named, eve, other)).passkey
    await used(named, vera, own)
    change(named, stored, of_eve)
    await named.session.flush()
    device = other
    if change is not _row_of_another:
        # The answer of Eve's device, for the row of Vera's passkey.
        device.credential_id = own.credential_id
    set_up_logging("ERROR")
    with pytest.raises(WrongPasskey):
        await used(named, vera, device)
    assert "a stored passkey was changed" in capsys.readouterr().err


async def test_a_challenge_counts_once_soon_ends_and_is_of_one_person_and_purpose(
    named: Work,
) -> None:
    ana, vera = await a_counsellor(named, "ana"), await a_supervisor(named)
    phone, key = Authenticator(ORIGIN), Authenticator(ORIGIN)
    await added(named, ana, phone)
    await added(named, vera, key)
    sent = phone.answer(await passkeys.begin_using(named, ana, ChallengePurpose.SIGN_IN))
    for staff, purpose in ((ana, ChallengePurpose.PROOF), (vera, ChallengePurpose.SIGN_IN)):
        with pytest.raises(WrongPasskey):
            await passkeys.take_challenge(named, staff, purpose, sent)
    challenge = await passkeys.take_challenge(named, ana, ChallengePurpose.SIGN_IN, sent)
    with pytest.raises(WrongPasskey):
        await passkeys.take_challenge(named, ana, ChallengePurpose.SIGN_IN, sent)
    # Her answer opens the account of no other person.
    with pytest.raises(WrongPasskey):
        await passkeys.use(named, vera, sent, challenge)
    late = phone.answer(await passkeys.begin_using(named, ana, ChallengePurpose.SIGN_IN))
    named.now += timedelta(minutes=5)
    with pytest.raises(WrongPasskey):
        await passkeys.take_challenge(named, ana, ChallengePurpose.SIGN_IN, late)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "{",
        "[]",
        "null",
        {},
        {"id": "x"},
        {"response": 1},
        {"response": {"clientDataJSON": "é"}},
    ],
    ids=str,
)
async def test_what_is_no_answer_of_a_browser_is_refused(named: Work, sent: Any) -> None:
    ana = await a_counsellor(named, "ana")
    for purpose in ChallengePurpose:
        with pytest.raises(WrongPasskey):
            await passkeys.take_challenge(named, ana, purpose, sent)
    with pytest.raises(WrongPasskey):
        await passkeys.use(named, ana, sent, b"x")


async def test_a_counter_that_goes_back_stops_the_passkey_and_not_the_second_factor(
    named: Work,
) -> None:
    ana, phone = await a_counsellor(named, "ana"), Authenticator(ORIGIN)
    made = await added(named, ana, phone)
    await used(named, ana, phone)
    await used(named, ana, phone)
    phone.counter = 0
    with pytest.raises(CounterWentBack) as caught:
        await used(named, ana, phone)
    for _ in range(2):
        await passkeys.stop(named, ana, caught.value.passkey_id)
    assert [act for act, _ in logged(named)].count("passkey_stopped") == 1
    with pytest.raises(NoPasskey):
        await passkeys.begin_using(named, ana, ChallengePurpose.SIGN_IN)
    # The password alone is not enough now: a recovery code is asked for.
    assert await second_factor.missing_of(named, ana) is Awaits.CODE
    assert made.codes is not None
    await second_factor.use_code(named, ana, made.codes[0])


async def test_the_device_of_a_stopped_one_makes_another(named: Work) -> None:
    vera, phone = await a_supervisor(named), Authenticator(ORIGIN)
    stopped = (await added(named, vera, phone)).passkey
    await set_sign_in_rules(named, PASSKEY)
    with pytest.raises(HeldAlready):
        phone.make(await passkeys.begin_adding(named, vera))
    await passkeys.stop(named, vera, stopped.id)
    phone.make(await passkeys.begin_adding(named, vera))
    # It makes a new key, which stands beside the stopped one until that is removed.
    renewed = Authenticator(ORIGIN)
    with pytest.raises(Conflict, match="this name"):
        await added(named, vera, renewed)
    await added(named, vera, renewed, "my phone again")
    await used(named, vera, renewed)
    await passkeys.remove_own(named, vera, stopped.id)
    assert [one.name for one in await passkeys.passkeys_of(named, vera)] == ["my phone again"]


async def test_a_stopped_one_takes_no_place_of_another(
    named: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passkeys, "MOST", 2)
    ana = await a_counsellor(named, "ana")
    stopped = (await added(named, ana, Authenticator(ORIGIN))).passkey
    await passkeys.stop(named, ana, stopped.id)
    await added(named, ana, Authenticator(ORIGIN), "second")
    third = Authenticator(ORIGIN)
    sent = third.make(await passkeys.begin_adding(named, ana))
    await added(named, ana, Authenticator(ORIGIN), "third")
    challenge = await passkeys.take_challenge(named, ana, ChallengePurpose.ADDING, sent)
    with pytest.raises(Conflict, match="There are 2 passkeys"):
        await passkeys.add(named, ana, "fourth", sent, challenge)
    with pytest.raises(Conflict, match="There are 2 passkeys"):
        await passkeys.begin_adding(named, ana)


async def test_a_device_that_does_not_count_is_accepted(named: Work) -> None:
    ana, phone = await a_counsellor(named, "ana"), Authenticator(ORIGIN)
    await added(named, ana, phone)
    for _ in range(2):
        phone.counter = -1
        await used(named, ana, phone)


async def test_the_last_one_is_not_removed_where_the_role_needs_one(named: Work) -> None:
    vera, key = await a_supervisor(named), Authenticator(ORIGIN)
    one = (await added(named, vera, key)).passkey
    await set_sign_in_rules(named, Rules((Role.SUPERVISOR,)))
    with pytest.raises(Conflict, match="Set up another one"):
        await passkeys.remove_own(named, vera, one.id)
    two = (await added(named, vera, Authenticator(ORIGIN), "key ring")).passkey
    await passkeys.remove_own(named, vera, one.id)
    with pytest.raises(NotFound):
        await passkeys.remove_own(named, vera, one.id)
    await set_sign_in_rules(named, Rules(), knowingly=True)
    await passkeys.remove_own(named, vera, two.id)
    assert await second_factor.missing_of(named, vera) is None
    assert (await second_factor.state_of(named, vera)).codes_left == 0
    with pytest.raises(NotFound):
        await passkeys.remove_own(named, await a_counsellor(named, "ana"), two.id)


async def test_a_reset_and_leaving_take_passkeys_away(named: Work) -> None:
    mila, vera = await an_administrator(named), await a_supervisor(named)
    await added(named, vera, Authenticator(ORIGIN))
    await factors.reset(named, vera.id, by=mila)
    assert await passkeys.passkeys_of(named, vera) == []
    await added(named, vera, Authenticator(ORIGIN))
    await leaving.deactivate(named, vera.id, by=mila)
    assert await passkeys.passkeys_of(named, vera) == []


async def test_an_address_that_is_a_number_has_no_passkeys(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    with pytest.raises(NoName, match="HELPLINE_PUBLIC_URL"):
        await passkeys.begin_adding(work, ana)


# -- where a role needs a passkey --------------------------------------------------------

PASSKEY = Rules((Role.SUPERVISOR,), passkey_roles=(Role.SUPERVISOR,))


async def test_where_a_role_needs_a_passkey_no_code_of_the_telephone_counts(named: Work) -> None:
    vera, key = await a_supervisor(named), Authenticator(ORIGIN)
    telephone, recovery = await with_telephone(named, vera)
    await set_sign_in_rules(named, PASSKEY)
    named.now += timedelta(minutes=5)
    await second_factor.use_code(named, vera, telephone.at(named.now))
    assert (await second_factor.state_of(named, vera)).passkey_needed
    await added(named, vera, key)
    named.now += timedelta(minutes=5)
    with pytest.raises(second_factor.PasskeyNeeded):
        await second_factor.use_code(named, vera, telephone.at(named.now))
    # Nor where the only one is stopped: what was a passkey is not replaced by less.
    (one,) = await passkeys.passkeys_of(named, vera)
    await passkeys.stop(named, vera, one.id)
    with pytest.raises(second_factor.PasskeyNeeded):
        await second_factor.use_code(named, vera, telephone.at(named.now))
    assert not await second_factor.use_code(named, vera, recovery[0])


async def test_the_last_passkey_is_not_removed_where_the_role_needs_one(named: Work) -> None:
    mila, vera = await an_administrator(named), await a_supervisor(named)
    await with_telephone(named, vera)
    one = (await added(named, vera, Authenticator(ORIGIN))).passkey
    await set_sign_in_rules(named, PASSKEY)
    with pytest.raises(Conflict, match="Add another one"):
        await passkeys.remove_own(named, vera, one.id)
    two = (await added(named, vera, Authenticator(ORIGIN), "key ring")).passkey
    await passkeys.stop(named, vera, two.id)
    with pytest.raises(Conflict, match="Add another one"):
        await passkeys.remove_own(named, vera, one.id)
    await passkeys.remove_own(named, vera, two.id)
    await factors.reset(named, vera.id, by=mila)
    assert await passkeys.passkeys_of(named, vera) == []
    assert await second_factor.missing_of(named, vera) is Awaits.SETTING_UP


async def test_a_demanded_passkey_is_given_up_only_knowingly(named: Work) -> None:
    await set_sign_in_rules(named, PASSKEY)
    with pytest.raises(PasskeyRelaxed, match="forged page"):
        await set_sign_in_rules(named, PASSKEY.demanding(passkey=()))
    # A program that knows no passkeys and takes the second factor away takes both.
    without = PASSKEY.demanding(factor=())
    assert (without.factor_roles, without.passkey_roles) == ((), ())
    with pytest.raises(Relaxed, match="seen or leaked"):
        await set_sign_in_rules(named, without)
    assert await sign_in_rules(named) == PASSKEY
    await set_sign_in_rules(named, PASSKEY.demanding(passkey=()), knowingly=True)
    assert (await sign_in_rules(named)).factor_roles == (Role.SUPERVISOR,)
    changed = [detail for act, detail in logged(named) if act == "sign_in_rules_set"]
    assert [(one["after"]["passkey_roles"], one.get("relaxed")) for one in changed] == [
        (["supervisor"], None),
        ([], ["supervisor"]),
    ]
    # A passkey is a second factor.
    assert Rules().demanding(passkey=(Role.AUDITOR,)).factor_roles == (Role.AUDITOR,)


async def test_a_passkey_is_not_demanded_where_no_browser_keeps_one(work: Work) -> None:
    with pytest.raises(NoName):
        await set_sign_in_rules(work, PASSKEY)
    assert (await sign_in_rules(work)).passkey_roles == ()


async def test_the_log_of_before_names_no_passkeys(work: Work) -> None:
    said = {name: one for name, one in PASSKEY.values.items() if name != "passkey_roles"}
    assert rules_said(said) == Rules((Role.SUPERVISOR,))
    assert rules_said(PASSKEY.values) == PASSKEY
