"""What is noticed in a written message: personal data, and words that speak of danger. Pure.

Neither changes an urgency, and neither stops a message. Personal data is only shown. The first
words of danger are stored sealed with the conversation, and lift a block (`danger_marks.py`).
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

from app import words
from app.words import danger
from app.words.chats import chat_words
from app.words.folding import folded

_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# Personal numbers, cards, accounts: ten digits or more, however they are grouped.
_ID = re.compile(r"(?<![\w+])\d(?:[ .-]?\d){9,18}(?!\w)")
_HANDLE = re.compile(r"(?<![\w@.])@[A-Za-z0-9_.]{3,30}")


class Personal(StrEnum):
    """A kind of personal data."""

    PHONE = "phone"
    MAIL = "mail"
    HANDLE = "handle"
    ID = "id"


class MessagePart(NamedTuple):
    """A piece of a message. `kind`: what it is marked as, if anything. `number`: a phone number
    in international form."""

    text: str
    kind: Personal | None = None
    number: str | None = None


class _Found(NamedTuple):
    start: int
    end: int
    kind: Personal
    number: str | None = None


def parts_of(text: str, country: str, own: Iterable[str] = ()) -> list[MessagePart]:
    """Return a message in pieces, with personal data marked.

    `country`: the one in which numbers without a prefix are dialled. `own`: numbers of the
    helpline, which are not marked.
    """
    parts, at = [], 0
    for found in _found(text, country, frozenset(own)):
        if found.start > at:
            parts.append(MessagePart(text[at : found.start]))
        parts.append(MessagePart(text[found.start : found.end], found.kind, found.number))
        at = found.end
    if at < len(text):
        parts.append(MessagePart(text[at:]))
    return parts


def personal_in(text: str, country: str, own: Iterable[str] = ()) -> list[MessagePart]:
    """Return the personal data in a text."""
    return [part for part in parts_of(text, country, own) if part.kind is not None]


def _found(text: str, country: str, own: frozenset[str]) -> list[_Found]:
    found = [_Found(m.start(), m.end(), Personal.MAIL) for m in _MAIL.finditer(text)]
    found += [_Found(m.start(), m.end(), Personal.HANDLE) for m in _HANDLE.finditer(text)]
    for match in phonenumbers.PhoneNumberMatcher(text, country.upper()):
        number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        if number not in own:
            found.append(_Found(match.start, match.end, Personal.PHONE, number))
    found += [_Found(m.start(), m.end(), Personal.ID) for m in _ID.finditer(text)]
    kept: list[_Found] = []
    for one in found:
        # What was found first is the surer: a number that can be dialled is not an identity.
        if all(one.end <= other.start or one.start >= other.end for other in kept):
            kept.append(one)
    ours = [o for o in kept if not _is_own(text[o.start : o.end], country, own)]
    return sorted(ours)


def _is_own(text: str, country: str, own: frozenset[str]) -> bool:
    try:
        number = phonenumbers.parse(text, country.upper())
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) in own


# -- danger ------------------------------------------------------------------------------------


def danger_in(text: str, languages: Sequence[str]) -> str | None:
    """Return the first words of a text that speak of danger, as they were written."""
    plain, places = folded(text)
    best: tuple[int, int] | None = None
    for language in languages:
        pattern = danger.pattern(chat_words(language).danger)
        match = pattern.search(plain) if pattern else None
        if match and (best is None or match.start() < best[0]):
            best = match.start(), match.end()
    if best is None:
        return None
    begin, end = places[best[0]], places[best[1] - 1] + 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return text[begin:end]


def may_alarm(text: str) -> bool:
    """Return whether a text has words that speak of danger in any language: those of its
    conversation are looked at where they are known."""
    return danger_in(text, _all_languages()) is not None


@lru_cache(maxsize=1)
def _all_languages() -> tuple[str, ...]:
    return tuple(words.languages())
