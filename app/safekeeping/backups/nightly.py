"""The back-up of each night, and what was written brought to it every minute."""

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import func, select

from app.calls.lines import finding_lines
from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.log import log
from app.outbox.responses import TryAgain
from app.safekeeping.backups import making, slots, state
from app.safekeeping.backups.places import BackupRefused, PartMissing
from app.safekeeping.backups.slots import SlotUnbounded
from app.safekeeping.models import BackupKind
from app.work import PROGRAM, Ground, Work

LOCK = 116_122
# Hours of the helpline's night in which the back-up begins.
_FROM, _UNTIL = 1, 5
# A back-up that is younger than this is the one of this night.
_TONIGHT = timedelta(hours=18)


async def ask_tonight(ground: Ground) -> None:
    """Ask for the back-up of this night, once; the first one is made at once."""
    if ground.settings.backup_target is None:
        return
    async with transaction(ground, PROGRAM) as work:
        if not await _is_due(work):
            return
        await _ask_once(work)


async def _ask_once(work: Work) -> None:
    # Two workers that look at the same time would each ask for one.
    alone = await work.session.scalar(select(func.pg_try_advisory_xact_lock(LOCK)))
    if alone and not await state.is_under_way(work):
        work.defer(Task.MAKE_BACKUP)


async def _is_due(work: Work) -> bool:
    now = await state.read(work)
    if now is None or now.base is None:
        return not (now and now.problem)
    line = await finding_lines.any_line(work)
    hour = work.now.astimezone(ZoneInfo(line.timezone if line else "UTC")).hour
    age = work.now - now.base.ended_at
    # A machine that is off at night has its back-up when it is on.
    return (_FROM <= hour < _UNTIL and age > _TONIGHT) or age > timedelta(hours=24)


async def make(ground: Ground) -> None:
    """Make a back-up and write down what became of it. Raises TryAgain."""
    begun_at = ground.clock.now()
    problem, name, size = None, "", 0
    try:
        made = await asyncio.to_thread(making.make_base, ground.settings, begun_at)
        name, size = made.name, made.size
    except (BackupRefused, OSError, psycopg.Error) as error:
        problem = str(error) if isinstance(error, BackupRefused) else _named(error)
    async with transaction(ground, PROGRAM) as work:
        await state.note(
            work, BackupKind.BASE, begun_at=begun_at, name=name, size=size, problem=problem
        )
        work.announce(Topic.LOG)
    if problem is not None:
        log().error("a back-up failed", area="safekeeping", cause=problem[:200])
        raise TryAgain(problem)


def _named(error: Exception) -> str:
    """Return what failed, without a path or an address."""
    said = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


async def bring_log(ground: Ground) -> None:
    """Bring what the server has put aside to the back-ups.

    Another server keeps nothing for back-ups that are switched off, or with no bound.
    """
    if ground.settings.backup_target is None:
        await _stop(ground)
        return
    try:
        await asyncio.to_thread(making.drain, ground.settings)
    except PartMissing as error:
        log().warning("a part of the log is missing", area="safekeeping", cause=str(error)[:200])
        await _begin_anew(ground)
        return
    except SlotUnbounded as error:
        await _tell(ground, str(error))
        return
    except (BackupRefused, OSError, psycopg.Error) as error:
        log().warning(
            "what was written did not reach the back-ups",
            area="safekeeping",
            cause=str(error)[:200] if isinstance(error, BackupRefused) else _named(error),
        )
        return
    async with transaction(ground, PROGRAM) as work:
        await state.note_log(work)


async def _stop(ground: Ground) -> None:
    """Have another server keep nothing for the back-ups that are switched off."""
    if ground.settings.backup_database_url is None:
        async with transaction(ground, PROGRAM) as work:
            left = await slots.seen(work)
        if left:
            await _tell(ground, slots.may_not_let_go(left[0]))
        return
    try:
        names = await asyncio.to_thread(slots.stop, ground.settings)
    except SlotUnbounded as error:
        await _tell(ground, str(error))
    except (BackupRefused, OSError) as error:
        log().warning(
            "back-ups are switched off, and the server may keep its log for them",
            area="safekeeping",
            cause=str(error)[:200] if isinstance(error, BackupRefused) else _named(error),
        )
    else:
        if names:
            await _tell(
                ground, "Back-ups are switched off. What the server kept for them was let go."
            )


async def _tell(ground: Ground, problem: str) -> None:
    """Say in the log, and once on the page, what became of what the server kept."""
    log().error(
        "the server's log is not kept for back-ups", area="safekeeping", cause=problem[:200]
    )
    async with transaction(ground, PROGRAM) as work:
        now = await state.read(work)
        if now is None or now.problem != problem:
            await state.note(work, BackupKind.BASE, begun_at=work.now, problem=problem)
            work.announce(Topic.LOG)


async def _begin_anew(ground: Ground) -> None:
    """Ask for a back-up now: a restore cannot go beyond what is missing."""
    async with transaction(ground, PROGRAM) as work:
        await _ask_once(work)
