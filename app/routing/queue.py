"""The queue: who waits, and matching, which runs after every commit that could matter."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select

from app.calls.models import Call, Line
from app.calls.states import CallState
from app.jobs.transaction import transaction
from app.routing import roster
from app.routing.matching import Free, Waiting, pair
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.routing.offers import open_offer
from app.staff.models import Staff
from app.work import PROGRAM, Ground, Work

# So many callers are looked at in one run, best first; the rest the next run sees.
_LOOKED_AT = 200


class WaitingCall(NamedTuple):
    """A line of the board's queue: nothing about who it is."""

    id: UUID
    line: str
    language: str
    priority: int
    danger: bool
    returned: bool
    being_offered: bool
    queued_at: datetime


async def waiting_calls(work: Work) -> list[WaitingCall]:
    """Everybody who waits, in the order in which they will be served."""
    rows = await work.session.execute(
        select(Call, Line.name)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .where(Call.state.in_((CallState.QUEUED, CallState.OFFERED)))
        .order_by(_SCORE.desc(), Call.queued_at, Call.id)
        .limit(500)
    )
    return [
        WaitingCall(
            id=call.id,
            line=line or "",
            language=call.language or "",
            priority=call.priority,
            danger=call.danger,
            returned=call.returned > 0,
            being_offered=call.state == CallState.OFFERED,
            queued_at=call.queued_at or call.opened_at,
        )
        for call, line in rows
    ]


# Everybody has waited until the same now, so wait + priority compares like this.
_SCORE = Call.priority - func.extract("epoch", Call.queued_at)


_AHEAD = select(func.count()).where(
    Call.state == CallState.QUEUED,
    Call.line_id.is_not_distinct_from(bindparam("line_id", type_=Uuid())),
    Call.id != bindparam("call_id"),
    bindparam("mine") < _SCORE,
)


async def callers_ahead(work: Work, call: Call) -> int:
    """How many waiting callers will be served before this one."""
    assert call.queued_at is not None
    values = {
        "mine": call.priority - call.queued_at.timestamp(),
        "line_id": call.line_id,
        "call_id": call.id,
    }
    return (await work.session.scalar(_AHEAD, values)) or 0


async def pairs_now(work: Work) -> list[tuple[Waiting, Free]]:
    """Who should be offered to whom at this instant."""
    counsellors = await _free_counsellors(work)
    return pair(await _callers(work), counsellors, work.now) if counsellors else []


async def match_once(work: Work) -> int:
    """Offer the best callers to the best free counsellors; the answer is how many."""
    offered = 0
    for caller, counsellor in await pairs_now(work):
        offered += await _claim(work, caller.call_id, counsellor.counsellor_id)
    return offered


# Made once: these run after every commit that could matter.
_CALLERS = (
    select(Call.id, Line.number, Call.language, Call.queued_at, Call.priority, Call.danger)
    .join(Line, Line.id == Call.line_id, isouter=True)
    .where(Call.state == CallState.QUEUED)
    .order_by(_SCORE.desc(), Call.queued_at)
    .limit(_LOOKED_AT)
)
_FREE = (
    select(Staff.id, Presence.idle_since, Staff.languages, Staff.lines)
    .join(Presence, Presence.counsellor_id == Staff.id)
    .where(Presence.state == PresenceState.AVAILABLE, Staff.active)
)


async def _callers(work: Work) -> list[Waiting]:
    rows = (await work.session.execute(_CALLERS)).all()
    asked = await _asked_in_vain(work, [row[0] for row in rows]) if rows else {}
    return [
        Waiting(id_, number or "", language or "", queued_at, priority, danger, asked.get(id_, {}))
        for id_, number, language, queued_at, priority, danger in rows
        if queued_at is not None
    ]


async def _asked_in_vain(work: Work, calls: list[UUID]) -> dict[UUID, dict[UUID, datetime]]:
    rows = await work.session.execute(
        select(Offer.call_id, Offer.counsellor_id, func.max(Offer.released_at))
        .where(
            Offer.call_id.in_(calls),
            Offer.state.in_((OfferState.DECLINED, OfferState.MISSED)),
        )
        .group_by(Offer.call_id, Offer.counsellor_id)
    )
    asked: dict[UUID, dict[UUID, datetime]] = {}
    for call_id, counsellor_id, when in rows:
        if when is not None:
            asked.setdefault(call_id, {})[counsellor_id] = when
    return asked


async def _free_counsellors(work: Work) -> list[Free]:
    rows = (await work.session.execute(_FREE)).all()
    present = await roster.on_shift(work) if rows else {}
    return [
        Free(staff_id, idle_since, frozenset(languages), frozenset(lines))
        for staff_id, idle_since, languages, lines in rows
        if staff_id in present
    ]


async def _claim(work: Work, call_id: UUID, counsellor_id: UUID) -> bool:
    """Lock both if nobody else holds them and both are still what they were."""
    call = await work.session.scalar(
        select(Call)
        .where(Call.id == call_id, Call.state == CallState.QUEUED)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if call is None:
        return False
    row = (
        await work.session.execute(
            select(Presence, Staff)
            .join(Staff, Staff.id == Presence.counsellor_id)
            .where(
                Presence.counsellor_id == counsellor_id,
                Presence.state == PresenceState.AVAILABLE,
            )
            .with_for_update(skip_locked=True, of=Presence)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    if row is None:
        return False
    presence, staff = row
    await open_offer(work, call, staff, presence)
    return True


async def match(ground: Ground) -> int:
    """Run matching in transactions of its own until it finds nothing more to pair."""
    total = 0
    while True:
        async with transaction(ground, PROGRAM) as work:
            offered = await match_once(work)
        total += offered
        if not offered:
            return total
