"""What did not arrive, for those who manage connections: to whom and why, nothing of a child."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.calls.lines.line_rows import Line
from app.errors import Conflict
from app.outbox.states import Sending
from app.people.connection_rows import Means
from app.people.dead_letters import dead_letters, send_again
from app.referrals.channels.models import Attempt, Delivery
from app.referrals.directory.agencies import agency_of_code
from app.referrals.escalation import alarms
from app.referrals.models import Referral
from app.referrals.states import AttemptResult, DeliveryState
from app.routing.alarm_rows import AlarmAttempt, AlarmKind
from app.routing.rota.unstaffed_alarms import open_alarm
from app.staff.log_kinds import AuditLog
from app.work import Work
from tests.support.duties import log_of
from tests.support.verbs import a_counsellor, a_line, a_referral, an_agency


async def test_an_alarm_that_was_over_before_its_text_went_out_is_no_dead_letter(
    work: Work,
) -> None:
    await a_line(work)
    await an_agency(work, "house")
    line = (await work.session.scalars(select(Line))).one()
    alarm = await open_alarm(work, AlarmKind.LONG_WAIT, line_id=line.id, language="sr")
    attempt = AlarmAttempt(
        id=uuid4(),
        alarm_id=alarm,
        number=1,
        turn=1,
        kind="sms",
        who="house",
        target="+381641234567",
        language="sr",
        sending=Sending.WANTED.value,
        wanted_at=work.now,
    )
    work.session.add(attempt)
    await work.session.flush()
    await alarms.stop_attempts(work, alarm)
    await work.session.flush()
    assert attempt.sending == Sending.FAILED
    assert await dead_letters(work) == []


async def _sent_in_vain(work: Work) -> Referral:
    """Let a mail and an event to an agency fail, and the text about an alarm."""
    await a_line(work)
    await an_agency(work, "house")
    referral = await a_referral(work, await a_counsellor(work, "ana"))
    house = await agency_of_code(work, "house")
    await work.session.flush()
    for mail in await work.session.scalars(select(Attempt)):
        mail.sending, mail.result = Sending.FAILED.value, AttemptResult.FAILED.value
        mail.ended_at = work.now
    work.session.add(
        Delivery(
            id=uuid4(),
            agency_id=house.id,
            referral_id=referral.id,
            sequence=1,
            kind="referral.offered",
            detail={},
            state=DeliveryState.DEAD.value,
            created_at=work.now - timedelta(days=40),
            ended_at=work.now - timedelta(days=34),
            attempts=9,
            last_response="status 302",
        )
    )
    line = (await work.session.scalars(select(Line))).one()
    alarm = await open_alarm(work, AlarmKind.LONG_WAIT, line_id=line.id, language="sr")
    values: dict[str, Any] = {"alarm_id": alarm, "turn": 1, "kind": "sms", "who": "house"}
    values |= {"target": "+381641234567", "language": "sr", "sending": Sending.FAILED.value}
    for number, (days, result) in enumerate(((1, None), (1, "not_needed_any_more"), (40, None))):
        at = work.now - timedelta(days=days)
        work.session.add(
            AlarmAttempt(id=uuid4(), number=number, wanted_at=at, result=result, **values)
        )
    await work.session.flush()
    return referral


async def test_mails_texts_and_events_that_failed_are_listed_without_the_referral(
    work: Work,
) -> None:
    referral = await _sent_in_vain(work)
    found = await dead_letters(work)
    told = [(one.means, one.to, one.target, one.problem, one.again) for one in found]
    assert told == [
        (Means.MAIL, "House", "a…@house.example", "failed", False),
        (Means.SMS, "House", "+381…67", "failed", False),
        (Means.WEBHOOKS, "House", "", "status 302", True),
    ]
    assert referral.code not in str(found)
    assert str(referral.id) not in str(found)


async def test_an_event_is_sent_again_and_a_message_is_not(work: Work) -> None:
    await _sent_in_vain(work)
    event = next(one for one in await dead_letters(work) if one.again)
    await send_again(work, event.id)
    row = (await work.session.scalars(select(Delivery).where(Delivery.id == event.id))).one()
    assert (row.state, row.attempts, row.ended_at) == (DeliveryState.WAITING, 0, None)
    assert event.id not in {one.id for one in await dead_letters(work)}
    detail = log_of(work, AuditLog.EVENT_SENT_AGAIN)
    assert (detail["before"], detail["after"], detail["what"]) == (
        "dead",
        "waiting",
        "referral.offered",
    )
    with pytest.raises(Conflict):
        await send_again(work, event.id)
