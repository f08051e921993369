"""A week of the rota as a calendar: people as rows, half hours as columns, and the need below.

A row is a row of a table whose cells span half hours on the wall clock, so that it needs no script
and no style of its own. In the night in which the clocks are set back, both hours stand in one
column.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from app.dashboard.rota.places import place_word
from app.dashboard.views import language_words
from app.routing.rota import changes, coverage, on_duty, own_rules, rest, roster
from app.routing.rota.on_duty import ChangeKind, Span
from app.routing.rota.shifts import ALWAYS_UNTIL, Duty, Layer, first_instant
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.statistics.planning import planning
from app.words.pages import N_, _, date_words, instant_words, list_words, said
from app.work import Work

DAY = timedelta(days=1)
# Columns of a day: half hours.
PER_DAY = 48
_PER_HOUR = 2
LAYER_WORDS = {
    Layer.PRIMARY: "",
    Layer.BACKUP: N_("backup"),
    Layer.SUPERVISOR: N_("supervisor on call"),
    Layer.ON_CALL: N_("on-call phone"),
}
# Cells of the need that are narrower than this many columns hold only a sign.
_TELLS = 6
# Duty of the days around a week says how long people rest at its edges.
_AROUND = 2 * DAY


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


@dataclass(frozen=True)
class NeedCell:
    """Consecutive hours with the same number planned, and the same number needed."""

    width: int
    state: str
    sign: str
    words: str
    title: str


@dataclass(frozen=True)
class DayList:
    """One day as a list, for narrow screens and for readers who listen."""

    day: date
    holiday: bool
    today: bool
    duties: list[tuple[str, Block]]
    uncovered: list[tuple[str, Block]]
    needs: list[str]


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
    begins = week.column(span[0])
    ends = max(week.column(span[1]), begins + 1)
    if span[1] <= week.since or begins >= week.days * PER_DAY:
        return None
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


def _absence_block(week: Week, span: Span, name: str) -> Block | None:
    title = _("%(name)s is absent", name=name)
    return block_in(week, "absent", span, title=f"{title}, {span_words(span, week.zone)}")


def _uncovered_block(work: Work, week: Week, span: Span, line: str, plans: bool) -> Block | None:
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


async def week_values(
    work: Work, staff: Staff, week: Week, proposed: Mapping[UUID, list[Block]] | None = None
) -> dict[str, Any]:
    """Return what the calendar shows of a week to a reader; `proposed` is not in force."""
    found = await roster.rota_of(work)
    plans = may(staff.role, Permission.PLAN_ROSTER)
    takers = await changes.people_of_rota(work)
    today = work.now.astimezone(week.zone).date()
    width = week.days * PER_DAY
    rows = _people(work, week, found, takers, plans, proposed or {})
    uncovered = await _uncovered_rows(work, week, plans)
    needs = await _needs(work, week, today) if plans else []
    return {
        "week": week,
        "width": width,
        "days": [(day, day in found.holidays, day == today) for day in week.dates],
        "before": week.first - week.days * DAY,
        "after": week.first + week.days * DAY,
        "monday": week.first,
        "zone": week.zone.key,
        "people": rows,
        "uncovered": uncovered,
        "needs": _need_cells(needs, week, today),
        "hours": _hours(needs, week),
        "list": _by_day(week, found, today, rows, uncovered, needs),
        "may_plan": plans,
        "takers": takers,
        "takes_calls": may(staff.role, Permission.TAKE_CALLS),
        "now": work.now,
        "rest": own_rules.rest_rules(work.ground),
    }


def _people(
    work: Work,
    week: Week,
    found: on_duty.Rota,
    takers: list[Staff],
    plans: bool,
    proposed: Mapping[UUID, list[Block]],
) -> list[Row]:
    by_person: dict[UUID, list[Block]] = defaultdict(list)
    minutes: dict[UUID, float] = defaultdict(float)
    names = {one.id: one.name for one in takers}
    around = on_duty.stretches(found, week.since - _AROUND, week.until + _AROUND)
    rules = own_rules.rest_rules(work.ground)
    # People on call rest until their phone rings: their time is not counted here.
    spans: dict[UUID, list[Span]] = defaultdict(list)
    for duty in around if plans else []:
        if duty.layer in coverage.COVERING and duty.end < ALWAYS_UNTIL:
            spans[duty.counsellor_id].append((duty.start, duty.end))
    short = {who: rest.short_rests(worked, rules) for who, worked in spans.items()}
    for duty in around:
        who = duty.counsellor_id
        warning = _warning(duty, short.get(who, []), rules) if duty.end > work.now else ""
        block = duty_block(work, week, duty, names.get(who, ""), plans, warning)
        if block is not None and duty.start < week.until:
            by_person[who].append(block)
            shown = min(duty.end, week.until) - max(duty.start, week.since)
            minutes[who] += shown.total_seconds() / 60
    no_rest = {
        who
        for who, worked in spans.items()
        if week.until > work.now
        and rest.longest_free(worked, week.since, week.until, _AROUND) < rules.weekly
    }
    for change in found.changes:
        if change.kind is ChangeKind.ABSENCE:
            name = names.get(change.counsellor_id, "")
            block = _absence_block(week, (change.start, change.end), name)
            if block is not None:
                by_person[change.counsellor_id].append(block)
    for who, blocks in proposed.items():
        by_person[who] += blocks
    width = week.days * PER_DAY
    return [
        Row(
            one.id,
            one.name,
            lanes_of(by_person[one.id], width),
            by_person[one.id],
            _hours_words(minutes[one.id]),
            _("no free day") if one.id in no_rest else "",
        )
        for one in takers
    ]


def _warning(duty: Duty, short: list[rest.Short], rules: rest.Rules) -> str:
    """Return why a stretch breaks the daily rest, or nothing."""
    if duty.layer not in coverage.COVERING:
        return ""
    for one in short:
        if one.rest is not None and duty.start == one.begins:
            hours = _hours_words(one.rest.total_seconds() / 60)
            return _("only %(hours)s of rest before", hours=hours)
        if one.too_long and one.begins <= duty.start < one.ends:
            return _(
                "more than %(hours)s h in a row", hours=int(rules.in_a_row.total_seconds() // 3600)
            )
    return ""


def _hours_words(minutes: float) -> str:
    hours, rest = divmod(round(minutes), 60)
    if rest:
        return _("%(hours)s h %(minutes)s min", hours=hours, minutes=f"{rest:02}")
    return _("%(hours)s h", hours=hours)


async def _uncovered_rows(work: Work, week: Week, plans: bool) -> list[Row]:
    """Return the uncovered hours of each line and language. What is past is left out."""
    since = max(week.since, work.now)
    later = await coverage.coverage(work, work.now, work.now + coverage.LOOKED_AHEAD)
    shown = later
    if since < week.until:
        # What reaches into the next days is shown with its own beginning and end.
        shown = await coverage.coverage(work, since, week.until + 2 * DAY)
    rows = []
    for one, ahead in zip(shown, later, strict=True):
        name = f"{one.line}, {language_words(one.language)}"
        spans = one.uncovered if since < week.until else ()
        blocks = [
            block
            for span in spans
            if (block := _uncovered_block(work, week, span, name, plans)) is not None
        ]
        missing = _hours_words(ahead.missing.total_seconds() / 60) if ahead.missing else ""
        rows.append(Row(None, name, lanes_of(blocks, week.days * PER_DAY), blocks, missing))
    return rows


# -- planned against needed --------------------------------------------------------------


@dataclass(frozen=True)
class Hour:
    """One hour: the fewest who are planned in it, and the most who are needed."""

    begins: datetime
    planned: int
    needed: int
    # How many of those who are needed must be able to write.
    writers: int

    @property
    def state(self) -> str:
        if self.planned < self.needed:
            return "few"
        return "many" if self.planned > self.needed else "well"


async def _needs(work: Work, week: Week, today: date) -> list[Hour]:
    """Return each hour of a week from today on; what was needed in the past helps no planner."""
    first = max(week.first, today)
    days = (week.first + week.days * DAY - first).days
    if days <= 0:
        return []
    found = await planning.plan(work, first_on=first, days=days)
    hours: dict[datetime, Hour] = {}
    for slot in found.slots:
        begins = slot.begins.replace(minute=0)
        known = hours.get(begins)
        hours[begins] = Hour(
            begins,
            min(slot.rostered, known.planned) if known else slot.rostered,
            max(slot.to_roster, known.needed) if known else slot.to_roster,
            max(slot.writers_to_roster, known.writers) if known else slot.writers_to_roster,
        )
    return list(hours.values())


_SIGNS = {"few": "▲", "many": "▼", "well": "✓"}


def _need_words(hours: list[Hour], week: Week) -> str:
    first, last = hours[0].begins.astimezone(week.zone), hours[-1].begins.astimezone(week.zone)
    end = f"{last + timedelta(hours=1):%H:%M}"
    words = N_("%(day)s %(begin)s–%(end)s: %(planned)s planned, %(needed)s needed")
    if hours[0].writers:
        words = N_(
            "%(day)s %(begin)s–%(end)s: %(planned)s planned, %(needed)s needed, %(writers)s of "
            "them to write"
        )
    return _(
        words,
        day=date_words(first.date(), "EEE"),
        begin=f"{first:%H:%M}",
        end="24:00" if end == "00:00" else end,
        planned=hours[0].planned,
        needed=hours[0].needed,
        writers=hours[0].writers,
    )


def _need_cells(hours: list[Hour], week: Week, today: date) -> list[NeedCell]:
    cells: list[NeedCell] = []
    past = max((today - week.first).days, 0) * PER_DAY
    if hours and past:
        cells.append(NeedCell(past, "past", "", "", ""))
    for group in _alike(hours, week):
        begins, ends = week.column(group[0].begins), week.column(group[-1].begins) + _PER_HOUR
        if ends <= begins:
            continue
        one = group[0]
        words = f"{one.planned}/{one.needed}" if ends - begins >= _TELLS else ""
        title = _need_words(group, week)
        cells.append(NeedCell(ends - begins, one.state, _SIGNS[one.state], words, title))
    return cells


def _alike(hours: list[Hour], week: Week) -> list[list[Hour]]:
    """Return hours in a row of one day that are alike. An hour that the clock repeats counts
    once."""
    seen: dict[int, Hour] = {}
    for one in hours:
        seen.setdefault(week.column(one.begins), one)
    kept = [seen[column] for column in sorted(seen)]

    def key(one: Hour) -> tuple[date, int, int, int]:
        return one.begins.astimezone(week.zone).date(), one.planned, one.needed, one.writers

    return [list(group) for _key, group in groupby(kept, key=key)]


def _hours(hours: list[Hour], week: Week) -> list[tuple[date, list[Hour | None]]]:
    """Return the hours as a table: a day, and its 24 hours."""
    by_day: dict[date, list[Hour | None]] = {}
    for one in hours:
        local = one.begins.astimezone(week.zone)
        by_day.setdefault(local.date(), [None] * 24)[local.hour] = one
    return list(by_day.items())


# -- by day ------------------------------------------------------------------------------


def _by_day(
    week: Week,
    found: on_duty.Rota,
    today: date,
    rows: list[Row],
    uncovered: list[Row],
    needs: list[Hour],
) -> list[DayList]:
    lists = []
    for n, day in enumerate(week.dates):
        begins, ends = n * PER_DAY, (n + 1) * PER_DAY

        def there(
            rows: list[Row], begins: int = begins, ends: int = ends
        ) -> list[tuple[str, Block]]:
            # What goes on over midnight stands on each of its days.
            return sorted(
                (
                    (row.name, block)
                    for row in rows
                    for block in row.blocks
                    if block.begins < ends and block.ends > begins
                ),
                key=lambda one: (one[1].begins, one[0]),
            )

        few = [
            _need_words(group, week)
            for group in _alike(needs, week)
            if group[0].state == "few" and group[0].begins.astimezone(week.zone).date() == day
        ]
        lists.append(
            DayList(day, day in found.holidays, day == today, there(rows), there(uncovered), few)
        )
    return lists
