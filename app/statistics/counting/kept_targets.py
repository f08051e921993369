"""The history of the service target: a row is stored whenever the setting has changed."""

from sqlalchemy import select

from app.statistics.counting.targets import Target, Targets, always
from app.statistics.models import ServiceTarget
from app.work import Work


async def targets_of(work: Work) -> Targets:
    """Return all targets, oldest first; the first one also counts for everything before it."""
    rows = await work.session.scalars(select(ServiceTarget).order_by(ServiceTarget.since))
    found = [Target(int(row.since.timestamp()), row.seconds) for row in rows]
    if not found:
        return always(work.settings.service_level_seconds)
    return (Target(0, found[0].seconds), *found[1:])


async def keep_target(work: Work, seconds: int) -> None:
    """Store the target if it has changed. A second call changes nothing."""
    last = await work.session.scalar(
        select(ServiceTarget).order_by(ServiceTarget.since.desc()).limit(1).with_for_update()
    )
    if last is None or last.seconds != seconds:
        await work.session.merge(ServiceTarget(since=work.now, seconds=seconds))
