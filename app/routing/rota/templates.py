"""Weeks of duty under a name: saved from a week of the rota, and put on other weeks.

A template holds people and times on the clock on the wall. It is put on a week as a week is copied:
what stands there already stays, and what cannot be added is listed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound
from app.routing.rota import copying, roster, stretches
from app.routing.rota.copying import Copied
from app.routing.rota.planning_rows import TemplateDuty, WeekTemplate
from app.routing.rota.shifts import Layer, Place, first_instant, last_instant
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

_LONGEST_NAME = 60


class NameTaken(Conflict):
    default = "There is a template of this name already. Choose another name, or delete that one."


@dataclass(frozen=True)
class Template:
    """A template, and how many stretches it holds."""

    row: WeekTemplate
    duties: int


async def save(work: Work, by: Staff | None, name: str, day: date) -> Template:
    """Save the duty of the week of a day under a name. Raises Invalid, NotAllowed, NameTaken."""
    stretches.check_plans(by)
    name = " ".join(name.split())
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise Invalid("Give the template a name of 1 to %(most)s characters.", most=_LONGEST_NAME)
    monday, zone = copying.monday_of(day), await roster.home_zone(work)
    await roster.lock_rota(work)
    if await work.session.scalar(
        select(WeekTemplate.id).where(func.lower(WeekTemplate.name) == name.lower())
    ):
        raise NameTaken()
    found = await roster.rota_now(work)
    places = list(copying.begun_in_week(found, monday, zone))
    if not places and copying.without_end(found, monday, zone):
        raise Invalid("That week has only shifts without an end, and these are in each week.")
    if not places:
        raise Invalid("There is no duty in that week. Choose a week that is planned.")
    row = WeekTemplate(id=uuid4(), name=name, made_by=work.actor.staff_id, made_at=work.now)
    work.session.add(row)
    await work.session.flush()
    midnight = datetime.combine(monday, time())
    for place in places:
        begin, end = (_minutes(at, midnight, zone) for at in (place.start, place.end))
        work.session.add(
            TemplateDuty(
                id=uuid4(),
                template_id=row.id,
                counsellor_id=place.counsellor_id,
                from_minute=begin,
                # A stretch within the hour that the clock repeats has no length on the wall.
                until_minute=max(end, begin + 1),
                layer=place.layer.value,
            )
        )
    await work.session.flush()
    after = {"name": name, "week": monday.isoformat(), "duties": len(places)}
    write_entry(work, AuditLog.WEEK_TEMPLATE_SAVED, str(row.id), before=None, after=after)
    work.announce(Topic.ROSTER)
    return Template(row, len(places))


def _minutes(at: datetime, midnight: datetime, zone: ZoneInfo) -> int:
    wall = at.astimezone(zone).replace(tzinfo=None)
    return round((wall - midnight).total_seconds() / 60)


async def put(work: Work, by: Staff | None, template_id: UUID, day: date) -> Copied:
    """Put the duty of a template on the week of a day. Raises Invalid, NotAllowed, NotFound."""
    stretches.check_plans(by)
    row = await find(work, template_id)
    monday, zone = copying.monday_of(day), await roster.home_zone(work)
    await copying.check_week(work, monday)
    duties = await work.session.scalars(
        select(TemplateDuty)
        .join(Staff, Staff.id == TemplateDuty.counsellor_id)
        .where(TemplateDuty.template_id == row.id)
        .order_by(TemplateDuty.from_minute, Staff.name, TemplateDuty.id)
    )
    places = list(_places(list(duties), monday, zone))
    return await copying.put_places(work, await roster.rota_now(work), places)


def _places(duties: list[TemplateDuty], monday: date, zone: ZoneInfo) -> Iterator[Place]:
    midnight = datetime.combine(monday, time())
    for duty in duties:
        start, end = (
            midnight + timedelta(minutes=minute) for minute in (duty.from_minute, duty.until_minute)
        )
        yield Place(
            duty.counsellor_id,
            first_instant(start, zone),
            last_instant(end, zone),
            Layer(duty.layer),
        )


async def find(work: Work, template_id: UUID) -> WeekTemplate:
    """Return a template. Raises NotFound."""
    row = await work.session.get(WeekTemplate, template_id)
    if row is None:
        raise NotFound("There is no such template.")
    return row


async def named(work: Work, name: str) -> WeekTemplate:
    """Return the template of a name. Raises NotFound."""
    row = await work.session.scalar(
        select(WeekTemplate).where(func.lower(WeekTemplate.name) == name.strip().lower())
    )
    if row is None:
        raise NotFound("There is no such template.")
    return row


async def all_templates(work: Work) -> list[Template]:
    """Return all templates, by name."""
    rows = await work.session.execute(
        select(WeekTemplate, func.count(TemplateDuty.id))
        .outerjoin(TemplateDuty, TemplateDuty.template_id == WeekTemplate.id)
        .group_by(WeekTemplate.id)
        .order_by(WeekTemplate.name)
    )
    return [Template(row, number) for row, number in rows]


async def delete(work: Work, by: Staff | None, template_id: UUID) -> None:
    """Delete a template; duties that were added from it stay. Raises NotAllowed, NotFound."""
    stretches.check_plans(by)
    row = await find(work, template_id)
    await work.session.delete(row)
    await work.session.flush()
    before = {"name": row.name}
    write_entry(work, AuditLog.WEEK_TEMPLATE_DELETED, str(row.id), before=before, after=None)
    work.announce(Topic.ROSTER)
