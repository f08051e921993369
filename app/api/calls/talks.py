"""The JSON interface of the talk that a counsellor has."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.calls.call_records import readable_by
from app.api.views import ParticipantView, QuestionView, duty_view, participant_view, question_view
from app.calls import queries, record
from app.errors import Invalid, NotAllowed
from app.referrals.replies import in_talk
from app.routing import in_hand, sound
from app.routing.participants import actions, calls_for_help, inviting, participants, questions
from app.staff import accounts
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.web.access import InWork, SignedIn, TakesCalls
from app.web.keyed_answers import may_read_answers
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["calls"], route_class=StrictRoute)


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
    await queries.readable_call(work, readable_by(staff), call_id)
    if not await may_read_answers(work, staff, call_id):
        raise NotAllowed("Only those who may read the record of this call may read the answers.")
    if not await in_hand.has_in_hand(work, staff, call_id):
        write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    asked = await questions.questions_of(work, call_id)
    return [question_view(one, questions.answer_of(work, one)) for one in asked]
