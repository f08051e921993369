"""What a stretch of a proposal must keep to when it becomes duty: rest, hours of a week, and when
the person can work. All of it may have changed since the rota was worked out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.errors import Conflict
from app.routing.rota import coverage, on_duty, own_rules, rest, roster, working_times
from app.routing.rota.on_duty import Rota, Span
from app.routing.rota.proposals.problem import (
    AROUND,
    WEEK,
    Bar,
    is_within,
    midnight,
    minutes_of,
    rest_broken,
)
from app.routing.rota.proposals.usual import Usual
from app.routing.rota.shifts import ALWAYS_UNTIL, Place
from app.routing.rota.working_times import Times
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# Work of the days around says whether rest is long enough.
_NEAR = timedelta(days=16)


class TooLittleRest(Conflict):
    default = "This person would have too little rest."


class TooManyHours(Conflict):
    default = "This person would work more hours than their week has."


class NotAvailable(Conflict):
    default = "This person cannot work at that time."


@dataclass(frozen=True)
class Limits:
    """The limits of all people, as they are now."""

    rules: rest.Rules
    usual: Usual
    times: Mapping[UUID, Times]
    zone: ZoneInfo

    def check(self, found: Rota, staff: Staff, place: Place) -> None:
        """Check a stretch against the duty that a person has. Raises TooLittleRest, TooManyHours,
        NotAvailable."""
        worked = _worked_near(found, staff.id, place.start)
        self._check_rest(staff, place, worked)
        self._check_times(staff, place, worked)

    def _check_rest(self, staff: Staff, place: Place, worked: Sequence[Span]) -> None:
        broken = rest_broken(self.rules, worked, (place.start, place.end), self.zone)
        if broken is Bar.DAILY_REST:
            raise TooLittleRest(
                "%(name)s would have less than %(hours)s h of rest between duties.",
                name=staff.name,
                hours=self.rules.daily_hours,
            )
        if broken is Bar.WEEKLY_REST:
            raise TooLittleRest(
                "%(name)s would have less than %(hours)s h of rest in a row in the week.",
                name=staff.name,
                hours=self.rules.weekly_hours,
            )

    def _check_times(self, staff: Staff, place: Place, worked: Sequence[Span]) -> None:
        times, span = times_for(staff, self.times, self.usual), (place.start, place.end)
        days = [at.astimezone(self.zone).date() for at in span]
        available = times.spans(self.zone, *days)
        if available is not None and not is_within(span, available):
            raise NotAvailable(
                "%(name)s cannot work at that time, as their working times stand now.",
                name=staff.name,
            )
        monday = days[0] - timedelta(days=days[0].weekday())
        since, until = midnight(monday, self.zone), midnight(monday + WEEK, self.zone)
        spent = sum(minutes_of(one) for one in worked if since <= one[0] < until)
        most = min(times.minutes, self.usual.most_hours * 60)
        if spent + minutes_of(span) > most:
            raise TooManyHours(
                "%(name)s would work more than the %(hours)s h of their week.",
                name=staff.name,
                hours=most / 60 if most % 60 else most // 60,
            )


async def read_limits(work: Work) -> Limits:
    """Return the limits that are in force now."""
    return Limits(
        own_rules.rest_rules(work.ground),
        own_rules.usual_week(work.ground),
        await working_times.all_times(work),
        await roster.home_zone(work),
    )


def times_for(staff: Staff, times: Mapping[UUID, Times], usual: Usual) -> Times:
    """Return when and how much a person works, if nothing is written down the usual."""
    if staff.id in times:
        return times[staff.id]
    supervises = may(staff.role, Permission.SUPERVISE)
    return Times(0 if supervises else usual.usual_hours * 60)


def _worked_near(found: Rota, who: UUID, at: datetime) -> Sequence[Span]:
    """Return the stretches of a person around an instant that count as work."""
    return [
        (duty.start, duty.end)
        for duty in on_duty.stretches(found.of([who]), at - _NEAR, at + _NEAR + AROUND)
        if duty.counsellor_id == who and duty.layer in coverage.COVERING and duty.end < ALWAYS_UNTIL
    ]
