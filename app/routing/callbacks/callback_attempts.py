"""Call-backs are made: when one is due, who is asked, and what follows from each attempt."""

import contextlib
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.calls import callers, record
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import NOT_RUNG, CallEvent, CallState, Direction, EndedBy
from app.database.topics import Topic
from app.errors import Conflict, NotFound
from app.jobs.transaction import transaction
from app.outbox.states import Sending
from app.privacy.numbers import CallerKind
from app.routing import releasing
from app.routing.callbacks.callback_rows import Callback, CallbackState
from app.routing.callbacks.callbacks import (
    WhoAnswered,
    close_callback,
    lock_callback,
    of_call,
    who_talked,
    window_for,
)
from app.routing.callbacks.choices import Slot
from app.routing.plan import CALLBACK_PRIORITY, read_plan
from app.routing.responsible import pick_owner
from app.routing.rota import staffing
from app.staff import receiving
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import PROGRAM, Ground, Work

MOST_ATTEMPTS = 3
# The pause between two attempts on one day.
_PAUSE = timedelta(minutes=20)
# An outbound call that no counsellor takes within this time is postponed.
_IN_QUEUE = timedelta(minutes=30)


async def open_due(ground: Ground) -> int:
    """Put the call-backs that are due into the queue. Return how many were due."""
    async with transaction(ground, PROGRAM) as work:
        due = await queue_due(work)
        stale = await work.session.scalars(
            select(Call.id).where(
                Call.direction == Direction.OUTBOUND,
                Call.state == CallState.QUEUED,
                Call.sending.in_(NOT_RUNG),
                Call.queued_at < work.now - _IN_QUEUE,
            )
        )
        late = list(stale)
    for call_id in late:
        async with transaction(ground, PROGRAM) as work:
            call = await record.lock_call(work, call_id)
            if CallState(call.state) is CallState.QUEUED:
                await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM)
    return due


async def queue_due(work: Work) -> int:
    """Put at most 100 call-backs that are due into the queue, or move them on if it is no time for
    them. Return how many were due."""
    rows = await work.session.scalars(
        select(Callback)
        .where(Callback.state == CallbackState.AGREED, Callback.next_at <= work.now)
        .order_by(Callback.next_at)
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    due = list(rows.all())
    for row in due:
        if row.window_until <= work.now:
            await _passed(work, row)
        elif row.slot == Slot.SOON and not await _may_ring_now(work, row):
            await _move_on(work, row)
        else:
            await _put_in_queue(work, row)
    return len(due)


async def _put_in_queue(work: Work, row: Callback) -> None:
    """Open the call of a call-back. It waits first for the counsellor who agreed it, as a caller
    waits for the one they ask for; it goes to none whom its child refuses."""
    assert row.number_sealed is not None
    number = work.keys.open(
        row.number_sealed, table="callbacks", column="number_sealed", row=row.id
    )
    call_id = uuid4()
    call = Call(
        id=call_id,
        line_id=row.line_id,
        state=CallState.GREETING.value,
        language=row.language,
        caller_kind=CallerKind.E164.value,
        caller_key=row.caller_key,
        caller_number_sealed=work.keys.seal(
            number, table="calls", column="caller_number_sealed", row=call_id
        ),
        direction=Direction.OUTBOUND.value,
        sending=Sending.WANTED.value,
        callback_id=row.id,
        opened_at=work.now,
        queued_at=work.now,
        heard_at=work.now,
        entries=1,
        priority=CALLBACK_PRIORITY,
    )
    work.session.add(call)
    await work.session.flush()
    await work.session.refresh(call)
    known = await callers.known(work, call)
    agreed_by = row.made_by if row.made_by not in known.never else None
    call.preferred_id, call.excluded_ids = agreed_by or known.prefers, sorted(known.never)
    await record.move(work, call, CallEvent.ENTER_QUEUE, language=row.language)
    row.state = CallbackState.TRYING.value
    work.announce(Topic.CALLBACKS)


async def _passed(work: Work, row: Callback) -> None:
    """Move a missed window to the next one; after three of them a person decides."""
    row.passes += 1
    if row.passes >= MOST_ATTEMPTS:
        await _give_up(work, row)
    else:
        await _move_on(work, row)


async def _move_on(work: Work, row: Callback) -> None:
    """Move a call-back on: to the next time on the rota, or to the same time on the next day."""
    line = await finding_lines.line_of_id(work, row.line_id)
    if row.slot == Slot.SOON and line is not None:
        row.window_from, row.window_until = await window_for(work, Slot.SOON, line, row.language)
        row.next_at = row.window_from
    else:
        _later(row, work.now)


async def _may_ring_now(work: Work, row: Callback) -> bool:
    """Return whether it is day and a counsellor is on the rota."""
    line = await finding_lines.line_of_id(work, row.line_id)
    if line is None:
        return True
    if read_plan(line.plan).is_night(work.now, ZoneInfo(line.timezone)):
        return False
    at = await staffing.next_staffed(work, line, row.language)
    return at is not None and at <= work.now


async def _give_up(work: Work, row: Callback) -> None:
    """Leave the call-back to a person. The number is kept until that person has decided."""
    row.state, row.done_at = CallbackState.GIVEN_UP.value, work.now
    work.announce(Topic.CALLBACKS)


def _later(row: Callback, now: datetime) -> None:
    """Move the window to the same time on the next day on which it is not over."""
    while row.window_until <= now:
        row.window_from += timedelta(days=1)
        row.window_until += timedelta(days=1)
    row.next_at = max(row.window_from, now)


async def after_attempt(work: Work, call: Call) -> None:
    """Record the end of an outbound call: answered, attempted again later, or given up."""
    if call.callback_id is None:
        return
    row = await work.session.get(Callback, call.callback_id, with_for_update=True)
    if row is None or row.state != CallbackState.TRYING:
        return
    rung = call.sending not in NOT_RUNG
    row.attempts += rung
    talked = await who_talked(work, call) if call.answered_at is not None else None
    if talked is not None and not await receiving.is_here(work, talked):
        # The counsellor has left: a colleague says whom the call reached, if there is one.
        with contextlib.suppress(NotFound):
            talked = (await pick_owner(work, Permission.TAKE_CALLS)).id
    if talked is not None and not row.machine:
        row.state, row.talked_by = CallbackState.SPOKEN.value, talked
    else:
        row.machine = False
        await _try_again(work, row, work.now + _PAUSE)
    work.announce(Topic.CALLBACKS, Topic.RECORDS)


async def _try_again(work: Work, row: Callback, at: datetime) -> None:
    """Plan the next attempt, in this window or the next; after three attempts give up."""
    if row.attempts >= MOST_ATTEMPTS:
        await _give_up(work, row)
        return
    row.state, row.talked_by = CallbackState.AGREED.value, None
    row.next_at = at
    if row.next_at >= row.window_until:
        _later(row, row.window_until)


async def say(work: Work, staff: Staff, callback_id: UUID, said: WhoAnswered) -> None:
    """Record who answered, as the counsellor or a supervisor says. Raises NotFound, Conflict."""
    row = await lock_callback(work, staff, callback_id)
    if row.state != CallbackState.SPOKEN:
        raise Conflict("This call-back does not need a report of who answered.")
    if row.talked_by != staff.id and not may(staff.role, Permission.SUPERVISE):
        raise NotFound("There is no such call-back.")
    write_entry(work, AuditLog.CALLBACK_ANSWERED, str(callback_id), said=said.value)
    match said:
        case WhoAnswered.REACHED:
            await close_callback(work, row, CallbackState.REACHED)
        case WhoAnswered.NOT_REACHED:
            await _try_again(work, row, work.now + _PAUSE)
            row.first_due_until = row.window_until
        case WhoAnswered.ANOTHER_PERSON:
            # Not again today: a household that is rung twice starts to ask why.
            await _try_again(work, row, row.window_until)
            row.first_due_until = row.window_until
    work.announce(Topic.CALLBACKS, Topic.RECORDS)


async def start_again(work: Work, staff: Staff, callback_id: UUID) -> None:
    """Start a call-back again that was given up. Raises NotFound, Conflict."""
    row = await lock_callback(work, staff, callback_id)
    if row.state != CallbackState.GIVEN_UP or row.number_sealed is None:
        raise Conflict("Only a call-back that was given up, with its number kept, can start again.")
    row.state, row.attempts, row.passes, row.done_at = CallbackState.AGREED.value, 0, 0, None
    await _move_on(work, row)
    row.first_due_until = row.window_until
    write_entry(work, AuditLog.CALLBACK_RESTARTED, str(callback_id))
    work.announce(Topic.CALLBACKS)


async def note_machine(work: Work, call: Call) -> None:
    """End a call that an answering machine answered. No message is left on it."""
    row = await of_call(work, call)
    if row is not None:
        row.machine = True
    await record.record(work, call, CallLog.MACHINE_ANSWERED)
    await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM)
