"""What a child sees of its conversation: where it is, how long it may take, and what was said."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.calls.states import WRITTEN, CallState, EndedBy, Unstaffed
from app.chats import opening, reading, statements, typing
from app.routing.rota import staffing
from app.routing.waiting import places_in_queue
from app.work import Work

# A wait is estimated from the last conversations of the line, if there are enough of them.
_OF_LAST, _ENOUGH = 20, 5
_WITHIN = timedelta(hours=24)
_BELIEVED = timedelta(seconds=30)


class Phase(StrEnum):
    """Where a conversation is, for its child."""

    BLOCKED = "blocked"  # this visit of the page is blocked: only danger opens it
    CLOSED = "closed"  # no counsellor who writes is there: leave a message, or wait on
    WAITING = "waiting"
    TALKING = "talking"
    ENDED = "ended"


class PlaceInQueue(NamedTuple):
    """A place in the queue, and an honest guess: none without enough conversations lately."""

    ahead: int
    expected_seconds: int | None


class Seen(NamedTuple):
    """A conversation as its child sees it."""

    call_id: UUID
    phase: Phase
    language: str
    danger: bool
    # The counsellor was lost or handed the child on; a colleague goes on.
    again: bool
    place: PlaceInQueue | None
    # Why no counsellor is there, and when one will be.
    unstaffed: Unstaffed | None
    opens_at: datetime | None
    ended_by: EndedBy | None
    # A message is left; and the child came back to it with its code.
    left: bool
    by_code: bool
    may_rate: bool
    types: bool
    # Both sides read each letter; and what the counsellor is typing then.
    letters: bool
    typed: str | None
    # The last of the child's own messages that a counsellor fetched, and that one had seen.
    delivered: int
    seen: int
    words: list[reading.ShownMessage]


class Waits(NamedTuple):
    """Where a conversation is, and what its child waits for."""

    state: CallState
    place: PlaceInQueue | None = None
    unstaffed: Unstaffed | None = None
    opens_at: datetime | None = None
    blocked: bool = False


async def conversation(work: Work, call_id: UUID, after: int = 0) -> Seen:
    """Return the conversation with what was said after a number; that is delivered by this.

    A conversation that found no counsellor is queued as soon as one is there.
    """
    read = await statements.read_as_child(work, call_id, after, work.now - typing.LASTS)
    assert read is not None
    facts, waits = read.facts, Waits(CallState(read.facts["state"]))
    if waits.state not in (CallState.CONNECTED, CallState.ENDED):
        waits = await _waits(work, call_id)
    ended = waits.state is CallState.ENDED
    return Seen(
        call_id,
        Phase.BLOCKED if waits.blocked else _phase(waits.state),
        facts["language"] or "",
        facts["danger"],
        facts["returned"] > 0,
        waits.place,
        waits.unstaffed,
        waits.opens_at,
        EndedBy(facts["ended_by"]) if facts["ended_by"] else None,
        facts["messages"] > 0,
        facts["by_code"],
        ended
        and facts["answered_at"] is not None
        and not facts["was_danger"]
        and facts["rated"] is False,
        facts["typing_id"] is not None,
        bool(facts["letters"]),
        typing.opened(work, facts["typing_id"], facts["typed_sealed"]),
        facts["delivered"],
        facts["seen"],
        [reading.opened_row(work, row) for row in read.messages],
    )


async def _waits(work: Work, call_id: UUID) -> Waits:
    """Return where a child is that no counsellor writes with yet. It is queued if one came."""
    call = await work.session.get_one(Call, call_id, populate_existing=True)
    if call.blocked and CallState(call.state) is CallState.GREETING:
        return Waits(CallState.GREETING, blocked=True)
    if CallState(call.state) is CallState.GREETING:
        await _admit(work, call)
    state = CallState(call.state)
    queued = state in (CallState.QUEUED, CallState.OFFERED)
    place = await _place(work, call) if queued else None
    return Waits(state, place, *await _staffed(work, call))


def _phase(state: CallState) -> Phase:
    match state:
        case CallState.GREETING:
            return Phase.CLOSED
        case CallState.QUEUED | CallState.OFFERED:
            return Phase.WAITING
        case CallState.CONNECTED:
            return Phase.TALKING
        case CallState.ENDED:
            return Phase.ENDED


async def _admit(work: Work, call: Call) -> None:
    line = await finding_lines.line_of_id(work, call.line_id)
    if line is None:
        return
    found = await staffing.staffing(
        work, line, call.language or "", danger=call.danger, written=True
    )
    if found.unstaffed is None:
        await opening.admit(work, await record.lock_call(work, call.id), line)


async def _staffed(work: Work, call: Call) -> tuple[Unstaffed | None, datetime | None]:
    """Return why no counsellor will come to a waiting child, if so."""
    if CallState(call.state) not in (CallState.GREETING, CallState.QUEUED):
        return None, None
    line = await finding_lines.line_of_id(work, call.line_id)
    if line is None:
        return Unstaffed.OUT_OF_HOURS, None
    found = await staffing.staffing(
        work,
        line,
        call.language or "",
        danger=call.danger,
        arrived_at=call.queued_at,
        written=True,
    )
    if found.unstaffed is None:
        return None, None
    opens_at = await staffing.next_staffed(work, line, call.language or "", written=True)
    return found.unstaffed, opens_at


async def _place(work: Work, call: Call) -> PlaceInQueue:
    ahead, _ = await places_in_queue.place_of(work, call)
    assert call.queued_at is not None
    waited = int((work.now - call.queued_at).total_seconds())
    assert call.line_id is not None
    usual = await usual_wait(work, call.line_id)
    return PlaceInQueue(ahead, None if usual is None else max(usual - waited, 0))


async def usual_wait(work: Work, line_id: UUID) -> int | None:
    """Return the median wait of the last conversations of a line, in seconds; None if there were
    few of them lately."""
    known: tuple[int | None] | None = work.ground.memory.recall("chat wait", line_id, work.now)
    if known is not None:
        return known[0]
    last = (
        select(func.extract("epoch", Call.answered_at - Call.queued_at).label("wait"))
        .where(
            Call.line_id == line_id,
            Call.channel.in_(WRITTEN),
            Call.answered_at.is_not(None),
            Call.opened_at > work.now - _WITHIN,
        )
        .order_by(Call.opened_at.desc())
        .limit(_OF_LAST)
        .subquery()
    )
    count, median = (
        await work.session.execute(
            select(func.count(), func.percentile_cont(0.5).within_group(last.c.wait))
        )
    ).one()
    found = round(median) if count >= _ENOUGH else None
    work.ground.memory.keep("chat wait", line_id, (found,), work.now + _BELIEVED)
    return found
