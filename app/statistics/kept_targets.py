"""The targets of all time, kept in the database whenever the setting has changed."""

from sqlalchemy import select

from app.statistics.models import ServiceTarget
from app.statistics.targets import Target, Targets, always
from app.work import Work


async def targets_of(work: Work) -> Targets:
    """The targets of all time, oldest first; the first one counts for everything before it, too."""
    rows = await work.session.scalars(select(ServiceTarget).order_by(ServiceTarget.since))
    found = [Target(int(row.since.timestamp()), row.seconds) for row in rows]
    if not found:
        return always(work.settings.service_level_seconds)
    return (Target(0, found[0].seconds), *found[1:])


async def keep_target(work: Work) -> None:
    """Write down the target of the settings if it has changed. Twice is once."""
    last = await work.session.scalar(
        select(ServiceTarget).order_by(ServiceTarget.since.desc()).limit(1).with_for_update()
    )
    seconds = work.settings.service_level_seconds
    if last is None or last.seconds != seconds:
        await work.session.merge(ServiceTarget(since=work.now, seconds=seconds))
