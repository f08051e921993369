"""What the rota says of one person: duty and absences of four weeks, and when they can work."""

from dataclasses import dataclass
from datetime import date, timedelta

from app.dashboard.rota.page import week_of
from app.dashboard.rota.times_page import times_hours, when_words
from app.dashboard.rota.week_blocks import LAYER_WORDS, Week, span_words
from app.routing.rota import on_duty, roster, working_times
from app.routing.rota.on_duty import ChangeKind, Rota, Span
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.words.pages import N_, _, said
from app.work import Work

WEEKS = 4
_ABSENT = N_("absent")


@dataclass(frozen=True)
class DutyEntry:
    """A stretch of duty, or an absence. `note`: its layer, if it is not the usual one."""

    when: str
    note: str
    absent: bool


@dataclass(frozen=True)
class PersonWeek:
    monday: date
    entries: list[DutyEntry]


@dataclass(frozen=True)
class PersonRota:
    """`hours` a week and `when` are what is written down of the person's working times, if it is.

    Times are in `zone`."""

    weeks: list[PersonWeek]
    hours: str
    when: str
    zone: str


async def rota_of_person(work: Work, person: Staff) -> PersonRota | None:
    """Return this week and the next three; None for a person who is on no rota."""
    if not person.active or not may(person.role, Permission.TAKE_CALLS):
        return None
    rota, zone = (await roster.rota_of(work)).of([person.id]), await roster.home_zone(work)
    first = week_of(work.now.astimezone(zone).date(), zone)
    weeks = [week_of(first.first + timedelta(weeks=number), zone) for number in range(WEEKS)]
    times = (await working_times.all_times(work)).get(person.id)
    return PersonRota(
        [PersonWeek(one.first, _entries(rota, person, one)) for one in weeks],
        times_hours(times) if times is not None else "",
        when_words(times) if times is not None else "",
        zone.key,
    )


def _entries(rota: Rota, person: Staff, week: Week) -> list[DutyEntry]:
    """Return what falls into a week, by its beginning."""
    duty = [
        (_within((one.start, one.end), week), said(LAYER_WORDS[one.layer]), False)
        for one in on_duty.stretches(rota, week.since, week.until)
        if one.counsellor_id == person.id
    ]
    absences = [
        (_within((one.start, one.end), week), said(_ABSENT), True)
        for one in rota.changes
        if one.kind is ChangeKind.ABSENCE
        and one.counsellor_id == person.id
        and one.start < week.until
        and one.end > week.since
    ]
    found = sorted([*duty, *absences], key=lambda one: one[0])
    return [DutyEntry(_words(span, week), note, absent) for span, note, absent in found]


def _within(span: Span, week: Week) -> Span:
    return max(span[0], week.since), min(span[1], week.until)


def _words(span: Span, week: Week) -> str:
    if span == (week.since, week.until):
        return _("all week")
    return span_words(span, week.zone)
