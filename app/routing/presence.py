"""Presence: what each counsellor is doing. Their own choice beats every automatic change."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.calls.log_kinds import AnyCause, Cause
from app.database.quick import Command, Question
from app.database.topics import Topic
from app.jobs.transaction import ask
from app.routing.models import CHOICES, Presence, PresenceChange, PresenceState
from app.work import Work

# Every request of a signed-in counsellor shows that the browser is alive. Write that down only once
# in this time.
BEAT_EVERY = timedelta(seconds=5)

P = PresenceState
_CHANGE = Command(PresenceChange.__table__, "counsellor_id", "at", "before", "after", "cause")


async def lock_presence(work: Work, counsellor_id: UUID) -> Presence:
    """Lock a counsellor's presence until the end of the transaction; create it if it is missing.

    If you need both, lock the call first. Every verb does so, which prevents deadlocks.
    """
    found = await _locked(work, counsellor_id)
    if found is None:
        await ensure_presence(work, counsellor_id)
        found = await _locked(work, counsellor_id)
    assert found is not None
    return found


async def ensure_presence(work: Work, counsellor_id: UUID) -> None:
    """Create the row of a counsellor who has never signed in."""
    await work.session.execute(
        pg_insert(Presence)
        .values(
            counsellor_id=counsellor_id,
            since=work.now,
            idle_since=work.now,
            heartbeat_at=work.now,
        )
        .on_conflict_do_nothing()
    )


# Built once: nearly every move of a talk locks a presence.
_LOCKED = (
    select(Presence)
    .where(Presence.counsellor_id == bindparam("who", type_=Uuid()))
    .with_for_update()
    .execution_options(populate_existing=True)
)


async def _locked(work: Work, counsellor_id: UUID) -> Presence | None:
    found: Presence | None = await work.session.scalar(_LOCKED, {"who": counsellor_id})
    return found


async def set_presence(
    work: Work,
    presence: Presence,
    state: PresenceState,
    cause: AnyCause,
    *,
    until: datetime | None = None,
) -> None:
    """Change a locked presence and record the change. Setting the same state does nothing.

    A break in which a person helps in a talk is another state for the figures: it is work.
    """
    helps = Cause.HELPS in (presence.cause, cause) and presence.cause != str(cause)
    if presence.state == state and not helps:
        return
    before, presence.state = presence.state, state.value
    presence.since, presence.until_at, presence.cause = work.now, until, str(cause)
    work.write_later(
        _CHANGE,
        {
            "counsellor_id": presence.counsellor_id,
            "at": work.now,
            "before": before,
            "after": state.value,
            "cause": str(cause),
        },
    )
    work.announce(Topic.PRESENCE, Topic.PRESENCE.of(presence.counsellor_id))


async def set_free(
    work: Work, presence: Presence, cause: AnyCause, *, rested: bool = False
) -> None:
    """Set the state that the counsellor chose, else available. `rested` keeps the idle time."""
    chosen, presence.after_call = presence.after_call, None
    if not rested:
        presence.idle_since = work.now
    await set_presence(work, presence, P(chosen) if chosen else P.AVAILABLE, cause)


async def start_wrap_up(work: Work, presence: Presence, cause: AnyCause) -> None:
    """Start wrap-up after a talk, with a time limit."""
    limit = timedelta(seconds=work.settings.wrap_up_seconds)
    if not limit:
        await set_free(work, presence, cause)
        return
    await set_presence(work, presence, P.WRAP_UP, cause, until=work.now + limit)


# How much of the wrap-up is left at least while the counsellor writes, in seconds.
WRITES_ON = 30
# For how long in all a counsellor who writes stays in wrap-up, in seconds, or as many times the
# longest wrap-up if that is longer: a field in which something is always written must not keep
# them from the next child for ever. What is not written by then stays as a draft.
WRITES_AT_MOST, TIMES_AT_MOST = 1800, 3


async def keep_wrap_up(work: Work, counsellor_id: UUID) -> None:
    """Let a wrap-up go on, because the counsellor is writing, as long as one may last in all.
    Nothing happens in another state."""
    most = max(WRITES_AT_MOST, TIMES_AT_MOST * work.settings.wrap_up_seconds)
    until = func.least(
        work.now + timedelta(seconds=WRITES_ON), Presence.since + timedelta(seconds=most)
    )
    kept = await work.session.execute(
        update(Presence)
        .where(
            Presence.counsellor_id == counsellor_id,
            Presence.state == P.WRAP_UP,
            Presence.until_at < until,
        )
        .values(until_at=until, heartbeat_at=work.now)
        .returning(Presence.counsellor_id)
        .execution_options(synchronize_session=False)
    )
    if kept.scalar() is not None:
        work.announce(Topic.PRESENCE.of(counsellor_id))


async def choose(
    work: Work, presence: Presence, choice: PresenceState, *, cause: Cause = Cause.OWN_CHOICE
) -> None:
    """Set the state that was chosen. The presence is locked and holds no open offer."""
    assert choice in CHOICES
    if cause is Cause.OWN_CHOICE:
        # The choice of another person is no sign of life.
        presence.heartbeat_at = work.now
    presence.missed, presence.warned_at = 0, None
    if presence.state in (P.ON_CALL, P.WRITING):
        presence.after_call = choice.value if choice is not P.AVAILABLE else None
        work.announce(Topic.PRESENCE.of(presence.counsellor_id))
        return
    presence.after_call = None
    if choice is P.AVAILABLE and presence.state != P.AVAILABLE:
        presence.idle_since = work.now
    await set_presence(work, presence, choice, cause)


# Built once: each page of a counsellor sends it every few seconds.
_BEAT = Question(
    update(Presence)
    .where(
        Presence.counsellor_id == bindparam("who", type_=Uuid),
        Presence.heartbeat_at < bindparam("before"),
    )
    .values(heartbeat_at=bindparam("now"))
    .returning(Presence.counsellor_id)
)


async def beat(work: Work, counsellor_id: UUID) -> None:
    """Record a sign of life from the counsellor's browser."""
    values = {"who": counsellor_id, "now": work.now, "before": work.now - BEAT_EVERY}
    await ask(work, _BEAT.sql, **_BEAT.fixed, **values)
