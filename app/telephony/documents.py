"""Steps as TwiML, built with the provider's SDK. Addresses are absolute and opaque."""

from collections.abc import Iterable
from uuid import UUID

from fastapi import Response
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from app.telephony.platforms.base import Platform
from app.telephony.provider.urls import offer_path, public
from app.telephony.steps import (
    WAITING_ROOM,
    Ask,
    GoTo,
    HangUp,
    Join,
    Leave,
    Pause,
    PlayFile,
    RecordMessage,
    Ring,
    Say,
    Step,
    Wait,
    WaitingSound,
)

# One string, because the builder would print a list in Python's notation.
_CONFERENCE_EVENTS = "start end join leave hold mute"
# The longest voice message, in seconds.
_LONGEST_MESSAGE = 180


def document(steps: Iterable[Step], platform: Platform) -> Response:
    """Return the response that carries these steps."""
    return Response(twiml(steps, platform), media_type="text/xml")


def twiml(steps: Iterable[Step], platform: Platform) -> str:
    """Return the TwiML of these steps."""
    response = VoiceResponse()
    for step in platform.executable(list(steps)):
        _add(response, step, platform)
    return str(response)


def message_document(words: str) -> Response:
    """Return the response to a text message. Without words it sends no message."""
    response = MessagingResponse()
    if words:
        response.message(words)
    return Response(str(response), media_type="text/xml")


def _add(parent: VoiceResponse | Gather, step: Step, platform: Platform) -> None:
    match step:
        case Say():
            voice = {"voice": step.voice} if step.voice else {}
            parent.say(step.text, language=step.locale, **voice)
        case PlayFile():
            parent.play(public(platform.settings, prompt_path(step.recording)))
        case WaitingSound():
            address = public(platform.settings, WAITING_SOUND)
            parent.play(address, **({"loop": step.times} if step.times > 1 else {}))
        case Pause():
            parent.pause(length=step.seconds)
        case Ask():
            gather = parent.gather(
                action=platform.document_address(step.then),
                num_digits=step.digits,
                timeout=step.seconds,
                action_on_empty_result=step.silence_too,
            )
            for part in step.spoken:
                _add(gather, part, platform)
        case GoTo():
            parent.redirect(platform.document_address(step.path))
        case Wait():
            parent.enqueue(
                WAITING_ROOM,
                action=platform.document_address(step.then),
                wait_url=platform.document_address(step.hears),
            )
        case Leave():
            parent.leave()
            # For a caller who found the queue full and waits outside it.
            parent.redirect(platform.document_address(step.then))
        case HangUp():
            parent.hangup()
        case RecordMessage():
            parent.record(
                action=platform.document_address(step.then),
                max_length=_LONGEST_MESSAGE,
                timeout=5,
                finish_on_key="#",
                recording_status_callback=platform.callback(step.told),
                **platform.recording_events,
            )
        case Ring():
            parent.append(_ring(step, platform))
        case Join():
            parent.append(_join(step, platform))


WAITING_SOUND = "/telephony/sounds/waiting.wav"


def prompt_path(recording: UUID) -> str:
    return f"/telephony/prompts/{recording}"


def _ring(step: Ring, platform: Platform) -> Dial:
    dial = Dial(
        action=platform.document_address(step.then),
        timeout=step.seconds,
        caller_id=step.shows,
        **({"answer_on_bridge": True} if step.screen else {}),
    )
    if step.number.startswith(("sip:", "sips:")):
        dial.sip(step.number)
    else:
        dial.number(
            step.number, **({"url": platform.document_address(step.screen)} if step.screen else {})
        )
    return dial


def _join(step: Join, platform: Platform) -> Dial:
    dial = Dial(
        action=platform.document_address(step.then),
        **({"hangup_on_star": True} if step.star_ends else {}),
    )
    part: dict[str, object] = {"muted": True} if step.muted else {}
    if step.coach:
        part["coach"] = step.coach
    dial.conference(
        str(step.offer_id),
        participant_label=step.label,
        **part,
        beep="false",
        start_conference_on_enter=True,
        end_conference_on_exit=step.ends_for_all,
        wait_url=platform.document_address(offer_path(step.offer_id, "hold")),
        # The provider uses the first participant's callback only, so both carry the same.
        status_callback=platform.callback(offer_path(step.offer_id, "conference")),
        status_callback_event=_CONFERENCE_EVENTS,
    )
    return dial
