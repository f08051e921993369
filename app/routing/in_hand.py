"""What a counsellor acts on, as pages and programs read it: presence, ringing offer, live call,
conversations; and what they may do with it."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Select,
    Uuid,
    and_,
    any_,
    bindparam,
    false,
    func,
    select,
    true,
)

from app.calls import record
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import CallState
from app.database.quick import Question
from app.errors import Conflict, NotFound
from app.jobs.transaction import rows_of
from app.routing import releasing, sound
from app.routing.models import Offer, OfferState, Presence, TelephoneState
from app.routing.rota import roster
from app.routing.supervision import supervised
from app.routing.telephone_state import state_now
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class InHand(NamedTuple):
    """Everything that one counsellor's desk shows about themselves."""

    presence: Presence | None
    shift_ends_at: datetime | None
    offer: Offer | None
    call: Call | None
    line: str
    # The call is one of a practice line: for training, and in no figure.
    practice: bool = False
    # The state of the telephone in their page.
    telephone: TelephoneState = TelephoneState.OFF

    @property
    def ringing(self) -> bool:
        return self.offer is not None and self.offer.state == OfferState.OPEN


_WHO = bindparam("who", type_=Uuid)
# Built once: every desk of a counsellor sends it with each change of their own.
_IN_HAND = (
    select(Presence, Offer, Call, Line.name, Line.practice, state_now())
    .select_from(Presence)
    .join(
        Offer,
        and_(Offer.counsellor_id == _WHO, Offer.released_at.is_(None), Offer.slot.is_(None)),
        isouter=True,
    )
    .join(Call, Call.id == Offer.call_id, isouter=True)
    .join(Line, Line.id == Call.line_id, isouter=True)
    .where(Presence.counsellor_id == _WHO)
)


async def read_in_hand(work: Work, staff: Staff) -> InHand:
    """Read the desk of a counsellor. Without a presence nothing was ever offered to them."""
    row = (await work.session.execute(_IN_HAND, {"who": staff.id})).one_or_none()
    presence, offer, call, line, practice, telephone = row if row is not None else (None,) * 6
    on = (await roster.on_shift(work)).get(staff.id)
    return InHand(
        presence,
        on.until if on else None,
        offer,
        call,
        line or "",
        bool(practice),
        TelephoneState(telephone or TelephoneState.OFF),
    )


class Conversation(NamedTuple):
    """A written conversation that a counsellor has, or that is offered to them."""

    offer: Offer
    call: Call
    line: str
    practice: bool = False

    @property
    def is_offered(self) -> bool:
        return self.offer.state == OfferState.OPEN


async def conversations_of(work: Work, staff: Staff) -> list[Conversation]:
    """Read the written conversations of a counsellor, by slot: those they have and are offered."""
    rows = await work.session.execute(
        select(Offer, Call, func.coalesce(Line.name, ""), func.coalesce(Line.practice, false()))
        .join(Call, Call.id == Offer.call_id)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .where(
            Offer.counsellor_id == staff.id, Offer.released_at.is_(None), Offer.slot.is_not(None)
        )
        .order_by(Offer.slot)
    )
    return [Conversation(*row) for row in rows]


_LAST_CALL = Question(
    select(Offer.call_id)
    .where(Offer.counsellor_id == _WHO, Offer.connected_at.is_not(None))
    .order_by(Offer.connected_at.desc())
    .limit(1)
)


async def call_of_wrap_up(work: Work, staff: Staff) -> UUID | None:
    """Return the last call in which a counsellor talked: the call that wrap-up is for."""
    rows = await rows_of(work, _LAST_CALL, who=staff.id)
    return rows[0]["call_id"] if rows else None


# The last call in which each of some counsellors talked: one row of the index for each of them,
# however many calls they have had.
_PEOPLE = func.unnest(bindparam("people", type_=ARRAY(Uuid))).column_valued("counsellor_id")
_LAST_OF_EACH = (
    select(Offer.call_id)
    .where(Offer.counsellor_id == _PEOPLE, Offer.connected_at.is_not(None))
    .order_by(Offer.connected_at.desc())
    .limit(1)
    .lateral("last")
)
_LAST_CALLS = select(_PEOPLE, _LAST_OF_EACH.c.call_id).join(_LAST_OF_EACH, true())
_HELD_CALLS = select(Offer.counsellor_id, Offer.call_id).where(
    Offer.counsellor_id == any_(bindparam("people", type_=ARRAY(Uuid))),
    Offer.released_at.is_(None),
)


async def calls_at_hand(work: Work, people: Collection[UUID]) -> dict[UUID, set[UUID]]:
    """Return the calls that the desks of these counsellors show: those they hold, or else the last
    they had."""
    found: dict[UUID, set[UUID]] = {}
    for who, call_id in await work.session.execute(_HELD_CALLS, {"people": list(people)}):
        found.setdefault(who, set()).add(call_id)
    others = [who for who in people if who not in found]
    if others:
        for who, call_id in await work.session.execute(_LAST_CALLS, {"people": others}):
            found[who] = {call_id}
    return found


def own_calls(staff: Staff) -> Select[Any]:
    """Return a query for the ids of the calls that a counsellor took."""
    return select(Offer.call_id).where(
        Offer.counsellor_id == staff.id,
        Offer.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
    )


async def has_in_hand(work: Work, staff: Staff, call_id: UUID) -> bool:
    """Return whether a member of staff has this call or conversation now."""
    found = await work.session.scalar(
        select(Offer.id).where(
            Offer.call_id == call_id,
            Offer.counsellor_id == staff.id,
            Offer.released_at.is_(None),
            Offer.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
        )
    )
    return found is not None


async def call_in_hand(work: Work, staff: Staff, call_id: UUID) -> None:
    """Refuse a member of staff who does not have this call in hand. Raises NotFound.

    A supervisor may act on the live calls without a counsellor, on those of their team, and on
    those in which a counsellor calls for help.
    """
    held = (
        select(Staff.id == staff.id, supervised.supervised_by(staff))
        .select_from(Call)
        .join(Offer, Offer.call_id == Call.id)
        .join(Staff, Staff.id == Offer.counsellor_id)
        .where(
            Call.id == call_id,
            Offer.released_at.is_(None),
            Offer.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
        )
    )
    holders = (await work.session.execute(held)).all()
    supervises = may(staff.role, Permission.END_ANY_CALL)
    if any(own or (supervises and of_team) for own, of_team in holders):
        return
    if not holders and supervises:
        return
    raise NotFound("Not found, or you do not hold this call.")


async def lock_in_hand(work: Work, staff: Staff, call_id: UUID) -> Call:
    """Lock a call in hand, or one that a supervisor may act on. Raises NotFound."""
    # Lock first: the counsellor may have handed the call over a moment ago.
    call = await record.lock_call(work, call_id)
    await call_in_hand(work, staff, call_id)
    return call


async def end_talk(work: Work, staff: Staff, call_id: UUID) -> None:
    """End a connected talk. A caller who is waiting is never hung up on.

    Raises NotFound, Conflict.
    """
    call = await lock_in_hand(work, staff, call_id)
    if CallState(call.state) not in (CallState.CONNECTED, CallState.ENDED):
        raise Conflict("This caller is still waiting. Only a connected talk can be ended.")
    await releasing.hang_up(work, call)


async def set_hold(work: Work, staff: Staff, call_id: UUID, held: bool) -> None:
    """Hold or resume the talk that the counsellor has in hand. Raises NotFound, Conflict."""
    await sound.set_hold(work, await lock_in_hand(work, staff, call_id), held)
