"""The addresses that the provider calls. Only a bad signature is refused; all else is answered."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from app.calls import delivery_keys
from app.calls.delivery_keys import DeliveryKey
from app.calls.lines.line_rows import Prompt
from app.errors import NotFound
from app.jobs.transaction import run_verb, transaction
from app.log import fault, log
from app.routing import offers
from app.routing.callbacks.choices import Who
from app.telephony import trial_calls, trial_texts
from app.telephony.answers import Answer, CallbackQuestion, DutyChoice
from app.telephony.counsellor import callback_leg, counsellor_flow
from app.telephony.counsellor.conference import conference_event
from app.telephony.documents import message_document
from app.telephony.duty_phones import alarm_calls, duty, duty_sms
from app.telephony.inbound import (
    arriving,
    asking_by_key,
    deciding,
    endings,
    message_flow,
    partner_flow,
    resuming,
    staff_phone,
    talking,
    waiting,
)
from app.telephony.inbound.sounds import waiting_sound
from app.telephony.messaging import answering, receiving
from app.telephony.messaging.telegram import bringing
from app.telephony.participants import participant_flow
from app.telephony.platforms import dial_bridge
from app.telephony.provider.signature import Signed, SignedRequest, read_number
from app.telephony.replying import (
    ground_of,
    in_time,
    note,
    number_in,
    reply,
    speak,
    tell,
    tell_other_leg,
    trouble_steps,
)
from app.telephony.script import Scene
from app.telephony.steps import HangUp
from app.work import PROGRAM, PROVIDER, Work

router = APIRouter(prefix="/telephony", tags=["telephony"], include_in_schema=False)


# -- the number's own addresses ----------------------------------------------------------


@router.post("/voice")
async def voice(request: Request, signed: SignedRequest) -> Response:
    """Answer an incoming call."""
    if not signed.call_sid:
        return reply(request, trouble_steps(request, "/telephony/voice"))
    return await speak(request, signed, lambda work: arriving.ring(work, signed))


@router.post("/voice/fallback")
async def fallback(request: Request, signed: SignedRequest) -> Response:
    """Comfort a caller after the provider got no document, and go on from where they were."""
    ground = ground_of(request)
    path: str | None = "/telephony/voice/fallback"
    try:
        going_on = run_verb(ground, PROGRAM, lambda work: resuming.resume(work, signed), attempts=1)
        path = await in_time(going_on)
    except Exception as error:  # works without our database
        log().error("fallback without database", area="telephony", **fault(error))
    return reply(request, trouble_steps(request, path or "/telephony/voice"))


@router.post("/status")
async def status(request: Request, signed: SignedRequest) -> Response:
    """Receive the end of the caller's leg."""
    if not signed.call_sid:
        return Response(status_code=204)
    return await note(request, lambda work: endings.number_status(work, signed))


# -- the caller --------------------------------------------------------------------------


async def _decide(
    request: Request, signed: Signed, call_id: UUID, key: DeliveryKey, decision: deciding.Decision
) -> Response:
    return await speak(
        request, signed, lambda work: deciding.decide(work, call_id, signed, key, decision)
    )


def _entry_and_step(request: Request) -> tuple[int, int]:
    entry, _, step = request.query_params.get("n", "").partition(".")
    return number_in(entry), number_in(step)


@router.post("/calls/{call_id}/wait")
async def wait(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Say comfort and place, each time the words have run out."""
    entry, step = _entry_and_step(request)
    key = delivery_keys.wait(call_id, entry, step)
    return await _decide(request, signed, call_id, key, waiting.wait(entry, step))


@router.post("/calls/{call_id}/menu")
async def menu(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Handle what was pressed in the menu: a language, the danger digit, or nothing."""
    n = number_in(request.query_params.get("n"), 1)
    again = "again" in request.query_params
    digits = signed.fields.get("Digits")
    key = delivery_keys.menu(call_id, n, again=again and digits is None)
    return await _decide(request, signed, call_id, key, arriving.menu(digits, n, asked_again=again))


@router.post("/calls/{call_id}/blocked")
async def blocked(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Handle the danger digit of a blocked caller, or silence."""
    n = number_in(request.query_params.get("n"), 1)
    digits = signed.fields.get("Digits")
    return await _decide(
        request, signed, call_id, delivery_keys.blocked(call_id, n), arriving.blocked(digits)
    )


@router.post("/calls/{call_id}/callback")
async def callback_question(
    request: Request, signed: SignedRequest, call_id: UUID, q: str, n: str, w: str = Who.CALLER
) -> Response:
    """Handle the key for one of the questions about a call-back."""
    known = q in set(CallbackQuestion)
    question = CallbackQuestion(q) if known else CallbackQuestion.SAFE
    who = Who(w) if w in set(Who) else Who.CALLER
    entry, _, step = n.partition(".")
    place = f"{number_in(entry)}.{number_in(step)}"
    key = delivery_keys.callback(call_id, place, question)
    decision = waiting.callback(signed.fields.get("Digits"), place, question, who)
    return await _decide(request, signed, call_id, key, decision)


@router.post("/calls/{call_id}/question")
async def question(
    request: Request, signed: SignedRequest, call_id: UUID, q: UUID, n: str = "1"
) -> Response:
    """Ask a question of a caller who cannot speak, or take the key that they press."""
    digits, attempt = signed.fields.get("Digits"), number_in(n, 1)
    key = delivery_keys.question(q, attempt, pressed=bool(digits))
    decision = asking_by_key.question(q, digits, attempt)
    return await _decide(request, signed, call_id, key, decision)


@router.post("/calls/{call_id}/partner")
async def partner(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Tell the partner who answers the phone which key takes the caller, or take the key."""
    n = number_in(request.query_params.get("n"))
    return await tell_other_leg(
        request, lambda work: partner_flow.partner_asked(work, call_id, signed, n)
    )


@router.post("/calls/{call_id}/partner-left")
async def partner_left(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Take back a caller whom the partner did not take, or hung up on."""
    n = number_in(request.query_params.get("n"))
    key = delivery_keys.partner_left(call_id, n)
    return await _decide(request, signed, call_id, key, partner_flow.partner_left(signed))


@router.post("/back/{call_id}/status")
async def called_back(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Receive a status of the leg to the caller of a call-back."""
    return await note(request, lambda work: callback_leg.leg_status(work, call_id, signed))


@router.post("/back/{call_id}/machine")
async def answered_by(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Learn whether a person or a machine answered a call-back."""
    return await note(request, lambda work: callback_leg.answered_by(work, call_id, signed))


@router.post("/calls/{call_id}/duty")
async def duty_key(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Handle the key by which a counsellor with only a phone sets their presence."""
    n = number_in(request.query_params.get("n"), 1)
    digits = signed.fields.get("Digits")
    decision = staff_phone.duty_key(signed.fields.get("From"), digits)
    return await _decide(request, signed, call_id, delivery_keys.duty(call_id, n), decision)


@router.post("/sms")
async def sms(request: Request, signed: SignedRequest) -> Response:
    """Answer a text to a line: from a counsellor who sets their presence, or from a child."""
    ground = ground_of(request)
    try:
        words = await in_time(
            run_verb(ground, PROVIDER, lambda work: receiving.text_arrived(work, signed))
        )
    except Exception as error:
        log().error("a text failed", area="telephony", **fault(error))
        # The provider sends it again.
        return Response(status_code=503)
    return message_document(words)


@router.post("/calls/{call_id}/choice")
async def choice(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Handle a digit of a waiting caller."""
    entry, step = _entry_and_step(request)
    key = delivery_keys.choice(call_id, entry, step)
    digits = signed.fields.get("Digits")
    return await _decide(request, signed, call_id, key, waiting.wait_choice(digits, entry, step))


@router.post("/calls/{call_id}/queue-exit")
async def queue_exit(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Handle a caller who has left the waiting room."""
    entry = number_in(request.query_params.get("n"))
    # Where there is no waiting room, our own document sent them here.
    told = "leave" if "left" in request.query_params else "error"
    result = signed.fields.get("QueueResult", told)[:30]
    gone = deciding.caller_is_gone(signed)
    key = delivery_keys.queue_exit(call_id, entry, result)
    return await _decide(request, signed, call_id, key, waiting.leave_queue(result, gone, entry))


@router.post("/calls/{call_id}/returned")
async def returned(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Send the caller back to the waiting room."""
    entry = number_in(request.query_params.get("n"))
    key = delivery_keys.returned(call_id, entry)
    return await _decide(request, signed, call_id, key, waiting.returned(entry))


@router.post("/calls/{call_id}/bridge")
async def bridge(request: Request, signed: SignedRequest, call_id: UUID, o: UUID) -> Response:
    """Send the caller to the counsellor, who is in the conference already."""
    n = read_number(request.query_params.get("n", ""))
    key = delivery_keys.bridge(o, n)
    return await _decide(request, signed, call_id, key, talking.bridge(o))


@router.post("/calls/{call_id}/left")
async def left(request: Request, signed: SignedRequest, call_id: UUID, o: UUID) -> Response:
    """Handle a caller who has left the conference."""
    decision = talking.left_talk(o, deciding.caller_is_gone(signed))
    return await _decide(request, signed, call_id, delivery_keys.left(o), decision)


@router.post("/calls/{call_id}/dialled")
async def dialled(request: Request, signed: SignedRequest, call_id: UUID, o: UUID) -> Response:
    """Handle the end of a dial: the counsellor has hung up, or did not answer."""
    decision = dial_bridge.dialled(o, signed)
    return await _decide(request, signed, call_id, delivery_keys.dialled(o), decision)


@router.post("/calls/{call_id}/duty-proof")
async def duty_proof(
    request: Request, signed: SignedRequest, call_id: UUID, s: DutyChoice, n: str = "1"
) -> Response:
    """Handle the PIN or the code by which a counsellor proves who they are."""
    who, digits, attempt = signed.fields.get("From"), signed.fields.get("Digits"), number_in(n, 1)
    key = delivery_keys.duty_proof(call_id, attempt)
    decision = staff_phone.duty_proof(who, s, digits, attempt)
    return await _decide(request, signed, call_id, key, decision)


@router.post("/calls/{call_id}/duty-pin")
async def duty_pin(
    request: Request, signed: SignedRequest, call_id: UUID, s: DutyChoice, n: str = "1"
) -> Response:
    """Handle the PIN that a counsellor chooses."""
    who, digits, attempt = signed.fields.get("From"), signed.fields.get("Digits"), number_in(n, 1)
    key = delivery_keys.duty_pin(call_id, attempt)
    decision = staff_phone.duty_pin(who, s, digits, attempt)
    return await _decide(request, signed, call_id, key, decision)


@router.post("/calls/{call_id}/message")
async def message(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Handle a voice message that was spoken."""
    n = number_in(request.query_params.get("n"), 1)
    return await _decide(
        request,
        signed,
        call_id,
        delivery_keys.message(call_id, n),
        message_flow.message_left(signed),
    )


@router.post("/calls/{call_id}/message-again")
async def message_again(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Handle a caller who spoke no message."""
    n = number_in(request.query_params.get("n"), 1)
    return await _decide(
        request,
        signed,
        call_id,
        delivery_keys.message_again(call_id, n),
        message_flow.message_again(),
    )


@router.post("/calls/{call_id}/recording")
async def recording(request: Request, signed: SignedRequest, call_id: UUID) -> Response:
    """Receive the callback of a recording: the voice message is complete, or absent."""
    return await note(request, lambda work: message_flow.recording_status(work, call_id, signed))


# -- the counsellor's leg, and the conference --------------------------------------------


@router.post("/offers/{offer_id}/whisper")
async def whisper(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Say what a counsellor hears who answers the phone."""
    return await speak(
        request, signed, lambda work: counsellor_flow.whisper(work, offer_id, signed)
    )


@router.post("/offers/{offer_id}/answer")
async def answer(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Handle the counsellor's key: 1 takes the call."""
    n = number_in(request.query_params.get("n"), 1)
    return await speak(
        request, signed, lambda work: counsellor_flow.take(work, offer_id, signed, n)
    )


@router.post("/offers/{offer_id}/rejoin")
async def rejoin(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Send a counsellor's leg back into the conference when it is renewed in mid-talk."""
    return await speak(request, signed, lambda work: counsellor_flow.rejoin(work, offer_id))


@router.post("/offers/{offer_id}/rang-back")
async def callback_dialled(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Handle the end of a dial to the caller of a call-back, from a counsellor's leg."""
    return await speak(
        request, signed, lambda work: dial_bridge.callback_dialled(work, offer_id, signed)
    )


@router.post("/offers/{offer_id}/left")
async def counsellor_left(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Handle a counsellor's leg that has left the conference."""

    async def asked(work: Work) -> tuple[Answer, Scene | None]:
        found = await counsellor_flow.counsellor_left(work, offer_id, signed)
        call, _ = await offers.lock_offer(work, offer_id)
        return found, await deciding.scene_of(work, call, offer_id)

    return await speak(request, signed, asked)


@router.post("/offers/{offer_id}/conference")
async def conference(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Receive an event of the conference."""
    return await note(request, lambda work: conference_event(work, offer_id, signed))


@router.post("/offers/{offer_id}/hold")
async def hold(request: Request, signed: SignedRequest, offer_id: UUID) -> Response:
    """Say what a leg hears that is alone in a conference, or held. The document repeats itself."""

    async def asked(work: Work) -> tuple[Answer, Scene | None]:
        call, _ = await offers.lock_offer(work, offer_id)
        scene = await deciding.scene_of(work, call, offer_id)
        return await talking.held(work, call, signed.call_sid), scene

    return await speak(request, signed, asked)


@router.post("/legs/{leg_id}/status")
async def leg_status(request: Request, signed: SignedRequest, leg_id: UUID) -> Response:
    """Receive a status of a counsellor's or participant's leg."""
    return await note(request, lambda work: counsellor_flow.leg_status(work, leg_id, signed))


# -- other participants in a talk --------------------------------------------------------


@router.post("/participants/{participant_id}/lifted")
async def participant_lifted(
    request: Request, signed: SignedRequest, participant_id: UUID
) -> Response:
    """Say what a participant hears who is asked into a talk and answers the phone."""
    return await tell_other_leg(
        request, lambda work: participant_flow.lifted(work, participant_id, signed)
    )


@router.post("/participants/{participant_id}/pressed")
async def participant_pressed(
    request: Request, signed: SignedRequest, participant_id: UUID
) -> Response:
    """Handle the participant's key, or none."""
    n = number_in(request.query_params.get("n"), 1)
    return await tell_other_leg(
        request, lambda work: participant_flow.pressed(work, participant_id, signed, n)
    )


@router.post("/participants/{participant_id}/left")
async def participant_left(
    request: Request, signed: SignedRequest, participant_id: UUID
) -> Response:
    """Handle a participant's leg that has left the conference."""
    return await tell_other_leg(
        request, lambda work: participant_flow.left(work, participant_id, signed)
    )


# -- duty phones -------------------------------------------------------------------------


@router.post("/duty/{attempt_id}/lifted")
async def duty_lifted(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Say what a duty phone hears when a person or a machine has answered it."""
    return await tell(request, lambda work: duty.lifted(work, attempt_id, signed))


@router.post("/duty/{attempt_id}/pressed")
async def duty_pressed(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Handle a key that was pressed at a duty phone, or none."""
    n = number_in(request.query_params.get("n"), 1)
    return await tell(request, lambda work: duty.pressed(work, attempt_id, signed, n))


@router.post("/duty/{attempt_id}/left")
async def duty_left(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Hang up a duty phone that was in a talk and has left it."""
    return reply(request, [HangUp()])


@router.post("/duty/{attempt_id}/status")
async def duty_status(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Receive a status of a duty phone's leg."""
    return await note(request, lambda work: duty.leg_status(work, attempt_id, signed))


@router.post("/messages/{attempt_id}/status")
async def message_status(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Receive the delivery status of an SMS."""
    return await note(request, lambda work: duty_sms.message_status(work, attempt_id, signed))


# -- staff on call -----------------------------------------------------------------------


@router.post("/alarms/{attempt_id}/lifted")
async def alarm_lifted(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Say what a phone on call hears when a person or a machine has answered it."""
    return await tell(request, lambda work: alarm_calls.lifted(work, attempt_id, signed))


@router.post("/alarms/{attempt_id}/pressed")
async def alarm_pressed(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Handle a key that was pressed at a phone on call, or none."""
    n = number_in(request.query_params.get("n"), 1)
    return await tell(request, lambda work: alarm_calls.pressed(work, attempt_id, signed, n))


@router.post("/alarms/{attempt_id}/status")
async def alarm_status(request: Request, signed: SignedRequest, attempt_id: UUID) -> Response:
    """Receive a status of the leg to a phone on call, or of a message."""
    return await note(request, lambda work: alarm_calls.leg_status(work, attempt_id, signed))


@router.post("/chats/{sent_id}/status")
async def chat_status(request: Request, signed: SignedRequest, sent_id: UUID) -> Response:
    """Receive what became of a message to a child."""
    return await note(request, lambda work: answering.reported(work, sent_id, signed))


@router.post("/telegram/{account_id}")
async def telegram(request: Request, account_id: UUID) -> Response:
    """Hear what a child writes to the line's bot; Telegram shows the secret of the bot."""
    return await bringing.bring(request, account_id)


@router.post("/tests/{test_id}/status")
async def test_status(request: Request, signed: SignedRequest, test_id: UUID) -> Response:
    """Receive what became of a test text."""
    return await note(request, lambda work: trial_texts.message_status(work, test_id, signed))


@router.post("/tests/{test_id}/lifted")
async def test_lifted(request: Request, signed: SignedRequest, test_id: UUID) -> Response:
    """Say what a phone hears that a test rings."""
    return await tell(request, lambda work: trial_calls.lifted(work, test_id, signed))


@router.post("/tests/{test_id}/entered")
async def test_entered(request: Request, signed: SignedRequest, test_id: UUID) -> Response:
    """Handle the code that was entered at a phone that is being proven, or none."""
    n = number_in(request.query_params.get("n"), 1)
    return await tell(request, lambda work: trial_calls.entered(work, test_id, signed, n))


@router.post("/tests/{test_id}/leg")
async def test_leg(request: Request, signed: SignedRequest, test_id: UUID) -> Response:
    """Receive a status of the leg of a test call."""
    return await note(request, lambda work: trial_calls.leg_status(work, test_id, signed))


@router.post("/noted")
async def noted(request: Request, signed: SignedRequest) -> Response:
    """Accept the status of a message that nothing depends on."""
    return Response(status_code=204)


@router.get("/sounds/waiting.wav")
async def sound() -> Response:
    """Serve the waiting sound, without a signature: it says nothing of a call."""
    kept = {"Cache-Control": "public, max-age=86400"}
    return Response(waiting_sound(), media_type="audio/wav", headers=kept)


@router.get("/prompts/{prompt_id}")
async def prompt(request: Request, prompt_id: UUID) -> Response:
    """Serve a recorded prompt, without a signature: every caller hears it."""
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
