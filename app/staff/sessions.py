"""The sessions of signed-in people: listing and ending them, at once and in every process."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, or_, select, update

from app.database.topics import Topic
from app.errors import NotFound
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff, StaffSession
from app.work import Work

# How finely the last use of a session is known.
_USED_EVERY = timedelta(minutes=5)
# Part of what a browser says of itself, and its family; the first that is found counts.
_FAMILIES = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


def browser_of(says: str) -> str:
    """Return the family of a browser by what it says of itself; empty if it is none we know."""
    return next((family for part, family in _FAMILIES if part in says), "")


def accounts_changed(work: Work) -> None:
    """Let every process look accounts and sessions up again; open streams check themselves."""
    work.ground.memory.forget(Topic.STAFF)
    work.announce(Topic.STAFF)


async def note_use(work: Work, token: str) -> None:
    """Note that a session is used; written down only once in some minutes.

    Only for requests that read: each of their statements is committed by itself, so that no lock of
    a session is held while another one is waited for.
    """
    key, memory = work.keys.session_key(token), work.ground.memory
    if memory.recall("session_use", key, work.now) is not None:
        return
    memory.keep("session_use", key, True, work.now + _USED_EVERY)
    since = work.now - _USED_EVERY
    await work.session.execute(
        update(StaffSession)
        .where(
            StaffSession.token_key == key,
            or_(StaffSession.used_at.is_(None), StaffSession.used_at < since),
        )
        .values(used_at=work.now)
        .execution_options(synchronize_session=False)
    )


async def sessions_of(work: Work, staff: Staff) -> list[StaffSession]:
    """Return the valid sessions of a person, the newest first."""
    rows = await work.session.scalars(
        select(StaffSession)
        .where(
            StaffSession.staff_id == staff.id,
            StaffSession.expires_at > work.now,
            StaffSession.awaits.is_(None),
        )
        .order_by(StaffSession.created_at.desc(), StaffSession.id)
    )
    return list(rows)


async def end_sessions(work: Work, staff_id: UUID, *, but: bytes | None = None) -> int:
    """End the sessions of a person, except the one with that key. Return how many ended."""
    statement = delete(StaffSession).where(StaffSession.staff_id == staff_id)
    if but is not None:
        statement = statement.where(StaffSession.token_key != but)
    ended = await work.session.execute(statement.returning(StaffSession.id))
    accounts_changed(work)
    return len(ended.all())


async def end_one(work: Work, staff: Staff, session_id: UUID) -> None:
    """Sign a person out of one of their own sessions. Raises NotFound."""
    gone = await work.session.scalar(
        delete(StaffSession)
        .where(StaffSession.id == session_id, StaffSession.staff_id == staff.id)
        .returning(StaffSession.id)
    )
    if gone is None:
        raise NotFound("This session has ended already.")
    write_entry(work, AuditLog.SESSION_ENDED, str(staff.id))
    accounts_changed(work)
