"""A counsellor's text is carried out once, and each answer is a text that the rules allow."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.calls.models import Call
from app.calls.states import Channel
from app.chats import by_carrier
from app.chats.models import ReturnCode
from app.dialling import outward
from app.dialling.models import Dial, DialledFor
from app.jobs.transaction import flush
from app.routing.models import PresenceState
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.messaging import receiving
from app.telephony.provider.signature import Signed
from app.words.sms import parts_of
from app.work import Work
from tests.support.verbs import a_counsellor, a_line, presence_of

PHONE = "+38164999001"


async def _texts(work: Work, sid: str, body: str, from_: str = PHONE) -> str:
    fields = {"MessageSid": sid, "From": from_, "To": "+38111116111", "Body": body}
    return await receiving.text_arrived(work, Signed(fields, "/telephony/sms"))


async def _off_duty(work: Work) -> Staff:
    await a_line(work)
    vera = await a_counsellor(work, "vera", PHONE)
    (await presence_of(work, vera)).state = PresenceState.OFF_DUTY.value
    await work.session.flush()
    return vera


async def test_a_text_that_comes_to_two_processes_is_carried_out_once(work: Work) -> None:
    vera = await _off_duty(work)
    asked = await _texts(work, "SM1", "available")
    (code,) = re.findall(r"\b\d{6}\b", asked)
    assert await _texts(work, "SM1", "available") == asked, "this process knows the answer"
    work.ground.memory.forget("texts")
    assert await _texts(work, "SM1", "available") == ""
    assert "You are" in await _texts(work, "SM2", code)
    work.ground.memory.forget("texts")
    assert await _texts(work, "SM2", code) == ""
    assert (await presence_of(work, vera)).state == PresenceState.AVAILABLE
    proof = await phone_proofs.proof_of(work, vera.id)
    assert proof is not None
    assert proof.failures == 0


async def test_a_text_whose_transaction_failed_is_carried_out_when_it_comes_again(
    work: Work,
) -> None:
    vera = await _off_duty(work)
    (code,) = re.findall(r"\b\d{6}\b", await _texts(work, "SM1", "available"))
    await work.session.flush()
    failed = await work.session.begin_nested()
    assert "You are" in await _texts(work, "SM2", code)
    await failed.rollback()
    work.session.expire_all()
    await work.session.refresh(vera)
    assert (await presence_of(work, vera)).state == PresenceState.OFF_DUTY
    assert "You are" in await _texts(work, "SM2", code)
    assert (await presence_of(work, vera)).state == PresenceState.AVAILABLE


SATELLITE, PREMIUM, CUBA = "+881612345678", "+979123456789", "+5352123456"


async def _kept(work: Work) -> list[tuple[str | None, bool]]:
    """The texts that wait for a person: from whom, and whether it is a task."""
    await flush(work)
    calls = await work.session.scalars(select(Call).where(Call.channel == Channel.SMS))
    return [
        (by_carrier.address_of(work, one), await work.session.get(ReturnCode, one.id) is not None)
        for one in calls
    ]


@pytest.mark.parametrize("number", [SATELLITE, PREMIUM, "ADVERT"])
async def test_a_text_from_a_number_that_is_never_dialled_is_not_answered_but_kept(
    work: Work, number: str
) -> None:
    await a_line(work)
    for n in range(3):
        assert await _texts(work, f"SM{n}", "hello", number) == ""
    assert await _texts(work, "SM2", "hello", number) == "", "the same text again"
    rows = (await work.session.scalars(select(Dial))).all()
    assert rows
    assert all(row.refused for row in rows)
    assert await _kept(work) == ([] if number == "ADVERT" else [(number, True)])


async def test_very_many_such_numbers_within_an_hour_make_no_more_work(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outward, "ABROAD_HOUR", 3)
    await a_line(work)
    for n in range(outward.ABROAD_HOUR + 3):
        assert await _texts(work, f"SM{n}", "hello", f"+8816123456{n:02}") == ""
    assert len(await _kept(work)) == outward.ABROAD_HOUR


async def test_a_child_with_a_telephone_of_another_country_is_answered(work: Work) -> None:
    """It costs one text that the child asked for: only what is dialled has countries."""
    await a_line(work)
    said = await _texts(work, "SM1", "help me", CUBA)
    assert "116111" in said
    assert await _texts(work, "SM2", "please", CUBA) == "", "once within an hour"
    rows = (await work.session.scalars(select(Dial))).all()
    assert {(row.country, row.refused) for row in rows} == {("CU", None)}
    assert len(rows) == parts_of(said)
    assert not await outward.may_dial(work, CUBA, uuid4(), DialledFor.CALLBACK)
    assert await _kept(work) == []


async def test_answers_to_other_countries_have_a_limit_beyond_which_texts_are_kept(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender can be forged: answers that no child asked for are to cost little."""
    monkeypatch.setattr(outward, "ABROAD_HOUR", 6)
    await a_line(work)
    said = [await _texts(work, f"SM{n}", "hello", f"+53521234{n:02}") for n in range(8)]
    answered = sum(parts_of(one) for one in said if one)
    assert answered - parts_of(said[0]) < outward.ABROAD_HOUR <= answered
    kept = await _kept(work)
    assert len(kept) == sum(not one for one in said) > 0
    assert await _texts(work, "SM100", "hello", "+381641110001"), "those at home are answered"
    work.now += timedelta(hours=1)
    assert await _texts(work, "SM101", "hello", "+5352123499")


@pytest.mark.parametrize("sender", ["whatsapp:+4915112345678", "messenger:123456"])
async def test_a_child_abroad_is_answered_in_a_messenger_once_in_an_hour(
    work: Work, sender: str
) -> None:
    """No number is dialled: the countries that may be rung do not count."""
    await a_line(work)
    said = await _texts(work, "SM1", "help me", sender)
    assert "116111" in said
    assert await _texts(work, "SM2", "please", sender) == ""
    assert await _texts(work, "SM3", "help me", f"{sender}9") == said
    work.now += timedelta(hours=1)
    assert await _texts(work, "SM4", "help me", sender) == said


async def test_a_text_of_a_child_is_answered_once_in_an_hour_and_counted(work: Work) -> None:
    await a_line(work)
    said = await _texts(work, "SM1", "hello", "+381641110001")
    assert "Please call +38111116111" in said
    assert await _texts(work, "SM1", "hello", "+381641110001") == said, "the same text again"
    for n in range(2, 20):
        assert await _texts(work, f"SM{n}", "hello", "+381641110001") == ""
    assert await _texts(work, "SM20", "hello", "+381641110002") == said
    rows = (await work.session.scalars(select(Dial))).all()
    assert len(rows) == 2 * parts_of(said)
    assert {row.purpose for row in rows} == {DialledFor.CONVERSATION}
    work.now += timedelta(hours=1)
    assert await _texts(work, "SM21", "hello", "+381641110001") == said


async def test_each_answer_to_a_counsellor_is_counted(work: Work) -> None:
    await _off_duty(work)
    parts = [parts_of(await _texts(work, f"SM{n}", "what?")) for n in range(3)]
    rows = (await work.session.scalars(select(Dial))).all()
    assert len(rows) == sum(parts)
    assert {row.purpose for row in rows} == {DialledFor.NOTICE}
