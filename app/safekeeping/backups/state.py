"""What is known of the back-ups: the last one, how far the log has come, the last drill."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from app.jobs.names import Task
from app.safekeeping.models import Backup, BackupKind
from app.work import Work

# What is written is brought to the back-ups once a minute.
LOG_LATE = timedelta(minutes=15)
# How long rows of this table are kept; back-ups themselves are counted.
_KEPT = timedelta(days=400)


class State(NamedTuple):
    """What a page, readiness and metrics say."""

    base: Backup | None
    log_at: datetime | None
    drill: Backup | None
    # Why the last try failed, if it was later than the last back-up.
    problem: str | None
    base_late: bool
    log_late: bool


async def read(work: Work) -> State | None:
    """Return the state of the back-ups; None if this server makes none and was told of none."""
    settings = work.settings
    base = await last_made(work)
    tried = await _last(work, BackupKind.BASE, done=False)
    if settings.backup_target is None and base is None:
        return None
    log_at = await work.session.scalar(
        select(func.max(Backup.ended_at)).where(Backup.kind == BackupKind.LOG.value)
    )
    since = base.ended_at if base else tried.begun_at if tried else None
    failed = tried is not None and tried.problem and (not base or tried.ended_at > base.ended_at)
    return State(
        base=base,
        log_at=log_at,
        drill=await _last(work, BackupKind.DRILL, done=True),
        problem=tried.problem if tried and failed else None,
        base_late=bool(failed and base is None)
        or (since is not None and work.now - since > timedelta(hours=settings.backup_hours)),
        log_late=settings.backup_target is not None
        and base is not None
        and work.now - (log_at or base.ended_at) > LOG_LATE,
    )


async def _last(work: Work, kind: BackupKind, *, done: bool) -> Backup | None:
    statement = select(Backup).where(Backup.kind == kind.value)
    if done:
        statement = statement.where(Backup.problem.is_(None))
    found: Backup | None = await work.session.scalar(
        statement.order_by(Backup.ended_at.desc()).limit(1)
    )
    return found


async def last_made(work: Work) -> Backup | None:
    """Return the last back-up that did not fail."""
    return await _last(work, BackupKind.BASE, done=True)


async def newest(work: Work, limit: int = 30) -> list[Backup]:
    """Return the last back-ups and drills, the newest first."""
    rows = await work.session.scalars(
        select(Backup)
        .where(Backup.kind != BackupKind.LOG.value)
        .order_by(Backup.ended_at.desc())
        .limit(limit)
    )
    return list(rows)


async def note(
    work: Work,
    kind: BackupKind,
    *,
    begun_at: datetime,
    name: str = "",
    size: int = 0,
    problem: str | None = None,
) -> None:
    """Write down that a back-up or a drill has ended."""
    work.session.add(
        Backup(
            id=uuid4(),
            kind=kind.value,
            name=name,
            begun_at=begun_at,
            ended_at=work.now,
            size=size,
            problem=problem,
        )
    )
    await work.session.execute(delete(Backup).where(Backup.ended_at < work.now - _KEPT))
    await work.session.flush()


async def note_log(work: Work) -> None:
    """Write down that everything that was put aside is with the back-ups."""
    values = {"name": "", "begun_at": work.now, "ended_at": work.now, "size": 0}
    row = insert(Backup).values(id=uuid4(), kind=BackupKind.LOG.value, **values)
    await work.session.execute(
        row.on_conflict_do_update(
            index_elements=["kind"],
            index_where=text("kind = 'log'"),
            set_={"ended_at": work.now},
        )
    )


async def is_under_way(work: Work) -> bool:
    """Return whether the job of a back-up waits or runs."""
    found = await work.session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE task_name = :name"
            " AND status IN ('todo', 'doing'))"
        ),
        {"name": Task.MAKE_BACKUP.value},
    )
    return bool(found)
