"""Who is signed in: sessions by the token of a cookie, from the sign-in to the sign-out."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy import LargeBinary, and_, bindparam, delete, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached

from app.database.quick import Question, Row
from app.database.topics import Topic
from app.errors import NotSignedIn
from app.jobs.transaction import rows_of, transaction
from app.staff.accounts import actor_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Awaits, FormerToken, SignInRules, Staff, StaffSession
from app.staff.sessions import (
    AtWork,
    accounts_changed,
    current_key,
    goes_on,
    id_of,
    is_of,
    is_open,
    key_after,
    none_at_work,
    note_provider_session,
    page_ended,
)
from app.staff.sign_in_rules import DEFAULTS, rules_of, sign_in_rules
from app.work import PROGRAM, Ground, Work

# How long a person has for the second factor after the right password.
AWAITS_LENGTH = timedelta(minutes=30)
# How long the former token goes on after the new one was first used: other pages of the browser are
# in the middle of requests, and open their streams again.
FORMER_LASTS = timedelta(seconds=30)
# How long after the proof it goes on at most: the answer with the new one may have been lost, and a
# page with a talk must not be signed out by that.
_FORMER_LONGEST = timedelta(minutes=10)
# The longest time that a process trusts a session it has looked up.
_REMEMBERED = timedelta(seconds=5)
# How long a session that goes on beyond its limits is valid before that is asked again.
_ASKED_AGAIN = timedelta(minutes=1)
# How long after their limit sessions are kept at most: that of a person at work goes on.
_KEPT = timedelta(days=7)


async def open_session(
    work: Work,
    staff: Staff,
    browser: str = "",
    *,
    awaits: Awaits | None = None,
    until: datetime | None = None,
    proven: bool = True,
) -> str:
    """Sign a person in. Return the token for the cookie. `browser` is the browser's family.
    `until`: the session ends then, and not by the rules. `proven`: the sign-in is a proof, too.

    A session that awaits something opens nothing but the page where that is given. It is `proven`
    if a factor was given.
    """
    token = secrets.token_urlsafe(32)
    length = AWAITS_LENGTH
    if awaits is None:
        length = timedelta(hours=(await sign_in_rules(work)).hours_for(staff.role))
    work.session.add(
        StaffSession(
            token_key=work.keys.session_key(token),
            staff_id=staff.id,
            created_at=work.now,
            expires_at=until or work.now + length,
            browser=browser,
            awaits=awaits.value if awaits is not None else None,
            proved_at=work.now if proven else None,
            active_at=work.now if awaits is None else None,
        )
    )
    over = and_(StaffSession.awaits.is_not(None), StaffSession.expires_at < work.now)
    await work.session.execute(
        delete(StaffSession).where(or_(over, StaffSession.expires_at < work.now - _KEPT))
    )
    work.actor = actor_of(staff)
    if awaits is None:
        write_entry(work, AuditLog.SIGNED_IN, str(staff.id))
    return token


async def begun_session(work: Work, token: str) -> tuple[Staff, StaffSession] | None:
    """Return the account and the session of a cookie that still awaits something."""
    row = (
        await work.session.execute(
            select(Staff, StaffSession)
            .join(StaffSession, StaffSession.staff_id == Staff.id)
            .where(
                StaffSession.token_key == work.keys.session_key(token),
                StaffSession.expires_at > work.now,
                StaffSession.awaits.is_not(None),
                Staff.active,
            )
        )
    ).one_or_none()
    return (row[0], row[1]) if row is not None else None


async def complete_session(
    work: Work,
    staff: Staff,
    begun: StaffSession,
    *,
    awaits: Awaits | None = None,
    until: datetime | None = None,
    proven: bool = True,
) -> str:
    """Sign a person in whose session awaited something, or let it await the next thing. Return the
    new token for the cookie; see `open_session`."""
    await work.session.execute(
        delete(StaffSession).where(StaffSession.token_key == begun.token_key)
    )
    token = await open_session(
        work, staff, begun.browser, awaits=awaits, until=until, proven=proven
    )
    if begun.provider_key is not None:
        await note_provider_session(work, token, begun.provider_key)
    return token


async def close_session(work: Work, token: str) -> None:
    """Sign out; a second time changes nothing."""
    key = work.keys.session_key(token)
    work.ground.memory.forget(Topic.STAFF)
    work.announce(Topic.STAFF)
    await work.session.execute(
        delete(StaffSession)
        .where(is_of(key, work.now))
        .execution_options(synchronize_session=False)
    )
    if work.actor.staff_id:
        page_ended(work, work.actor.staff_id)
        write_entry(work, AuditLog.SIGNED_OUT, str(work.actor.staff_id))


class Former(NamedTuple):
    """The session that a browser had before a person signed in there."""

    key: bytes
    staff_id: UUID
    # A page of it was open: its person was there until now.
    was_open: bool


async def end_former_session(work: Work, staff: Staff, token: str) -> Former | None:
    """End the session that a browser has in which a person signs in, whole or begun. Return what it
    was, or None if there was none.

    Another person's ends, too: what its page asks for would be done in the name of this one.
    """
    key = await current_key(work, work.keys.session_key(token))
    row = (
        await work.session.execute(
            delete(StaffSession)
            .where(StaffSession.token_key == key)
            .returning(
                StaffSession.staff_id,
                StaffSession.awaits,
                StaffSession.used_at,
                StaffSession.created_at,
            )
        )
    ).one_or_none()
    if row is None:
        return None
    accounts_changed(work)
    if row.staff_id != staff.id:
        page_ended(work, row.staff_id)
    was_open = row.awaits is None and is_open(row.used_at, row.created_at, work.now)
    return Former(key, row.staff_id, was_open)


async def end_after_work(work: Work, key: bytes) -> None:
    """Let a session end as soon as its person is in no talk and writes none up."""
    await work.session.execute(
        update(StaffSession).where(StaffSession.token_key == key).values(expires_at=work.now)
    )
    accounts_changed(work)


async def proved_at(work: Work, token: str) -> datetime | None:
    """Return when the person of a session last proved who they are."""
    found: datetime | None = await work.session.scalar(
        select(StaffSession.proved_at).where(StaffSession.token_key == work.keys.session_key(token))
    )
    return found


class Renewed(NamedTuple):
    """A session with a new token, and the key of the one that it had."""

    former: bytes
    token: str


async def note_proof(work: Work, staff: Staff, token: str, how: str) -> Renewed:
    """Note that the person of a session has proved again who they are. What that opens, it opens by
    the new token alone; see `renew`."""
    renewed = await renew(work, token)
    await work.session.execute(
        update(StaffSession)
        .where(StaffSession.token_key == work.keys.session_key(renewed.token))
        .values(proved_at=work.now)
        .execution_options(synchronize_session=False)
    )
    write_entry(work, AuditLog.PROVED_AGAIN, str(staff.id), how=how)
    return renewed


async def renew(work: Work, token: str, *, ends_soon: bool = False) -> Renewed:
    """Give a session a new token. The former one ends soon after the new one was used.

    `ends_soon`: all former ones end soon, also if the new one is never used: after a new password
    nothing goes on that another person may have. Raises NotSignedIn if the session has ended
    meanwhile.
    """
    session_id = await id_of(work, token)
    # Of two at once, the second follows the first: each token becomes a former one.
    former = await work.session.scalar(
        select(StaffSession.token_key).where(StaffSession.id == session_id).with_for_update()
    )
    if session_id is None or former is None:
        raise NotSignedIn()
    new = secrets.token_urlsafe(32)
    await work.session.execute(
        update(StaffSession)
        .where(StaffSession.id == session_id)
        .values(token_key=work.keys.session_key(new))
        .execution_options(synchronize_session=False)
    )
    await work.session.execute(delete(FormerToken).where(FormerToken.until_at <= work.now))
    until = work.now + (FORMER_LASTS if ends_soon else _FORMER_LONGEST)
    work.session.add(FormerToken(token_key=former, session_id=session_id, until_at=until))
    await work.session.flush()
    if ends_soon:
        await _end_former_by(work, session_id, until)
    # Nothing takes the former one for the present one, and streams learn when it ends.
    accounts_changed(work)
    return Renewed(former, new)


async def _end_former_soon(work: Work, session_id: UUID) -> None:
    """Let the former tokens of a session end soon: its browser has the present one."""
    async with transaction(work.ground, PROGRAM, aside=True) as own:
        await _end_former_by(own, session_id, work.now + FORMER_LASTS)
        # Streams learn when it ends.
        accounts_changed(own)


async def _end_former_by(work: Work, session_id: UUID, until: datetime) -> None:
    await work.session.execute(
        update(FormerToken)
        .where(FormerToken.session_id == session_id, FormerToken.until_at > until)
        .values(until_at=until)
        .execution_options(synchronize_session=False)
    )


def remembered_staff(work: Work, token: str) -> Staff | None:
    """Return the account of this cookie, if this process has looked it up a moment ago."""
    key = work.keys.session_key(token)
    known: Staff | None = work.ground.memory.recall(Topic.STAFF, key, work.now)
    return known


_Stored = tuple[Staff, StaffSession, SignInRules | None]
_STORED = (
    select(Staff, StaffSession, SignInRules)
    .join(StaffSession, StaffSession.staff_id == Staff.id)
    .outerjoin(SignInRules, true())
    .where(StaffSession.awaits.is_(None), Staff.active)
)
# The same in plain rows: requests of every page send it, and to load its objects takes longer than
# to ask for them.
Loaded = TypeVar("Loaded", Staff, StaffSession, SignInRules)
_KINDS = {"account": Staff, "session": StaffSession, "rules": SignInRules}
_OF_TOKEN = Question(
    select(
        *(
            column.label(f"{kind}_{column.key}")
            for kind, table in _KINDS.items()
            for column in table.__table__.c
        ),
        select(func.max(FormerToken.until_at))
        .where(FormerToken.session_id == StaffSession.id)
        .scalar_subquery()
        .label("former_until"),
    )
    .select_from(Staff)
    .join(StaffSession, StaffSession.staff_id == Staff.id)
    .outerjoin(SignInRules, true())
    .where(
        StaffSession.awaits.is_(None),
        Staff.active,
        StaffSession.token_key == bindparam("key", type_=LargeBinary()),
    )
)


async def _of_token(work: Work, key: bytes) -> tuple[_Stored, datetime | None] | None:
    """Return the account, the session and the rules of a session's key, of no session of the
    database, and until when a token goes on that the session had before."""
    rows = await rows_of(work, _OF_TOKEN, key=key)
    if not rows:
        return None
    row = rows[0]
    has_rules = row["rules_id"] is not None
    stored = (
        _as_loaded("account", Staff, row),
        _as_loaded("session", StaffSession, row),
        _as_loaded("rules", SignInRules, row) if has_rules else None,
    )
    return stored, row["former_until"]


def _as_loaded(kind: str, table: type[Loaded], row: Row) -> Loaded:
    """Return an object as a session would have loaded and let go of it."""
    found = table(**{column.key: row[f"{kind}_{column.key}"] for column in table.__table__.c})
    make_transient_to_detached(found)
    return found


def _ends_at(staff: Staff, stored: StaffSession, row: SignInRules | None) -> datetime:
    """Return when a session ends, unless its person is at work then."""
    rules = rules_of(row) if row is not None else DEFAULTS
    idle = rules.idle_for(staff.role)
    if idle is None:
        return stored.expires_at
    return min(stored.expires_at, (stored.active_at or stored.created_at) + idle)


async def staff_of_session(work: Work, token: str, at_work: AtWork = none_at_work) -> Staff | None:
    """Return the account of this cookie, if the session is valid and the account active."""
    known = remembered_staff(work, token)
    if known is not None:
        return known
    key, memory = work.keys.session_key(token), work.ground.memory
    found = await _of_token(work, key)
    is_former = False
    if found is None and (after := await key_after(work, key)) is not None:
        found, is_former = await _of_token(work, after), True
    if found is None:
        return None
    (staff, stored, row), former_until = found
    ends = _ends_at(staff, stored, row)
    if ends <= work.now:
        duty = (await at_work(work.session, [staff.id], work.now)).get(staff.id)
        if not goes_on(stored, ends, duty, work.now):
            await _end_for_good(work, staff, stored)
            return None
        ends = work.now + _ASKED_AGAIN
    if is_former:
        # A former token is asked for each time, and so ends to the second.
        return staff
    if former_until is not None and former_until > work.now + FORMER_LASTS:
        await _end_former_soon(work, stored.id)
    work.keys.keep_session_key(token)
    # A change of the account, and a sign-out, are announced on the bus.
    memory.keep(Topic.STAFF, key, staff, min(work.now + _REMEMBERED, ends))
    return staff


async def _end_for_good(work: Work, staff: Staff, stored: StaffSession) -> None:
    """End a session that is over its limit: it does not begin again with its person's next work."""
    async with transaction(work.ground, PROGRAM, aside=True) as own:
        gone = await own.session.scalar(
            delete(StaffSession)
            .where(StaffSession.token_key == stored.token_key)
            .returning(StaffSession.id)
        )
        if gone is not None:
            because = "hours" if stored.expires_at <= work.now else "idle"
            write_entry(own, AuditLog.SESSION_OVER, str(staff.id), because=because)
            page_ended(own, staff.id)


async def sessions_now(
    ground: Ground, tokens: Collection[str], at_work: AtWork = none_at_work
) -> dict[str, tuple[Staff, datetime]]:
    """Return the accounts of these cookies as the database has them now, without remembering them,
    and until when each cookie is valid."""
    keys = {ground.keys.session_key(token): token for token in tokens}
    now = ground.clock.now()
    async with ground.database.reading_sessions() as session:
        rows = (await session.execute(_STORED.where(StaffSession.token_key.in_(keys)))).all()
        by_key: dict[bytes, tuple[_Stored, datetime | None]]
        by_key = {stored.token_key: ((staff, stored, row), None) for staff, stored, row in rows}
        if rest := keys.keys() - by_key.keys():
            by_key |= await _of_former_tokens(session, rest, now)
        ends = {key: _ends_at(*row) for key, (row, _) in by_key.items()}
        late = {row[0].id for key, (row, _) in by_key.items() if ends[key] <= now}
        at_their_work = await at_work(session, late, now) if late else {}
    found = {}
    for key, ((staff, stored, _), former_until) in by_key.items():
        until = ends[key]
        if until <= now:
            if not goes_on(stored, until, at_their_work.get(staff.id), now):
                continue
            until = now + _ASKED_AGAIN
        found[keys[key]] = staff, min(until, former_until or until)
    return found


async def _of_former_tokens(
    session: AsyncSession, keys: Collection[bytes], now: datetime
) -> dict[bytes, tuple[_Stored, datetime | None]]:
    """Return what is stored of the sessions that had tokens with these keys just now, and until
    when each token goes on."""
    rows = await session.execute(
        _STORED.join(FormerToken, FormerToken.session_id == StaffSession.id)
        .add_columns(FormerToken.token_key, FormerToken.until_at)
        .where(FormerToken.token_key.in_(keys), FormerToken.until_at > now)
    )
    return {key: ((staff, stored, rules), until) for staff, stored, rules, key, until in rows}
