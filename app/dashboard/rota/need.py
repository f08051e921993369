"""Planned against needed: for each hour of a week, how many work and how many it needs."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby

from app.dashboard.rota.week_blocks import DAY, PER_DAY, Week
from app.statistics.planning import planning
from app.words.pages import N_, _, date_words
from app.work import Work

_PER_HOUR = 2
# Cells of the need that are narrower than this many columns hold only a sign.
_TELLS = 6


class Staffing(StrEnum):
    """Planned against needed; templates and styles have the codes."""

    FEW = "few"
    MANY = "many"
    WELL = "well"


@dataclass(frozen=True)
class NeedCell:
    """Consecutive hours with the same number planned, and the same number needed."""

    width: int
    state: str
    sign: str
    words: str
    title: str


@dataclass(frozen=True)
class Hour:
    """One hour: the fewest who are planned in it, and the most who are needed."""

    begins: datetime
    planned: int
    needed: int
    # How many of those who are needed must be able to write.
    writers: int

    @property
    def state(self) -> Staffing:
        if self.planned < self.needed:
            return Staffing.FEW
        return Staffing.MANY if self.planned > self.needed else Staffing.WELL


async def needs_of(work: Work, week: Week, today: date) -> list[Hour]:
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


_SIGNS = {Staffing.FEW: "▲", Staffing.MANY: "▼", Staffing.WELL: "✓"}


def need_words(hours: list[Hour], week: Week) -> str:
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


def need_cells(hours: list[Hour], week: Week, today: date) -> list[NeedCell]:
    cells: list[NeedCell] = []
    past = max((today - week.first).days, 0) * PER_DAY
    if hours and past:
        cells.append(NeedCell(past, "past", "", "", ""))
    for group in alike(hours, week):
        begins, ends = week.column(group[0].begins), week.column(group[-1].begins) + _PER_HOUR
        if ends <= begins:
            continue
        one = group[0]
        words = f"{one.planned}/{one.needed}" if ends - begins >= _TELLS else ""
        title = need_words(group, week)
        cells.append(NeedCell(ends - begins, one.state, _SIGNS[one.state], words, title))
    return cells


def alike(hours: list[Hour], week: Week) -> list[list[Hour]]:
    """Return hours in a row of one day that are alike. An hour that the clock repeats counts
    once."""
    seen: dict[int, Hour] = {}
    for one in hours:
        seen.setdefault(week.column(one.begins), one)
    kept = [seen[column] for column in sorted(seen)]

    def key(one: Hour) -> tuple[date, int, int, int]:
        return one.begins.astimezone(week.zone).date(), one.planned, one.needed, one.writers

    return [list(group) for _key, group in groupby(kept, key=key)]


def hours_by_day(hours: list[Hour], week: Week) -> list[tuple[date, list[Hour | None]]]:
    """Return the hours as a table: a day, and its 24 hours."""
    by_day: dict[date, list[Hour | None]] = {}
    for one in hours:
        local = one.begins.astimezone(week.zone)
        by_day.setdefault(local.date(), [None] * 24)[local.hour] = one
    return list(by_day.items())
