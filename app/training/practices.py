"""Practice calls: starting one, what the counsellor does in it, how it ends, and who may see it.

The exchange rings us like any other caller; `rings_only_id` keeps the call for the trainee. The
practice is locked after the call.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.record import Answer, WebhookDelivery
from app.calls.states import CallState, EndedBy
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.routing import offers, offers_held, presence, telephone_state
from app.routing.models import PresenceState
from app.staff.audit import write_entry, write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.training import writing
from app.training.measured import Measured, read_measured
from app.training.models import Practice, PracticeAct
from app.training.scenarios import (
    QUESTIONS,
    CounsellorAct,
    Scenario,
    languages,
    read_scenario,
    scenarios,
    text_of,
)
from app.training.script import Ended, Move, Talk, Turn, play
from app.work import PROGRAM, Ground, Work

# The number of the line of practice calls: no telephone can dial it.
LINE = "practice"
_NAME = "Practice"
# A scripted child rings as this client of the exchange; the id of the practice follows.
CLIENT = "client:practice_"
# After this time a call that has not arrived counts as lost.
_COMES_WITHIN = timedelta(seconds=60)
_SHOWN = 50
_AT_ONCE = 200
# What a trainee may be doing when a practice call is started.
_IDLE = (
    PresenceState.OFF_DUTY,
    PresenceState.AVAILABLE,
    PresenceState.BREAK,
    PresenceState.AWAY,
)


class NoPracticeExchange(Conflict):
    default = (
        "Practice calls need the practice exchange, and this server has another telephone "
        "exchange. Ask your administrator for the training server."
    )


class TraineeNotFree(Conflict):
    default = "You are in a call or in wrap-up. Finish that before you practise."


class NoTelephone(Conflict):
    default = "Your telephone is not ready. Click on it in the top bar, and start again."


class AlreadyPractising(Conflict):
    default = "Your last practice call has not ended yet. End it before you start another one."


class ActNoted(Conflict):
    default = "The child has answered something meanwhile. Look at the script, then choose again."


class PracticeOver(Conflict):
    default = "This practice call is over: the child has hung up, or the talk has ended."


# -- who may see it ------------------------------------------------------------------------------


def reads_practice(staff: Staff) -> ColumnElement[bool]:
    """Return the condition for practices that a person may see: their own, and for a supervisor
    those of the team."""
    own = Practice.trainee_id == staff.id
    if may(staff.role, Permission.SUPERVISE):
        return or_(own, Practice.team == staff.team)
    return own


def _readable(staff: Staff) -> Select[Any]:
    return select(Practice).where(reads_practice(staff))


async def find(work: Work, staff: Staff, practice_id: UUID) -> Practice:
    """Return a practice that the person may see. Raises NotFound."""
    statement = _readable(staff).where(Practice.id == practice_id)
    found: Practice | None = await work.session.scalar(statement)
    if found is None:
        raise NotFound("Not found, or you do not have access.")
    return found


async def open_practice(work: Work, staff: Staff, practice_id: UUID) -> Practice:
    """Return a practice for its debrief; the reading is logged first. Raises NotFound."""
    found = await find(work, staff, practice_id)
    await write_reading(work, AuditLog.PRACTICE_READ, f"practice:{practice_id}")
    return found


async def earlier(work: Work, staff: Staff, *, of_team: bool = False) -> list[Practice]:
    """Return the latest practices: a person's own, or those of their team's other members."""
    own = Practice.trainee_id == staff.id
    rows = await work.session.scalars(
        _readable(staff)
        .where(and_(~own) if of_team else own)
        .order_by(Practice.started_at.desc())
        .limit(_SHOWN)
    )
    return list(rows)


async def of_call(work: Work, staff: Staff, call_id: UUID) -> Practice | None:
    """Return the practice of a call, if the person may see it."""
    statement = _readable(staff).where(Practice.call_id == call_id)
    found: Practice | None = await work.session.scalar(statement)
    return found


async def in_writing(work: Work, staff: Staff) -> Practice | None:
    """Return the practice in writing of a trainee that is going on."""
    found: Practice | None = await work.session.scalar(
        select(Practice).where(
            Practice.trainee_id == staff.id, Practice.written, Practice.ended_at.is_(None)
        )
    )
    return found


async def practice_of_call(work: Work, call_id: UUID) -> Practice | None:
    """Return the practice of a call, for jobs: nothing of it is shown."""
    return await work.session.scalar(select(Practice).where(Practice.call_id == call_id))


# -- starting ------------------------------------------------------------------------------------


async def start(
    work: Work, staff: Staff, name: str, language: str, *, written: bool = False
) -> Practice:
    """Ask the practice exchange to ring this trainee as a scripted child, or let one write.

    Raises NoPracticeExchange, NotFound, Invalid, TraineeNotFree, NoTelephone, AlreadyPractising.
    """
    if work.settings.practice_exchange is None:
        raise NoPracticeExchange()
    if name not in scenarios():
        raise NotFound("There is no such scenario.")
    if written and scenarios()[name].written is None:
        raise Invalid("This scenario is for a call. Choose one in which the child writes.")
    if language not in languages():
        raise Invalid("Choose a language of the scenarios.")
    if await finding_lines.any_line(work) is None:
        raise Conflict("No line is set up yet, so no call can come in.")
    await _end_stale(work, staff)
    await _check_free(work, staff, written=written)
    made = Practice(
        id=uuid4(),
        trainee_id=staff.id,
        team=staff.team,
        scenario=name,
        script=text_of(name),
        language=language,
        written=written,
        started_at=work.now,
    )
    work.session.add(made)
    await work.session.flush()
    write_entry(work, AuditLog.PRACTICE_STARTED, f"practice:{made.id}")
    if written:
        await writing.begin(work, made, script_of(made), staff, await line_of_practice(work))
    else:
        work.defer(Task.RING_PRACTICE, practice_id=str(made.id))
    work.announce(Topic.PRACTICES)
    return made


async def _check_free(work: Work, staff: Staff, *, written: bool) -> None:
    if await offers_held.has_anything(work, staff.id):
        raise TraineeNotFree()
    now = await presence.lock_presence(work, staff.id)
    if now.state not in _IDLE:
        raise TraineeNotFree()
    if not written and not await telephone_state.is_ready(work, staff, now):
        raise NoTelephone()


async def _end_stale(work: Work, staff: Staff) -> None:
    """End a practice whose call never came, or whose end was not heard of."""
    left = await work.session.scalar(
        select(Practice)
        .where(Practice.trainee_id == staff.id, Practice.ended_at.is_(None))
        .with_for_update()
    )
    if left is None:
        return
    call = await work.session.get(Call, left.call_id) if left.call_id else None
    gone = call is not None and CallState(call.state) is CallState.ENDED
    if not gone and (call is not None or work.now - left.started_at < _COMES_WITHIN):
        raise AlreadyPractising()
    await _end(work, left, call, None)
    await work.session.flush()


def caller_of(practice_id: UUID) -> str:
    """Return the address from which the scripted child of a practice rings."""
    return f"{CLIENT}{practice_id.hex}"


def practice_in(from_: str | None) -> UUID | None:
    """Return the practice that a caller's address names, or None for any other caller."""
    if not from_ or not from_.startswith(CLIENT):
        return None
    try:
        return UUID(hex=from_.removeprefix(CLIENT))
    except ValueError:
        return None


async def line_of_practice(work: Work) -> UUID:
    """Return the line of practice calls; the first such call creates it."""
    there: UUID | None = await work.session.scalar(select(Line.id).where(Line.number == LINE))
    if there is not None:
        return there
    beside = await finding_lines.any_line(work)
    assert beside is not None
    work.announce(Topic.LINES)
    await work.session.execute(
        insert(Line)
        .values(
            id=uuid4(),
            number=LINE,
            name=_NAME,
            country=beside.country,
            timezone=beside.timezone,
            practice=True,
            active=False,
            created_at=work.now,
        )
        .on_conflict_do_nothing(index_elements=["number"])
    )
    found = await work.session.scalar(select(Line.id).where(Line.number == LINE))
    assert found is not None
    return found


async def ring_trainee(
    work: Work, practice_id: UUID, call: Call, delivery: WebhookDelivery, answer: Answer
) -> bool:
    """Offer the call of a scripted child to its trainee. Return whether the trainee is free."""
    practice = await _lock(work, practice_id)
    if practice is None or practice.ended_at is not None or practice.call_id is not None:
        return False
    staff = await work.session.get(Staff, practice.trainee_id)
    held = await offers_held.has_anything(work, practice.trainee_id)
    now = await presence.lock_presence(work, practice.trainee_id)
    if staff is None or held or now.state not in _IDLE:
        await _end(work, practice, None, None)
        return False
    practice.call_id, call.rings_only_id = call.id, staff.id
    await record.enter_queue(
        work,
        call,
        language=practice.language,
        danger=False,
        priority=0,
        delivery=delivery,
        answer=answer,
    )
    if now.state == PresenceState.BREAK:
        now.after_call = PresenceState.BREAK.value
    await offers.open_offer(work, call, staff, now)
    work.announce(Topic.PRACTICES)
    return True


async def _lock(work: Work, practice_id: UUID) -> Practice | None:
    return await work.session.scalar(
        select(Practice)
        .where(Practice.id == practice_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


# -- during the talk -----------------------------------------------------------------------------


async def note_act(
    work: Work, staff: Staff, practice_id: UUID, act: CounsellorAct, topic: str | None, number: int
) -> Turn:
    """Note what the counsellor has just done; the child answers it. Raises NotFound, Invalid,
    ActNoted, PracticeOver.

    The trainee notes it, or a supervisor of the team. `number` is that of the next act as the
    writer sees the talk: a second click, or a second person at the same moment, notes nothing.
    """
    await find(work, staff, practice_id)
    practice = await _lock(work, practice_id)
    assert practice is not None
    scenario = script_of(practice)
    topic = topic if act in QUESTIONS else None
    if act in QUESTIONS and scenario.fact(topic) is None:
        raise Invalid("Choose what the question was about.")
    call = await work.session.get(Call, practice.call_id) if practice.call_id else None
    if call is None or CallState(call.state) is not CallState.CONNECTED or practice.ended_at:
        raise PracticeOver()
    moves = [one for one, _ in await acts_of(work, practice)]
    if number != len(moves) + 1:
        raise ActNoted()
    talk, _ = play(scenario, moves)
    if talk.ended is not None:
        raise PracticeOver()
    work.session.add(
        PracticeAct(
            practice_id=practice.id,
            number=number,
            at=work.now,
            by_id=staff.id,
            act=act.value,
            topic=topic,
        )
    )
    work.defer(Task.SAY_IN_PRACTICE, practice_id=str(practice.id), number=number)
    work.announce(Topic.PRACTICES)
    return talk.take(Move(act, topic))


def script_of(practice: Practice) -> Scenario:
    """Return the scenario as it was played."""
    found = read_scenario(practice.script, f"{practice.scenario}.yaml")
    return found.in_writing() if practice.written else found


async def acts_of(work: Work, practice: Practice) -> list[tuple[Move, PracticeAct]]:
    """Return the acts of a practice, in their order."""
    rows = await work.session.scalars(
        select(PracticeAct)
        .where(PracticeAct.practice_id == practice.id)
        .order_by(PracticeAct.number)
    )
    return [(Move(CounsellorAct(row.act), row.topic), row) for row in rows]


async def played(work: Work, practice: Practice) -> tuple[Talk, list[tuple[Turn, PracticeAct]]]:
    """Return how far a talk has come, and each turn with its row."""
    acts = await acts_of(work, practice)
    talk, turns = play(script_of(practice), [move for move, _ in acts])
    return talk, [(turn, row) for turn, (_, row) in zip(turns, acts, strict=False)]


# -- the end -------------------------------------------------------------------------------------


async def end(work: Work, call_id: UUID, told: dict[str, Any] | None) -> None:
    """Note that the call of a practice has ended, and what the exchange measured. May run twice."""
    found = await work.session.scalar(select(Practice.id).where(Practice.call_id == call_id))
    practice = await _lock(work, found) if found is not None else None
    if practice is None or practice.ended_at is not None:
        return
    call = await work.session.get(Call, call_id)
    await _end(work, practice, call, told)


async def end_without_call(work: Work, practice_id: UUID) -> None:
    """Note that the call of a practice did not come."""
    practice = await _lock(work, practice_id)
    if practice is not None and practice.ended_at is None and practice.call_id is None:
        await _end(work, practice, None, None)


async def _end(
    work: Work, practice: Practice, call: Call | None, told: dict[str, Any] | None
) -> None:
    talk, _ = await played(work, practice)
    practice.measured = told
    practice.ended_at = (call.ended_at if call is not None else None) or work.now
    practice.ended_how = _how(talk, call, told).value
    work.announce(Topic.PRACTICES)


def _how(talk: Talk, call: Call | None, told: dict[str, Any] | None) -> Ended:
    if call is None or call.answered_at is None:
        return Ended.NOT_ANSWERED
    if talk.ended is not None:
        return talk.ended
    if told is not None and told.get("left") == Ended.SILENCE:
        return Ended.SILENCE
    return Ended.COUNSELLOR if call.ended_by == EndedBy.COUNSELLOR else Ended.LOST


async def call_state(work: Work, practice: Practice) -> CallState | None:
    """Return the state of a practice's call; None if none has come yet."""
    call = await work.session.get(Call, practice.call_id) if practice.call_id else None
    return CallState(call.state) if call is not None else None


async def talk_began(work: Work, practice: Practice) -> datetime | None:
    """Return when trainee and child could first hear each other."""
    call = await work.session.get(Call, practice.call_id) if practice.call_id else None
    return call.answered_at if call is not None else None


def measured_of(practice: Practice) -> Measured | None:
    """Return how long each side spoke; None if no sound was carried."""
    return read_measured(practice.measured)


async def forget_old(ground: Ground) -> int:
    """Delete practices as old as the numbers of callers that are forgotten. Return how many."""
    before = ground.clock.now() - timedelta(days=ground.settings.number_retention_days)
    async with transaction(ground, PROGRAM) as work:
        old = select(Practice.id).where(Practice.started_at < before).limit(_AT_ONCE)
        gone = await work.session.execute(
            delete(Practice)
            .where(Practice.id.in_(old.scalar_subquery()))
            .returning(Practice.id)
            .execution_options(synchronize_session=False)
        )
        count = len(gone.all())
        if count:
            write_entry(work, AuditLog.PRACTICES_FORGOTTEN, "practices", count=count)
    return count


async def count_of(work: Work, staff: Staff) -> dict[str, int]:
    """Return how often a person has practised each scenario."""
    rows = await work.session.execute(
        select(Practice.scenario, func.count())
        .where(Practice.trainee_id == staff.id, Practice.ended_how != Ended.NOT_ANSWERED)
        .group_by(Practice.scenario)
    )
    return {str(name): int(number) for name, number in rows}
