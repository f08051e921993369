"""Call-backs: only at the caller's own wish, where it is safe, at the time that they chose.

At that time an outbound call enters the queue. A counsellor takes it like any other call, and only
then does the caller's phone ring, at most three times. The counsellor says whether the child was
reached: a machine may have answered, or another person at home. Only then is the number deleted.
"""

from datetime import datetime, time, timedelta
from enum import StrEnum
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Index, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.calls import lines, record
from app.calls.models import Call, Line
from app.calls.speech import LineScript
from app.calls.states import CallEvent, CallState
from app.database.base import Base, Identifier, KeyedHash, Sealed, one_of
from app.errors import Conflict, Invalid, NotFound
from app.jobs.transaction import transaction
from app.routing import offers
from app.routing.models import Offer
from app.routing.plan import CALLBACK_PRIORITY, read_plan
from app.routing.rota import roster
from app.routing.rota.shifts import first_instant, last_instant
from app.staff.audit import write_entry
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import PROGRAM, Ground, Work

TRIES = 3
# The pause between two attempts on one day.
_PAUSE = timedelta(minutes=20)
# An outbound call that no counsellor takes within this time is postponed.
_IN_QUEUE = timedelta(minutes=30)
_LONGEST = timedelta(days=30)
# The prefix that stands for the provider's id until the caller's phone is rung.
NOT_RUNG = "callback-"


class CallbackState(StrEnum):
    AGREED = "agreed"
    TRYING = "trying"
    SPOKEN = "spoken"  # answered: the counsellor has yet to say who it was
    REACHED = "reached"
    GIVEN_UP = "given_up"  # three failed attempts: a person decides
    CANCELLED = "cancelled"


class Who(StrEnum):
    """Who may answer. To any other person the counsellor does not mention the helpline."""

    CALLER = "caller"
    ANYONE = "anyone"


class Slot(StrEnum):
    """The times that a caller can choose with a key."""

    SOON = "soon"
    EVENING = "evening"
    TOMORROW = "tomorrow"


class Callback(Base):
    """An agreed call-back. The number is deleted when it is closed."""

    __tablename__ = "callbacks"
    __table_args__ = (
        one_of("state", CallbackState),
        one_of("who", Who),
        one_of("slot", ("soon", "chosen")),
        CheckConstraint("window_from < window_until", name="window"),
        Index("ix_callbacks_next_at", "next_at", postgresql_where=text("state = 'agreed'")),
        Index("ix_callbacks_caller_key", "caller_key"),
        Index(
            "uq_callbacks_caller_key_open",
            "caller_key",
            unique=True,
            postgresql_where=text("state IN ('agreed', 'trying')"),
        ),
    )

    id: Mapped[Identifier]
    # The call in which the caller asked for it.
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"), index=True)
    caller_key: Mapped[KeyedHash]
    number_sealed: Mapped[Sealed | None]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"))
    language: Mapped[str]
    who: Mapped[str]
    window_from: Mapped[datetime]
    window_until: Mapped[datetime]
    # The end of the first window. The window may move; this value does not.
    promised_until: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="agreed")
    tries: Mapped[int] = mapped_column(server_default="0")
    # `soon` follows the rota; a time that the child chose does not.
    slot: Mapped[str] = mapped_column(server_default="chosen")
    # How many windows passed without a counsellor on duty.
    passes: Mapped[int] = mapped_column(server_default="0")
    # The counsellor who talked, and who has to say whether it was the child.
    talked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # The provider detected an answering machine, which does not count as reached.
    machine: Mapped[bool] = mapped_column(server_default="false")
    next_at: Mapped[datetime]
    agreed_at: Mapped[datetime]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


OPEN = (CallbackState.AGREED, CallbackState.TRYING)


def window_of(slot: Slot, now: datetime, timezone: str) -> tuple[datetime, datetime]:
    """Return begin and end: soon is the next three hours, evening 18 to 21, tomorrow 14 to 18."""
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    match slot:
        case Slot.SOON:
            return now, now + timedelta(hours=3)
        case Slot.EVENING:
            day, begins, ends = today, time(18), time(21)
            if now.astimezone(zone).time() >= time(20, 30):
                day += timedelta(days=1)
        case Slot.TOMORROW:
            day, begins, ends = today + timedelta(days=1), time(14), time(18)
    first = first_instant(datetime.combine(day, begins), zone)
    return max(first, now), last_instant(datetime.combine(day, ends), zone)


class Said(StrEnum):
    """Who answered a call-back, as the counsellor says."""

    REACHED = "reached"
    NOT_REACHED = "not_reached"
    SOMEBODY_ELSE = "somebody_else"


async def window_for(
    work: Work, slot: Slot, line: LineScript, language: str
) -> tuple[datetime, datetime]:
    """Return the window of a slot. "Soon" is by day, when a counsellor is on the rota."""
    if slot is not Slot.SOON:
        return window_of(slot, work.now, line.timezone)
    plan = read_plan(line.plan)
    at = await roster.next_staffed(work, line, language)
    if at is None:
        # The rota is empty for the next days: take the line's own hours.
        return window_of(Slot.TOMORROW, work.now, line.timezone)
    end = min(at + timedelta(hours=3), plan.night_after(at, ZoneInfo(line.timezone)))
    return at, max(end, at + timedelta(minutes=15))


def can_be_called(call: Call) -> bool:
    """Return whether the number is known. Callers who withhold it are never called back."""
    return call.caller_kind == "e164" and call.caller_number_sealed is not None


async def agree(
    work: Work,
    call: Call,
    who: Who,
    window: tuple[datetime, datetime],
    *,
    safe: bool,
    slot: Slot | None = None,
) -> Callback:
    """Agree on a call-back. It replaces an earlier one that was agreed with the same number.

    Raises Invalid, Conflict.
    """
    if not safe:
        raise Invalid("Ask whether it is safe to call. Agree a call-back only after a yes.")
    if not can_be_called(call) or call.line_id is None:
        raise Conflict("The number was withheld or deleted, so this caller cannot be called back.")
    begins, ends = window
    if not begins < ends or ends <= work.now or begins > work.now + _LONGEST:
        raise Invalid("Choose a time within the next thirty days that ends after it begins.")
    assert call.caller_key is not None
    assert call.caller_number_sealed is not None
    making = await work.session.scalar(
        select(Callback)
        .where(
            Callback.caller_key == call.caller_key,
            Callback.state.in_((CallbackState.TRYING, CallbackState.SPOKEN)),
        )
        .with_for_update()
    )
    soon = "soon" if slot is Slot.SOON else "chosen"
    if making is not None:
        # An earlier call-back is being made. If it does not reach the caller, this wish counts.
        making.who, making.window_from, making.window_until = who.value, begins, ends
        if making.state == CallbackState.SPOKEN:
            # The earlier call-back has reached a person; this is a new one.
            making.promised_until = ends
        making.slot = soon
        if making.state == CallbackState.SPOKEN:
            making.state, making.talked_by = CallbackState.AGREED.value, None
            making.tries, making.passes = 0, 0
            making.next_at = max(begins, work.now)
        call.asked_back = True
        await record.record(
            work, call, "callback_agreed", callback_id=str(making.id), who=who.value
        )
        await record.restate(work, call, "a call-back was agreed")
        work.announce("callbacks")
        return making
    number = work.keys.open(
        call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
    )
    await work.session.execute(
        update(Callback)
        .where(Callback.caller_key == call.caller_key, Callback.state == CallbackState.AGREED)
        .values(state=CallbackState.CANCELLED.value, done_at=work.now, number_sealed=None)
    )
    row_id = uuid4()
    row = Callback(
        id=row_id,
        call_id=call.id,
        caller_key=call.caller_key,
        number_sealed=work.keys.seal(number, table="callbacks", column="number_sealed", row=row_id),
        line_id=call.line_id,
        language=call.language or "",
        who=who.value,
        window_from=begins,
        window_until=ends,
        promised_until=ends,
        state=CallbackState.AGREED.value,
        tries=0,
        slot=soon,
        next_at=max(begins, work.now),
        agreed_at=work.now,
        made_by=work.actor.staff_id,
    )
    work.session.add(row)
    await work.session.flush()
    call.asked_back = True
    await record.record(
        work,
        call,
        "callback_agreed",
        callback_id=str(row_id),
        who=who.value,
        window_from=begins.isoformat(),
        window_until=ends.isoformat(),
    )
    await record.restate(work, call, "a call-back was agreed")
    work.announce("callbacks")
    return row


async def open_due(ground: Ground) -> int:
    """Put the call-backs that are due into the queue. Return how many were due."""
    async with transaction(ground, PROGRAM) as work:
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
            elif row.slot == "soon" and not await _may_ring_now(work, row):
                await _move_on(work, row)
            else:
                await _put_in_queue(work, row)
        stale = await work.session.scalars(
            select(Call.id).where(
                Call.direction == "outbound",
                Call.state == CallState.QUEUED,
                Call.provider_sid.like(NOT_RUNG + "%"),
                Call.queued_at < work.now - _IN_QUEUE,
            )
        )
        late = list(stale)
    for call_id in late:
        async with transaction(ground, PROGRAM) as work:
            call = await record.lock_call(work, call_id)
            if CallState(call.state) is CallState.QUEUED:
                await offers.end_call(work, call, ended_by="program")
    return len(due)


async def _put_in_queue(work: Work, row: Callback) -> None:
    assert row.number_sealed is not None
    number = work.keys.open(
        row.number_sealed, table="callbacks", column="number_sealed", row=row.id
    )
    call_id = uuid4()
    call = Call(
        id=call_id,
        provider_sid=f"{NOT_RUNG}{call_id}",
        line_id=row.line_id,
        state=CallState.GREETING.value,
        language=row.language,
        caller_kind="e164",
        caller_key=row.caller_key,
        caller_number_sealed=work.keys.seal(
            number, table="calls", column="caller_number_sealed", row=call_id
        ),
        direction="outbound",
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
    await record.move(work, call, CallEvent.ENTER_QUEUE, language=row.language)
    row.state = CallbackState.TRYING.value
    work.announce("callbacks")


async def _passed(work: Work, row: Callback) -> None:
    """Move a missed window to the next one; after three of them a person decides."""
    row.passes += 1
    if row.passes >= TRIES:
        await _give_up(work, row)
    else:
        await _move_on(work, row)


async def _move_on(work: Work, row: Callback) -> None:
    """Move a call-back on: to the next time on the rota, or to the same time on the next day."""
    line = await lines.line_of_id(work, row.line_id)
    if row.slot == "soon" and line is not None:
        row.window_from, row.window_until = await window_for(work, Slot.SOON, line, row.language)
        row.next_at = row.window_from
    else:
        _later(row, work.now)


async def _may_ring_now(work: Work, row: Callback) -> bool:
    """Return whether it is day and a counsellor is on the rota."""
    line = await lines.line_of_id(work, row.line_id)
    if line is None:
        return True
    if read_plan(line.plan).is_night(work.now, ZoneInfo(line.timezone)):
        return False
    at = await roster.next_staffed(work, line, row.language)
    return at is not None and at <= work.now


async def _give_up(work: Work, row: Callback) -> None:
    """Leave the call-back to a person. The number is kept until that person has decided."""
    row.state, row.done_at = CallbackState.GIVEN_UP.value, work.now
    work.announce("callbacks")


def _later(row: Callback, now: datetime) -> None:
    """Move the window to the same time on the next day on which it is not over."""
    while row.window_until <= now:
        row.window_from += timedelta(days=1)
        row.window_until += timedelta(days=1)
    row.next_at = max(row.window_from, now)


async def after_try(work: Work, call: Call) -> None:
    """Record the end of an outbound call: answered, attempted again later, or given up."""
    if call.callback_id is None:
        return
    row = await work.session.get(Callback, call.callback_id, with_for_update=True)
    if row is None or row.state != CallbackState.TRYING:
        return
    rung = not call.provider_sid.startswith(NOT_RUNG)
    row.tries += rung
    talked = await _who_talked(work, call) if call.answered_at is not None else None
    if talked is not None and not row.machine:
        row.state, row.talked_by = CallbackState.SPOKEN.value, talked
    else:
        row.machine = False
        await _try_again(work, row, work.now + _PAUSE)
    work.announce("callbacks", "records")


async def _who_talked(work: Work, call: Call) -> UUID | None:
    found: UUID | None = await work.session.scalar(
        select(Offer.counsellor_id)
        .where(Offer.call_id == call.id, Offer.connected_at.is_not(None))
        .order_by(Offer.connected_at.desc())
        .limit(1)
    )
    return found


async def _try_again(work: Work, row: Callback, at: datetime) -> None:
    """Plan the next attempt, in this window or the next; after three attempts give up."""
    if row.tries >= TRIES:
        await _give_up(work, row)
        return
    row.state, row.talked_by = CallbackState.AGREED.value, None
    row.next_at = at
    if row.next_at >= row.window_until:
        _later(row, row.window_until)


async def say(work: Work, staff: Staff, callback_id: UUID, said: Said) -> None:
    """Record who answered, as the counsellor or a supervisor says. Raises NotFound, Conflict."""
    row = await _locked(work, callback_id)
    if row.state != CallbackState.SPOKEN:
        raise Conflict("This call-back does not need a report of who answered.")
    if row.talked_by != staff.id and not may(staff.role, Permission.SUPERVISE):
        raise NotFound("There is no such call-back.")
    write_entry(work, "call-back answered", str(callback_id), said=said.value)
    match said:
        case Said.REACHED:
            await _close(work, row, CallbackState.REACHED)
        case Said.NOT_REACHED:
            await _try_again(work, row, work.now + _PAUSE)
        case Said.SOMEBODY_ELSE:
            # Not again today: a household that is rung twice starts to ask why.
            await _try_again(work, row, row.window_until)
    work.announce("callbacks", "records")


async def start_again(work: Work, staff: Staff, callback_id: UUID) -> None:
    """Start a call-back again that was given up. Raises NotFound, Conflict."""
    row = await _locked(work, callback_id)
    if row.state != CallbackState.GIVEN_UP or row.number_sealed is None:
        raise Conflict("Only a call-back that was given up, with its number kept, can start again.")
    row.state, row.tries, row.passes, row.done_at = CallbackState.AGREED.value, 0, 0, None
    await _move_on(work, row)
    write_entry(work, "call-back started again", str(callback_id))
    work.announce("callbacks")


async def _locked(work: Work, callback_id: UUID) -> Callback:
    row = await work.session.get(Callback, callback_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such call-back.")
    return row


async def to_be_said(work: Work, staff_id: UUID) -> Callback | None:
    """Return the call-back for which a counsellor has to say who answered, if there is one."""
    found: Callback | None = await work.session.scalar(
        select(Callback)
        .where(Callback.state == CallbackState.SPOKEN, Callback.talked_by == staff_id)
        .order_by(Callback.agreed_at)
        .limit(1)
    )
    return found


async def note_machine(work: Work, call: Call) -> None:
    """End a call that an answering machine answered. No message is left on it."""
    row = await of_call(work, call)
    if row is not None:
        row.machine = True
    await record.record(work, call, "machine_answered")
    await offers.end_call(work, call, ended_by="program")


async def _close(work: Work, row: Callback, state: CallbackState) -> None:
    row.state, row.done_at, row.done_by = state.value, work.now, work.actor.staff_id
    row.number_sealed = None
    work.announce("callbacks")


async def settle_by_talk(work: Work, call: Call) -> None:
    """Settle a call-back whose number is in a talk: the counsellor says whether it was the child,
    and the number is not rung meanwhile."""
    if call.caller_key is None or call.direction == "outbound":
        return
    row = await work.session.scalar(
        select(Callback)
        .where(Callback.caller_key == call.caller_key, Callback.state.in_(OPEN))
        .with_for_update(skip_locked=True)
    )
    if row is not None:
        if row.state == CallbackState.TRYING:
            work.defer("telephony:callback_not_needed", callback_id=str(row.id))
        row.state = CallbackState.SPOKEN.value
        row.talked_by = await _who_talked(work, call)
        work.announce("callbacks")
        await record.record(work, call, "callback_not_needed", callback_id=str(row.id))


async def cancel(work: Work, staff: Staff, callback_id: UUID) -> None:
    """Cancel a call-back, or close one that was given up. Raises NotFound, Conflict."""
    row = await _locked(work, callback_id)
    if row.state == CallbackState.TRYING:
        raise Conflict("This call-back is being made now. Wait until it is over.")
    if row.state not in (CallbackState.AGREED, CallbackState.GIVEN_UP) or row.done_by is not None:
        raise Conflict("This call-back is already closed.")
    given_up = row.state == CallbackState.GIVEN_UP
    await _close(work, row, CallbackState.GIVEN_UP if given_up else CallbackState.CANCELLED)
    write_entry(work, "call-back ended", str(callback_id), state=row.state)


async def open_callbacks(work: Work) -> list[tuple[Callback, str, str]]:
    """Return call-backs that are open or given up but not closed, with line and time zone."""
    rows = await work.session.execute(
        select(Callback, Line.name, Line.timezone)
        .join(Line, Line.id == Callback.line_id)
        .where(
            Callback.state.in_((*OPEN, CallbackState.SPOKEN))
            | ((Callback.state == CallbackState.GIVEN_UP) & Callback.done_by.is_(None))
        )
        .order_by(Callback.next_at)
        .limit(200)
    )
    return [(row, line, zone) for row, line, zone in rows]


async def of_call(work: Work, call: Call) -> Callback | None:
    """Return the call-back for which an outbound call is made."""
    return await work.session.get(Callback, call.callback_id) if call.callback_id else None
