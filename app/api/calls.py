"""The JSON interface of the queue, the offers, the live call and the call records."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Select, select

from app.api.description import files
from app.api.views import (
    CallbackView,
    CallPage,
    CallView,
    EventView,
    OfferView,
    ParticipantView,
    QuestionView,
    TalkView,
    Waiting,
    call_view,
    callback_view,
    duty_view,
    event_view,
    participant_view,
    question_view,
    talk_view,
)
from app.calls import danger_words, messages, queries, record
from app.calls.lines import finding_lines
from app.calls.lines.line_rows import Line
from app.calls.models import Call
from app.calls.states import Outcome
from app.chats import ending, ringing
from app.errors import Invalid, NotAllowed
from app.referrals.replies import in_talk
from app.routing import in_hand, offers, places_in_queue, sound
from app.routing.callbacks import callback_attempts, callback_rows, callbacks
from app.routing.models import Offer
from app.routing.participants import (
    actions,
    calls_for_help,
    inviting,
    moving,
    participants,
    questions,
    supervising,
)
from app.routing.participants.participants import Mode
from app.routing.supervision import supervised
from app.staff import accounts
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import EndpointKind, Staff
from app.staff.roles import Permission
from app.web.access import HearsMessages, InWork, Requires, SeesQueue, SignedIn, TakesCalls
from app.web.keyed_answers import may_read_answers
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["calls"], route_class=StrictRoute)
Supervises = Annotated[Staff, Depends(Requires(Permission.SUPERVISE), scope="function")]


@router.get("/queue")
async def get_queue(work: InWork, staff: SeesQueue) -> list[Waiting]:
    """Return the waiting calls in the order in which they will be served."""
    reads = danger_words.may_read(staff.role)
    return [
        Waiting(
            id=w.id,
            line=w.line,
            language=w.language,
            priority=w.priority,
            waiting_seconds=max(0, int((work.now - w.queued_at).total_seconds())),
            danger=w.danger,
            returned=w.returned,
            being_offered=w.being_offered,
            channel=w.channel,
            alarming=w.alarming,
            danger_words=danger_words.opened(work, w.id, w.danger_words_sealed) if reads else "",
        )
        for w in await places_in_queue.waiting_calls(work)
    ]


@router.get("/offers/mine")
async def my_offers(work: InWork, staff: TakesCalls) -> list[OfferView]:
    """Return the offer that rings for you or the call that you hold, and the conversations that are
    offered to you. `GET /chats/mine` has those that you took."""
    found = await in_hand.read_in_hand(work, staff)
    rings = [offer_view(work, found.offer, found.call, found.line, staff)] if found.call else []
    return rings + [
        offer_view(work, one.offer, one.call, one.line, staff)
        for one in await in_hand.conversations_of(work, staff)
        if one.is_offered
    ]


def offer_view(work: Work, offer: Offer | None, call: Call, line: str, staff: Staff) -> OfferView:
    assert offer is not None
    waited = (call.answered_at or work.now) - (call.queued_at or call.opened_at)
    return OfferView(
        id=offer.id,
        call_id=call.id,
        state=offer.state,
        channel=call.channel,
        slot=offer.slot,
        line=line,
        language=call.language or "",
        danger=call.danger,
        alarming=call.alarming,
        danger_words=danger_words.opened(work, call.id, call.danger_words_sealed),
        returned=call.returned > 0,
        waiting_seconds=max(0, int(waited.total_seconds())),
        seconds_left=max(0, int((offer.expires_at - work.now).total_seconds())),
        endpoint=EndpointKind.PHONE if offer.second_at is not None else staff.endpoint_kind,
    )


@router.post("/offers/{offer_id}/accept")
async def accept_offer(work: InWork, staff: TakesCalls, offer_id: UUID) -> OfferView:
    """Accept the call or conversation. 409 OfferNoLongerOpen if another counsellor has it or the
    caller is gone. A conversation is a talk at once."""
    call, offer = await offers.own_offer(work, offer_id, staff.id)
    await ending.accept(work, call, offer)
    line = await finding_lines.line_of_id(work, call.line_id)
    return offer_view(work, offer, call, line.name if line else "", staff)


@router.post("/offers/{offer_id}/decline", status_code=204)
async def decline_offer(work: InWork, staff: TakesCalls, offer_id: UUID) -> None:
    """Decline the offer. The call is offered to the next counsellor."""
    call, offer = await offers.own_offer(work, offer_id, staff.id)
    await offers.decline_offer(work, call, offer)


def _readable(staff: Staff) -> Select[Any]:
    return queries.readable_calls(staff, in_hand.own_calls(staff))


async def _line_names(work: Work) -> dict[UUID | None, str]:
    return dict((await work.session.execute(select(Line.id, Line.name))).all())


@router.get("/calls")
async def list_calls(
    work: InWork,
    staff: SignedIn,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    outcome: str | None = None,
    line: str | None = None,
    cursor: str | None = None,
) -> CallPage:
    """List call records, newest first, from `from` until before `to`."""
    if outcome is not None and outcome not in set(Outcome):
        raise Invalid(
            "There is no such outcome. Choose one of: %(outcomes)s.", outcomes=list(Outcome)
        )
    for at in (since, until):
        if at is not None and at.tzinfo is None:
            raise Invalid("Give times with their zone, for example 2026-11-24T08:00:00+01:00.")
    calls, following = await queries.list_calls(
        work,
        _readable(staff),
        since=since,
        until=until,
        outcome=outcome,
        line=line,
        cursor=cursor,
    )
    names = await _line_names(work)
    return CallPage(
        calls=[call_view(call, names.get(call.line_id)) for call in calls], next_cursor=following
    )


@router.get("/calls/{call_id}")
async def get_call(work: InWork, staff: SignedIn, call_id: UUID) -> CallView:
    """Return one call record. The reading is logged."""
    call = await queries.readable_call(work, _readable(staff), call_id)
    write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    return call_view(call, (await _line_names(work)).get(call.line_id))


@router.get("/calls/{call_id}/events")
async def get_events(work: InWork, staff: SignedIn, call_id: UUID) -> list[EventView]:
    """Return the log of a call. The reading is logged."""
    call = await queries.readable_call(work, _readable(staff), call_id)
    write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    return [event_view(one, one.detail) for one in await queries.events_of(work, call)]


@router.post("/calls/{call_id}/hold", status_code=204)
async def hold(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """Hold the call. The caller hears a comforting message until it is resumed."""
    await in_hand.set_hold(work, staff, call_id, True)


@router.post("/calls/{call_id}/resume", status_code=204)
async def resume(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """Resume a held call."""
    await in_hand.set_hold(work, staff, call_id, False)


@router.post("/calls/{call_id}/hang-up", status_code=204)
async def hang_up(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """End the talk. Only a connected call can be ended by a member of staff."""
    await in_hand.end_talk(work, staff, call_id)


class TransferIn(BaseModel):
    # Exactly one of the three. A transfer to a skill is always cold.
    counsellor_id: UUID | None = None
    number: Annotated[str, Field(max_length=40)] | None = None
    skills: list[Annotated[str, Field(max_length=60)]] = Field(default=[], max_length=10)
    warm: bool = True


class AddIn(BaseModel):
    number: Annotated[str, Field(max_length=40)]
    role: Annotated[str, Field(max_length=40)] = "other"


@router.post("/calls/{call_id}/transfer", status_code=202)
async def transfer(
    work: InWork, staff: TakesCalls, call_id: UUID, body: TransferIn
) -> dict[str, UUID | None]:
    """Transfer to a colleague, a skill or a number outside. Warm: the caller is held meanwhile.

    If the colleague cannot be reached, the talk goes on.
    """
    call = await in_hand.lock_in_hand(work, staff, call_id)
    if body.skills:
        if body.counsellor_id is not None or body.number is not None:
            raise Invalid("Choose exactly one: a colleague, a number or a skill.")
        await inviting.to_skill(work, call, body.skills)
        return {"participant_id": None}
    ask = inviting.consult if body.warm else inviting.transfer
    participant = await ask(work, staff, call, staff_id=body.counsellor_id, number=body.number)
    return {"participant_id": participant.id if participant else None}


@router.post("/calls/{call_id}/add", status_code=202)
async def add(work: InWork, staff: TakesCalls, call_id: UUID, body: AddIn) -> dict[str, UUID]:
    """Add a third party by phone: police, outreach, an interpreter. They press 1 to join."""
    call = await in_hand.lock_in_hand(work, staff, call_id)
    participant = await inviting.add_third_party(work, staff, call, body.number, body.role)
    return {"participant_id": participant.id}


@router.get("/calls/{call_id}/participants")
async def who_is_in(work: InWork, staff: TakesCalls, call_id: UUID) -> list[ParticipantView]:
    """Return the other participants who are ringing or in the talk."""
    call = await in_hand.lock_in_hand(work, staff, call_id)
    found = await participants.live_participants(work, call.id)
    names = await accounts.names_of(work, {p.staff_id for p in found if p.staff_id})
    views = [participant_view(p, names) for p in found if p.owner_offer_id is None]
    return views + [duty_view(one) for one in await in_talk.duty_in_talk(work, call.id)]


@router.post("/calls/{call_id}/participants/{participant_id}/{action}", status_code=204)
async def change_participant(
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    participant_id: UUID,
    action: Literal["complete", "together", "drop"],
) -> None:
    """Hand the talk over to a participant, talk all together, or drop the participant."""
    if action == "drop":
        call = await record.lock_call(work, call_id)
        await in_talk.drop(work, staff, call, participant_id)
        return
    call = await in_hand.lock_in_hand(work, staff, call_id)
    if action == "complete":
        await actions.complete(work, call, participant_id)
    else:
        await actions.together(work, call)


@router.post("/calls/{call_id}/mute", status_code=204)
async def mute(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """Mute the counsellor."""
    await _mute(work, staff, call_id, True)


@router.post("/calls/{call_id}/unmute", status_code=204)
async def unmute(work: InWork, staff: TakesCalls, call_id: UUID) -> None:
    """Unmute the counsellor."""
    await _mute(work, staff, call_id, False)


async def _mute(work: Work, staff: Staff, call_id: UUID, muted: bool) -> None:
    call = await in_hand.lock_in_hand(work, staff, call_id)
    await sound.set_mute(work, call, await inviting.talk_of(work, call), muted)


@router.post("/calls/{call_id}/call-for-help")
async def call_for_help(work: InWork, staff: TakesCalls, call_id: UUID) -> dict[str, bool]:
    """Call a supervisor into the talk now. The response says whether one is being rung."""
    call = await in_hand.lock_in_hand(work, staff, call_id)
    return {"rings": await calls_for_help.call_for_help(work, staff, call)}


@router.get("/talks")
async def talks(work: InWork, staff: Supervises) -> list[TalkView]:
    """Return the live talks."""
    return [talk_view(one, work.now) for one in await supervised.live_talks(work, staff)]


async def _supervise(work: Work, staff: Staff, call_id: UUID, mode: Mode) -> dict[str, UUID]:
    call = await record.lock_call(work, call_id)
    return {"participant_id": (await supervising.supervise(work, staff, call, mode)).id}


@router.post("/calls/{call_id}/listen", status_code=202)
async def listen(work: InWork, staff: Supervises, call_id: UUID) -> dict[str, UUID]:
    """Listen in: the supervisor hears both and is not heard."""
    return await _supervise(work, staff, call_id, Mode.LISTEN)


@router.post("/calls/{call_id}/whisper", status_code=202)
async def whisper(work: InWork, staff: Supervises, call_id: UUID) -> dict[str, UUID]:
    """Whisper: only the counsellor hears the supervisor."""
    return await _supervise(work, staff, call_id, Mode.WHISPER)


@router.post("/calls/{call_id}/barge", status_code=202)
async def barge(work: InWork, staff: Supervises, call_id: UUID) -> dict[str, UUID]:
    """Barge in: the supervisor talks with both."""
    return await _supervise(work, staff, call_id, Mode.TALK)


@router.post("/calls/{call_id}/take-over", status_code=204)
async def take_over(work: InWork, staff: Supervises, call_id: UUID) -> None:
    """Take the talk over. The supervisor must be in it."""
    await moving.take_over(work, staff, call_id)


class MoveIn(BaseModel):
    counsellor_id: UUID


@router.post("/calls/{call_id}/move", status_code=202)
async def move(work: InWork, staff: Supervises, call_id: UUID, body: MoveIn) -> None:
    """Ask a colleague into the talk, which is theirs as soon as they are in."""
    await moving.move_talk(work, staff, call_id, body.counsellor_id)


class CallbackIn(BaseModel):
    since: datetime = Field(alias="from")
    until: datetime
    who: callback_rows.Who = callback_rows.Who.CALLER
    # The caller has said that it is safe to call.
    safe: bool
    # In a conversation that you have: the message (its `number`) with the telephone number that the
    # child wrote. Without it, the number from which the child writes is meant.
    message: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


@router.post("/calls/{call_id}/callback", status_code=201)
async def agree_callback(
    work: InWork, staff: TakesCalls, call_id: UUID, body: CallbackIn
) -> dict[str, UUID]:
    """Agree on a call-back: when, who may answer, and that it is safe to call.

    It is made to the number from which the caller rings or the child writes, or with `message` to
    one that the child wrote.
    """
    await queries.readable_call(work, in_hand.known_callers(staff), call_id)
    for at in (body.since, body.until):
        if at.tzinfo is None:
            raise Invalid("Give times with their zone, for example 2026-11-24T08:00:00+01:00.")
    window = (body.since, body.until)
    if body.message is None:
        call = await record.lock_call(work, call_id)
        made = await ringing.agree_known(work, call, body.who, window, safe=body.safe)
    else:
        call, number = await ringing.given_number(work, staff, call_id, body.message)
        made = await ringing.agree(work, call, number, body.who, window, safe=body.safe)
    return {"id": made.id}


@router.get("/callbacks")
async def list_callbacks(work: InWork, staff: TakesCalls) -> list[CallbackView]:
    """List the open call-backs, the next one first."""
    return [
        callback_view(row, line, work.now)
        for row, line, _ in await callbacks.open_callbacks(work, staff.team)
    ]


class SaidIn(BaseModel):
    said: callbacks.WhoAnswered


@router.post("/callbacks/{callback_id}/say", status_code=204)
async def say_who_answered(
    work: InWork, staff: TakesCalls, callback_id: UUID, body: SaidIn
) -> None:
    """Say who answered a call-back: the child, another person, or no person. Until then the
    number is kept, but not rung."""
    await callback_attempts.say(work, staff, callback_id, body.said)


@router.post("/callbacks/{callback_id}/again", status_code=204)
async def call_back_again(work: InWork, staff: TakesCalls, callback_id: UUID) -> None:
    """Start a call-back again that was given up."""
    await callback_attempts.start_again(work, staff, callback_id)


class QuestionIn(BaseModel):
    question: Annotated[str, Field(max_length=40)]


@router.post("/calls/{call_id}/questions", status_code=202)
async def ask_by_key(
    work: InWork, staff: TakesCalls, call_id: UUID, body: QuestionIn
) -> QuestionView:
    """Speak a question to a caller who cannot speak; they answer it with a key."""
    call = await in_hand.lock_in_hand(work, staff, call_id)
    return question_view(await questions.ask(work, staff, call, body.question))


@router.get("/calls/{call_id}/questions")
async def questions_by_key(work: InWork, staff: SignedIn, call_id: UUID) -> list[QuestionView]:
    """Return the questions that were asked in a call, and the key that was pressed.

    For the counsellor who has the call, and those who may read its record: their reading is logged.
    """
    await queries.readable_call(work, _readable(staff), call_id)
    if not await may_read_answers(work, staff, call_id):
        raise NotAllowed("Only those who may read the record of this call may read the answers.")
    if not await in_hand.has_in_hand(work, staff, call_id):
        write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    asked = await questions.questions_of(work, call_id)
    return [question_view(one, questions.answer_of(work, one)) for one in asked]


@router.post("/callbacks/{callback_id}/cancel", status_code=204)
async def cancel_callback(work: InWork, staff: TakesCalls, callback_id: UUID) -> None:
    """Cancel a call-back, or close one that was given up."""
    await callbacks.cancel(work, staff, callback_id)


@router.get("/voice-messages/{message_id}", **files("audio/*"))
async def voice_message(work: InWork, staff: HearsMessages, message_id: UUID) -> Response:
    """Return the audio of a voice message. Opening it is logged."""
    audio, kind = await messages.open_message(work, staff, message_id)
    return Response(audio, media_type=kind, headers={"Cache-Control": "no-store"})


@router.post("/voice-messages/{message_id}/take", status_code=204)
async def take_message(work: InWork, staff: HearsMessages, message_id: UUID) -> None:
    """Take responsibility for a voice message."""
    await messages.take(work, staff, message_id)


@router.post("/voice-messages/{message_id}/done", status_code=204)
async def message_done(work: InWork, staff: HearsMessages, message_id: UUID) -> None:
    """Mark a voice message as done: heard, and followed up."""
    await messages.mark_heard(work, staff, message_id)
