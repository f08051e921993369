"""A week of the rota as a calendar: people as rows, half hours as columns, and the need below.

A row is a row of a table whose cells span half hours on the wall clock, so that it needs no script
and no style of its own.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.dashboard.rota.need import (
    Hour,
    Staffing,
    alike,
    hours_by_day,
    need_cells,
    need_words,
    needs_of,
)
from app.dashboard.rota.week_blocks import (
    DAY,
    PER_DAY,
    Block,
    Row,
    Week,
    absence_block,
    duty_block,
    lanes_of,
    uncovered_block,
)
from app.dashboard.views import language_words
from app.routing.rota import changes, coverage, on_duty, own_rules, rest, roster
from app.routing.rota.on_duty import ChangeKind, Span
from app.routing.rota.shifts import ALWAYS_UNTIL, Duty
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.pages import _
from app.work import Work

# Duty of the days around a week says how long people rest at its edges.
_AROUND = 2 * DAY


@dataclass(frozen=True)
class DayList:
    """One day as a list, for narrow screens and for readers who listen."""

    day: date
    holiday: bool
    today: bool
    duties: list[tuple[str, Block]]
    uncovered: list[tuple[str, Block]]
    needs: list[str]


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
    needs = await needs_of(work, week, today) if plans else []
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
        "needs": need_cells(needs, week, today),
        "hours": hours_by_day(needs, week),
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
            block = absence_block(week, (change.start, change.end), name)
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
            if (block := uncovered_block(work, week, span, name, plans)) is not None
        ]
        missing = _hours_words(ahead.missing.total_seconds() / 60) if ahead.missing else ""
        rows.append(Row(None, name, lanes_of(blocks, week.days * PER_DAY), blocks, missing))
    return rows


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
            need_words(group, week)
            for group in alike(needs, week)
            if group[0].state == Staffing.FEW
            and group[0].begins.astimezone(week.zone).date() == day
        ]
        lists.append(
            DayList(day, day in found.holidays, day == today, there(rows), there(uncovered), few)
        )
    return lists
