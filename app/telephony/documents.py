"""Steps as TwiML, built with the provider's SDK. Addresses are absolute and opaque."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from fastapi import Response
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from app.settings import Settings
from app.telephony import script
from app.telephony.provider.urls import callback, document_address, offer_path, public

# One string, because the builder would print a list in Python's notation.
_CONFERENCE_EVENTS = "start end join leave hold mute"
# Without a waiting room, a caller's leg asks again after N seconds: a counsellor may be there.
_ASKS_AGAIN_AFTER = 4


def document(steps: Iterable[script.Step], settings: Settings) -> Response:
    """Return the response that carries these steps."""
    return Response(twiml(steps, settings), media_type="text/xml")


def twiml(steps: Iterable[script.Step], settings: Settings) -> str:
    """Return the TwiML of these steps."""
    response = VoiceResponse()
    for step in steps if settings.has_conferences else _plain(list(steps)):
        _add(response, step, settings)
    return str(response)


def _plain(steps: list[script.Step]) -> list[script.Step]:
    """Return the same steps for a platform without pause and waiting room.

    A pause becomes a silent wait for a key: it takes as long, and when it has run out the platform
    asks us again.
    """
    made: list[script.Step] = []
    for step, following in zip(steps, [*steps[1:], None], strict=False):
        match step:
            case script.Pause():
                if isinstance(following, script.GoTo):
                    seconds = min(step.seconds, _ASKS_AGAIN_AFTER)
                    made.append(script.Ask([], following.path, seconds))
            case script.Ask():
                made.append(replace(step, spoken=_short(step.spoken)))
            case script.Wait():
                made.append(script.GoTo(step.hears))
            case script.Leave():
                made.append(script.GoTo(step.then))
            case _:
                made.append(step)
    return made


def _short(spoken: list[script.Spoken]) -> list[script.Spoken]:
    """Drop the pauses and play the sound once: the caller's leg has to ask again soon."""
    once = script.WaitingSound(1)
    return [
        once if isinstance(part, script.WaitingSound) else part
        for part in spoken
        if not isinstance(part, script.Pause)
    ]


def message_document(words: str) -> Response:
    """Return the response to a text message. Without words it sends no message."""
    response = MessagingResponse()
    if words:
        response.message(words)
    return Response(str(response), media_type="text/xml")


def _add(parent: VoiceResponse | Gather, step: script.Step, settings: Settings) -> None:
    match step:
        case script.Say():
            voice = {"voice": step.voice} if step.voice else {}
            parent.say(step.text, language=step.locale, **voice)
        case script.PlayFile():
            parent.play(public(settings, prompt_path(step.recording)))
        case script.WaitingSound():
            address = public(settings, WAITING_SOUND)
            parent.play(address, **({"loop": step.times} if step.times > 1 else {}))
        case script.Pause():
            parent.pause(length=step.seconds)
        case script.Ask():
            gather = parent.gather(
                action=document_address(settings, step.then),
                num_digits=1,
                timeout=step.seconds,
                action_on_empty_result=step.silence_too,
            )
            for part in step.spoken:
                _add(gather, part, settings)
        case script.GoTo():
            parent.redirect(document_address(settings, step.path))
        case script.Wait():
            parent.enqueue(
                script.WAITING_ROOM,
                action=document_address(settings, step.then),
                wait_url=document_address(settings, step.hears),
            )
        case script.Leave():
            parent.leave()
            # For a caller who found the queue full and waits outside it.
            parent.redirect(document_address(settings, step.then))
        case script.HangUp():
            parent.hangup()
        case script.RecordMessage():
            events = {"recording_status_callback_event": "completed absent"}
            parent.record(
                action=document_address(settings, step.then),
                max_length=script.LONGEST_MESSAGE,
                timeout=5,
                finish_on_key="#",
                recording_status_callback=callback(settings, step.told),
                **(events if settings.has_conferences else {}),
            )
        case script.Ring():
            parent.append(_ring(step, settings))
        case script.Join():
            parent.append(_join(step, settings))


WAITING_SOUND = "/telephony/sounds/waiting.wav"


def prompt_path(recording: UUID) -> str:
    return f"/telephony/prompts/{recording}"


def _ring(step: script.Ring, settings: Settings) -> Dial:
    screened = settings.has_conferences
    dial = Dial(
        action=document_address(settings, step.then),
        timeout=step.seconds,
        caller_id=step.shows,
        **({"answer_on_bridge": True} if screened else {}),
    )
    if step.number.startswith(("sip:", "sips:")):
        dial.sip(step.number)
    else:
        dial.number(
            step.number, **({"url": document_address(settings, step.screen)} if screened else {})
        )
    return dial


def _join(step: script.Join, settings: Settings) -> Dial:
    dial = Dial(
        action=document_address(settings, step.then),
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
        wait_url=document_address(settings, offer_path(step.offer_id, "hold")),
        # The provider uses the first participant's callback only, so both carry the same.
        status_callback=callback(settings, offer_path(step.offer_id, "conference")),
        status_callback_event=_CONFERENCE_EVENTS,
    )
    return dial
