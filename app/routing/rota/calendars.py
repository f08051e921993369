"""The rota as iCalendar (RFC 5545): import, export, and each counsellor's own feed."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event
from icalendar.prop import vRecur
from sqlalchemy import select, update

from app.calls import lines
from app.database.topics import Topic
from app.errors import Invalid, Joined, Message, NotFound, why
from app.routing.models import CalendarFeed, RotaChange, ShiftRow
from app.routing.rota import changes, on_duty, recurrence, roster
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Layer, OnHolidays, Shift, days_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import EndpointKind, Staff
from app.staff.roles import Permission, may
from app.work import Work

# The namespace in which the UIDs of other programs' events become our ids.
_FOREIGN = UUID("5d1c7f62-3a0e-4a39-9d5e-8b3a6f4c2e11")
# A component: the library does not type its values.
Part = Any
_OURS = "@helpline"
_MOST_BYTES, _MOST_EVENTS, _LONGEST_LINE, _MOST_LINES = 5_000_000, 5_000, 20_000, 100_000
_FEED_BACK, _FEED_AHEAD = timedelta(days=30), timedelta(days=180)
_READ_EVERY = timedelta(hours=1)


def _calendar(name: str) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//helpline//rota//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", name)
    return calendar


# -- export ------------------------------------------------------------------------------


async def export_rota(work: Work) -> bytes:
    """Return all current shifts and changes as iCalendar. Reasons for changes are left out."""
    names = {staff.id: staff.name for staff in await changes.takers(work)}
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
        .where(RotaChange.state == "in_force", RotaChange.until_at > work.now)
        .order_by(RotaChange.settled_at, RotaChange.id)
    ):
        if change.counsellor_id in names:
            calendar.add_component(_event_of_change(change, names, work.now))
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def _event_of_shift(shift: Shift, name: str, now: datetime) -> Event | None:
    zone = ZoneInfo(shift.timezone)
    event = Event()
    event.add("uid", f"{shift.id}{_OURS}")
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
    event.add("uid", f"{change.id}{_OURS}")
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
            event.add("summary", f"{instead} instead of {name}")
        case ChangeKind.ABSENCE:
            event.add("summary", f"{name} is absent")
            event.add("transp", "TRANSPARENT")
        case _:
            event.add("summary", name)
    return event


# -- import ------------------------------------------------------------------------------


@dataclass
class Imported:
    """The content of a file, before any of it is stored."""

    shifts: dict[UUID, ShiftRow] = field(default_factory=dict)
    changes: dict[UUID, RotaChange] = field(default_factory=dict)
    problems: list[Message] = field(default_factory=list)


def _events_of(content: bytes) -> list[Part]:
    """Return the events of a file. Raises Invalid."""
    if len(content) > _MOST_BYTES:
        raise Invalid("The file is larger than 5 MB. Import a smaller one.")
    lines_of_file = content.splitlines()
    if len(lines_of_file) > _MOST_LINES:
        raise Invalid("The file has more than %(most)s lines.", most=_MOST_LINES)
    if any(len(line) > _LONGEST_LINE for line in lines_of_file):
        raise Invalid("A line of the file is longer than 20,000 characters.")
    try:
        calendar = Calendar.from_ical(content)
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        OSError,
    ) as error:
        raise Invalid(
            "Not an iCalendar file: %(problem)s", problem=" ".join(str(error).split())[:200]
        ) from None
    events = [part for part in calendar.walk() if part.name == "VEVENT"]
    if not events or len(events) > _MOST_EVENTS:
        raise Invalid(
            "The file has %(number)s events. Import 1 to %(most)s.",
            number=len(events),
            most=_MOST_EVENTS,
        )
    return events


async def import_rota(work: Work, content: bytes) -> tuple[int, int]:
    """Import a whole file, or refuse it with a list of all its problems. Raises Invalid.

    Return the number of shifts and of changes. Importing a file twice changes nothing the second
    time: an event whose UID is known is set to what the file says.
    """
    # In a thread: a large file takes seconds, in which calls must be answered.
    events = await asyncio.to_thread(_events_of, content)
    found = await _read_events(work, events)
    if found.problems:
        more = len(found.problems) - 20
        rest = [Message("and %(number)s more", number=more)] if more > 0 else []
        raise Invalid(
            "Nothing was imported. %(problems)s",
            problems=Joined([*found.problems[:20], *rest], " · "),
        )
    for shift in found.shifts.values():
        await work.session.merge(shift)
    for change in found.changes.values():
        known = await work.session.get(RotaChange, change.id)
        if known is not None:
            # A file does not contain the reason and author of a change: keep them.
            change.reason, change.made_by, change.made_at = (
                known.reason,
                known.made_by,
                known.made_at,
            )
            change.settled_at = known.settled_at or change.settled_at
        await work.session.merge(change)
    await work.session.flush()
    write_entry(
        work, AuditLog.ROTA_IMPORTED, "rota", shifts=len(found.shifts), changes=len(found.changes)
    )
    work.announce(Topic.ROSTER)
    return len(found.shifts), len(found.changes)


async def _read_events(work: Work, events: Iterable[Part]) -> Imported:
    staff = {one.name: one for one in await changes.takers(work)}
    line = await lines.any_line(work)
    home = ZoneInfo(line.timezone if line else "UTC")
    found = Imported()
    # Read moved and cancelled occurrences after the event that they belong to.
    for n, event in sorted(enumerate(events, 1), key=lambda e: "RECURRENCE-ID" in e[1]):
        try:
            _read_event(work, event, staff, home, found)
        except (
            Invalid,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            OSError,
        ) as error:
            problem = (
                why(error) if isinstance(error, Invalid) else " ".join(str(error).split())[:200]
            )
            found.problems.append(
                Message(
                    "event %(number)s (%(what)s): %(problem)s",
                    number=n,
                    what=str(event.get("summary", ""))[:60],
                    problem=problem,
                )
            )
    return found


def _read_event(
    work: Work, event: Part, staff: dict[str, Staff], home: ZoneInfo, found: Imported
) -> None:
    start, end, zone = _span_of(event, home)
    kind = str(event.get("x-helpline-change", ""))
    rule = event.get("rrule")
    uid = str(event.get("uid", ""))
    if not uid:
        raise Invalid("it has no UID")
    row_id = _id_of(uid)
    if "RECURRENCE-ID" in event:
        _leave_out(event, row_id, found)
        if str(event.get("status", "")).upper() == "CANCELLED":
            return
        row_id = uuid5(row_id, event["RECURRENCE-ID"].to_ical().decode())
    elif str(event.get("status", "")).upper() == "CANCELLED":
        return
    who = _who(event, "x-helpline-counsellor", staff)
    layer = _layer_of(event)
    if rule is not None and "RECURRENCE-ID" not in event:
        found.shifts[row_id] = _shift(work, event, row_id, who, start, end, zone, layer)
        return
    if _instant(end, zone) <= work.now:
        # The rota of the past is not changed.
        return
    changes.check_span(work, _instant(start, zone), _instant(end, zone))
    _check_layer(who, layer)
    instead = _who(event, "x-helpline-instead", staff).id if kind == "swap" else None
    if kind and kind not in set(ChangeKind):
        raise Invalid("'%(kind)s' is not absence, extra or swap", kind=kind)
    found.changes[row_id] = RotaChange(
        id=row_id,
        kind=kind or ChangeKind.EXTRA.value,
        counsellor_id=who.id,
        instead_id=instead,
        layer=layer.value,
        from_at=_instant(start, zone),
        until_at=_instant(end, zone),
        reason="",
        state="in_force",
        made_by=work.actor.staff_id,
        made_at=work.now,
        settled_at=work.now,
    )
    if end <= start:
        raise Invalid("it ends before it begins")
    if instead == who.id:
        raise Invalid("a swap needs two different people")


def _id_of(uid: str) -> UUID:
    if uid.endswith(_OURS):
        try:
            return UUID(uid.removesuffix(_OURS))
        except ValueError:
            pass
    return uuid5(_FOREIGN, uid)


def _span_of(event: Part, home: ZoneInfo) -> tuple[datetime, datetime, ZoneInfo]:
    """Return beginning and end in wall-clock time, and their time zone."""
    begins = event.get("dtstart")
    if begins is None:
        raise Invalid("it has no beginning")
    start = begins.dt
    if "TZID" in begins.params and getattr(start, "tzinfo", None) is None:
        raise Invalid("its time zone '%(zone)s' is unknown", zone=str(begins.params["TZID"])[:80])
    recurrence.check_day(start.date() if isinstance(start, datetime) else start)
    zone = _zone_of(start, home)
    if not isinstance(start, datetime):
        start = datetime.combine(start, time())
    ends = event.get("dtend")
    if ends is not None:
        end = ends.dt
        if not isinstance(end, datetime):
            end = datetime.combine(end, time())
        elif end.tzinfo is not None:
            end = end.astimezone(zone)
    elif event.get("duration") is not None:
        end = start.replace(tzinfo=None) + event["duration"].dt
    else:
        raise Invalid("it has no end")
    return start.replace(tzinfo=None), end.replace(tzinfo=None), zone


def _zone_of(start: date | datetime, home: ZoneInfo) -> ZoneInfo:
    zone = getattr(start, "tzinfo", None)
    if zone is None:
        return home
    key = getattr(zone, "key", None) or ("UTC" if zone == UTC else None)
    if key is None:
        raise Invalid(
            "its time zone %(zone)s is not an IANA time zone, like Europe/Belgrade", zone=str(zone)
        )
    return ZoneInfo(key)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _who(event: Part, prop: str, staff: dict[str, Staff]) -> Staff:
    name = str(event.get(prop) or event.get("summary") or "").strip()
    if name not in staff:
        raise Invalid("no counsellor is called '%(name)s'", name=name)
    return staff[name]


def _check_layer(who: Staff, layer: Layer) -> None:
    if layer is Layer.ON_CALL and who.endpoint_kind == EndpointKind.BROWSER:
        raise Invalid("%(name)s has no phone, so they cannot have an on-call shift", name=who.name)


def _layer_of(event: Part) -> Layer:
    categories = event.get("categories")
    words = [str(word) for word in categories.cats] if categories is not None else []
    return next((Layer(word) for word in words if word in set(Layer)), Layer.PRIMARY)


def _leave_out(event: Part, shift_id: UUID, found: Imported) -> None:
    shift = found.shifts.get(shift_id)
    if shift is None:
        raise Invalid("it is an occurrence of an event that is not in the file")
    when = event["RECURRENCE-ID"].dt
    day = when.astimezone(ZoneInfo(shift.timezone)).date() if _aware(when) else _day(when)
    shift.except_on = sorted({*shift.except_on, day})


def _aware(when: date | datetime) -> bool:
    return isinstance(when, datetime) and when.tzinfo is not None


def _day(when: date | datetime) -> date:
    return when.date() if isinstance(when, datetime) else when


def _shift(
    work: Work,
    event: Part,
    row_id: UUID,
    who: Staff,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    layer: Layer,
) -> ShiftRow:
    minutes = int((end - start).total_seconds() // 60)
    if not 0 < minutes <= 1440:
        raise Invalid("a shift lasts from 1 minute to 24 hours")
    rules = event["rrule"] if isinstance(event["rrule"], list) else [event["rrule"]]
    if len(rules) != 1 or "rdate" in event:
        raise Invalid("a shift must have one RRULE and no RDATE")
    rule, last_on = rules[0].to_ical().decode(), None
    if "UNTIL" in rules[0] and "COUNT" not in rules[0]:
        until = rules[0]["UNTIL"][0]
        last_on = until.astimezone(zone).date() if _aware(until) else _day(until)
        rule = ";".join(part for part in rule.split(";") if not part.startswith("UNTIL="))
    exdates = event.get("exdate", [])
    exdates = exdates if isinstance(exdates, list) else [exdates]
    days = {
        when.dt.astimezone(zone).date() if _aware(when.dt) else _day(when.dt)
        for dates in exdates
        for when in dates.dts
    }
    holidays = str(event.get("x-helpline-holidays", OnHolidays.WORKS.value))
    if holidays not in set(OnHolidays):
        raise Invalid(
            "x-helpline-holidays is '%(holidays)s', but must be works, off or only",
            holidays=holidays,
        )
    always = "x-helpline-always" in event
    _check_layer(who, layer)
    for day in (start.date(), *([last_on] if last_on else []), *days):
        recurrence.check_day(day)
    recurrence.check_zone(zone.key)
    if last_on is not None and last_on < start.date():
        raise Invalid("it ends before it begins")
    return ShiftRow(
        id=row_id,
        counsellor_id=who.id,
        recurrence=None if always else recurrence.check_recurrence(rule),
        starts_at=start.time(),
        minutes=minutes,
        timezone=zone.key,
        first_on=start.date(),
        last_on=last_on,
        layer=layer.value,
        on_holidays=holidays,
        except_on=sorted(days),
        created_at=work.now,
    )


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
    return _own_calendar(await roster.rota_of(work), staff, work.now)


def _own_calendar(found: on_duty.Rota, staff: Staff, now: datetime) -> bytes:
    since, until = now - _FEED_BACK, now + _FEED_AHEAD
    calendar = _calendar("Helpline duty")
    calendar.add("refresh-interval;value=duration", "PT1H")
    for duty in on_duty.stretches(found.of([staff.id]), since, until):
        if duty.counsellor_id != staff.id:
            continue
        event = Event()
        words = duty.layer.value.replace("_", " ")
        event.add("uid", f"{uuid5(staff.id, f'{duty.start.isoformat()} {words}')}{_OURS}")
        event.add("dtstamp", now)
        event.add("summary", "On duty" if duty.layer is Layer.PRIMARY else f"On duty: {words}")
        event.add("dtstart", max(duty.start, since))
        event.add("dtend", min(duty.end, until))
        calendar.add_component(event)
    return bytes(calendar.to_ical())
