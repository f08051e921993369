"""A week of the rota, copied into another: what is there already stays, the rest is added."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.errors import Invalid, Message, Refusal
from app.routing.rota import changes, free, on_duty, recurrence, roster, stretches
from app.routing.rota.on_duty import Rota
from app.routing.rota.shifts import ALWAYS_UNTIL, Place, first_instant, last_instant
from app.staff.models import Staff
from app.work import Work

_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class LeftOut:
    """A stretch that could not be copied, and why."""

    place: Place
    why: Message


@dataclass(frozen=True)
class Copied:
    """What became of a copy: how many stretches were added, and how many stood there already."""

    made: int
    there: int
    left_out: tuple[LeftOut, ...]


def monday_of(day: date) -> date:
    """Return the Monday of the week of a day. Raises Invalid."""
    recurrence.check_day(day)
    return day - timedelta(days=day.weekday())


async def copy_week(work: Work, by: Staff | None, source: date, target: date) -> Copied:
    """Copy the duty of the week of one day into the week of another, at the same times on the wall.

    Raises Invalid, NotAllowed.
    """
    stretches.check_plans(by)
    source, target = monday_of(source), monday_of(target)
    if source == target:
        raise Invalid("Choose another week to copy to.")
    zone = await roster.home_zone(work)
    await roster.lock_rota(work)
    if first_instant(datetime.combine(target + _WEEK, time()), zone) <= work.now:
        raise Invalid("That week is over: the rota of the past is not changed.")
    found = await roster.rota_now(work)
    takers = {staff.id: staff for staff in await changes.takers(work)}
    made, there, left_out = 0, 0, list[LeftOut]()
    for place in _moved(found, source, target - source, zone):
        if _stands(found, place):
            there += 1
            continue
        try:
            if place.start < work.now:
                raise Invalid("The beginning is in the past. Choose a later one.")
            await free.check_free(work, found, takers[place.counsellor_id], place)
        except Refusal as refusal:
            left_out.append(LeftOut(place, refusal.message))
            continue
        row = await changes.add_row(work, changes.new_extra(work, place))
        found = replace(found, changes=(*found.changes, roster.change_of(row)))
        made += 1
    return Copied(made, there, tuple(left_out))


def _moved(found: Rota, source: date, by: timedelta, zone: ZoneInfo) -> Iterator[Place]:
    """Yield the stretches that begin in a week, moved by days on the wall."""
    since, until = (first_instant(datetime.combine(source + n, time()), zone) for n in (_NO, _WEEK))
    for duty in on_duty.stretches(found, since, until):
        if since <= duty.start and duty.end < ALWAYS_UNTIL:
            start, end = (
                at.astimezone(zone).replace(tzinfo=None) + by for at in (duty.start, duty.end)
            )
            yield replace(duty.place, start=first_instant(start, zone), end=last_instant(end, zone))


_NO = timedelta()


def _stands(found: Rota, place: Place) -> bool:
    there = on_duty.stretches(found.of([place.counsellor_id]), place.start, place.end)
    return any(duty.place == place for duty in there)
