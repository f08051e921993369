"""Phone numbers: reading what the provider sends as the caller.

Withheld numbers come in many forms (words, digits that spell a word on a
keypad, nothing at all). Such callers are never matched and never called back.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

import phonenumbers


class CallerKind(StrEnum):
    """What the provider names a caller by."""

    E164 = "e164"  # a phone number in international form
    CLIENT = "client"  # a browser
    SIP = "sip"
    WRITTEN = "written"  # an address in a messaging service
    WITHHELD = "withheld"
    OTHER = "other"


# Prefixes of addresses in messaging services: such an address has the digits of a phone
# number, but is another channel.
_WRITTEN = ("whatsapp:", "messenger:", "viber:", "telegram:", "signal:", "rcs:")
# A number of a few digits that only works within a country: 116 111, 19 9.
_SHORT = re.compile(r"\d{2,8}")
# What ANONYMOUS, RESTRICTED, UNAVAILABLE, BLOCKED and UNKNOWN spell on a keypad.
_SPELLED = frozenset({"266696687", "7378742833", "86282452253", "2562533", "8656696"})
_WORDS = (
    "anonymous",
    "restricted",
    "unavailable",
    "unknown",
    "private",
    "blocked",
    "withheld",
    "no caller id",
    "null",
)


class Caller(NamedTuple):
    """A caller as received: the kind, and the address where there is one."""

    kind: CallerKind
    address: str | None


def read_caller(raw: str | None) -> Caller:
    """Read the caller in `From`; the address is None if it is withheld or of no use."""
    text = (raw or "").strip()
    lowered = text.lower()
    if not text or any(word in lowered for word in _WORDS):
        return Caller(CallerKind.WITHHELD, None)
    if lowered.startswith("client:"):
        return Caller(CallerKind.CLIENT, text)
    if lowered.startswith(_WRITTEN):
        return Caller(CallerKind.WRITTEN, text)
    if lowered.startswith(("sip:", "sips:", "tel:")):
        number = e164(user_of(text))
        if number is not None:
            return Caller(CallerKind.E164, number)
        return Caller(CallerKind.SIP if lowered.startswith("sip") else CallerKind.OTHER, text)
    digits = "".join(c for c in text if c.isdigit())
    if digits in _SPELLED or digits.removeprefix("1") in _SPELLED or not digits.strip("0"):
        return Caller(CallerKind.WITHHELD, None)
    number = e164(text)
    # Short codes and impossible numbers: the caller can be neither matched nor called back.
    return Caller(CallerKind.E164, number) if number else Caller(CallerKind.OTHER, None)


def user_of(uri: str) -> str:
    """Return the user part of a SIP or tel URI without its parameters (RFC 3261, 19; RFC 3966).

    `sip:+381111@trunk.example;user=phone` and `tel:+381-11-1` become `+381111` and `+381-11-1`.
    """
    text = uri.strip().strip("<>")
    if '"' in text or "<" in text:
        # With a display name before it: "Ana" <sip:...>.
        text = text.rpartition("<")[2].partition(">")[0]
    user = text.partition(":")[2].partition("@")[0].partition(";")[0]
    return unquote(user)


# Where a trunk carries the caller's number, if not in `From` itself (RFC 3325 and its forerunner).
_ASSERTED = ("SipHeader_P-Asserted-Identity", "SipHeader_Remote-Party-ID", "SipHeader_X-Caller")


def caller_of(fields: Mapping[str, str]) -> str | None:
    """Return what names the caller in a webhook: `From`, or the number that a SIP trunk asserts.

    A caller who withholds their number stays withheld, whatever a header says.
    """
    raw = fields.get("From")
    first = read_caller(raw)
    if first.kind is not CallerKind.SIP or fields.get("SipHeader_Privacy", "").lower() in (
        "id",
        "full",
    ):
        return raw
    for name in _ASSERTED:
        number = e164(user_of(fields[name])) if name in fields else None
        if number is not None:
            return number
    return raw


# Cached: the numbers of our own lines come again and again.
@lru_cache(maxsize=256)
def dialled(raw: str | None) -> str | None:
    """Return the dialled number in the form that lines store: international, or short.

    None if it is not a phone number, such as the same digits in a messaging service.
    """
    text = (raw or "").strip()
    lowered = text.lower()
    if lowered.startswith(_WRITTEN) or lowered.startswith("client:"):
        return None
    if lowered.startswith(("sip:", "sips:", "tel:")):
        text = user_of(text)
    whole = e164(text)
    if whole is not None:
        return whole
    short = re.sub(r"[\s().-]", "", text)
    return short if _SHORT.fullmatch(short) else None


def e164(text: str) -> str | None:
    """Return the number in international form, or None if it cannot be one."""
    # Without a country code, the number could belong to a person in another country.
    international = "+" + text[2:] if text.startswith("00") else text
    if not international.startswith("+"):
        return None
    try:
        number = phonenumbers.parse(international)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def e164_in(text: str, countries: list[str]) -> list[str]:
    """Return the numbers that this could be, dialled from one of the countries or from abroad."""
    whole = e164(text)
    if whole is not None:
        return [whole]
    found = []
    for country in countries:
        try:
            number = phonenumbers.parse(text, country.upper())
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number):
            found.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    return found


def dialled_from(text: str, countries: Iterable[str]) -> str | None:
    """Return a number that a person typed, as it is dialled from one of the countries.

    Without a country code, a number must be one number alone: None if two countries have it.
    """
    return dialled(text) or international_from(text, countries)


def international_from(text: str, countries: Iterable[str]) -> str | None:
    """Return the international form of a number that a person typed; no number is short here.

    Without a country code, a number must be one number alone: None if two countries have it.
    """
    if ":" in text:
        return None
    found = list(dict.fromkeys(e164_in(text, list(countries))))
    if len(found) > 1:
        found = [one for one in found if phonenumbers.is_valid_number(phonenumbers.parse(one))]
    return found[0] if len(found) == 1 else None
