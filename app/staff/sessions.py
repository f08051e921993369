"""The sessions of signed-in people: listing and ending them, at once and in every process.

Here is also which of them go on beyond their limits.

A session must not end a talk, nor take a word that is being written. While its person only waits
for calls, the one whose page has the telephone goes on: no caller may ring at a page that was
signed out. Any other ends at its limit, such as one at home or one that was stolen. If a person
talks at a phone of their own, no idle limit ends the one in which they acted last.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.database.topics import Topic
from app.errors import NotFound
from app.jobs.transaction import transaction
from app.staff.audit import write_entry
from app.staff.emergency_rows import Emergency, EmergencyState
from app.staff.log_kinds import AuditLog
from app.staff.models import FormerToken, Staff, StaffSession
from app.staff.sign_in_rules import LONGEST_HOURS
from app.work import PROGRAM, Work

# How finely the last use of a session is known.
_USED_EVERY = timedelta(minutes=5)
# And how finely the last act of its person.
_ACTS_EVERY = timedelta(minutes=1)
# A page that is open uses its session all the time, so this was written down since.
_OPEN = _USED_EVERY + timedelta(minutes=1)
# A session that was used so lately is one, also beyond its limits: its person is at work.
LATELY = timedelta(minutes=15)
# How long after the sign-in a session ends in any case once its person is in no talk.
LONGEST = timedelta(hours=LONGEST_HOURS)
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


class Duty(NamedTuple):
    """What a person is at work with."""

    # Since when without a gap.
    since: datetime
    # Since when they are in a talk or conversation, are offered one, or write one up.
    busy: datetime | None
    # The session whose page has the telephone; None if the page has not said it yet.
    telephone: bytes | None
    # The session in which a person whose telephone is in no page acted last, while they are busy:
    # its page has the record of the talk, however long it slept before.
    record: bytes | None

    def with_other(self, other: "Duty | None") -> "Duty":
        """Return this and another work of the same person as one."""
        if other is None:
            return self
        busy = [one for one in (self.busy, other.busy) if one is not None]
        return Duty(
            min(self.since, other.since),
            min(busy, default=None),
            self.telephone or other.telephone,
            self.record or other.record,
        )


# Returns which of some people are at work: `app/routing/at_work.py` says what work is.
AtWork = Callable[[AsyncSession, Collection[UUID], datetime], Awaitable[Mapping[UUID, Duty]]]


async def none_at_work(
    _session: AsyncSession, _people: Collection[UUID], _now: datetime
) -> Mapping[UUID, Duty]:
    """Let every limit hold."""
    return {}


def goes_on(session: StaffSession, ends: datetime, duty: Duty | None, now: datetime) -> bool:
    """Return whether a session goes on although it ended at `ends`."""
    if duty is None or ends < duty.since:
        return False
    if duty.busy is None:
        has_telephone = duty.telephone in (None, session.token_key)
        return has_telephone and now < session.created_at + LONGEST
    is_used = (session.used_at or session.created_at) > now - LATELY
    has_record = duty.record == session.token_key and session.expires_at >= duty.busy
    return ends >= duty.busy or duty.telephone == session.token_key or has_record or is_used


def browser_of(says: str) -> str:
    """Return the family of a browser by what it says of itself; empty if it is none we know."""
    return next((family for part, family in _FAMILIES if part in says), "")


def accounts_changed(work: Work) -> None:
    """Let every process look accounts and sessions up again; open streams check themselves."""
    work.ground.memory.forget(Topic.STAFF)
    work.announce(Topic.STAFF)


def page_ended(work: Work, staff_id: UUID) -> None:
    """Let pages show, and matching see, that a page that was signed out is no telephone."""
    work.announce(Topic.PRESENCE, Topic.PRESENCE.of(staff_id), Topic.QUEUE)


def is_of(key: bytes, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a session has the token with this key, or had it just now."""
    had = select(FormerToken.session_id).where(
        FormerToken.token_key == key, FormerToken.until_at > now
    )
    return or_(StaffSession.token_key == key, StaffSession.id == had.scalar_subquery())


async def current_key(work: Work, key: bytes) -> bytes:
    """Return the key of the token that a session has by now, if it had that with `key` just now."""
    return await key_after(work, key) or key


async def key_after(work: Work, key: bytes) -> bytes | None:
    """Return the key of the token that a session has after that with `key`; None if there is no
    such session."""
    found: bytes | None = await work.session.scalar(
        select(StaffSession.token_key)
        .join(FormerToken, FormerToken.session_id == StaffSession.id)
        .where(FormerToken.token_key == key, FormerToken.until_at > work.now)
    )
    return found


async def note_use(work: Work, token: str, *, acts: bool, reads: bool) -> None:
    """Note that a session is used, and whether its person acts; written down only now and then.

    The statement is committed by itself, so that no lock of a session is held while another one is
    waited for. `reads`: the statements of this work are.
    """
    key, values = work.keys.session_key(token), {}
    if _is_due(work, "session_use", key, _USED_EVERY):
        values["used_at"] = work.now
    if acts and _is_due(work, "session_act", key, _ACTS_EVERY):
        values["active_at"] = work.now
    if not values:
        return
    statement = (
        update(StaffSession)
        .where(is_of(key, work.now))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if reads:
        await work.session.execute(statement)
        return
    async with transaction(work.ground, PROGRAM, aside=True) as own:
        await own.session.execute(statement)


def _is_due(work: Work, what: str, key: bytes, every: timedelta) -> bool:
    """Return whether this process has not written something down for a while."""
    memory = work.ground.memory
    if memory.recall(what, key, work.now) is not None:
        return False
    memory.keep(what, key, True, work.now + every)
    return True


async def sessions_of(work: Work, staff: Staff) -> list[StaffSession]:
    """Return the valid sessions of a person, the newest first."""
    rows = await work.session.scalars(
        select(StaffSession)
        .where(
            StaffSession.staff_id == staff.id,
            or_(StaffSession.expires_at > work.now, StaffSession.used_at > work.now - LATELY),
            StaffSession.awaits.is_(None),
        )
        .order_by(StaffSession.created_at.desc(), StaffSession.id)
    )
    return list(rows)


def is_open(used_at: datetime | None, created_at: datetime, now: datetime) -> bool:
    """Return whether a page of a session is open, by when the session was used."""
    return (used_at or created_at) > now - _OPEN


async def has_open_page(work: Work, staff_id: UUID, but: bytes | None = None) -> bool:
    """Return whether a page of a person is open in any browser. `but`: this session apart."""
    rows = await work.session.execute(
        select(StaffSession.used_at, StaffSession.created_at).where(
            StaffSession.staff_id == staff_id,
            StaffSession.awaits.is_(None),
            StaffSession.token_key.is_distinct_from(but),
        )
    )
    return any(is_open(used_at, created_at, work.now) for used_at, created_at in rows)


async def id_of(work: Work, token: str) -> UUID | None:
    """Return the id of the session of a cookie, by which its owner ends it."""
    found: UUID | None = await work.session.scalar(
        select(StaffSession.id).where(is_of(work.keys.session_key(token), work.now))
    )
    return found


async def note_provider_session(work: Work, token: str, provider_key: bytes) -> None:
    """Note by which session at the provider of identities a session began."""
    await work.session.execute(
        update(StaffSession)
        .where(StaffSession.token_key == work.keys.session_key(token))
        .values(provider_key=provider_key)
    )


async def owner_of_provider_session(work: Work, provider_key: bytes) -> UUID | None:
    """Return whose sessions began by a session at the provider."""
    found: UUID | None = await work.session.scalar(
        select(StaffSession.staff_id).where(StaffSession.provider_key == provider_key).limit(1)
    )
    return found


async def end_sessions(
    work: Work,
    staff_id: UUID,
    *,
    but: bytes | None = None,
    until: datetime | None = None,
    provider_key: bytes | None = None,
) -> int:
    """End the sessions of a person, except the one with the key `but` and those that began after
    `until`. Return how many ended. Those by which the person acts under an emergency access are
    theirs, too.

    `provider_key`: those that began by another session at the provider stay, too.
    """
    acts_by = select(Emergency.account_id).where(
        Emergency.asked_by == staff_id, Emergency.state == EmergencyState.OPEN
    )
    statement = delete(StaffSession).where(
        or_(StaffSession.staff_id == staff_id, StaffSession.staff_id.in_(acts_by))
    )
    if provider_key is not None:
        named = StaffSession.provider_key == provider_key
        statement = statement.where(or_(named, StaffSession.provider_key.is_(None)))
    if but is not None:
        statement = statement.where(StaffSession.token_key != await current_key(work, but))
    if until is not None:
        statement = statement.where(StaffSession.created_at <= until)
    ended = await work.session.execute(statement.returning(StaffSession.id))
    accounts_changed(work)
    page_ended(work, staff_id)
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
    page_ended(work, staff.id)


async def end_others(work: Work, staff: Staff, token: str) -> None:
    """Sign a person out of all their sessions but the one of this token."""
    ended = await end_sessions(work, staff.id, but=work.keys.session_key(token))
    write_entry(work, AuditLog.SESSIONS_ENDED, str(staff.id), number=ended)
