"""Coverage: times when no counsellor on the rota serves a line in a language, and the alarms."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import BindParameter, DateTime, bindparam, func, select, update

from app.calls.hours import open_stretches
from app.calls.lines.line_rows import Line, LineLanguage
from app.database.topics import Topic
from app.errors import NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.routing.rota import on_duty, roster
from app.routing.rota import takers as roster_takers
from app.routing.rota.models import CoverageKind, UncoveredShift
from app.routing.rota.on_duty import Span
from app.routing.rota.shifts import Layer
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import PROGRAM, Ground, Work

# How far ahead the rota is checked, and how far ahead supervisors are told. They need at least one
# day of notice; the second day allows for a late check.
LOOKED_AHEAD = timedelta(days=28)
TOLD_AHEAD = timedelta(hours=48)
# Seconds between two checks of the rota.
EVERY = 60
_LOCK = 710008
# The layers that cover a line at once; the other layers are asked as the wait grows.
COVERING = frozenset({Layer.PRIMARY, Layer.BACKUP})


@dataclass(frozen=True)
class Coverage:
    """A line in a language, and the open hours in which no counsellor covers it."""

    line_id: UUID
    line: str
    number: str
    timezone: str
    language: str
    uncovered: tuple[Span, ...]
    wanted: timedelta

    @property
    def missing(self) -> timedelta:
        return sum((end - begin for begin, end in self.uncovered), timedelta())


async def coverage(work: Work, since: datetime, until: datetime) -> list[Coverage]:
    """Return the coverage of every active line in each of its languages, between two instants."""
    found = await roster.rota_of(work)
    duties = [d for d in on_duty.stretches(found, since, until) if d.layer in COVERING]
    takers = {
        staff_id: (frozenset(languages), frozenset(numbers))
        for staff_id, languages, numbers in await work.session.execute(
            select(Staff.id, Staff.languages, Staff.lines).where(
                # A trainee alone does not cover a line.
                Staff.active,
                Staff.role.in_(roster_takers.TAKERS),
                Staff.training.is_(False),
            )
        )
    }
    rows = await work.session.execute(
        select(Line, LineLanguage.language)
        .join(LineLanguage, LineLanguage.line_id == Line.id)
        .where(Line.active, Line.practice.is_(False), LineLanguage.removed_at.is_(None))
        .order_by(Line.name, LineLanguage.position)
    )
    result = []
    for line, language in rows:
        able = {
            who
            for who, (languages, numbers) in takers.items()
            if (not languages or language in languages) and (not numbers or line.number in numbers)
        }
        wanted = open_stretches(
            line.opening_hours, line.timezone, line.country, since, until, found.own_days
        )
        covered = [(d.start, d.end) for d in duties if d.counsellor_id in able]
        result.append(
            Coverage(
                line.id,
                line.name,
                line.number,
                line.timezone,
                language,
                tuple(on_duty.uncovered(wanted, covered)),
                sum((end - begin for begin, end in wanted), timedelta()),
            )
        )
    return result


async def look_over(ground: Ground) -> None:
    """Tell supervisors about uncovered shifts that begin within two days, and when each begins."""
    async with transaction(ground, PROGRAM) as work:
        # Two workers that check at the same time would send each alarm twice.
        if await work.session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
            await _look_over(work)


async def _look_over(work: Work) -> int:
    # Start a few days back, so that what has already begun keeps its real beginning.
    since, until = work.now - timedelta(days=3), work.now + LOOKED_AHEAD
    told = list(
        await work.session.scalars(select(UncoveredShift).where(UncoveredShift.until_at > since))
    )
    count = 0
    for one in await coverage(work, since, until):
        for begin, end in one.uncovered:
            if end <= work.now or begin > work.now + TOLD_AHEAD:
                continue
            kind = CoverageKind.BEGUN if begin <= work.now else CoverageKind.AHEAD
            if any(_knows(alarm, one, kind, begin, end, until) for alarm in told):
                continue
            row = UncoveredShift(
                id=uuid4(),
                line_id=one.line_id,
                language=one.language,
                kind=kind.value,
                from_at=begin,
                until_at=end,
                told_at=work.now,
            )
            work.session.add(row)
            await work.session.flush()
            for staff in await supervisors(work):
                if staff.email:
                    work.defer(Task.MAIL_ALARM, alarm_id=str(row.id), staff_id=str(staff.id))
            count += 1
    if count:
        work.announce(Topic.ALARMS)
    return count


def _knows(
    alarm: UncoveredShift,
    one: Coverage,
    kind: CoverageKind,
    begin: datetime,
    end: datetime,
    until: datetime,
) -> bool:
    """Return whether an earlier alarm already covers an uncovered shift.

    A shift that has become smaller is not announced again. If it lasts until the end of the
    weeks that are checked, its real end is unknown.
    """
    if (alarm.line_id, alarm.language, alarm.kind) != (one.line_id, one.language, kind):
        return False
    open_end = end == until and alarm.until_at > begin
    return alarm.from_at <= begin and (alarm.until_at >= end or open_end)


async def supervisors(work: Work) -> list[Staff]:
    """Return the active supervisors who plan the rota and take calls, by name."""
    rows = await work.session.scalars(select(Staff).where(Staff.active).order_by(Staff.name))
    return [
        staff
        for staff in rows
        if may(staff.role, Permission.PLAN_ROSTER) and may(staff.role, Permission.TAKE_CALLS)
    ]


_NOW: BindParameter[datetime] = bindparam("now", type_=DateTime(timezone=True))
# The alarms that are not seen and not over `now`.
OPEN_ALARMS = (
    select(UncoveredShift, Line.name, Line.timezone)
    .join(Line, Line.id == UncoveredShift.line_id)
    .where(UncoveredShift.seen_at.is_(None), UncoveredShift.until_at > _NOW)
    .order_by(UncoveredShift.from_at, UncoveredShift.kind)
)


async def open_alarms(work: Work) -> list[tuple[UncoveredShift, str, str]]:
    """Return unseen alarms whose time is not over, each with its line and time zone."""
    rows = await work.session.execute(OPEN_ALARMS, {"now": work.now})
    return [(alarm, name, zone) for alarm, name, zone in rows]


async def see_alarm(work: Work, staff: Staff, alarm_id: UUID) -> None:
    """Mark an alarm as seen by a member of staff. May be called twice. Raises NotFound."""
    found = await work.session.scalar(
        update(UncoveredShift)
        .where(UncoveredShift.id == alarm_id)
        .values(seen_at=work.now, seen_by=staff.id)
        .returning(UncoveredShift.id)
    )
    if found is None:
        raise NotFound("There is no such alarm.")
    write_entry(work, AuditLog.COVERAGE_ALARM_SEEN, str(alarm_id))
    work.announce(Topic.ALARMS)
