"""Key 1 of a person of ours whose phone was never proven stops no search for help: the PIN does."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select

from app.referrals.channels.models import Attempt
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.escalation import alarms
from app.referrals.escalation.trying import escalate_on
from app.referrals.models import Referral
from app.referrals.states import AttemptResult
from app.routing.alarm_rows import Alarm, AlarmAttempt, AlarmKind
from app.routing.rota import unstaffed_alarms
from app.staff import phone_proofs
from app.staff.models import Staff
from app.telephony.duty_phones import alarm_calls, duty
from app.telephony.provider.signature import Signed
from app.telephony.steps import Ask, Step
from app.work import Work
from tests.support.verbs import a_counsellor, a_line, a_referral, logged

_A_MOMENT = timedelta(seconds=30)
OWN, DIRECTOR, PIN = "+381641112224", "+381113000004", "283746"


def _key(digits: str) -> Signed:
    return Signed({"CallSid": "CA1", "Digits": digits}, "/")


async def _unproven(work: Work, name: str) -> Staff:
    person = await a_counsellor(work, name, endpoint=OWN)
    await phone_proofs.set_pin(work, person, PIN)
    return person


async def _on_call(work: Work, code: str, service: str, number: str) -> None:
    phones = (Phone(number),)
    await save_agency(work, Entry(code, code.title(), "own_house", (service,), duty_phones=phones))


def _noted(work: Work) -> list[dict[str, str]]:
    return [detail for act, detail in logged(work) if act == "key_at_unproven_phone"]


def _asks_for_pin(said: list[Step]) -> int:
    """How often a key was pressed by the answer to this question."""
    (asked,) = [step for step in said if isinstance(step, Ask)]
    assert asked.digits == phone_proofs.DIGITS
    return int(asked.then.rpartition("n=")[2])


async def _last_rung(work: Work, referral: Referral) -> Attempt:
    await work.session.flush()
    rows = select(Attempt).where(Attempt.referral_id == referral.id).order_by(Attempt.number)
    return (await work.session.scalars(rows)).all()[-1]


async def test_of_our_own_supervisor_the_pin_alone_takes_a_referral(work: Work) -> None:
    vera = await _unproven(work, "vera")
    await _on_call(work, "on-call", "supervisor_on_call", OWN)
    await _on_call(work, "director", "director_on_call", DIRECTOR)
    referral = await a_referral(work, await a_counsellor(work, "ana"))
    rung = await _last_rung(work, referral)
    assert rung.target == OWN
    await duty.lifted(work, rung.id, _key(""))
    n = _asks_for_pin(await duty.pressed(work, rung.id, _key("1"), 1))
    assert _noted(work) == [{"staff_id": str(vera.id)}]
    assert not referral.held_by_staff
    # The next person is rung in a moment, and this one can still prove it.
    until = work.now + _A_MOMENT
    while (await _last_rung(work, referral)).target != DIRECTOR:
        assert referral.escalates_at is not None
        assert work.now <= referral.escalates_at <= until
        work.now = referral.escalates_at
        await escalate_on(work, referral)
    n = _asks_for_pin(await duty.pressed(work, rung.id, _key("000000"), n))
    assert not referral.held_by_staff
    await duty.pressed(work, rung.id, _key(PIN), n)
    assert rung.result == AttemptResult.ACKNOWLEDGED
    assert referral.held_by_staff
    assert await phone_proofs.whose_unproven(work, OWN) is None


async def test_of_an_owner_the_pin_alone_takes_an_alarm(work: Work) -> None:
    """The owner is rung first, and another person before the PIN comes."""
    await a_line(work)
    boris = await _unproven(work, "boris")
    await _on_call(work, "director", "director_on_call", DIRECTOR)
    await unstaffed_alarms.open_alarm(
        work, AlarmKind.DRAFT_NOT_SENT, subject_id=uuid4(), owner_id=boris.id
    )
    await work.session.flush()
    alarm = (await work.session.scalars(select(Alarm))).one()
    await alarms.escalate(work, alarm)
    own = (await work.session.scalars(select(AlarmAttempt))).one()
    assert own.target == OWN
    n = _asks_for_pin(await alarm_calls.pressed(work, own.id, _key("1"), 1))
    assert _noted(work) == [{"staff_id": str(boris.id)}]
    await work.session.flush()
    rung = {one.target for one in await work.session.scalars(select(AlarmAttempt))}
    assert rung == {OWN, DIRECTOR}, "at once"
    assert alarm.acknowledged_by is None
    await alarm_calls.pressed(work, own.id, _key(PIN), n)
    assert alarm.acknowledged_by == "boris"
    assert await phone_proofs.whose_unproven(work, OWN) is None
