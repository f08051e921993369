"""What follows from each attempt to make a call-back, and from what its counsellor says."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.calls.states import CallState, EndedBy
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.outbox.states import Sending
from app.routing import lost_counsellor, offers, releasing
from app.routing.callbacks import callback_attempts, callbacks
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.callbacks.callbacks import WhoAnswered
from app.routing.callbacks.choices import Slot, Who
from app.routing.rota.roster import add_shift
from app.staff import accounts
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.staff.roles import Role
from app.telephony.counsellor import conference
from app.work import Work
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_waiting_call,
    another_talk,
    offered,
    rings,
)

BELGRADE = ZoneInfo("Europe/Belgrade")


async def agreed(work: Work, *, who: Who = Who.CALLER, hours: int = 3) -> Callback:
    """A caller who waits agrees to a call-back within the next hours, and hangs up."""
    asked = await a_waiting_call(work)
    row = await callbacks.agree(
        work, asked, who, (work.now, work.now + timedelta(hours=hours)), safe=True
    )
    await releasing.end_call(work, asked, ended_by=EndedBy.CALLER)
    await work.session.flush()
    return row


async def made(work: Work, row: Callback) -> Call:
    """Return the call of a call-back that is due."""
    assert await callback_attempts.queue_due(work) == 1
    calls = await work.session.scalars(
        select(Call).where(Call.callback_id == row.id).order_by(Call.opened_at.desc()).limit(1)
    )
    return await record.lock_call(work, calls.one().id)


async def over(work: Work, call: Call) -> None:
    await releasing.end_call(work, call, ended_by=EndedBy.PROVIDER)
    await callback_attempts.after_attempt(work, call)
    await work.session.flush()


async def rung(work: Work, row: Callback, answered_to: Staff | None = None) -> None:
    """Let the phone of a call-back ring until its call is over, in vain or answered."""
    call = await made(work, row)
    call.sending = Sending.SENT.value
    if answered_to is not None:
        (offer,) = await offered(work, call, answered_to)
        await offers.accept_offer(work, call, offer)
        await offers.connect_offer(work, call, offer, at=work.now)
    await over(work, call)


async def say(work: Work, who: Staff, row: Callback, said: WhoAnswered) -> None:
    await callback_attempts.say(work, who, row.id, said)
    await work.session.flush()


async def test_the_counsellor_says_who_answered_and_nothing_is_forgotten_before(
    work: Work,
) -> None:
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    row = await agreed(work)
    await rung(work, row, ana)
    assert (row.state, row.talked_by) == (CallbackState.SPOKEN, ana.id)
    assert row.number_sealed is not None
    with pytest.raises(NotFound):
        await say(work, boris, row, WhoAnswered.REACHED)
    work.now += timedelta(hours=1)
    assert await callback_attempts.queue_due(work) == 0, "no phone rings until she has said it"
    await say(work, ana, row, WhoAnswered.NOT_REACHED)
    assert (row.state, row.attempts) == (CallbackState.AGREED, 1)
    with pytest.raises(Conflict):
        await say(work, ana, row, WhoAnswered.REACHED)
    # Another person answers the next attempt: the house is not rung again that day.
    work.now = row.next_at
    await rung(work, row, boris)
    await say(work, boris, row, WhoAnswered.ANOTHER_PERSON)
    assert (row.state, row.attempts) == (CallbackState.AGREED, 2)
    assert row.next_at.date() > work.now.date()
    work.now = row.next_at
    await rung(work, row, ana)
    await say(work, ana, row, WhoAnswered.REACHED)
    assert row.state == CallbackState.REACHED
    sealed: bytes | None = row.number_sealed
    assert sealed is None


async def test_after_three_attempts_a_person_looks_at_it(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    row = await agreed(work)
    for attempts in (1, 2):
        await rung(work, row)
        assert (row.state, row.attempts) == (CallbackState.AGREED, attempts)
        assert await callback_attempts.queue_due(work) == 0, "not at once"
        work.now = row.next_at
    await rung(work, row)
    assert row.state == CallbackState.GIVEN_UP
    assert row.number_sealed is not None, "kept until a person has looked at it"
    assert [one.id for one, _, _ in await callbacks.open_callbacks(work, ana.team)] == [row.id]
    work.actor = actor_of(ana)
    await callbacks.cancel(work, ana, row.id)
    await work.session.flush()
    assert row.number_sealed is None
    assert await callbacks.open_callbacks(work, ana.team) == []


async def test_a_call_that_no_counsellor_took_is_no_attempt(work: Work) -> None:
    await a_counsellor(work, "ana")
    row = await agreed(work)
    await over(work, await made(work, row))
    assert (row.state, row.attempts) == (CallbackState.AGREED, 0), "no phone rang"
    until = row.window_until
    work.now = until + timedelta(minutes=1)
    assert await callback_attempts.queue_due(work) == 1
    assert (row.state, row.passes) == (CallbackState.AGREED, 1)
    assert row.window_from >= until, "it goes on to the next day"


async def test_the_next_counsellor_makes_it_when_one_is_lost_before_the_phone_rings(
    work: Work,
) -> None:
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    row = await agreed(work)
    call = await made(work, row)
    (offer,) = await offered(work, call, ana)
    await offers.accept_offer(work, call, offer)
    await lost_counsellor.counsellor_left(work, call, offer, Cause.LEFT_CONFERENCE, died=True)
    assert (call.state, call.sending) == (CallState.QUEUED, Sending.WANTED)
    assert (row.state, row.attempts) == (CallbackState.TRYING, 0)
    (offer,) = await offered(work, call, boris)
    await offers.accept_offer(work, call, offer)
    call.sending = Sending.SENT.value
    await offers.connect_offer(work, call, offer, at=work.now)
    await over(work, call)
    assert (row.state, row.attempts, row.talked_by) == (CallbackState.SPOKEN, 1, boris.id)


async def test_a_caller_who_rings_again_and_talks_is_not_called_back(work: Work) -> None:
    ana = await a_counsellor(work, "ana")
    row = await agreed(work)
    call = await another_talk(work, ana)
    offer = await offers.live_offer_of_call(work, call.id)
    assert offer is not None
    await conference.connect(work, call, offer, at=work.now)
    assert (row.state, row.talked_by) == (CallbackState.SPOKEN, ana.id)
    assert row.number_sealed is not None, "perhaps it was not the child who rang"
    assert await callback_attempts.queue_due(work) == 0
    await say(work, ana, row, WhoAnswered.REACHED)
    assert row.number_sealed is None


async def test_a_new_wish_while_a_callback_is_being_made_changes_that_one(work: Work) -> None:
    await a_counsellor(work, "ana")
    row = await agreed(work)
    await made(work, row)
    again, _ = await rings(work, "CA2")
    line = await finding_lines.any_line(work)
    assert line is not None
    window = callbacks.window_of(Slot.TOMORROW, work.now, line.timezone)
    changed = await callbacks.agree(work, again, Who.ANYONE, window, safe=True)
    assert changed.id == row.id
    assert (row.state, row.who, row.window_from) == (CallbackState.TRYING, "anyone", window[0])
    assert window[0].astimezone(BELGRADE).hour == 14


async def test_soon_is_never_at_night_and_follows_the_rota(work: Work) -> None:
    """At eleven in the evening the next counsellor comes at eight: then, and not before."""
    work.now = datetime(2030, 1, 14, 23, tzinfo=BELGRADE)
    await a_line(work)
    ana = await accounts.add_staff(work, name="ana", role=Role.COUNSELLOR, endpoint="browser")
    daily = {"recurrence": "FREQ=DAILY", "minutes": 480, "timezone": "Europe/Belgrade"}
    shift = await add_shift(work, ana, starts_at=time(8), **daily)  # type: ignore[arg-type]
    line = await finding_lines.any_line(work)
    assert line is not None
    call, _ = await rings(work)
    window = await callbacks.window_for(work, Slot.SOON, line, "sr")
    row = await callbacks.agree(work, call, Who.CALLER, window, safe=True, slot=Slot.SOON)
    assert row.next_at == datetime(2030, 1, 15, 8, tzinfo=BELGRADE)
    # The rota has changed: no counsellor comes in the morning.
    shift.starts_at = time(12)
    await work.session.flush()
    work.ground.memory.forget(Topic.ROSTER)
    work.now = row.next_at
    assert await callback_attempts.queue_due(work) == 1
    assert row.state == CallbackState.AGREED
    assert row.next_at == datetime(2030, 1, 15, 12, tzinfo=BELGRADE), "the next staffed time"
