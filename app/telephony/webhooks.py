"""The addresses that the provider calls. Always a document; only a bad signature is refused."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from app.calls.models import Prompt
from app.errors import NotFound, Refusal
from app.jobs.transaction import run_verb, transaction
from app.log import log
from app.routing import offers
from app.telephony import (
    alarm_calls,
    arriving,
    asking_by_key,
    call_back,
    counsellor_flow,
    deciding,
    dial_bridge,
    dialling,
    duty,
    endings,
    message_flow,
    own_phone,
    partner_flow,
    party_flow,
    script,
    talking,
    waiting,
)
from app.telephony.documents import document, message_document
from app.telephony.script import Answer, Scene, Step
from app.telephony.signature import Signed, SignedRequest, read_number
from app.telephony.sounds import waiting_sound
from app.work import PROGRAM, PROVIDER, Ground, Work

router = APIRouter(prefix="/telephony", tags=["telephony"], include_in_schema=False)

T = TypeVar("T")
# Seconds that a decision may take; the provider asks again a little later.
_PATIENCE = 4.0

Asked = Callable[[Work], Awaitable[tuple[Answer, Scene | None]]]


def ground_of(request: Request) -> Ground:
    ground: Ground = request.app.state.ground
    return ground


def _number(text: str | None, default: int = 0) -> int:
    number = read_number(text or "")
    return default if number is None else number


async def _speak(request: Request, signed: Signed, asked: Asked) -> Response:
    """Decide in one transaction, commit, then answer.

    Whatever fails (a stopped database above all), the caller hears that we are still
    there, and the same question is asked again a few seconds later.
    """
    ground = ground_of(request)
    try:
        answer, scene = await _in_time(run_verb(ground, PROVIDER, asked))
        if scene is not None:
            return document(script.steps_for(answer, scene), ground.settings)
    except Refusal as refusal:
        # Signed, and about something that we do not have: from the beginning, then.
        log().warning("a webhook was not understood", area="telephony", kind=type(refusal).__name__)
        return document(script.trouble_steps("/telephony/voice"), ground.settings)
    except Exception as error:  # a child is on the line: an HTTP error would drop the call
        log().error(
            "a webhook failed",
            area="telephony",
            exception_type=type(error).__name__,
            path=request.scope["path"][-24:],
        )
    return document(script.trouble_steps(_again(signed)), ground.settings)


async def _in_time(deciding: Coroutine[Any, Any, T]) -> T:
    """The decision, or TimeoutError: a database that hangs must not outlast the provider's
    patience of fifteen seconds. What is still under way then is let go, not waited for."""
    task = asyncio.ensure_future(deciding)
    done, _ = await asyncio.wait({task}, timeout=_PATIENCE)
    if not done:
        task.cancel()
        task.add_done_callback(lambda t: t.cancelled() or t.exception())
        raise TimeoutError
    return task.result()


def _again(signed: Signed) -> str:
    path = signed.path_and_query
    if "again=" in path:
        return path
    path += ("&" if "?" in path else "?") + "again=1"
    if "DialCallStatus" in signed.fields:
        # Asked for again, a document is not told how the dial went.
        result = dialling.dial_result(signed)
        path += f"&status={result.status.value}&seconds={result.seconds}"
    return path


async def _note(request: Request, verb: Callable[[Work], Awaitable[Any]]) -> Response:
    """Take a callback; an error answer makes the provider send it again."""
    try:
        await _in_time(run_verb(ground_of(request), PROVIDER, verb))
    except NotFound:
        return Response(status_code=204)
    except Exception as error:
        log().error(
            "a callback failed",
            area="telephony",
            exception_type=type(error).__name__,
            path=request.scope["path"][-24:],
        )
        return Response(status_code=503)
    return Response(status_code=204)


# -- the number's own addresses ----------------------------------------------------------


@router.post("/voice")
async def voice(request: Request, signed: SignedRequest) -> Response:
    """A child rings."""
    if not signed.call_sid:
        return document(script.trouble_steps("/telephony/voice"), ground_of(request).settings)
    return await _speak(request, signed, lambda work: arriving.ring(work, signed))


@router.post("/voice/fallback")
async def fallback(request: Request, signed: SignedRequest) -> Response:
    """The provider got no document from us: comfort, and on from where the caller was."""
    ground = ground_of(request)
    path: str | None = "/telephony/voice/fallback"
    try:
        resuming = run_verb(ground, PROGRAM, lambda work: endings.resume(work, signed), tries=1)
        path = await _in_time(resuming)
    except Exception as error:  # works without our database
        log().error(
            "fallback without database", area="telephony", exception_type=type(error).__name__
        )
    return document(script.trouble_steps(path or "/telephony/voice"), ground.settings)


@router.post("/status")
async def status(request: Request, signed: SignedRequest) -> Response:
    """How the caller's leg ended."""
    if not signed.call_sid:
        return Response(status_code=204)
    return await _note(request, lambda work: endings.number_status(work, signed))


# -- the caller --------------------------------------------------------------------------


async def _decide(
    request: Request, signed: Signed, call_id: UUID, key: str, decision: deciding.Decision
) -> Response:
    return await _speak(
        request, signed, lambda work: deciding.decide(work, call_id, signed, key, decision)
    )


def _entry_and_step(request: Request) -> tuple[int, int]:
    entry, _, step = request.query_params.get("n", "").partition(".")
    return _number(entry), _number(step)


@router.post("/calls/{call_id}/wait")
async def wait(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Comfort and place, each time the words have run out."""
    entry, step = _entry_and_step(request)
    key = f"wait:{call_id}:{entry}.{step}"
    return await _decide(request, signed, call_id, key, waiting.wait(entry, step))


@router.post("/calls/{call_id}/menu")
async def menu(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """The language, the danger digit, or silence."""
    n = _number(request.query_params.get("n"), 1)
    again = "again" in request.query_params
    digits = signed.fields.get("Digits")
    key = f"menu:{call_id}:{n}" + (":again" if again and digits is None else "")
    return await _decide(request, signed, call_id, key, arriving.menu(digits, n, asked_again=again))


@router.post("/calls/{call_id}/blocked")
async def blocked(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """A caller who was flagged pressed the danger digit, or nothing."""
    n = _number(request.query_params.get("n"), 1)
    digits = signed.fields.get("Digits")
    return await _decide(
        request, signed, call_id, f"blocked:{call_id}:{n}", arriving.blocked(digits)
    )


@router.post("/calls/{call_id}/callback")
async def callback_question(
    request: Request, signed: SignedRequest, call_id: UUID, q: str, n: str, w: str = "caller"
) -> Response:
    """An answer to one of the questions about a call-back."""
    question = q if q in ("wanted", "safe", "who", "when") else "safe"
    entry, _, step = n.partition(".")
    place = f"{_number(entry)}.{_number(step)}"
    key = f"callback:{call_id}:{place}:{question}"
    decision = waiting.callback(signed.fields.get("Digits"), place, question, w)
    return await _decide(request, signed, call_id, key, decision)


@router.post("/calls/{call_id}/question")
async def question(
    request: Request, signed: SignedRequest, call_id: UUID, q: UUID, n: str = "1"
) -> Response:
    """A question to a caller who cannot speak, and the key they press."""
    digits, attempt = signed.fields.get("Digits"), _number(n, 1)
    key = f"question:{q}:{attempt}:{'key' if digits else 'silence'}"
    decision = asking_by_key.question(q, digits, attempt)
    return await _decide(request, signed, call_id, key, decision)


@router.post("/calls/{call_id}/partner")
async def partner(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """What a partner hears who lifts the phone, and what they press."""
    n = _number(request.query_params.get("n"))
    return await _beside(request, lambda work: partner_flow.partner_asked(work, call_id, signed, n))


@router.post("/calls/{call_id}/partner-left")
async def partner_left(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """The partner hung up, or did not take the caller."""
    n = _number(request.query_params.get("n"))
    decision = partner_flow.partner_left(signed)
    return await _decide(request, signed, call_id, f"partner-left:{call_id}:{n}", decision)


@router.post("/back/{call_id}/status")
async def called_back(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Progress of the leg to somebody whom we call back."""
    return await _note(request, lambda work: call_back.leg_status(work, call_id, signed))


@router.post("/back/{call_id}/machine")
async def answered_by(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Who answered a call-back: a person or a machine."""
    return await _note(request, lambda work: call_back.answered_by(work, call_id, signed))


@router.post("/calls/{call_id}/duty")
async def duty_key(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """A counsellor with a phone says what they are doing."""
    n = _number(request.query_params.get("n"), 1)
    digits = signed.fields.get("Digits")
    decision = own_phone.duty_key(signed.fields.get("From"), digits)
    return await _decide(request, signed, call_id, f"duty:{call_id}:{n}", decision)


@router.post("/sms")
async def sms(request: Request, signed: SignedRequest) -> Response:
    """Somebody writes to a line: a counsellor's word of what they do, or a child's."""
    ground = ground_of(request)
    try:
        words = await _in_time(
            run_verb(ground, PROVIDER, lambda work: own_phone.text_message(work, signed))
        )
    except Exception as error:
        log().error("a text failed", area="telephony", exception_type=type(error).__name__)
        # The provider sends it again.
        return Response(status_code=503)
    return message_document(words)


@router.post("/calls/{call_id}/choice")
async def choice(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """A digit while waiting."""
    entry, step = _entry_and_step(request)
    key = f"choice:{call_id}:{entry}.{step}"
    digits = signed.fields.get("Digits")
    return await _decide(request, signed, call_id, key, waiting.wait_choice(digits, entry, step))


@router.post("/calls/{call_id}/queue-exit")
async def queue_exit(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """The waiting room was left."""
    entry = _number(request.query_params.get("n"))
    # Where there is no waiting room, our own document sent them here.
    told = "leave" if "left" in request.query_params else "error"
    result = signed.fields.get("QueueResult", told)[:30]
    gone = deciding.caller_is_gone(signed)
    key = f"exit:{call_id}:{entry}:{result}"
    return await _decide(request, signed, call_id, key, waiting.leave_queue(result, gone, entry))


@router.post("/calls/{call_id}/returned")
async def returned(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Back to the waiting room."""
    entry = _number(request.query_params.get("n"))
    key = f"returned:{call_id}:{entry}"
    return await _decide(request, signed, call_id, key, waiting.returned(entry))


@router.post("/calls/{call_id}/bridge")
async def bridge(request: Request, signed: SignedRequest, call_id: UUID, o: UUID) -> Response:
    """To the counsellor, who is in the conference already."""
    n = read_number(request.query_params.get("n", ""))
    key = f"bridge:{o}:" + ("" if n is None else str(n))
    return await _decide(request, signed, call_id, key, talking.bridge(o))


@router.post("/calls/{call_id}/left")
async def left(request: Request, signed: SignedRequest, call_id: UUID, o: UUID) -> Response:
    """Out of the conference."""
    gone = deciding.caller_is_gone(signed)
    return await _decide(request, signed, call_id, f"left:{o}", talking.left_talk(o, gone))


@router.post("/calls/{call_id}/dialled")
async def dialled(request: Request, signed: SignedRequest, call_id: UUID, o: UUID) -> Response:
    """The counsellor whom the caller's leg dialled has hung up, or did not answer."""
    decision = dial_bridge.dialled(o, signed)
    return await _decide(request, signed, call_id, f"dialled:{o}", decision)


@router.post("/calls/{call_id}/message")
async def message(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """A voice message was spoken."""
    n = _number(request.query_params.get("n"), 1)
    return await _decide(
        request, signed, call_id, f"message:{call_id}:{n}", message_flow.message_left(signed)
    )


@router.post("/calls/{call_id}/message-again")
async def message_again(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """No message was spoken."""
    n = _number(request.query_params.get("n"), 1)
    return await _decide(
        request, signed, call_id, f"message-again:{call_id}:{n}", message_flow.message_again()
    )


@router.post("/calls/{call_id}/recording")
async def recording(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """The recording of a voice message is complete, or absent."""
    return await _note(request, lambda work: message_flow.recording_status(work, call_id, signed))


# -- the counsellor's leg, and the conference --------------------------------------------


@router.post("/offers/{offer_id}/whisper")
async def whisper(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """What a counsellor hears who lifts the phone."""
    return await _speak(
        request, signed, lambda work: counsellor_flow.whisper(work, offer_id, signed)
    )


@router.post("/offers/{offer_id}/answer")
async def answer(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Press 1 to take the call."""
    n = _number(request.query_params.get("n"), 1)
    return await _speak(
        request, signed, lambda work: counsellor_flow.take(work, offer_id, signed, n)
    )


@router.post("/offers/{offer_id}/rejoin")
async def rejoin(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """A counsellor's leg is renewed in mid-talk."""
    return await _speak(
        request, signed, lambda work: counsellor_flow.rejoin(work, offer_id, signed)
    )


@router.post("/offers/{offer_id}/rang-back")
async def rang_back(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Whoever was called back by a counsellor's leg has hung up, or did not answer."""
    return await _speak(request, signed, lambda work: dial_bridge.rang_back(work, offer_id, signed))


@router.post("/offers/{offer_id}/left")
async def counsellor_left(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """The counsellor's leg is out of the conference."""

    async def asked(work: Work) -> tuple[Answer, Scene | None]:
        found = await counsellor_flow.counsellor_left(work, offer_id, signed)
        call, _ = await offers.lock_offer(work, offer_id)
        return found, await deciding.scene_of(work, call, offer_id)

    return await _speak(request, signed, asked)


@router.post("/offers/{offer_id}/conference")
async def conference(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Somebody joined or left the conference."""
    return await _note(
        request, lambda work: counsellor_flow.conference_event(work, offer_id, signed)
    )


@router.post("/offers/{offer_id}/hold")
async def hold(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """What a participant hears who is alone in a conference, or held. Repeats by itself."""

    async def asked(work: Work) -> tuple[Answer, Scene | None]:
        call, _ = await offers.lock_offer(work, offer_id)
        scene = await deciding.scene_of(work, call, offer_id)
        return await talking.held(work, call, signed.call_sid), scene

    return await _speak(request, signed, asked)


@router.post("/legs/{leg_id}/status")
async def leg_status(request: Request, signed: SignedRequest, leg_id: UUID) -> Response:
    """Progress of a counsellor's leg."""
    return await _note(request, lambda work: counsellor_flow.leg_status(work, leg_id, signed))


# -- who else is in a talk ---------------------------------------------------------------


@router.post("/parties/{party_id}/lifted")
async def party_lifted(request: Request, signed: SignedRequest, party_id: UUID) -> Response:
    """Somebody who is asked into a talk has lifted the phone."""
    return await _beside(request, lambda work: party_flow.lifted(work, party_id, signed))


@router.post("/parties/{party_id}/pressed")
async def party_pressed(request: Request, signed: SignedRequest, party_id: UUID) -> Response:
    """They pressed a key, or none."""
    n = _number(request.query_params.get("n"), 1)
    return await _beside(request, lambda work: party_flow.pressed(work, party_id, signed, n))


@router.post("/parties/{party_id}/left")
async def party_left(request: Request, signed: SignedRequest, party_id: UUID) -> Response:
    """They are out of the conference."""
    return await _beside(request, lambda work: party_flow.left(work, party_id, signed))


async def _beside(request: Request, asked: Asked) -> Response:
    """What somebody hears who is no caller: what fails is asked again a few seconds later."""

    async def steps(work: Work) -> list[Step]:
        answer, scene = await asked(work)
        return script.steps_for(answer, scene) if scene is not None else [script.HangUp()]

    return await _tell(request, steps)


# -- duty phones -------------------------------------------------------------------------


async def _tell(request: Request, asked: Callable[[Work], Awaitable[list[Step]]]) -> Response:
    """What somebody at a duty phone hears. What fails ends their call, and is tried again."""
    ground = ground_of(request)
    steps: list[Step]
    try:
        steps = await _in_time(run_verb(ground, PROVIDER, asked))
    except NotFound:
        steps = [script.HangUp()]
    except Exception as error:
        log().error(
            "a duty phone's webhook failed",
            area="telephony",
            exception_type=type(error).__name__,
            path=request.scope["path"][-24:],
        )
        # The same question once more, a few seconds later.
        path = request.scope["path"] + "?" + request.scope["query_string"].decode("latin-1")
        steps = script.trouble_steps(path.rstrip("?"))
    return document(steps, ground.settings)


@router.post("/duty/{rung_id}/lifted")
async def duty_lifted(request: Request, signed: SignedRequest, rung_id: UUID) -> Response:
    """A duty phone was lifted, by a person or by a machine."""
    return await _tell(request, lambda work: duty.lifted(work, rung_id, signed))


@router.post("/duty/{rung_id}/pressed")
async def duty_pressed(request: Request, signed: SignedRequest, rung_id: UUID) -> Response:
    """A key was pressed at a duty phone, or none."""
    n = _number(request.query_params.get("n"), 1)
    return await _tell(request, lambda work: duty.pressed(work, rung_id, signed, n))


@router.post("/duty/{rung_id}/left")
async def duty_left(request: Request, signed: SignedRequest, rung_id: UUID) -> Response:
    """Whoever was brought into the talk is out of it."""
    return document([script.HangUp()], ground_of(request).settings)


@router.post("/duty/{rung_id}/status")
async def duty_status(request: Request, signed: SignedRequest, rung_id: UUID) -> Response:
    """Progress of a duty phone's leg."""
    return await _note(request, lambda work: duty.leg_status(work, rung_id, signed))


@router.post("/messages/{rung_id}/status")
async def message_status(request: Request, signed: SignedRequest, rung_id: UUID) -> Response:
    """What became of an SMS."""
    return await _note(request, lambda work: duty.message_status(work, rung_id, signed))


# -- people of ours on call --------------------------------------------------------------


@router.post("/alarms/{attempt_id}/lifted")
async def alarm_lifted(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """A phone on call was lifted, by a person or by a machine."""
    return await _tell(request, lambda work: alarm_calls.lifted(work, attempt_id, signed))


@router.post("/alarms/{attempt_id}/pressed")
async def alarm_pressed(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """A key was pressed at a phone on call, or none."""
    n = _number(request.query_params.get("n"), 1)
    return await _tell(request, lambda work: alarm_calls.pressed(work, attempt_id, signed, n))


@router.post("/alarms/{attempt_id}/status")
async def alarm_status(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Progress of the leg to a phone on call, or of a message."""
    return await _note(request, lambda work: alarm_calls.leg_status(work, attempt_id, signed))


@router.post("/noted")
async def noted(request: Request, signed: SignedRequest) -> Response:
    """The fate of a message that nothing depends on."""
    return Response(status_code=204)


@router.get("/sounds/waiting.wav")
async def sound() -> Response:
    """Serve the waiting sound, without a signature: it says nothing of a call."""
    kept = {"Cache-Control": "public, max-age=86400"}
    return Response(waiting_sound(), media_type="audio/wav", headers=kept)


@router.get("/prompts/{prompt_id}")
async def prompt(request: Request, prompt_id: UUID) -> Response:
    """A recorded prompt: every caller hears it, so anybody may."""
    async with transaction(ground_of(request), PROVIDER) as work:
        found = (
            await work.session.scalars(
                select(Prompt).where(Prompt.id == prompt_id, Prompt.audio.is_not(None))
            )
        ).one_or_none()
    if found is None or found.audio is None:
        raise NotFound()
    return Response(
        found.audio,
        media_type=found.audio_type,
        headers={"Cache-Control": "public, max-age=300"},
    )
