"""Compare the rota with presence: missing counsellors, and callers who wait too long.

Runs every few seconds. Each problem opens an alarm, which is escalated to people on call until
one of them acknowledges it, or until a counsellor is there again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypedDict, Unpack
from uuid import UUID, uuid4

from sqlalchemy import (
    BindParameter,
    Boolean,
    DateTime,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line, LineLanguage
from app.calls.models import Call
from app.calls.speech import LineScript
from app.calls.states import CallState
from app.database.quick import Question, Row
from app.database.topics import Topic
from app.errors import NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.routing import telephone_state
from app.routing.alarm_rows import OF_OTHERS, Alarm, AlarmKind
from app.routing.models import Presence, PresenceState
from app.routing.plan import read_plan
from app.routing.rota import roster, takers
from app.routing.rota.coverage import COVERING
from app.routing.rota.takers import Person
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import ActedFrom
from app.staff.models import Staff
from app.work import PROGRAM, Ground, Work

# Seconds between two checks.
EVERY = 5
_LOCK = 710009
# How long counsellors have to sign in after the beginning of their shift.
SIGNS_IN_WITHIN = timedelta(minutes=2)
# How long the telephone in a page may take to be ready.
_TELEPHONE_STARTS_WITHIN = timedelta(minutes=1)
_SERVES = (
    PresenceState.AVAILABLE,
    PresenceState.OFFERED,
    PresenceState.ON_CALL,
    PresenceState.WRITING,
    PresenceState.WRAP_UP,
)


class Found(NamedTuple):
    """A problem that needs a person, for a line in a language."""

    line_id: UUID
    language: str
    kind: AlarmKind


async def watch(ground: Ground) -> int:
    """Open alarms for new problems and end those that are over. Return how many were opened."""
    async with transaction(ground, PROGRAM) as work:
        # Nearly always the alarms are right, and then nothing is locked.
        if await is_settled(work):
            return 0
        # Two workers that check at the same time would open each alarm twice.
        if not await work.session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
            return 0
        return await _settle(work, await _problems(work, await _ask(work)))


async def is_settled(work: Work) -> bool:
    """Return whether the open alarms are those of the problems of this moment."""
    rows = await _ask(work)
    known = {(row["row_id"], row["words"], row["also"]) for row in rows[_Asked.ALARM]}
    return set(await _problems(work, rows)) == known


# Not those about unusual dialling, and about messages.
_ABOUT_A_LINE = and_(Alarm.line_id.is_not(None), *(Alarm.kind != kind for kind in OF_OTHERS))


class _Asked(StrEnum):
    """What a row of the question is about."""

    STATE = "state"
    WAIT = "wait"
    LINE = "line"
    ALARM = "alarm"


_LATE: BindParameter[datetime] = bindparam("late", type_=DateTime(timezone=True))
_MUTE = and_(
    Presence.state == PresenceState.AVAILABLE,
    ~telephone_state.may_ring(),
    or_(Presence.telephone_at.is_(None), Presence.telephone_at < _LATE),
    Presence.since < _LATE,
)
_WAITING = or_(Call.state == CallState.QUEUED, Call.state == CallState.OFFERED)
# A line that was retired, and a language that was removed from one, count while a caller waits in
# it.
_WAITS_IN_IT = (
    exists()
    .where(_WAITING, Call.line_id == LineLanguage.line_id, Call.language == LineLanguage.language)
    .correlate(LineLanguage)
)


def _part(
    what: _Asked,
    row_id: Any,
    words: Any,
    *,
    also: Any = None,
    at: Any = None,
    warned: Any = None,
    mute: Any = None,
    plan: Any = None,
) -> Select[Any]:
    """Return a part of the question; all have the same columns."""
    return select(
        literal(what.value).label("what"),
        row_id.label("row_id"),
        cast(words, Text).label("words"),
        cast(null() if also is None else also, Text).label("also"),
        cast(null() if at is None else at, DateTime(timezone=True)).label("at"),
        cast(null() if warned is None else warned, Boolean).label("warned"),
        cast(null() if mute is None else mute, Boolean).label("mute"),
        cast(null() if plan is None else plan, JSONB).label("plan"),
    )


# Built once, and one statement: it is asked every few seconds.
_QUESTION = Question(
    union_all(
        _part(
            _Asked.STATE,
            Presence.counsellor_id,
            Presence.state,
            warned=Presence.warned_at.is_not(None),
            mute=_MUTE,
        ).join(Staff, Staff.id == Presence.counsellor_id),
        _part(_Asked.WAIT, Call.line_id, Call.language, at=func.min(Call.queued_at))
        .where(_WAITING)
        .group_by(Call.line_id, Call.language),
        _part(_Asked.LINE, Line.id, LineLanguage.language, also=Line.number, plan=Line.plan)
        .join(LineLanguage, LineLanguage.line_id == Line.id)
        .where(
            or_(Line.active, _WAITS_IN_IT),
            Line.practice.is_(False),
            or_(LineLanguage.removed_at.is_(None), _WAITS_IN_IT),
        ),
        _part(_Asked.ALARM, Alarm.line_id, Alarm.language, also=Alarm.kind).where(
            Alarm.ended_at.is_(None), _ABOUT_A_LINE
        ),
    )
)


async def _ask(work: Work) -> dict[str, list[Row]]:
    """Return the rows that the problems of this moment follow from, by what they are about."""
    late = work.now - _TELEPHONE_STARTS_WITHIN
    found: dict[str, list[Row]] = {what.value: [] for what in _Asked}
    for row in await work.ground.database.quick.rows(_QUESTION, late=late):
        found[row["what"]].append(row)
    return found


async def _problems(work: Work, rows: dict[str, list[Row]]) -> list[Found]:
    """Return the problems of this moment: for each line and language what is wrong with those who
    should be at work, and whether a caller waits too long."""
    states, warned = _states(rows[_Asked.STATE])
    waits = {(row["row_id"], row["words"]): row["at"] for row in rows[_Asked.WAIT]}
    present = await roster.on_shift(work)
    present_people = await takers.people(work) if present else {}
    begun = await _on_shift_for(work)
    supervised = any(person.supervises for person in present_people.values())
    found = []
    for row in rows[_Asked.LINE]:
        line_id, language = row["row_id"], row["words"]
        able = [
            who
            for who, on in present.items()
            if on.layer in COVERING
            and who in present_people
            and _covers(present_people[who], row["also"], language, supervised)
        ]
        kind = _kind(able, begun, states, warned)
        if kind is not None:
            found.append(Found(line_id, language, kind))
        longest = waits.get((line_id, language))
        limit = timedelta(seconds=read_plan(row["plan"]).longest_wait)
        if longest is not None and work.now - longest > limit:
            found.append(Found(line_id, language, AlarmKind.LONG_WAIT))
    return found


def _states(rows: list[Row]) -> tuple[dict[UUID, PresenceState], set[UUID]]:
    """Return what each person does, and who was warned that they miss calls as the last one.

    A counsellor whose telephone has not been ready for a while is away.
    """
    states = {
        row["row_id"]: (PresenceState.AWAY if row["mute"] else PresenceState(row["words"]))
        for row in rows
    }
    return states, {row["row_id"] for row in rows if row["warned"]}


def _covers(person: Person, number: str, language: str, supervised: bool) -> bool:
    """Return whether a counsellor covers a line in a language. A trainee alone does not."""
    free = person.free
    if free.training and not supervised:
        return False
    speaks = not free.languages or language in free.languages
    return speaks and (not free.lines or number in free.lines)


def _kind(
    able: Iterable[UUID],
    begun: dict[UUID, bool],
    states: dict[UUID, PresenceState],
    warned: set[UUID],
) -> AlarmKind | None:
    """Return what is wrong with the counsellors who should be at work, if anything."""
    able = list(able)
    if not any(begun.get(who) for who in able):
        return None
    now = {who: states.get(who, PresenceState.OFF_DUTY) for who in able}
    if any(state in _SERVES for state in now.values()):
        serving = {who for who, state in now.items() if state in _SERVES}
        return AlarmKind.LAST_ONE_MISSES if serving <= warned else None
    if any(state == PresenceState.BREAK for state in now.values()):
        # They come back. If a caller waits too long meanwhile, that opens an alarm of its own.
        return None
    if any(state == PresenceState.AWAY for state in now.values()):
        return AlarmKind.ALL_AWAY
    return AlarmKind.NO_COUNSELLOR_SIGNED_IN


async def _on_shift_for(work: Work) -> dict[UUID, bool]:
    """Return who is on shift now, and whether they have had time to sign in."""
    earlier = await roster.on_shift_at(work, work.now - SIGNS_IN_WITHIN)
    return {who: who in earlier for who in await roster.on_shift(work)}


async def _settle(work: Work, found: list[Found]) -> int:
    """Open alarms for new problems, and end alarms whose problem is gone."""
    rows = await work.session.scalars(
        select(Alarm).where(Alarm.ended_at.is_(None), _ABOUT_A_LINE).with_for_update()
    )
    known = {(alarm.line_id, alarm.language, alarm.kind): alarm for alarm in rows.all()}
    for key, alarm in known.items():
        if key not in found:
            end_alarm(work, alarm)
            work.announce(Topic.ALARMS)
    opened = 0
    for one in found:
        if one in known:
            continue
        await open_alarm(work, one.kind, line_id=one.line_id, language=one.language)
        work.announce(Topic.ALARMS)
        opened += 1
    return opened


class About(TypedDict, total=False):
    """What an alarm is about: a line, with a language, or a record, with its owner."""

    line_id: UUID | None
    language: str | None
    subject_id: UUID
    owner_id: UUID | None


async def open_alarm(work: Work, kind: AlarmKind, **about: Unpack[About]) -> UUID:
    """Open an alarm about a line or a record, and return its id. Its escalation begins after the
    commit."""
    row = Alarm(id=uuid4(), kind=kind.value, begun_at=work.now, next_at=work.now, turn=1, **about)
    work.session.add(row)
    await work.session.flush()
    work.defer(Task.ALARM_TURN, alarm_id=str(row.id), turn=1)
    return row.id


def end_alarm(work: Work, alarm: Alarm) -> None:
    """End a locked alarm. Phones that still ring for it stop after the commit."""
    alarm.ended_at, alarm.next_at = work.now, None
    work.defer(Task.ALARM_OVER, alarm_id=str(alarm.id))


OPEN_ALARMS = (
    select(Alarm, Line.name)
    .join(Line, Line.id == Alarm.line_id)
    .where(Alarm.ended_at.is_(None), _ABOUT_A_LINE)
    .order_by(Alarm.begun_at)
)


async def open_alarms(work: Work) -> list[tuple[Alarm, str]]:
    """Return the open alarms with the name of their line, the oldest first."""
    rows = await work.session.execute(OPEN_ALARMS)
    return [(alarm, name) for alarm, name in rows]


async def acknowledge(work: Work, alarm_id: UUID, by: str, staff: Staff | None = None) -> bool:
    """Acknowledge an alarm. Return whether this person is the first. Raises NotFound."""
    won = await work.session.scalar(
        update(Alarm)
        .where(Alarm.id == alarm_id, Alarm.acknowledged_at.is_(None))
        .values(
            acknowledged_at=work.now,
            acknowledged_by=by,
            next_at=None,
            turn=Alarm.turn + 1,
        )
        .returning(Alarm.id)
        .execution_options(synchronize_session=False)
    )
    if won is None:
        if await work.session.get(Alarm, alarm_id) is None:
            raise NotFound("There is no such alarm.")
        return False
    write_entry(
        work,
        AuditLog.ALARM_ACKNOWLEDGED,
        str(alarm_id),
        by=str(staff.id) if staff else ActedFrom.ON_CALL,
    )
    work.defer(Task.ALARM_OVER, alarm_id=str(alarm_id))
    work.announce(Topic.ALARMS)
    return True


async def line_of(work: Work, alarm: Alarm) -> LineScript | None:
    """Return the line that an alarm is about; for danger, the helpline's oldest line."""
    if alarm.line_id is None:
        return await finding_lines.any_line(work)
    return await finding_lines.line_of_id(work, alarm.line_id)
