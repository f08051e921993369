"""A counsellor's desk: their presence, ringing offer and live call."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Select, select

from app.calls import record
from app.calls.models import Call, Line, RecordedEvent
from app.calls.states import CallState
from app.errors import Conflict, NotFound
from app.routing import offers
from app.routing.models import Offer, OfferState, Presence
from app.routing.rota import roster
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class Desk(NamedTuple):
    """Everything that one counsellor's board shows about themselves."""

    presence: Presence | None
    shift_ends_at: datetime | None
    offer: Offer | None
    call: Call | None
    line: str

    @property
    def ringing(self) -> bool:
        return self.offer is not None and self.offer.state == OfferState.OPEN


async def desk_of(work: Work, staff: Staff) -> Desk:
    """Read the desk of a counsellor."""
    presence = await work.session.get(Presence, staff.id)
    row = (
        await work.session.execute(
            select(Offer, Call, Line.name)
            .join(Call, Call.id == Offer.call_id)
            .join(Line, Line.id == Call.line_id, isouter=True)
            .where(Offer.counsellor_id == staff.id, Offer.released_at.is_(None))
        )
    ).one_or_none()
    present = await roster.on_shift(work)
    offer, call, line = row if row is not None else (None, None, None)
    on = present.get(staff.id)
    return Desk(presence, on.until if on else None, offer, call, line or "")


async def call_of_wrap_up(work: Work, staff: Staff) -> UUID | None:
    """Return the last call in which a counsellor talked: the call that wrap-up is for."""
    found: UUID | None = await work.session.scalar(
        select(Offer.call_id)
        .where(Offer.counsellor_id == staff.id, Offer.connected_at.is_not(None))
        .order_by(Offer.connected_at.desc())
        .limit(1)
    )
    return found


def own_calls(staff: Staff) -> Select[Any]:
    """Return a query for the ids of the calls that a counsellor took."""
    return select(Offer.call_id).where(
        Offer.counsellor_id == staff.id,
        Offer.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
    )


async def call_in_hand(work: Work, staff: Staff, call_id: UUID) -> None:
    """Refuse a member of staff who does not hold this call now. Raises NotFound.

    A supervisor may act on any live call.
    """
    if may(staff.role, Permission.END_ANY_CALL):
        return
    mine = select(Offer.id).where(
        Offer.call_id == call_id,
        Offer.counsellor_id == staff.id,
        Offer.released_at.is_(None),
        Offer.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
    )
    if await work.session.scalar(mine) is None:
        raise NotFound("Not found, or you do not hold this call.")


async def lock_in_hand(work: Work, staff: Staff, call_id: UUID) -> Call:
    """Lock the call that a counsellor holds; supervisors may act on any call. Raises NotFound."""
    # Lock first: the counsellor may have handed the call over a moment ago.
    call = await record.lock_call(work, call_id)
    await call_in_hand(work, staff, call_id)
    return call


class Talk(NamedTuple):
    """A live talk, as supervisors see it."""

    call: Call
    line: str
    counsellor: str
    training: bool
    since: datetime | None
    panic: bool


async def live_talks(work: Work) -> list[Talk]:
    """Return all live talks: those whose counsellor called for help first, then the longest."""
    rows = await work.session.execute(
        select(Call, Line.name, Staff.name, Staff.training, Offer.connected_at)
        .join(Offer, Offer.call_id == Call.id)
        .join(Staff, Staff.id == Offer.counsellor_id)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .where(
            Call.state == CallState.CONNECTED,
            Offer.released_at.is_(None),
            Offer.state == OfferState.CONNECTED,
        )
        .order_by(Offer.connected_at)
    )
    found = rows.all()
    ids = [row[0].id for row in found]
    cried = set(
        await work.session.scalars(
            select(RecordedEvent.call_id).where(
                RecordedEvent.call_id.in_(ids), RecordedEvent.kind == "panic"
            )
        )
    )
    talks = [
        Talk(call, line or "", name, training, since, call.id in cried)
        for call, line, name, training, since in found
    ]
    return sorted(talks, key=lambda talk: not talk.panic)


async def end_talk(work: Work, staff: Staff, call_id: UUID) -> None:
    """End a connected talk. A caller who is waiting is never hung up on.

    Raises NotFound, Conflict.
    """
    call = await lock_in_hand(work, staff, call_id)
    if CallState(call.state) not in (CallState.CONNECTED, CallState.ENDED):
        raise Conflict("This caller is still waiting. Only a connected talk can be ended.")
    await offers.hang_up(work, call)


async def set_hold(work: Work, staff: Staff, call_id: UUID, held: bool) -> None:
    """Hold or resume the talk that the counsellor holds. Raises NotFound, Conflict."""
    await offers.set_hold(work, await lock_in_hand(work, staff, call_id), held)
