"""Which conversations have words of a child that no person has read: they are work that waits."""

from typing import Any

from sqlalchemy import ColumnElement, exists, or_
from sqlalchemy.orm import aliased

from app.chats.models import Author, Message, ReturnCode
from app.routing.models import Offer

# It stands in questions about messages: with a name of its own.
_UNSEEN = aliased(Message)


def waits(call_id: Any) -> ColumnElement[bool]:
    """Return the condition that a message of this conversation waits in the inbox, or that it is on
    a desk with words that were not seen. `call_id`: a column or an id."""
    return or_(
        exists().where(ReturnCode.call_id == call_id, ReturnCode.done_at.is_(None)),
        exists().where(
            Offer.call_id == call_id,
            Offer.kept_on_desk,
            _UNSEEN.call_id == call_id,
            _UNSEEN.author == Author.CHILD,
            _UNSEEN.seen_at.is_(None),
            _UNSEEN.erased_at.is_(None),
        ),
    )
