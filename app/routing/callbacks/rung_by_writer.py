"""A call-back to a child with whom a counsellor writes: that conversation keeps the counsellor from
no ring of this one call."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from app.calls.models import Call
from app.calls.states import CARRIED, CallState
from app.routing.callbacks.callback_rows import Callback
from app.routing.models import Offer, OfferState
from app.work import Work

_CONVERSATION = aliased(Call)


def _same_address(line_id: object, caller_key: object) -> ColumnElement[bool]:
    """Return the condition for the open conversations of a number with its line."""
    return and_(
        _CONVERSATION.line_id == line_id,
        _CONVERSATION.channel.in_([channel.value for channel in CARRIED]),
        _CONVERSATION.caller_key == caller_key,
        _CONVERSATION.state != CallState.ENDED,
    )


_IN_WRITING = (
    Offer.released_at.is_(None),
    Offer.slot.is_not(None),
    Offer.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
)
# For a call-back in the queue, in a query of calls: the counsellor who writes with its child now,
# in the conversation in which it was agreed or in one from the same number.
WRITES_WITH = func.coalesce(
    select(Offer.counsellor_id)
    .join(Callback, Callback.call_id == Offer.call_id)
    .where(Callback.id == Call.callback_id, *_IN_WRITING)
    .limit(1)
    .correlate(Call)
    .scalar_subquery(),
    select(Offer.counsellor_id)
    .join(_CONVERSATION, _CONVERSATION.id == Offer.call_id)
    .where(_same_address(Call.line_id, Call.caller_key), *_IN_WRITING)
    .limit(1)
    .correlate(Call)
    .scalar_subquery(),
)


async def conversations_with(work: Work, call: Call) -> set[UUID]:
    """Return the conversations with the child of a call-back: the one in which it was agreed, and
    the open ones of the same number. Empty for any other call."""
    if call.callback_id is None:
        return set()
    agreed_in = select(Callback.call_id).where(Callback.id == call.callback_id).scalar_subquery()
    rows = await work.session.scalars(
        select(_CONVERSATION.id).where(
            or_(
                _CONVERSATION.id == agreed_in,
                _same_address(call.line_id, call.caller_key),
            )
        )
    )
    return set(rows)


async def writes_with_no_other(work: Work, counsellor_id: UUID, call: Call) -> bool:
    """Return whether a counsellor holds nothing but conversations with the child of a call-back.
    Their presence is locked if it must stay so."""
    others = select(Offer.id).where(
        Offer.counsellor_id == counsellor_id,
        Offer.released_at.is_(None),
        Offer.call_id.not_in(await conversations_with(work, call)),
    )
    return await work.session.scalar(others.limit(1)) is None
