"""A week of the rota as blocks of time, laid out in columns of half an hour on the wall clock.

In the night in which the clocks are set back, both hours stand in one column.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from app.dashboard.rota.places import place_word
from app.routing.rota import coverage
from app.routing.rota.on_duty import Span
from app.routing.rota.shifts import ALWAYS_UNTIL, Duty, Layer, first_instant
from app.words.pages import N_, _, instant_words, list_words, said
from app.work import Work

DAY = timedelta(days=1)
# Columns of a day: half hours.
PER_DAY = 48
LAYER_WORDS = {
    Layer.PRIMARY: "",
    Layer.BACKUP: N_("backup"),
    Layer.SUPERVISOR: N_("supervisor on call"),
    Layer.ON_CALL: N_("on-call phone"),
}


@dataclass(frozen=True)
class Week:
    """The days that a page shows, from local midnight to local midnight."""

    first: date
    days: int
    zone: ZoneInfo

    @property
    def dates(self) -> list[date]:
        return [self.first + n * DAY for n in range(self.days)]

    def begins(self, day: date) -> datetime:
        return first_instant(datetime.combine(day, time()), self.zone)

    @property
    def since(self) -> datetime:
        return self.begins(self.first)

    @property
    def until(self) -> datetime:
        return self.begins(self.first + self.days * DAY)

    def column(self, at: datetime) -> int:
        """Return the column at whose left edge an instant stands, to the half hour."""
        if at <= self.since:
            return 0
        if at >= self.until:
            return self.days * PER_DAY
        local = at.astimezone(self.zone)
        half_hours = round((local.hour * 60 + local.minute) / 30)
        return (local.date() - self.first).days * PER_DAY + half_hours


@dataclass(frozen=True)
class Block:
    """What stands in a row: a stretch of duty, an absence or uncovered hours."""

    kind: str
    begins: int
    ends: int
    words: str
    short: str
    title: str
    href: str = ""
    layer: str = ""
    layer_code: str = ""
    # For the script that moves it: whose it is, and its place as the form sends it.
    staff_id: UUID | None = None
    at: str = ""
    wall_from: str = ""
    wall_until: str = ""
    begun: bool = False
    may_move: bool = False
    # Why it breaks the rules of rest, for those who plan.
    warning: str = ""


@dataclass(frozen=True)
class Cell:
    """A number of half hours of a row, with a block or without."""

    width: int
    day_begins: bool
    block: Block | None = None


@dataclass(frozen=True)
class Row:
    """A person or a line in a language; what overlaps stands in lanes below each other."""

    id: UUID | None
    name: str
    lanes: list[list[Cell]]
    blocks: list[Block] = field(default_factory=list)
    note: str = ""
    warning: str = ""


def span_words(span: Span, zone: ZoneInfo) -> str:
    """Return a span in words; the day of its end only if it is another day."""
    begin, end = (at.astimezone(zone) for at in span)
    until = f"{end:%H:%M}" if end.date() == begin.date() else instant_words(end)
    return _("%(begin)s to %(end)s", begin=instant_words(begin), end=until)


def _times(begin: datetime, end: datetime, week: Week) -> tuple[str, str]:
    """Return the times of a stretch for a line, and for a narrow block."""
    first, last = begin.astimezone(week.zone), end.astimezone(week.zone)
    if begin <= week.since and end >= week.until:
        return _("all week"), _("all week")
    until = "24:00" if last.time() == time() else f"{last:%H:%M}"
    words = f"{first:%H:%M}–{until}"
    return words, words.replace(":00", "")


def lanes_of(blocks: Iterable[Block], width: int) -> list[list[Cell]]:
    """Return blocks as cells: each in the first lane in which it has room."""
    lanes: list[list[Block]] = []
    for block in sorted(blocks, key=lambda one: (one.begins, one.ends)):
        free = next((lane for lane in lanes if lane[-1].ends <= block.begins), None)
        if free is None:
            lanes.append([block])
        else:
            free.append(block)
    return [_cells(lane, width) for lane in lanes or [[]]]


def _cells(lane: list[Block], width: int) -> list[Cell]:
    cells, at = [], 0
    for block in lane:
        cells += _gap(at, block.begins)
        cells.append(Cell(block.ends - block.begins, block.begins % PER_DAY == 0, block))
        at = block.ends
    return cells + _gap(at, width)


def _gap(begins: int, ends: int) -> list[Cell]:
    """Return empty cells; each day has its own, so that its edge is seen."""
    cells = []
    while begins < ends:
        until = min(ends, (begins // PER_DAY + 1) * PER_DAY)
        cells.append(Cell(until - begins, begins % PER_DAY == 0))
        begins = until
    return cells


def block_in(week: Week, kind: str, span: Span, **more: Any) -> Block | None:
    """Return a block for the part of a span that the page shows, at least one column wide."""
    if span[1] <= week.since or span[0] >= week.until:
        return None
    # What begins in the last minutes of a week still stands in it.
    begins = min(week.column(span[0]), week.days * PER_DAY - 1)
    ends = max(week.column(span[1]), begins + 1)
    words, short = _times(*span, week)
    width = ends - begins
    return Block(kind, begins, ends, words, short if width >= 8 else "", **more)


def wall_words(at: datetime, zone: ZoneInfo) -> str:
    """Return an instant as a form holds it: wall-clock time, to the minute."""
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="minutes")


def duty_block(
    work: Work, week: Week, duty: Duty, name: str, plans: bool, warning: str = ""
) -> Block | None:
    """Return a stretch of duty as it stands in the calendar."""
    layer = said(LAYER_WORDS[duty.layer])
    words, _short = _times(duty.start, duty.end, week)
    over = duty.end <= work.now
    movable = plans and not over and duty.end < ALWAYS_UNTIL
    at = place_word(duty.place)
    return block_in(
        week,
        "over" if over else "duty",
        (duty.start, duty.end),
        title=list_words(part for part in (name, words, layer, warning) if part),
        warning=warning,
        layer=layer,
        layer_code=duty.layer.value,
        href=f"/roster/duty?{urlencode({'at': at})}" if movable else "",
        staff_id=duty.counsellor_id,
        at=at,
        wall_from=wall_words(duty.start, week.zone),
        wall_until=wall_words(duty.end, week.zone) if duty.end < ALWAYS_UNTIL else "",
        begun=duty.start <= work.now,
        may_move=movable,
    )


def absence_block(week: Week, span: Span, name: str) -> Block | None:
    title = _("%(name)s is absent", name=name)
    return block_in(week, "absent", span, title=f"{title}, {span_words(span, week.zone)}")


def uncovered_block(work: Work, week: Week, span: Span, line: str, plans: bool) -> Block | None:
    asked = {"from_at": wall_words(span[0], week.zone), "until_at": wall_words(span[1], week.zone)}
    # Red is what a person has to act on now; what is farther away is only amber.
    soon = span[0] <= work.now + coverage.TOLD_AHEAD
    return block_in(
        week,
        "uncovered now" if soon else "uncovered",
        span,
        title=f"{_('Uncovered')}: {line}, {span_words(span, week.zone)}",
        href=f"/roster/duty/new?{urlencode(asked)}" if plans else "",
    )
