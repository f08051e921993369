"""Pictures and voice notes of children, on lines that take them: fetched by the edge, scanned,
without what a camera wrote into them, sealed, and opened one by one with a row in the log.

They are kept as long as the words of their message.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Update, func, select, update
from sqlalchemy.orm import defer

from app.calls.models import Call
from app.chats import reading
from app.chats.left import answering
from app.chats.models import Media, MediaKind, MediaProblem, MediaState, Message
from app.chats.news import announce
from app.errors import NotFound
from app.jobs.names import Task
from app.privacy.keys import Bound, told
from app.routing import in_hand
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# More of one conversation is refused, as on a line that takes none.
MOST = 40
# Bytes within a day, of one child and of all: a flood must not fill the disk of the calls.
_MEGABYTE = 1024 * 1024
MOST_OF_CHILD, MOST_OF_ALL = 100 * _MEGABYTE, 2000 * _MEGABYTE
# What stands for the words of a message that has none: it is read in every language.
SYMBOLS = {MediaKind.PICTURE: "📷", MediaKind.VOICE: "🎤"}


class Attached(NamedTuple):
    """Something that a child sent, and where its carrier has it."""

    kind: MediaKind
    source: str


class ShownMedia(NamedTuple):
    """A picture or a voice note as the reader of its message sees it, before it is opened."""

    id: UUID
    kind: MediaKind
    state: MediaState
    problem: MediaProblem | None
    size: int | None


async def room_for(work: Work, call: Call) -> int:
    """Return how many more a conversation can hold: none after a day's bytes of its child, or of
    the helpline."""
    there = await work.session.scalar(select(func.count()).where(Media.call_id == call.id))
    since = work.now - timedelta(days=1)
    # What is not fetched yet counts as the largest that is kept.
    each = func.coalesce(Media.size, work.settings.document_megabytes * _MEGABYTE)
    mine = Call.caller_key == call.caller_key if call.caller_key else Call.id == call.id
    of_child, of_all = (
        await work.session.execute(
            select(func.sum(each).filter(mine), func.sum(each))
            .join(Call, Call.id == Media.call_id)
            .where(Media.at > since, Media.state.in_((MediaState.WANTED, MediaState.KEPT)))
        )
    ).one()
    if (of_child or 0) >= MOST_OF_CHILD or (of_all or 0) >= MOST_OF_ALL:
        return 0
    return max(0, MOST - (there or 0))


def want(work: Work, call: Call, message: Message, attached: Sequence[Attached]) -> None:
    """Have what came with a message fetched."""
    for place, one in enumerate(attached):
        media_id = uuid4()
        sealed = work.keys.seal(
            one.source.encode(), table="chat_media", column="source_sealed", row=media_id
        )
        work.session.add(
            Media(
                id=media_id,
                call_id=call.id,
                message_id=message.id,
                place=place,
                kind=one.kind.value,
                source_sealed=sealed,
                at=work.now,
            )
        )
        work.defer(Task.FETCH_MEDIA, media_id=str(media_id))


async def at_carrier(work: Work, media_id: UUID) -> tuple[Media, str] | None:
    """Return what a carrier still has, and where; None if there is nothing left to do there."""
    row = await work.session.get(Media, media_id, populate_existing=True)
    if row is None or row.source_sealed is None:
        return None
    source = work.keys.open(
        row.source_sealed, table="chat_media", column="source_sealed", row=row.id
    ).decode()
    return row, source


async def keep(work: Work, media_id: UUID, content: bytes, media_type: str, scan: str) -> None:
    """Keep what was fetched, sealed, unless its time was over meanwhile."""
    (sealed,) = await work.keys.seal_all(
        [(Bound("chat_media", "content_sealed", media_id), content)]
    )
    await _settle(
        work,
        media_id,
        state=MediaState.KEPT.value,
        content_sealed=sealed,
        media_type=media_type,
        size=len(content),
        scan=scan,
    )


async def refuse(work: Work, media_id: UUID, problem: MediaProblem) -> None:
    """Note why it is not kept; its counsellor sees it."""
    await _settle(work, media_id, state=MediaState.REFUSED.value, problem=problem.value)


async def _settle(work: Work, media_id: UUID, **values: object) -> None:
    call_id = await work.session.scalar(
        update(Media)
        .where(Media.id == media_id, Media.state == MediaState.WANTED)
        .values(**values)
        .returning(Media.call_id)
        .execution_options(synchronize_session=False)
    )
    if call_id is not None:
        await announce(work, call_id)


async def forget_source(work: Work, media_id: UUID) -> None:
    """Note that the carrier does not have it any more."""
    await work.session.execute(
        update(Media)
        .where(Media.id == media_id)
        .values(source_sealed=None)
        .execution_options(synchronize_session=False)
    )


async def of_messages(
    work: Work, found: Iterable[reading.ShownMessage]
) -> dict[UUID, list[ShownMedia]]:
    """Return what came with messages that their reader may read, by message."""
    ids = [one.id for one in found if one.carried]
    if not ids:
        return {}
    rows = await work.session.scalars(
        select(Media)
        .where(Media.message_id.in_(ids))
        .options(defer(Media.content_sealed))
        .order_by(Media.message_id, Media.place)
    )
    by_message: dict[UUID, list[ShownMedia]] = {}
    for row in rows:
        problem = MediaProblem(row.problem) if row.problem else None
        shown = ShownMedia(row.id, MediaKind(row.kind), MediaState(row.state), problem, row.size)
        by_message.setdefault(row.message_id, []).append(shown)
    return by_message


async def open_media(work: Work, staff: Staff, media_id: UUID) -> tuple[bytes, str]:
    """Return a picture or a voice note with its type; the opening is logged first.

    Raises NotFound.
    """
    row = await find(work, staff, media_id)
    if row.content_sealed is None or row.media_type is None:
        raise NotFound("This was not kept, or its time is over.")
    await write_reading(work, AuditLog.CHAT_MEDIA_OPENED, str(row.call_id), media=str(row.id))
    (content,) = await work.keys.open_all(
        [(Bound("chat_media", "content_sealed", row.id), row.content_sealed)]
    )
    return told(content), row.media_type


async def find(work: Work, staff: Staff, media_id: UUID) -> Media:
    """Return a picture or voice note whose conversation this person may read. Raises NotFound."""
    row = await work.session.get(Media, media_id)
    if row is None:
        raise reading.NotYours()
    if not (
        await in_hand.has_in_hand(work, staff, row.call_id)
        or await answering.may_read(work, staff, row.call_id)
    ):
        await reading.check_may_read(work, staff, row.call_id)
    return row


def erasing(message_ids: Sequence[UUID]) -> Update:
    """Return the statement that erases what came with messages."""
    return (
        update(Media)
        .where(Media.message_id.in_(message_ids))
        .values(
            state=MediaState.ERASED.value,
            problem=None,
            content_sealed=None,
            media_type=None,
            size=None,
        )
        .execution_options(synchronize_session=False)
    )
