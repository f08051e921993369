"""What callers hear from the provider itself while none of our servers answers. Pure.

The provider keeps a flow. It says that we are coming back, tries our address again and again, and
after a while rings the line's partner. The widgets are those that Twilio Studio documents.
A platform or account without flows can serve the TwiML instead; it cannot count its rounds, so it
tries our address for ever and does not ring the partner.
"""

from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from app import words
from app.calls.speech import LineScript

# Rounds of words, each followed by a request to us, before the partner is rung: about two minutes.
ROUNDS = 15
# How long the partner's phone rings, in seconds.
_PARTNER_RINGS = 30


def _state(kind: str, name: str, properties: dict[str, Any], **following: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "transitions": [{"event": event, "next": to} for event, to in following.items()],
        "properties": {"offset": {"x": 0, "y": 0}, **properties},
    }


def fallback_flow(line: LineScript, address: str, partner: str | None) -> dict[str, Any]:
    """Return the flow's definition. `address` is our voice address, `partner` a number or None."""
    states = [
        _state("trigger", "Trigger", {}, incomingCall="begin"),
        _state(
            "set-variables",
            "begin",
            {"variables": [{"key": "round", "value": "0"}]},
            next="words_0",
        ),
        *_comfort(line),
        _state(
            "add-twiml-redirect",
            "back_to_us",
            {"url": address, "method": "POST", "timeout": "14400"},
            fail="count",
        ),
        _state(
            "set-variables",
            "count",
            {"variables": [{"key": "round", "value": "{{flow.variables.round | plus: 1}}"}]},
            next="enough",
        ),
        _rounds_left("partner" if partner else "begin"),
    ]
    if partner:
        states.append(
            _state(
                "connect-call-to",
                "partner",
                {
                    "noun": "number",
                    "to": partner,
                    "caller_id": line.shown_number,
                    "timeout": _PARTNER_RINGS,
                },
                callCompleted="begin",
            )
        )
    return {
        "description": "While the helpline's own servers do not answer",
        "initial_state": "Trigger",
        "flags": {"allow_concurrent_calls": True},
        "states": states,
    }


def _comfort(line: LineScript) -> list[dict[str, Any]]:
    """Return the states that say that we are coming back, in each language of the line."""
    said = words.with_voice(words.known(one.language) for one in line.languages)
    return [
        _state(
            "say-play",
            f"words_{n}",
            {"say": one.trouble, "language": words.voice_for(one.code)[0], "loop": 1},
            audioComplete=f"words_{n + 1}" if n + 1 < len(said) else "back_to_us",
        )
        for n, one in enumerate(said)
    ]


def _rounds_left(otherwise: str) -> dict[str, Any]:
    """Return the state that says the words again while rounds are left."""
    return {
        "name": "enough",
        "type": "split-based-on",
        "transitions": [
            {"event": "noMatch", "next": otherwise},
            {
                "event": "match",
                "next": "words_0",
                "conditions": [
                    {
                        "friendly_name": "tries left",
                        "type": "less_than",
                        "value": str(ROUNDS),
                        "arguments": ["{{flow.variables.round}}"],
                    }
                ],
            },
        ],
        "properties": {"input": "{{flow.variables.round}}", "offset": {"x": 0, "y": 0}},
    }


def fallback_twiml(address: str, spoken: Iterable[str]) -> str:
    """Return TwiML that does the same without counting: words, then back to us, for ever."""
    said = "".join(
        f'<Say language="{words.voice_for(one.code)[0]}">{escape(one.trouble)}</Say>'
        for one in words.with_voice(spoken)
    )
    return f"<Response>{said}<Redirect>{address}</Redirect></Response>"
