"""The rota as iCalendar (RFC 5545): the export, and each counsellor's own feed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from icalendar.prop import vRecur
from sqlalchemy import select, update

from app.errors import NotFound
from app.routing.rota import changes, on_duty, roster
from app.routing.rota.models import CalendarFeed, RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Layer, OnHolidays, Shift, days_of
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.pages import _, code_words, spoken_in
from app.work import Work

# What the UIDs of our own events end with.
OURS = "@helpline"
_FEED_BACK, _FEED_AHEAD = timedelta(days=30), timedelta(days=180)
_READ_EVERY = timedelta(hours=1)


def _calendar(name: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//helpline//rota//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    return calendar


async def export_rota(work: Work) -> bytes:
    """Return all current shifts and changes as iCalendar. Reasons for changes are left out."""
    names = {staff.id: staff.name for staff in await changes.people_of_rota(work)}
    calendar = _calendar("Helpline rota")
    shifts = await work.session.scalars(select(ShiftRow).order_by(ShiftRow.created_at, ShiftRow.id))
    for row in shifts:
        over = row.last_on is not None and row.last_on < roster.local_day(work, row.timezone)
        if row.counsellor_id in names and not over:
            event = _event_of_shift(roster.shift_of(row), names[row.counsellor_id], work.now)
            if event is not None:
                calendar.add_component(event)
    for change in await work.session.scalars(
        select(RotaChange)
        .where(RotaChange.state == RotaChangeState.IN_FORCE, RotaChange.until_at > work.now)
        .order_by(RotaChange.settled_at, RotaChange.id)
    ):
        if change.counsellor_id in names:
            calendar.add_component(_event_of_change(change, names, work.now))
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _event_of_shift(shift: Shift, name: str, now: datetime) -> Event | None:
    zone = ZoneInfo(shift.timezone)
    event = Event()
    event.add("uid", f"{shift.id}{OURS}")
    event.add("dtstamp", now)
    event.add("summary", name)
    event.add("categories", [shift.layer.value])
    first = shift.first_on
    rule = shift.recurrence
    if rule is None:
        event.add("x-helpline-always", "1")
        rule = "FREQ=DAILY"
    else:
        # DTSTART must be a day on which the event happens.
        found = next(days_of(shift, first, first + timedelta(days=800)), None)
        if found is None:
            return None
        first = found
    begins = datetime.combine(first, shift.starts_at)
    event.add("dtstart", begins.replace(tzinfo=zone))
    event.add("dtend", (begins + timedelta(minutes=shift.minutes)).replace(tzinfo=zone))
    if shift.last_on is not None and not any(w in rule.upper() for w in ("UNTIL", "COUNT")):
        last = datetime.combine(shift.last_on, shift.starts_at, zone).astimezone(UTC)
        rule += f";UNTIL={last:%Y%m%dT%H%M%SZ}"
    event.add("rrule", _recur(rule))
    if shift.on_holidays is not OnHolidays.WORKS:
        event.add("x-helpline-holidays", shift.on_holidays.value)
    if shift.except_on:
        event.add(
            "exdate",
            [datetime.combine(day, shift.starts_at, zone) for day in sorted(shift.except_on)],
        )
    return event


def _recur(rule: str) -> Any:
    return vRecur.from_ical(rule)


def _event_of_change(change: RotaChange, names: dict[UUID, str], now: datetime) -> Event:
    event = Event()
    name = names[change.counsellor_id]
    event.add("uid", f"{change.id}{OURS}")
    event.add("dtstamp", now)
    event.add("dtstart", change.from_at.astimezone(UTC))
    event.add("dtend", change.until_at.astimezone(UTC))
    event.add("x-helpline-change", change.kind)
    event.add("x-helpline-counsellor", name)
    event.add("categories", [change.layer])
    match change.kind:
        case ChangeKind.SWAP:
            assert change.instead_id is not None
            instead = names.get(change.instead_id, "")
            event.add("x-helpline-instead", instead)
            event.add("summary", _("%(one)s instead of %(other)s", one=instead, other=name))
        case ChangeKind.ABSENCE:
            event.add("summary", _("%(name)s is absent", name=name))
            event.add("transp", "TRANSPARENT")
        case _:
            event.add("summary", name)
    return event


async def read_feed(work: Work, token: str) -> bytes:
    """Return the duty of the counsellor who has this secret, as iCalendar. Raises NotFound."""
    row = (
        await work.session.execute(
            select(CalendarFeed, Staff)
            .join(Staff, Staff.id == CalendarFeed.staff_id)
            .where(
                CalendarFeed.token_key == work.keys.session_key(token),
                CalendarFeed.revoked_at.is_(None),
                Staff.active,
            )
        )
    ).one_or_none()
    if row is None or not may(row[1].role, Permission.SEE_ROSTER):
        raise NotFound("There is no such calendar. Create a new address on the rota page.")
    feed, staff = row
    if feed.read_at is None or work.now - feed.read_at >= _READ_EVERY:
        await work.session.execute(
            update(CalendarFeed).where(CalendarFeed.id == feed.id).values(read_at=work.now)
        )
    with spoken_in(staff.page_language):
        return _own_calendar(await roster.rota_of(work), staff, work.now)


def _own_calendar(found: on_duty.Rota, staff: Staff, now: datetime) -> bytes:
    since, until = now - _FEED_BACK, now + _FEED_AHEAD
    calendar = _calendar(_("Helpline duty"))
    calendar.add("refresh-interval;value=duration", "PT1H")
    for duty in on_duty.stretches(found.of([staff.id]), since, until):
        if duty.counsellor_id != staff.id:
            continue
        event = Event()
        words = duty.layer.value.replace("_", " ")
        event.add("uid", f"{uuid5(staff.id, f'{duty.start.isoformat()} {words}')}{OURS}")
        event.add("dtstamp", now)
        summary = _("On duty")
        if duty.layer is not Layer.PRIMARY:
            summary = _("On duty: %(layer)s", layer=code_words(duty.layer.value))
        event.add("summary", summary)
        event.add("dtstart", max(duty.start, since))
        event.add("dtend", min(duty.end, until))
        calendar.add_component(event)
    return bytes(calendar.to_ical())
