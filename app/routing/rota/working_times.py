"""How many hours a week a person works, and when they can: what a proposed rota keeps to.

A person whose hours are not written down can work at any time, for the usual hours of
`proposal.yaml`; a supervisor whose hours are not written down is not proposed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.errors import Invalid
from app.routing.rota import changes, rest, stretches
from app.routing.rota.on_duty import Span
from app.routing.rota.planning_rows import WorkingTimes
from app.routing.rota.shifts import first_instant, last_instant
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.words import until_words
from app.work import Work

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY, WEEK_MINUTES = 1440, 7 * 1440
_MOST_SPANS = 6
# 08:00-16:00, and what people write for it: 8–16, 8.00 – 16.00, 8h-16h, and "8 to 16" in any
# language.
_TIME, _BETWEEN = r"(\d{1,2})(?:[:.](\d\d))?(?:\s*h)?", r"[-–—]"
# Minutes from Monday midnight, on the clock on the wall.
Minutes = tuple[int, int]


@dataclass(frozen=True)
class Times:
    """How many minutes a week a person works, and when they can; None is at any time."""

    minutes: int
    available: tuple[Minutes, ...] | None = None

    def by_day(self) -> dict[str, list[str]]:
        """Return the times of each day in words; a time after midnight belongs to its own day."""
        found: dict[str, list[str]] = {day: [] for day in DAYS}
        for begin, end in self.available or ():
            for n, day in enumerate(DAYS):
                first, last = max(begin, n * _DAY), min(end, (n + 1) * _DAY)
                if first < last:
                    found[day].append(f"{_clock(first - n * _DAY)}-{_clock(last - n * _DAY)}")
        return found

    def spans(self, zone: ZoneInfo, first: date, last: date) -> tuple[Span, ...] | None:
        """Return when the person can work, from the week of a day to that of another."""
        if self.available is None:
            return None
        monday, found = first - timedelta(days=first.weekday()), list[Span]()
        while monday <= last:
            midnight = datetime.combine(monday, time())
            for begin, end in self.available:
                walls = (midnight + timedelta(minutes=minute) for minute in (begin, end))
                start, until = walls
                found.append((first_instant(start, zone), last_instant(until, zone)))
            monday += timedelta(days=7)
        return tuple(rest.work_of(found))

    def for_log(self) -> dict[str, Any]:
        days = self.by_day() if self.available is not None else None
        return {"hours": self.minutes / 60, "available": days}


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def read_available(days: Mapping[str, Iterable[str]]) -> tuple[Minutes, ...]:
    """Read times by day, like {"MO": ["08:00-16:00", "22:00-06:00"]}.

    An end before its beginning is on the next morning. Raises Invalid.
    """
    found: list[Minutes] = []
    for day, texts in days.items():
        if day not in DAYS:
            raise Invalid(
                "'%(day)s' is not a day. Write MO, TU, WE, TH, FR, SA or SU.", day=day[:9]
            )
        texts = list(texts)
        if len(texts) > _MOST_SPANS:
            raise Invalid("Write at most %(most)s times for one day.", most=_MOST_SPANS)
        for text in texts:
            begin, end = _read_times(text)
            start = DAYS.index(day) * _DAY + begin
            until = start + (end - begin if end > begin else end - begin + _DAY)
            found.append((start, min(until, WEEK_MINUTES)))
            if until > WEEK_MINUTES:
                # The night from Sunday ends on Monday.
                found.append((0, until - WEEK_MINUTES))
    return _joined(found)


def _joined(spans: Iterable[Minutes]) -> tuple[Minutes, ...]:
    found: list[Minutes] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((begin, end))
    return tuple(found)


def two_times() -> re.Pattern[str]:
    """Return what reads two times with a sign or a word between them. Compiled once by `re`."""
    words = (r"\s+".join(map(re.escape, one.split())) for one in sorted(until_words()))
    between = rf"\s*(?:{'|'.join((_BETWEEN, *words))})\s*"
    return re.compile(_TIME + between + _TIME, re.IGNORECASE)


def _read_times(text: str) -> Minutes:
    parts = two_times().fullmatch(text.strip())
    if parts is not None:
        hours, minutes = (int(parts[1]), int(parts[3])), (int(parts[2] or 0), int(parts[4] or 0))
        begin, end = (h * 60 + m for h, m in zip(hours, minutes, strict=True))
        if max(minutes) < 60 and begin < _DAY and end <= _DAY and begin != end:
            return begin, end
    raise Invalid("'%(text)s' is not a time. Write it like 08:00-16:00.", text=text[:40])


def read_days(days: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the times of each day, which stand in one text each, with commas between."""
    return {
        day: [part.strip() for part in text.split(",") if part.strip()]
        for day, text in days.items()
    }


async def set_times(
    work: Work,
    by: Staff | None,
    staff_id: UUID,
    hours: float,
    available: Sequence[Minutes] | None,
) -> Times:
    """Write down how many hours a week a person works, and when they can.

    Raises Invalid, NotAllowed, NotFound.
    """
    stretches.check_plans(by)
    await changes.taker(work, staff_id)
    if not 0 <= hours <= 168:
        raise Invalid("Write the hours of a week as a number from 0 to 168.")
    if available is not None and not available and hours:
        raise Invalid("Write when the person can work, or choose any time.")
    row = await work.session.get(
        WorkingTimes, staff_id, with_for_update=True, populate_existing=True
    )
    before = times_of(row).for_log() if row is not None else None
    if row is None:
        row = WorkingTimes(staff_id=staff_id)
        work.session.add(row)
    row.minutes = round(hours * 60)
    row.available = None if available is None else [list(one) for one in available]
    row.changed_by, row.changed_at = work.actor.staff_id, work.now
    await work.session.flush()
    found = times_of(row)
    write_entry(
        work, AuditLog.WORKING_TIMES_SET, str(staff_id), before=before, after=found.for_log()
    )
    return found


def times_of(row: WorkingTimes) -> Times:
    """Return what is written down about a person."""
    spans = None if row.available is None else tuple((one[0], one[1]) for one in row.available)
    return Times(row.minutes, spans)


async def all_times(work: Work) -> dict[UUID, Times]:
    """Return what is written down, by person."""
    rows = await work.session.scalars(select(WorkingTimes))
    return {row.staff_id: times_of(row) for row in rows}
