"""Questions to a caller who cannot speak: asked on the desk, spoken, answered with a key."""

from uuid import UUID, uuid4

from sqlalchemy import select

from app.abilities import Ability
from app.calls import platform, record
from app.calls.asked import QUESTIONS
from app.calls.key_questions import questions_of as questions_of_line
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.models import Call, CallQuestion
from app.calls.states import QuestionState
from app.database.topics import Topic
from app.errors import Conflict, Invalid
from app.jobs.names import Task
from app.routing.participants import inviting
from app.staff.models import Staff
from app.work import Work


async def ask(work: Work, staff: Staff, call: Call, code: str) -> CallQuestion:
    """Speak a question of the line to the caller of a locked call. Raises Invalid, Conflict."""
    asked_here = questions_of_line(await finding_lines.line_of_id(work, call.line_id))
    if code not in asked_here:
        raise Invalid(
            "This line does not ask that. Choose one of: %(questions)s.", questions=asked_here
        )
    platform.need(work, Ability.ASK_BY_KEY)
    await inviting.talk_of(work, call)
    if call.held_at is not None:
        raise Conflict("The caller is on hold. Resume the talk first.")
    if await open_question(work, call.id) is not None:
        raise Conflict("Another question is being asked. Wait for the answer.")
    question = CallQuestion(
        id=uuid4(),
        call_id=call.id,
        code=code,
        state=QuestionState.ASKED.value,
        asked_by=staff.id,
        asked_at=work.now,
    )
    work.session.add(question)
    await work.session.flush()
    await record.record(work, call, CallLog.QUESTION_ASKED, question=code)
    work.defer(Task.ASK_CALLER, question_id=str(question.id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))
    return question


async def open_question(work: Work, call_id: UUID) -> CallQuestion | None:
    """Return the question that is being asked, if there is one."""
    found: CallQuestion | None = await work.session.scalar(
        select(CallQuestion).where(
            CallQuestion.call_id == call_id, CallQuestion.state == QuestionState.ASKED
        )
    )
    return found


async def questions_of(work: Work, call_id: UUID) -> list[CallQuestion]:
    """Return the questions that were asked in a call, in order."""
    rows = await work.session.scalars(
        select(CallQuestion)
        .where(CallQuestion.call_id == call_id)
        .order_by(CallQuestion.asked_at, CallQuestion.id)
    )
    return list(rows)


def answer_of(work: Work, question: CallQuestion) -> str | None:
    """Return what a caller answered; None if they pressed nothing, or it was erased."""
    sealed = question.answer_sealed
    if sealed is None:
        return None
    return work.keys.open(
        sealed, table="call_questions", column="answer_sealed", row=question.id
    ).decode()


async def settle(work: Work, call: Call, question: CallQuestion, answer: str | None) -> None:
    """Record the key that the caller pressed; None if they pressed none in time."""
    pressed = answer is not None
    question.state = (QuestionState.ANSWERED if pressed else QuestionState.UNANSWERED).value
    question.answered_at = work.now
    if answer is not None:
        question.answer_sealed = work.keys.seal(
            answer.encode(), table="call_questions", column="answer_sealed", row=question.id
        )
    # The log is for ever and not sealed: it does not say what was answered.
    await record.record(
        work, call, CallLog.QUESTION_ANSWERED, question=question.code, pressed=pressed
    )
    if answer is not None and answer in QUESTIONS[question.code].danger:
        call.danger = True
        work.defer(Task.NOTE_DANGER, question_id=str(question.id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.RECORDS)
