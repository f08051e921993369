"""Read TwiML as strictly as the provider, or more: its warnings are faults here."""

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from app.practice.profiles import TWILIO, Profile

LARGEST = 64 * 1024

# The verbs that are allowed in a waiting room, and for a participant alone in a conference.
IN_QUEUE = {"Say", "Play", "Pause", "Hangup", "Redirect", "Leave", "Gather"}
IN_CONFERENCE_WAIT = {"Say", "Play", "Pause", "Redirect"}
_URLS = {"action", "waitUrl", "statusCallback", "recordingStatusCallback", "url"}
_NUMBERS = {
    "length",
    "timeout",
    "numDigits",
    "maxLength",
    "loop",
    "timeLimit",
    "maxQueueSize",
    "maxParticipants",
}
_FLAGS = {
    "actionOnEmptyResult",
    "startConferenceOnEnter",
    "endConferenceOnExit",
    "hangupOnStar",
    "answerOnBridge",
    "muted",
    "playBeep",
    "bargeIn",
}
_WORDS = {
    "Conference.statusCallbackEvent": {
        "start",
        "end",
        "join",
        "leave",
        "mute",
        "hold",
        "modify",
        "speaker",
        "announcement",
    },
    "Record.recordingStatusCallbackEvent": {"in-progress", "completed", "absent"},
    "Conference.beep": {"true", "false", "onEnter", "onExit"},
    "Reject.reason": {"rejected", "busy"},
    "Gather.input": {"dtmf"},
}


class BadDocument(Exception):
    """A document that the provider would refuse. `code` is its error code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Verb:
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: tuple["Verb", ...] = ()

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def flag(self, name: str, default: bool) -> bool:
        return self.attributes.get(name, "true" if default else "false") == "true"


def parse(
    body: bytes, content_type: str, allowed: set[str] | None = None, profile: Profile = TWILIO
) -> list[Verb]:
    """Return the verbs of a document, as a platform reads it. Raises BadDocument."""
    kind = content_type.split(";")[0].strip().lower()
    if kind not in ("text/xml", "application/xml", "text/html"):
        raise BadDocument(12300, f"content type {kind or 'missing'}")
    if len(body) > LARGEST:
        raise BadDocument(11750, f"{len(body)} bytes")
    if not body.strip():
        raise BadDocument(11770, "empty body")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BadDocument(12100, "document type declaration")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise BadDocument(12100, str(error)) from None
    if root.tag != "Response":
        raise BadDocument(12102, f"root {root.tag}")
    verbs = _read(root, profile).children
    for position, verb in enumerate(verbs):
        if verb.name == "Message" and allowed is None:
            raise BadDocument(12200, "Message is not allowed in a call")
        if allowed is not None and verb.name not in allowed:
            raise BadDocument(12200, f"{verb.name} is not allowed here")
        if verb.name == "Reject" and position:
            raise BadDocument(12200, "Reject is only allowed first")
    return list(verbs)


def _read(element: ElementTree.Element, profile: Profile) -> Verb:
    name = element.tag
    if name not in profile.attributes:
        raise BadDocument(12200, f"unknown element {name}")
    for attribute, value in element.attrib.items():
        _check_attribute(profile, name, attribute, value)
    text = (element.text or "").strip()
    if text and name in ("Response", "Gather", "Dial", "Pause", "Hangup", "Leave", "Record"):
        raise BadDocument(12200, f"stray text in {name}")
    children = []
    for child in element:
        if child.tag not in profile.children.get(name, frozenset()):
            raise BadDocument(13320 if name == "Gather" else 12200, f"{child.tag} inside {name}")
        if child.tail and child.tail.strip():
            raise BadDocument(12200, f"stray text in {name}")
        children.append(_read(child, profile))
    verb = Verb(name, dict(element.attrib), text, tuple(children))
    _check_verb(verb)
    return verb


def _check_attribute(profile: Profile, name: str, attribute: str, value: str) -> None:
    if attribute not in profile.attributes[name]:
        raise BadDocument(12200, f"unknown attribute {attribute} of {name}")
    if attribute in _URLS and value and not re.match(r"https?://[^\s/_]+[^\s]*$", value):
        raise BadDocument(11100, f"{attribute} of {name} is not an absolute address")
    if attribute in _NUMBERS and not value.isdigit():
        raise BadDocument(12200, f"{attribute} of {name} is not a number: {value!r}")
    if attribute in _FLAGS and value not in ("true", "false"):
        raise BadDocument(12200, f"{attribute} of {name} is not true or false: {value!r}")
    words = _WORDS.get(f"{name}.{attribute}")
    if words and not set(value.split(" ")) <= words:
        raise BadDocument(12200, f"{attribute} of {name}: {value!r}")


def _check_verb(verb: Verb) -> None:
    if verb.name in ("Redirect", "Play") and not re.match(r"https?://\S+$", verb.text):
        raise BadDocument(11100, f"{verb.name} without an absolute address")
    if verb.name == "Say" and not verb.text:
        raise BadDocument(12200, "Say without words")
    if verb.name == "Enqueue" and not 1 <= len(verb.text) <= 64:
        raise BadDocument(12200, "a queue's name has 1 to 64 characters")
    if verb.name == "Conference" and not 1 <= len(verb.text) <= 128:
        raise BadDocument(12200, "a conference's name has 1 to 128 characters")
    if verb.name == "Dial" and len(verb.children) != 1:
        raise BadDocument(12200, "a Dial joins one conference or rings one number")
    if verb.name == "Number" and not re.match(r"\+[1-9]\d{6,14}$", verb.text):
        raise BadDocument(13223, "a Number is written with + and country code")
    if verb.name == "Sip" and not re.match(r"sips?:[^\s@]+@[^\s@]+$", verb.text):
        raise BadDocument(13224, "a Sip address is written as sip:user@host")
