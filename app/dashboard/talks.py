"""Actions on a live talk from the desk: bring in, hand over, drop, listen, call for help."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from app.calls import platform, record
from app.calls.models import Call
from app.dashboard.desk_values import desk_fragment
from app.dashboard.skill_choices import LEVELS, read_choices
from app.dashboard.templating import templates
from app.errors import Invalid, Refusal
from app.people import finding
from app.referrals.replies import in_talk
from app.routing import in_hand, sound, telephones
from app.routing.callbacks import callback_attempts, callbacks
from app.routing.participants import (
    actions,
    calls_for_help,
    inviting,
    moving,
    participants,
    questions,
    supervising,
)
from app.routing.participants.participants import ROLES, Mode
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import _, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
Supervises = Annotated[Staff, reader_with(Permission.SUPERVISE)]
Text = Annotated[str, Form(max_length=80)]


@router.get("/board/calls/{call_id}/ask")
async def ask_form(request: Request, work: InWork, staff: TakesCalls, call_id: UUID) -> Response:
    """Show the colleagues who can be brought into the talk now."""
    await in_hand.call_in_hand(work, staff, call_id)
    call = await work.session.get_one(Call, call_id)
    written = call.is_written
    free = moving.free_writers if written else moving.free_colleagues
    values = {
        "call_id": call_id,
        "roles": ROLES,
        # No person can be rung into a conversation in writing.
        "can": platform.IN_WRITING if written else platform.can_in_talk(work.settings),
        "colleagues": await free(work, staff),
        "known_skills": await finding.known_skills(work),
        "levels": LEVELS,
    }
    return templates.TemplateResponse(request, "fragments/desk/ask.html", values)


@router.post("/board/calls/{call_id}/ask")
async def ask(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    how: Annotated[Literal["warm", "cold", "third_party", "skill"], Form()],
    who: Text = "",
    number: Text = "",
    role: Text = "other",
    skills: Text = "",
    level: Text = "",
) -> Response:
    """Bring a participant into the talk, or send the caller on."""

    async def verb() -> None:
        call = await in_hand.lock_in_hand(work, staff, call_id)
        staff_id, outside = _colleague(who), number.strip() or None
        match how:
            case "skill":
                wanted = {"more_skills": skills, "more_level": level}
                await inviting.to_skill(work, call, read_choices(wanted))
            case "third_party":
                await inviting.add_third_party(work, staff, call, number, role)
            case "warm":
                await inviting.consult(work, staff, call, staff_id=staff_id, number=outside)
            case "cold":
                await inviting.transfer(work, staff, call, staff_id=staff_id, number=outside)

    return await _desk_after(request, work, staff, verb)


def _colleague(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Invalid("Choose a colleague from the list.") from None


@router.post("/board/calls/{call_id}/participants/{participant_id}/{action}")
async def change(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    participant_id: UUID,
    action: Literal["complete", "together", "drop"],
) -> Response:
    """Hand the talk over, let all talk together, or drop a participant."""

    async def verb() -> None:
        call = await in_hand.lock_in_hand(work, staff, call_id)
        match action:
            case "complete":
                await actions.complete(work, call, participant_id)
            case "together":
                await actions.together(work, call)
            case "drop":
                await in_talk.drop(work, staff, call, participant_id)

    return await _desk_after(request, work, staff, verb)


@router.post("/board/calls/{call_id}/by-key/{code}")
async def ask_by_key(
    request: Request, work: InWork, staff: TakesCalls, call_id: UUID, code: str
) -> Response:
    """Ask a spoken question that the caller answers with a key."""

    async def verb() -> None:
        call = await in_hand.lock_in_hand(work, staff, call_id)
        await questions.ask(work, staff, call, code)

    return await _desk_after(request, work, staff, verb)


@router.post("/board/callbacks/{callback_id}/{said}")
async def who_answered(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    callback_id: UUID,
    said: callbacks.WhoAnswered,
) -> Response:
    """Record who answered a call-back."""
    return await _desk_after(
        request, work, staff, lambda: callback_attempts.say(work, staff, callback_id, said)
    )


@router.post("/board/calls/{call_id}/{action}")
async def mute_or_call_for_help(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    action: Literal["mute", "unmute", "call-for-help", "hold", "resume", "hang-up"],
) -> Response:
    """Hold, resume, mute, hang up, or call a supervisor into the talk."""
    rings = True

    async def verb() -> None:
        nonlocal rings
        if action == "hang-up":
            await in_hand.end_talk(work, staff, call_id)
            return
        if action in ("hold", "resume"):
            await in_hand.set_hold(work, staff, call_id, action == "hold")
            return
        call = await in_hand.lock_in_hand(work, staff, call_id)
        if action == "call-for-help":
            rings = await calls_for_help.call_for_help(work, staff, call)
        else:
            talk = await inviting.talk_of(work, call)
            await sound.set_mute(work, call, talk, action == "mute")

    none_rung = _(
        "No supervisor can be called now. A red bar on every supervisor's page shows that you need "
        "one."
    )
    return await _desk_after(request, work, staff, verb, lambda: "" if rings else none_rung)


async def _desk_after(
    request: Request, work: Work, staff: Staff, verb: Any, then: Any = lambda: ""
) -> Response:
    """Run the action and return the desk, with the refusal if there is one."""
    try:
        await verb()
        notice = then()
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
    return await desk_fragment(request, work, staff, notice)


# -- for supervisors --------------------------------------------------------------------------


async def talks_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return the live talks, and how the supervisor takes part in each."""
    talks = await supervised.live_talks(work, staff)
    mine = await participants.own_in(work, staff.id, [talk.call.id for talk in talks])
    return {
        "talks": [(talk, mine.get(talk.call.id)) for talk in talks],
        "now": work.now,
        "can": platform.can_in_talk(work.settings),
        "telephones": await telephones.not_ready(work),
        "colleagues": await moving.free_colleagues(work, staff) if talks else [],
        "writers": await moving.free_writers(work, staff)
        if any(talk.written for talk in talks)
        else [],
    }


@router.post("/board/talks/{call_id}/{mode}")
async def supervise(
    request: Request,
    work: InWork,
    staff: Supervises,
    call_id: UUID,
    mode: Literal["listen", "whisper", "barge", "leave"],
) -> Response:
    """Listen, whisper, join, or leave again."""
    notice = ""
    try:
        call = await record.lock_call(work, call_id)
        if mode == "leave":
            for participant in await participants.live_participants(work, call_id):
                if participant.staff_id == staff.id:
                    await actions.drop(work, staff, call, participant.id)
        else:
            chosen = Mode.TALK if mode == "barge" else Mode(mode)
            await supervising.supervise(work, staff, call, chosen)
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
    await work.session.flush()
    values = {**await talks_values(work, staff), "staff": staff, "notice": notice}
    return templates.TemplateResponse(request, "fragments/team/talks.html", values)
