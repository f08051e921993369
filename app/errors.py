"""Refusals: requests that are not carried out, each with its HTTP status.

A refusal's class name is the `error` of the JSON answer, its text the `detail`.
Neither holds personal data.

A text with values is a template and the values apart, so that the edge, which knows its reader,
can say it in their language: `Invalid("There is no line %(number)s.", number=number)`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any


class Code(str):
    """A stored code as a value of a message: its reader reads it in words."""


# Stored codes that a page shows in other words than their own.
_OTHER_WORDS = MappingProxyType({"own_house": "own staff"})


def text_of_code(code: str) -> str:
    """Return the text of a catalogue for a stored code: `on_hold` is "on hold"."""
    return _OTHER_WORDS.get(code) or code.replace("_", " ")


class Country(str):
    """The two letters of a country as a value of a message: its reader reads the name."""


class Share(float):
    """A share from 0 to 1 as a value of a message: its reader reads it in percent."""


# What stands between the parts of a list; Arabic has a comma of its own.
LIST_SIGN = ", "
# How a text of a catalogue is translated, and how a date, a country and a number are written.
Say = Callable[[str], str]
Show = Callable[[date | Country | float], str]


def _plainly(value: date | Country | float) -> str:
    """Return a date, a country or a number as programs and logs read it."""
    if isinstance(value, Share):
        return f"{value * 100:.4g}%"
    if isinstance(value, Country | float):
        return str(value)
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else value.isoformat()


class Message:
    """A sentence whose reader is not known yet. Pages say it in the language of the reader.

    A value is a plain value, a `Code`, another message, or a list of these.
    """

    def __init__(self, text: str, /, **values: Any) -> None:
        self.text = text
        self.values = values

    def __str__(self) -> str:
        return self.said(lambda text: text)

    def said(self, say: Say, show: Show = _plainly) -> str:
        """Return the sentence; `say` translates a text of a catalogue, `show` writes a date."""
        if not self.text:
            return ""
        text = say(self.text)
        if not self.values:
            return text
        return text % {name: _value(value, say, show) for name, value in self.values.items()}


def _value(value: Any, say: Say, show: Show) -> Any:
    match value:
        case Message():
            return value.said(say, show)
        case date() | Country() | float():
            return show(value)
        case Code():
            return say(text_of_code(value))
        case list() | tuple():
            return say(LIST_SIGN).join(str(_value(one, say, show)) for one in value)
        case str():
            return str(value)
        case _:
            return value


class Joined(Message):
    """Several messages as one text."""

    def __init__(self, parts: list[Message], between: str = "; ") -> None:
        super().__init__(between)
        self.parts = parts

    def said(self, say: Say, show: Show = _plainly) -> str:
        return self.text.join(part.said(say, show) for part in self.parts)


def why(error: Exception) -> Message:
    """Return what an error says, for a message that quotes it."""
    found = getattr(error, "message", None)
    return found if isinstance(found, Message) else Message(str(error))


def recognised(text: str, known: Iterable[str]) -> Message:
    """Return a text that was stored in English as the message that it was, its values apart.

    The first template that fits is taken; a text that none fits stays as it is.
    """
    for template in known:
        found = form_of(template).fullmatch(text)
        if found:
            return Message(template, **found.groupdict())
    return Message(text)


@lru_cache(maxsize=200)
def form_of(template: str) -> re.Pattern[str]:
    """Return the pattern of a template. Each value but the last ends at the first place where it
    can, for good: another place would leave less for those that follow, and take longer."""
    first, *parts = re.split(r"%\((\w+)\)s", template)
    texts = [re.escape(one.replace("%%", "%")) for one in (first, *parts[1::2])]
    values = [f"(?P<{name}>.+?){text}" for name, text in zip(parts[::2], texts[1:], strict=True)]
    ended = [f"(?>{one})" for one in values[:-1]]
    return re.compile("".join([texts[0], *ended, *values[-1:]]), re.DOTALL)


class BadText(ValueError):
    """A text that cannot be read; the message says why."""

    def __init__(self, text: str, /, **values: Any) -> None:
        self.message = Message(text, **values)
        super().__init__(str(self.message))


class Refusal(Exception):
    """A request that is not carried out; nothing was changed."""

    status = 400
    default = "The request was refused."
    # By these the scripts of a page know what to do.
    headers: Mapping[str, str] = MappingProxyType({})
    # The letter (`agency_refusal` in `app/words`) that says it to an agency, if there is one.
    letter = ""

    def __init__(
        self, detail: str | Message | None = None, /, letter: str = "", **values: Any
    ) -> None:
        given = detail or self.default
        self.message = given if isinstance(given, Message) else Message(given, **values)
        # In English, as programs and logs read it.
        self.detail = str(self.message)
        self.letter = letter or self.letter
        super().__init__(self.detail)


class Invalid(Refusal):
    status = 422
    default = "The input is not valid."


class NotSignedIn(Refusal):
    status = 401
    default = "Sign in first."


class NotAllowed(Refusal):
    status = 403
    default = "Your role does not allow this."


class NotFound(Refusal):
    status = 404
    default = "Not found, or you do not have access."


class Conflict(Refusal):
    status = 409
    default = "The state has changed in the meantime. Reload and try again."


class ChangedMeanwhile(Conflict):
    default = (
        "Another person has changed this since you opened it. Look at what it says now, then save "
        "again."
    )


class KeptByNewerVersion(Conflict):
    """While servers are updated one after the other; a job tries again until its own is."""

    default = (
        "This was kept by a newer version of the program. Open it on a server that has this "
        "version already, or when this server is updated. Nothing is lost."
    )


class UnknownDefinition(Refusal):
    """Until this server has read what another one put in force; a job tries again until then."""

    status = 503
    default = (
        "This record was written with a form that this server has not read yet. "
        "Try again in a few seconds; if this stays, restart the server. The record is safe."
    )


class TooMany(Refusal):
    status = 429
    default = "Too many attempts. Wait a minute and try again."


class Unexpected(Refusal):
    """A fault of the program; what it was stands in the log."""

    status = 500
    default = "Something went wrong here, and nothing was changed. Try again."


class BadSettings(Exception):
    """The program cannot start with these settings; the text says what to change."""
