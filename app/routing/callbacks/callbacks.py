"""Call-backs: only at the caller's own wish, where it is safe, at the time that they chose.

At that time an outbound call enters the queue. A counsellor takes it like any other call, and only
then does the caller's phone ring, at most three times. The counsellor says whether the child was
reached: a machine may have answered, or another person at home. Only then is the number deleted.
"""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    Uuid,
    and_,
    bindparam,
    or_,
    select,
    update,
)

from app.calls import record
from app.calls.lines.line_rows import Line
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import Direction
from app.database.quick import is_one_of
from app.database.topics import Topic
from app.dialling import outward
from app.dialling.models import DialledFor, DialWay
from app.dialling.rules import why_not
from app.errors import Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.privacy.hash_kinds import HashOf
from app.privacy.numbers import CallerKind
from app.routing.callbacks.callback_rows import OPEN, Callback, CallbackState
from app.routing.callbacks.choices import Slot, Who
from app.routing.models import Offer
from app.routing.plan import read_plan
from app.routing.rota import staffing
from app.routing.rota.shifts import first_instant, last_instant
from app.staff import receiving
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

_LONGEST = timedelta(days=30)


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


class WhoAnswered(StrEnum):
    """Who answered a call-back, as the counsellor says."""

    REACHED = "reached"
    NOT_REACHED = "not_reached"
    ANOTHER_PERSON = "another_person"


async def window_for(
    work: Work, slot: Slot, line: LineScript, language: str
) -> tuple[datetime, datetime]:
    """Return the window of a slot. "Soon" is by day, when a counsellor is on the rota."""
    if slot is not Slot.SOON:
        return window_of(slot, work.now, line.timezone)
    plan = read_plan(line.plan)
    at = await staffing.next_staffed(work, line, language)
    if at is None:
        # The rota is empty for the next days: take the line's own hours.
        return window_of(Slot.TOMORROW, work.now, line.timezone)
    end = min(at + timedelta(hours=3), plan.night_after(at, ZoneInfo(line.timezone)))
    return at, max(end, at + timedelta(minutes=15))


async def can_be_called(work: Work, call: Call) -> bool:
    """Return whether the number is known, and one that is dialled.

    Callers who withhold it are never called back.
    """
    number = number_of(work, call)
    return number is not None and why_not(number, await outward.rules_now(work)) is None


def number_of(work: Work, call: Call) -> str | None:
    """Return the number of a caller who can be called back; None if withheld or forgotten."""
    if call.caller_kind != CallerKind.E164 or call.caller_number_sealed is None:
        return None
    return work.keys.open(
        call.caller_number_sealed, table="calls", column="caller_number_sealed", row=call.id
    ).decode()


def _check_window(work: Work, begins: datetime, ends: datetime) -> None:
    if not begins < ends or ends <= work.now or begins > work.now + _LONGEST:
        raise Invalid("Choose a time within the next thirty days that ends after it begins.")


async def _being_made(work: Work, caller_key: bytes | None) -> Callback | None:
    """Return the call-back to a caller that is being made now, locked."""
    row: Callback | None = await work.session.scalar(
        select(Callback)
        .where(
            Callback.caller_key == caller_key,
            Callback.state.in_((CallbackState.TRYING, CallbackState.SPOKEN)),
        )
        .with_for_update()
    )
    return row


async def agree(
    work: Work,
    call: Call,
    who: Who,
    window: tuple[datetime, datetime],
    *,
    safe: bool,
    slot: Slot | None = None,
    given: str | None = None,
) -> Callback:
    """Agree on a call-back. It replaces an earlier one that was agreed with the same number.

    `given`: a number that a child wrote who goes on being written to at another address.
    Raises Invalid, Conflict.
    """
    if not safe:
        raise Invalid("Ask whether it is safe to call. Agree a call-back only after a yes.")
    number = given or number_of(work, call)
    if number is None or call.line_id is None:
        raise Conflict("The number was withheld or deleted, so this caller cannot be called back.")
    await outward.check(work, number)
    begins, ends = window
    _check_window(work, begins, ends)
    if work.actor.staff_id is not None:
        await outward.count_for_person(
            work,
            work.actor.staff_id,
            uuid4(),
            number,
            DialledFor.CALLBACK,
            way=DialWay.AGREED,
            danger=call.danger,
        )
    soon = "soon" if slot is Slot.SOON else "chosen"
    key = call.caller_key if given is None else work.keys.match_key(HashOf.CALLER, given)
    row = await _being_made(work, key)
    if row is not None:
        # An earlier call-back is being made. If it does not reach the caller, this wish counts.
        _change(work, row, who, window, soon, await _maker(work))
    else:
        maker = await _maker(work)
        row = await _replace(work, call, number, key, who, window, soon, maker)
    call.asked_back = True
    await record.record(
        work,
        call,
        CallLog.CALLBACK_AGREED,
        callback_id=str(row.id),
        who=who.value,
        window_from=begins.isoformat(),
        window_until=ends.isoformat(),
    )
    await record.restate(work, call, Cause.CALLBACK_AGREED)
    work.announce(Topic.CALLBACKS)
    return row


async def _maker(work: Work) -> UUID | None:
    """Return the person who agrees a call-back, unless they have left meanwhile: what was
    agreed with a child counts all the same."""
    staff_id = work.actor.staff_id
    if staff_id is None or not await receiving.is_here(work, staff_id):
        return None
    return staff_id


def _change(
    work: Work,
    row: Callback,
    who: Who,
    window: tuple[datetime, datetime],
    slot: str,
    maker: UUID | None,
) -> None:
    """Give a call-back that is being made another time. The person who agrees it now answers
    for it."""
    row.who, row.slot = who.value, slot
    row.made_by = maker or row.made_by
    row.window_from, row.window_until = window
    if row.state == CallbackState.SPOKEN:
        # The earlier call-back has reached a person; this is a new one.
        row.first_due_until = row.window_until
        row.state, row.talked_by = CallbackState.AGREED.value, None
        row.attempts, row.passes = 0, 0
        row.next_at = max(row.window_from, work.now)


async def _replace(
    work: Work,
    call: Call,
    number: str,
    key: bytes | None,
    who: Who,
    window: tuple[datetime, datetime],
    slot: str,
    maker: UUID | None,
) -> Callback:
    """Cancel what was agreed with the number before, and store a new call-back."""
    assert key is not None
    assert call.line_id is not None
    begins, ends = window
    await work.session.execute(
        update(Callback)
        .where(Callback.caller_key == key, Callback.state == CallbackState.AGREED)
        .values(state=CallbackState.CANCELLED.value, done_at=work.now, number_sealed=None)
    )
    row_id = uuid4()
    row = Callback(
        id=row_id,
        call_id=call.id,
        caller_key=key,
        number_sealed=work.keys.seal(
            number.encode(), table="callbacks", column="number_sealed", row=row_id
        ),
        line_id=call.line_id,
        language=call.language or "",
        who=who.value,
        window_from=begins,
        window_until=ends,
        first_due_until=ends,
        state=CallbackState.AGREED.value,
        attempts=0,
        slot=slot,
        next_at=max(begins, work.now),
        agreed_at=work.now,
        made_by=maker,
    )
    work.session.add(row)
    await work.session.flush()
    return row


def of_team(team: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition for the call-backs of a team: those that its people agreed or talked
    in, and those that callers asked for by key, as long as no person has talked with them."""
    people = select(Staff.id).where(Staff.team == team)
    return or_(
        and_(Callback.made_by.is_(None), Callback.talked_by.is_(None)),
        Callback.made_by.in_(people),
        Callback.talked_by.in_(people),
    )


async def lock_callback(work: Work, staff: Staff, callback_id: UUID) -> Callback:
    """Lock a call-back of the person's team. Raises NotFound."""
    row: Callback | None = await work.session.scalar(
        select(Callback)
        .where(Callback.id == callback_id, of_team(staff.team))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound("There is no such call-back.")
    return row


class OnDesk(NamedTuple):
    """The call-backs that a counsellor's desk shows."""

    # The counsellor has still to say who answered.
    to_be_said: Callback | None
    # Agreed in the call at hand, and not yet tried.
    agreed: Callback | None


# Call-backs on the desk of the counsellor `who`, with the call `call_id` at hand.
ON_DESK = (
    select(Callback)
    .where(
        or_(
            and_(
                Callback.state == CallbackState.SPOKEN,
                Callback.talked_by == bindparam("who", type_=Uuid),
            ),
            and_(
                Callback.state == CallbackState.AGREED,
                Callback.call_id == bindparam("call_id", type_=Uuid),
            ),
        )
    )
    .order_by(Callback.agreed_at)
)


async def on_desk(work: Work, staff_id: UUID, call_id: UUID | None) -> OnDesk:
    """Return the call-back for which a counsellor has to say who answered, and the one that is
    agreed in their call."""
    values = {"who": staff_id, "call_id": call_id}
    rows = list(await work.session.scalars(ON_DESK, values))
    spoken = [row for row in rows if row.state == CallbackState.SPOKEN]
    agreed = [row for row in rows if row.state == CallbackState.AGREED]
    return OnDesk(spoken[0] if spoken else None, agreed[0] if agreed else None)


def agreed_by(staff_id: UUID) -> ColumnElement[bool]:
    """Return the condition for the call-backs for which a person answers, since they agreed them:
    still to be made, or given up and not decided about."""
    return and_(Callback.made_by == staff_id, Callback.state.in_((*OPEN, CallbackState.GIVEN_UP)))


async def give_agreed(work: Work, owner_id: UUID, to_id: UUID) -> int:
    """Make a colleague, and with them their team, answer for the call-backs that a person who
    leaves agreed. They wait first for that colleague. Return how many."""
    given = await work.session.scalars(
        update(Callback)
        .where(agreed_by(owner_id))
        .values(made_by=to_id)
        .returning(Callback.id)
        .execution_options(synchronize_session=False)
    )
    work.announce(Topic.CALLBACKS)
    return len(given.all())


async def give_replies(work: Work, owner_id: UUID, to_id: UUID) -> int:
    """Ask a colleague who answered the call-backs of a person who leaves. Return how many."""
    given = await work.session.scalars(
        update(Callback)
        .where(Callback.state == CallbackState.SPOKEN, Callback.talked_by == owner_id)
        .values(talked_by=to_id)
        .returning(Callback.id)
    )
    work.announce(Topic.CALLBACKS)
    return len(given.all())


async def close_callback(work: Work, row: Callback, state: CallbackState) -> None:
    row.state, row.done_at, row.done_by = state.value, work.now, work.actor.staff_id
    row.number_sealed = None
    work.announce(Topic.CALLBACKS)


async def who_talked(work: Work, call: Call) -> UUID | None:
    """Return the counsellor who talked in a call last, if one did."""
    found: UUID | None = await work.session.scalar(
        select(Offer.counsellor_id)
        .where(Offer.call_id == call.id, Offer.connected_at.is_not(None))
        .order_by(Offer.connected_at.desc())
        .limit(1)
    )
    return found


# Built once: every talk begins with it.
_OF_NUMBER = (
    select(Callback)
    .where(
        Callback.caller_key == bindparam("key", type_=LargeBinary()),
        is_one_of(Callback.state, OPEN),
    )
    .with_for_update(skip_locked=True)
)


async def settle_by_talk(work: Work, call: Call) -> None:
    """Settle a call-back whose number is in a talk: the counsellor says whether it was the child,
    and the number is not rung meanwhile."""
    if call.caller_key is None or call.direction == Direction.OUTBOUND:
        return
    row = await work.session.scalar(_OF_NUMBER, {"key": call.caller_key})
    if row is not None:
        if row.state == CallbackState.TRYING:
            work.defer(Task.CALLBACK_NOT_NEEDED, callback_id=str(row.id))
        row.state = CallbackState.SPOKEN.value
        row.talked_by = await who_talked(work, call)
        work.announce(Topic.CALLBACKS)
        await record.record(work, call, CallLog.CALLBACK_NOT_NEEDED, callback_id=str(row.id))


async def cancel(work: Work, staff: Staff, callback_id: UUID) -> None:
    """Cancel a call-back, or close one that was given up. Raises NotFound, Conflict."""
    row = await lock_callback(work, staff, callback_id)
    if row.state == CallbackState.TRYING:
        raise Conflict("This call-back is being made now. Wait until it is over.")
    if row.state not in (CallbackState.AGREED, CallbackState.GIVEN_UP) or row.done_by is not None:
        raise Conflict("This call-back is already closed.")
    given_up = row.state == CallbackState.GIVEN_UP
    await close_callback(work, row, CallbackState.GIVEN_UP if given_up else CallbackState.CANCELLED)
    write_entry(work, AuditLog.CALLBACK_ENDED, str(callback_id), state=row.state)


def open_of(team: str | ColumnElement[str]) -> Select[Callback, str, str]:
    """Select the call-backs of a team that are open or given up but not closed, with line and
    time zone."""
    return (
        select(Callback, Line.name, Line.timezone)
        .join(Line, Line.id == Callback.line_id)
        .where(
            of_team(team),
            is_one_of(Callback.state, (*OPEN, CallbackState.SPOKEN))
            | ((Callback.state == CallbackState.GIVEN_UP) & Callback.done_by.is_(None)),
        )
        .order_by(Callback.next_at)
        .limit(200)
    )


async def open_callbacks(work: Work, team: str) -> list[tuple[Callback, str, str]]:
    """Return the call-backs of a team that are open, as `open_of`."""
    rows = await work.session.execute(open_of(team))
    return [(row, line, zone) for row, line, zone in rows]


async def agreed_in_each(work: Work, calls: Collection[UUID]) -> dict[UUID, Callback]:
    """Return the call-backs that are agreed in these calls and not yet tried, by call."""
    rows = await work.session.scalars(
        select(Callback).where(Callback.call_id.in_(calls), Callback.state == CallbackState.AGREED)
    )
    return {row.call_id: row for row in rows}


async def of_call(work: Work, call: Call) -> Callback | None:
    """Return the call-back for which an outbound call is made."""
    return await work.session.get(Callback, call.callback_id) if call.callback_id else None
