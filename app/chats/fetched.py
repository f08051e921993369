"""What a carrier handed out and forgot with that is kept as it came, sealed, until it is received.

What cannot be read stays, is tried again each minute, and opens an alarm: see `untaken.py`. A
person who cannot help it puts it away: the alarm ends, and it is tried on all the same.
"""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select, update

from app.calls.speech import LineScript
from app.calls.states import Channel
from app.chats.carrier_rows import AccountProblem, CarrierAccount, Fetched
from app.database.topics import Topic
from app.privacy.keys import Bound, told
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work

# For how long what could not be read is tried again, and how often.
KEPT = timedelta(days=30)
_AGAIN = timedelta(minutes=1)
# What alarms a person.
_ALARMS = (Fetched.tried_at.is_not(None), Fetched.put_away_at.is_(None))


async def keep(work: Work, line_id: UUID, channel: Channel, their_id: str, content: bytes) -> None:
    """Keep an answer of a carrier. `their_id`: the account of the line there."""
    row = Fetched(
        id=uuid4(), line_id=line_id, channel=channel.value, their_id=their_id, at=work.now
    )
    (row.content_sealed,) = await work.keys.seal_all([(_place(row.id), content)])
    work.session.add(row)
    await work.session.flush()


class WaitingTexts(NamedTuple):
    """What is kept. `tried`: it could not be read before; `due`: it is to be tried now; `alarms`:
    no person has put it away."""

    id: UUID
    tried: bool
    due: bool
    alarms: bool


async def waiting(work: Work, line_id: UUID, channel: Channel) -> list[WaitingTexts]:
    """Return what is kept of a line, the oldest first."""
    rows = await work.session.execute(
        select(Fetched.id, Fetched.tried_at, Fetched.put_away_at)
        .where(Fetched.line_id == line_id, Fetched.channel == channel.value)
        .order_by(Fetched.at, Fetched.id)
    )
    return [
        WaitingTexts(row_id, at is not None, at is None or at < work.now - _AGAIN, away is None)
        for row_id, at, away in rows
    ]


async def forget_old(work: Work) -> None:
    """Delete what could not be read for too long."""
    await work.session.execute(
        delete(Fetched)
        .where(Fetched.at < work.now - KEPT)
        .execution_options(synchronize_session=False)
    )


async def lock(work: Work, row_id: UUID) -> Fetched | None:
    """Lock what is to be received; None if it was received meanwhile."""
    return await work.session.get(Fetched, row_id, with_for_update=True)


async def content_of(work: Work, row: Fetched) -> bytes:
    """Return what the carrier handed out."""
    (opened,) = await work.keys.open_all([(_place(row.id), row.content_sealed)])
    return told(opened)


def _place(row_id: UUID) -> Bound:
    return Bound("chat_fetched", "content_sealed", row_id)


async def note_unread(work: Work, row_id: UUID) -> None:
    """Note that something could not be read."""
    await work.session.execute(
        update(Fetched)
        .where(Fetched.id == row_id)
        .values(tried_at=work.now)
        .execution_options(synchronize_session=False)
    )


async def unread_lines(work: Work) -> list[UUID]:
    """Return the lines of which something could not be read."""
    rows = await work.session.scalars(select(Fetched.line_id).where(*_ALARMS).distinct())
    return list(rows)


async def put_away(
    work: Work, line: LineScript, channel: Channel, *, until: datetime | None = None
) -> int:
    """Put away what could not be read of a line, so that it alarms no person. It is kept and tried
    on. `until`: what came later alarms on, because the person has not seen of it; without it, what
    comes from now on. Return how many. May run twice."""
    of_line = (Fetched.line_id == line.id, Fetched.channel == channel.value, *_ALARMS)
    rows = await work.session.scalars(
        update(Fetched)
        .where(*of_line, Fetched.at <= (until or work.now))
        .values(put_away_at=work.now)
        .returning(Fetched.id)
        .execution_options(synchronize_session=False)
    )
    count = len(rows.all())
    left = await work.session.scalar(select(func.count()).select_from(Fetched).where(*of_line)) or 0
    if count and not left:
        await work.session.execute(
            update(CarrierAccount)
            .where(
                CarrierAccount.line_id == line.id,
                CarrierAccount.channel == channel.value,
                CarrierAccount.problem == AccountProblem.UNREAD,
            )
            .values(problem=None)
            .execution_options(synchronize_session=False)
        )
    if count:
        write_entry(
            work,
            AuditLog.UNREAD_MESSAGE_PUT_AWAY,
            str(line.id),
            before={"carrier": channel.value, "unread": count + left},
            after={"carrier": channel.value, "unread": left},
        )
        work.announce(Topic.LINES)
    return count
