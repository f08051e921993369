"""A caller who cannot speak hears a question and answers it with a key.

A conference cannot collect keys, so the caller is moved out of it for the question and back in
afterwards, while the counsellor stays in.
"""

import contextlib
from uuid import UUID

from procrastinate import JobContext

from app.calls import record
from app.calls.asked import QUESTIONS
from app.calls.log_kinds import CallLog
from app.calls.models import Call, CallQuestion
from app.calls.record import WebhookDelivery
from app.calls.speech import LineScript
from app.calls.states import CallState, QuestionState
from app.contacts import contacts
from app.definitions.risk import Urgency
from app.errors import Refusal
from app.jobs.names import Task
from app.outbox.responses import Refused
from app.routing import offers
from app.routing.models import OfferState
from app.routing.participants import questions
from app.telephony import answers
from app.telephony.answers import Answer
from app.telephony.inbound.deciding import Decision, go_back
from app.telephony.jobs import parts_of, task
from app.telephony.provider.urls import call_path
from app.work import Work

# How many times a question is spoken to a caller who presses no key.
_TIMES = 2


@task(Task.ASK_CALLER)
async def ask_caller(context: JobContext, question_id: str) -> None:
    """Move the caller out of the conference to a question; the conference goes on."""
    parts = parts_of(context)
    async with parts.work() as work:
        question = await work.session.get(CallQuestion, UUID(question_id))
        if question is None or question.state != QuestionState.ASKED:
            return
        call = await record.lock_call(work, question.call_id)
        offer = await offers.live_offer_of_call(work, call.id)
        talks = offer is not None and offer.state == OfferState.CONNECTED
        if not talks or CallState(call.state) is not CallState.CONNECTED:
            await questions.settle(work, call, question, None)
            return
        assert offer is not None
        assert call.provider_sid is not None
        sid, conference, name = call.provider_sid, offer.conference_sid, str(offer.room)
    conference = conference or await parts.platform.find_conference(name)
    try:
        if conference is None:
            raise Refused("no such conference", status=404)
        await parts.platform.set_end_on_exit(conference, sid, ends=False)
        await parts.platform.move(sid, call_path(call.id, "question", q=question_id, n=1))
    except Refused:
        async with parts.work() as work:
            call = await record.lock_call(work, call.id)
            question = await work.session.get(CallQuestion, UUID(question_id))
            if question is not None and question.state == QuestionState.ASKED:
                await questions.settle(work, call, question, None)


def question(question_id: UUID, digits: str | None, n: int) -> Decision:
    """Ask the question or take the key, then return the caller to the counsellor."""

    async def decision(
        work: Work, call: Call, delivery: WebhookDelivery, line: LineScript
    ) -> Answer:
        asked = await work.session.get(CallQuestion, question_id, with_for_update=True)
        heard = False
        if asked is not None and asked.call_id == call.id and asked.state == QuestionState.ASKED:
            pressed = QUESTIONS[asked.code].answers.get(digits or "")
            if pressed is None and n <= _TIMES:
                again = answers.AskByKey(code=asked.code, question_id=question_id, n=n + 1)
                await record.record(
                    work,
                    call,
                    CallLog.QUESTION_SPOKEN,
                    delivery=delivery,
                    answer=again,
                    language=call.language,
                )
                return again
            await questions.settle(work, call, asked, pressed)
            heard = pressed is not None
        answer = await _back(work, call, heard)
        await record.record(
            work,
            call,
            CallLog.QUESTION_OVER,
            delivery=delivery,
            answer=answer,
            language=call.language,
        )
        return answer

    return decision


async def _back(work: Work, call: Call, heard: bool) -> Answer:
    offer = await offers.live_offer_of_call(work, call.id)
    if CallState(call.state) is CallState.ENDED:
        return answers.Goodbye()
    if offer is not None and offer.state == OfferState.CONNECTED:
        return answers.QuestionOver(offer_id=offer.room, heard=heard)
    # The counsellor's line was lost meanwhile.
    call.entries += 1
    return go_back(call)


@task(Task.NOTE_DANGER)
async def note_danger(context: JobContext, question_id: str) -> None:
    """Set the urgency of the contact after a key that means danger, if none was decided."""
    async with parts_of(context).work() as work:
        question = await work.session.get(CallQuestion, UUID(question_id))
        assert question is not None
        with contextlib.suppress(Refusal):
            await contacts.decide_by_key(
                work, question.call_id, Urgency.IMMEDIATE, QUESTIONS[question.code].words
            )
