"""Importing a rota from an iCalendar file (RFC 5545): the whole file, or none of it."""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from icalendar import Calendar

from app.abilities import EndpointKind
from app.calls.lines import finding_lines
from app.database.topics import Topic
from app.errors import Invalid, Joined, Message, why
from app.routing.rota import changes, recurrence, roster
from app.routing.rota.calendars import OURS
from app.routing.rota.models import RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import Layer, OnHolidays
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# The namespace in which the UIDs of other programs' events become our ids.
_FOREIGN = UUID("5d1c7f62-3a0e-4a39-9d5e-8b3a6f4c2e11")
# A component: the library does not type its values.
Part = Any
# A line of a file: a name with its value, or the rest of the line before it.
_LINE = re.compile(rb"[ \t]|[A-Za-z0-9-]+[;:]|$")
_UNREADABLE = Message("a date, a time or a rule of it cannot be read")
_MOST_BYTES, _MOST_EVENTS, _LONGEST_LINE, _MOST_LINES = 5_000_000, 5_000, 20_000, 100_000


@dataclass
class Imported:
    """The content of a file, before any of it is stored."""

    shifts: dict[UUID, ShiftRow] = field(default_factory=dict)
    changes: dict[UUID, RotaChange] = field(default_factory=dict)
    problems: list[Message] = field(default_factory=list)


def events_of(content: bytes) -> list[Part]:
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
    ):
        line = next((n for n, one in enumerate(lines_of_file, 1) if not _LINE.match(one)), None)
        if line is not None:
            raise Invalid(
                "Not an iCalendar file: line %(line)s cannot be read.", line=line
            ) from None
        raise Invalid(
            "Not an iCalendar file: a date, a time or a rule in it cannot be read. Export it again "
            "from your calendar."
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
    events = await asyncio.to_thread(events_of, content)
    await roster.lock_rota(work)
    found = await _read_events(work, events)
    if found.problems:
        more = len(found.problems) - 20
        rest = [Message("and %(number)s more", number=more)] if more > 0 else []
        raise Invalid(
            "Nothing was imported. %(problems)s",
            problems=Joined([*found.problems[:20], *rest], " · "),
        )
    for shift in found.shifts.values():
        was = await work.session.get(ShiftRow, shift.id)
        before = roster.for_log(was) if was is not None else None
        await work.session.merge(shift)
        _log(work, shift, before, roster.for_log(shift))
    for change in found.changes.values():
        known = await work.session.get(RotaChange, change.id)
        had = changes.for_log(known) if known is not None else None
        if known is not None:
            # A file does not contain the reason and author of a change: keep them.
            change.reason, change.made_by, change.made_at = (
                known.reason,
                known.made_by,
                known.made_at,
            )
            change.settled_at = known.settled_at or change.settled_at
        await work.session.merge(change)
        _log(work, change, had, changes.for_log(change))
    await work.session.flush()
    work.announce(Topic.ROSTER)
    return len(found.shifts), len(found.changes)


def _log(
    work: Work,
    row: ShiftRow | RotaChange,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
) -> None:
    """Log what a file made of a shift or a change, unless that is what it was."""
    if before == after:
        return
    name = "shift" if isinstance(row, ShiftRow) else "change"
    write_entry(
        work,
        AuditLog.ROTA_IMPORTED,
        str(row.counsellor_id),
        before=before,
        after=after,
        **{name: str(row.id)},
    )


async def _read_events(work: Work, events: Iterable[Part]) -> Imported:
    staff = {one.name: one for one in await changes.people_of_rota(work)}
    line = await finding_lines.any_line(work)
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
            # What the library says is in English, and about its own parts.
            problem = why(error) if isinstance(error, Invalid) else _UNREADABLE
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
    instead = _who(event, "x-helpline-instead", staff).id if kind == ChangeKind.SWAP else None
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
        state=RotaChangeState.IN_FORCE.value,
        made_by=work.actor.staff_id,
        made_at=work.now,
        settled_at=work.now,
    )
    if end <= start:
        raise Invalid("it ends before it begins")
    if instead == who.id:
        raise Invalid("a swap needs two different people")


def _id_of(uid: str) -> UUID:
    if uid.endswith(OURS):
        try:
            return UUID(uid.removesuffix(OURS))
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
