"""Both sides of a conversation are told that there is something new, and never what."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from app.chats.models import Author
from app.database.topics import Topic
from app.routing.models import Offer, OfferState
from app.work import Work


def of_child(call_id: UUID) -> str:
    """Return the name of a conversation in the topic of the child's page, which is not told of what
    it did itself."""
    return f"{call_id}.child"


async def announce(work: Work, call_id: UUID, by: Author | None = None) -> None:
    """Tell both sides that there is something new, and never what; `by` knows it already.

    Supervisors who read along listen to the conversation, counsellors to their own topic.
    """
    work.announce(Topic.CHATS.of(call_id))
    if by is not Author.CHILD:
        work.announce(Topic.CHATS.of(of_child(call_id)))
    if by is not Author.COUNSELLOR:
        for staff_id in await _holders(work, call_id):
            work.announce(Topic.CHATS.of(staff_id))


async def _holders(work: Work, call_id: UUID) -> Sequence[UUID]:
    rows = await work.session.scalars(
        select(Offer.counsellor_id).where(
            Offer.call_id == call_id,
            Offer.released_at.is_(None),
            Offer.state == OfferState.CONNECTED,
        )
    )
    return rows.all()
