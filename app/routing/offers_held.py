"""The offers that a counsellor holds: one call at most, and conversations in their slots; and the
presence that follows from them."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, exists, select

from app.calls.log_kinds import AnyCause
from app.database.quick import Question
from app.jobs.transaction import rows_of
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.work import Work

_TAKEN = (OfferState.ACCEPTED, OfferState.CONNECTED)
# The states that follow from what is in hand.
BUSY = (PresenceState.OFFERED, PresenceState.ON_CALL, PresenceState.WRITING)


class Hands(NamedTuple):
    """What a counsellor has in hand now."""

    # The offer or live call.
    call: OfferState | None
    conversations: int
    # A conversation is offered.
    asked: bool
    slots: frozenset[int]

    @property
    def state(self) -> PresenceState | None:
        """Return the presence that this makes; None if nothing is in hand."""
        if self.call in _TAKEN:
            return PresenceState.ON_CALL
        if self.call is not None:
            return PresenceState.OFFERED
        if self.conversations:
            return PresenceState.WRITING
        return PresenceState.OFFERED if self.asked else None


_HELD = Question(
    select(Offer.slot, Offer.state).where(
        Offer.counsellor_id == bindparam("who", type_=Uuid()), Offer.released_at.is_(None)
    )
)


async def in_hand(work: Work, counsellor_id: UUID) -> Hands:
    """Return what a counsellor has in hand. Their presence is locked if it must stay so."""
    rows = await rows_of(work, _HELD, who=counsellor_id)
    calls = [OfferState(row["state"]) for row in rows if row["slot"] is None]
    written = [(row["slot"], row["state"]) for row in rows if row["slot"] is not None]
    return Hands(
        calls[0] if calls else None,
        sum(state in _TAKEN for _, state in written),
        any(state == OfferState.OPEN for _, state in written),
        frozenset(slot for slot, _ in written),
    )


async def talks_in(work: Work, counsellor_id: UUID, call_id: UUID) -> bool:
    """Return whether a counsellor has taken this call or conversation and still has it in hand."""
    found: bool | None = await work.session.scalar(
        select(
            exists().where(
                Offer.counsellor_id == counsellor_id,
                Offer.call_id == call_id,
                Offer.state.in_(_TAKEN),
                Offer.released_at.is_(None),
            )
        )
    )
    return bool(found)


async def free_slot(work: Work, counsellor_id: UUID, at_most: int) -> int | None:
    """Return the lowest free slot of a counsellor; None if they have `at_most` conversations."""
    now = await in_hand(work, counsellor_id)
    if len(now.slots) >= at_most:
        return None
    return min(set(range(1, len(now.slots) + 2)) - now.slots)


async def settle(
    work: Work, presence: Presence, cause: AnyCause, *, talked: bool = False, rested: bool = False
) -> None:
    """Set the state of a locked presence when an offer was released: by what is still in hand.

    If nothing is, wrap-up follows a talk (`talked`), and otherwise the counsellor is free. Does
    nothing for a counsellor who is not busy. `rested` keeps the idle time.
    """
    if presence.state not in BUSY:
        return
    state = (await in_hand(work, presence.counsellor_id)).state
    if state is not None:
        await presences.set_presence(work, presence, state, cause)
    elif talked:
        await presences.start_wrap_up(work, presence, cause)
    else:
        await presences.set_free(work, presence, cause, rested=rested)


async def has_anything(work: Work, counsellor_id: UUID) -> bool:
    """Return whether a counsellor has an offer, a call or a conversation."""
    found: bool | None = await work.session.scalar(
        select(exists().where(Offer.counsellor_id == counsellor_id, Offer.released_at.is_(None)))
    )
    return bool(found)


async def conversations(work: Work, counsellor_id: UUID) -> list[UUID]:
    """Return the offers of the conversations that a counsellor has or is offered, by the call:
    the order in which several calls are locked."""
    rows = await work.session.scalars(
        select(Offer.id)
        .where(
            Offer.counsellor_id == counsellor_id,
            Offer.released_at.is_(None),
            Offer.slot.is_not(None),
        )
        .order_by(Offer.call_id)
    )
    return list(rows)
