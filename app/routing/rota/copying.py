"""A week of the rota, copied into another: what is there already stays, the rest is added."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.errors import Invalid, Message, NotFound, Refusal
from app.routing.rota import changes, on_duty, recurrence, roster, stretches
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
    """What became of a copy: how many stretches were added, and how many were there already."""

    made: int
    there: int
    left_out: tuple[LeftOut, ...]


def monday_of(day: date) -> date:
    """Return the Monday of the week of a day. Raises Invalid."""
    recurrence.check_day(day)
    return day - timedelta(days=day.weekday())


async def copy_week(work: Work, by: Staff | None, source: date, target: date) -> Copied:
    """Copy the duty of the week of one day into the week of another, at the same times on the wall.

    Duty without an end is in each week and counts as there already. Raises Invalid, NotAllowed.
    """
    stretches.check_plans(by)
    source, target = monday_of(source), monday_of(target)
    if source == target:
        raise Invalid("Choose another week to copy to.")
    zone = await roster.home_zone(work)
    await check_week(work, target)
    found = await roster.rota_now(work)
    done = await put_places(work, found, list(_moved(found, source, target - source, zone)))
    return replace(done, there=done.there + without_end(found, target, zone))


async def check_week(work: Work, monday: date) -> None:
    """Lock the rota to put duty into a week. Raises Invalid if the week is over."""
    zone = await roster.home_zone(work)
    await roster.lock_rota(work)
    if first_instant(datetime.combine(monday + _WEEK, time()), zone) <= work.now:
        raise Invalid("That week is over: the rota of the past is not changed.")


async def put_places(work: Work, found: Rota, places: Iterable[Place]) -> Copied:
    """Add stretches to a rota that is locked and was read; what stands there already stays."""
    takers = {staff.id: staff for staff in await changes.people_of_rota(work)}
    made, there, left_out = 0, 0, list[LeftOut]()
    for place in places:
        if _stands(found, place):
            there += 1
            continue
        try:
            staff = takers.get(place.counsellor_id)
            if staff is None:
                raise NotFound("This person was not found, or does not take calls.")
            if place.start < work.now:
                raise Invalid("The beginning is in the past. Choose a later one.")
            _, found = await stretches.put(work, found, staff, place)
        except Refusal as refusal:
            left_out.append(LeftOut(place, refusal.message))
            continue
        made += 1
    return Copied(made, there, tuple(left_out))


def _moved(found: Rota, source: date, by: timedelta, zone: ZoneInfo) -> Iterator[Place]:
    """Yield the stretches that begin in a week, moved by days on the wall."""
    for place in begun_in_week(found, source, zone):
        start, end = (
            at.astimezone(zone).replace(tzinfo=None) + by for at in (place.start, place.end)
        )
        yield replace(place, start=first_instant(start, zone), end=last_instant(end, zone))


def without_end(found: Rota, monday: date, zone: ZoneInfo) -> int:
    """Return how many stretches of a week have no end."""
    since, until = (first_instant(datetime.combine(monday + n, time()), zone) for n in (_NO, _WEEK))
    return sum(one.end >= ALWAYS_UNTIL for one in on_duty.stretches(found, since, until))


def begun_in_week(found: Rota, monday: date, zone: ZoneInfo) -> Iterator[Place]:
    """Yield the stretches that begin in a week and end."""
    since, until = (first_instant(datetime.combine(monday + n, time()), zone) for n in (_NO, _WEEK))
    for duty in on_duty.stretches(found, since, until):
        if since <= duty.start and duty.end < ALWAYS_UNTIL:
            yield duty.place


_NO = timedelta()


def _stands(found: Rota, place: Place) -> bool:
    there = on_duty.stretches(found.of([place.counsellor_id]), place.start, place.end)
    return any(duty.place == place for duty in there)
