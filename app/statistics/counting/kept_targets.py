"""The history of the service target and of the limit of a short abandon: a row is stored whenever
the setting has changed."""

from typing import TypeVar

from sqlalchemy import select

from app.statistics.counting.targets import Target, Targets, always
from app.statistics.models import ServiceTarget, ShortAbandonLimit
from app.work import Work


async def targets_of(work: Work) -> Targets:
    """Return all targets, oldest first; the first one also counts for everything before it."""
    return await _history(work, ServiceTarget, work.settings.service_level_seconds)


async def short_abandons_of(work: Work) -> Targets:
    """Return the limits of a short abandon, in the same way: each call ended by that of its end."""
    return await _history(work, ShortAbandonLimit, work.settings.short_abandon_seconds)


async def keep_target(work: Work, seconds: int) -> None:
    """Store the target if it has changed. A second call changes nothing."""
    await _keep(work, ServiceTarget, seconds)


async def keep_short_abandon(work: Work, seconds: int) -> None:
    """Store the limit of a short abandon if it has changed. A second call changes nothing."""
    await _keep(work, ShortAbandonLimit, seconds)


_Kind = TypeVar("_Kind", ServiceTarget, ShortAbandonLimit)


async def _history(work: Work, kind: type[_Kind], now: int) -> Targets:
    rows = await work.session.scalars(select(kind).order_by(kind.since))
    found: list[Target] = [Target(int(row.since.timestamp()), row.seconds) for row in rows]
    return (Target(0, found[0].seconds), *found[1:]) if found else always(now)


async def _keep(work: Work, kind: type[_Kind], seconds: int) -> None:
    last = await work.session.scalar(
        select(kind).order_by(kind.since.desc()).limit(1).with_for_update()
    )
    if last is None or last.seconds != seconds:
        await work.session.merge(kind(since=work.now, seconds=seconds))
