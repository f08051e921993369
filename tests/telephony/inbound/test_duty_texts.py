"""A counsellor's text is carried out once, and each answer is a text that the rules allow."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.dialling.models import Dial, DialledFor
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


@pytest.mark.parametrize("number", ["+881612345678", "+979123456789", "+5352123456", "ADVERT"])
async def test_a_text_from_a_number_that_is_not_dialled_is_not_answered(
    work: Work, number: str
) -> None:
    await a_line(work)
    for n in range(3):
        assert await _texts(work, f"SM{n}", "hello", number) == ""
    rows = (await work.session.scalars(select(Dial))).all()
    assert rows
    assert all(row.refused for row in rows)


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
    assert "Please ring +38111116111" in said
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
