"""Tell both sides of a conversation that something is new: where, and how far it was read."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from app.chats.models import Author
from app.database.topics import Topic
from app.routing.models import Offer, OfferState
from app.work import Work

# What stands behind a conversation in the topic of the child's page, and between the parts of a
# topic.
_CHILD, _NEXT = ".child", "/"


class Mark(StrEnum):
    """What a topic can say behind its conversation. The first three are each up to a number."""

    SENT = "sent"
    DELIVERED = "delivered"
    SEEN = "seen"
    # Whether the other side is typing: 1 or 0.
    TYPES = "types"

    @property
    def begin(self) -> str:
        """Return what stands before the number."""
        return f"{_NEXT}{self.value}{_NEXT}"


def of_child(call_id: UUID) -> str:
    """Return the name of a conversation in the topic of the child's page, which is not told of what
    it did itself."""
    return f"{call_id}{_CHILD}"


def of_holder(staff_id: UUID, call_id: UUID) -> str:
    """Return the name of a conversation in the topic of its counsellor."""
    return f"{staff_id}{_NEXT}{call_id}"


def conversation_in_sql(call_id: str) -> str:
    """Return the topic of a conversation as SQL, of the SQL of its id."""
    return f"'{Topic.CHATS}:' || {call_id}"


def child_in_sql(call_id: str) -> str:
    """Return the topic of the child's page as SQL: with `of_child`."""
    return f"{conversation_in_sql(call_id)} || '{_CHILD}'"


def holder_in_sql(staff_id: str, call_id: str) -> str:
    """Return the topic of the counsellor of a conversation as SQL: with `of_holder`."""
    return f"'{Topic.CHATS}:' || {staff_id} || '{_NEXT}' || {call_id}"


# What is new in a conversation: marks alone, or None if there is something to read.
Marks = dict[str, int] | None


def of_topic(rest: str) -> Marks:
    """Return what the topic of a side says behind its conversation, such as `seen/7`."""
    if not rest:
        return None
    name, _, number = rest.partition(_NEXT)
    return {name: int(number)}


def types(does: bool) -> str:
    """Return what a topic says behind a conversation in which a side types, or has stopped."""
    return f"{Mark.TYPES.begin}{int(does)}"


def together(before: Marks, now: Marks) -> Marks:
    """Return two pieces of news of one conversation as one. They come in no order: a side that
    began to type and stopped is read."""
    if before is None or now is None:
        return None
    if Mark.TYPES in before and Mark.TYPES in now:
        return None
    return before | {name: max(n, before.get(name, 0)) for name, n in now.items()}


def of_topics(topic: str, topics: Iterable[str]) -> Marks:
    """Return what is new for a child, by the topics that came. `topic`: its own."""
    found: Marks = {}
    for one in topics:
        name, _, marks = one.partition(_NEXT)
        found = together(found, of_topic(marks) if name == topic else None)
    return found


def in_topics(topic: str, topics: Iterable[str]) -> dict[str, Marks] | None:
    """Return what is new in each conversation of a counsellor, by the topics that came; None if it
    can be any of them. `topic`: the counsellor's own."""
    found: dict[str, Marks] = {}
    for one in topics:
        name, _, rest = one.partition(_NEXT)
        if name != topic:
            continue
        if not rest:
            return None
        call_id, _, marks = rest.partition(_NEXT)
        found[call_id] = together(found.get(call_id, {}), of_topic(marks))
    return found


async def announce(work: Work, call_id: UUID, by: Author | None = None) -> None:
    """Tell both sides that there is something new, and never what; `by` knows it already.

    Supervisors who read along listen to the conversation, counsellors to their own topic. What the
    child did concerns one conversation, and the topic of its counsellor says which. What the
    program did may change more: its counsellor's page reads all of them again.
    """
    work.announce(Topic.CHATS.of(call_id))
    if by is not Author.CHILD:
        work.announce(Topic.CHATS.of(of_child(call_id)))
    if by is not Author.COUNSELLOR:
        for staff_id in await _holders(work, call_id):
            one = of_holder(staff_id, call_id) if by is Author.CHILD else staff_id
            work.announce(Topic.CHATS.of(one))


async def announce_sent(work: Work, call_id: UUID, number: int) -> None:
    """Tell the counsellor of a conversation that a carrier has their words up to a number."""
    for staff_id in await _holders(work, call_id):
        one = f"{of_holder(staff_id, call_id)}{Mark.SENT.begin}{number}"
        work.announce(Topic.CHATS.of(one))


async def _holders(work: Work, call_id: UUID) -> Sequence[UUID]:
    rows = await work.session.scalars(
        select(Offer.counsellor_id).where(
            Offer.call_id == call_id,
            Offer.released_at.is_(None),
            Offer.state == OfferState.CONNECTED,
        )
    )
    return rows.all()
