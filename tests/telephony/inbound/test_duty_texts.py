"""A counsellor's text is carried out once, however often and to whichever process it comes."""

import re

from app.routing.models import PresenceState
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.messaging import receiving
from app.telephony.provider.signature import Signed
from app.work import Work
from tests.support.verbs import a_counsellor, a_line, presence_of

PHONE = "+38164999001"


async def _texts(work: Work, sid: str, body: str) -> str:
    fields = {"MessageSid": sid, "From": PHONE, "To": "+38111116111", "Body": body}
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
