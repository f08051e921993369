"""Who rings: what the provider sends as the caller, told apart.

Withheld numbers come in many forms (words, digits that spell a word on a
keypad, nothing at all). They are nobody: never matched, never called back.
"""

from typing import Literal, NamedTuple

import phonenumbers

CallerKind = Literal["e164", "client", "sip", "withheld", "other"]

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
    """Tell apart what stands in `From`; the address is None for everybody withheld."""
    text = (raw or "").strip()
    lowered = text.lower()
    if not text or any(word in lowered for word in _WORDS):
        return Caller("withheld", None)
    if lowered.startswith("client:"):
        return Caller("client", text)
    if lowered.startswith(("sip:", "sips:")):
        return Caller("sip", text)
    digits = "".join(c for c in text if c.isdigit())
    if digits in _SPELLED or digits.removeprefix("1") in _SPELLED or not digits.strip("0"):
        return Caller("withheld", None)
    number = e164(text)
    # Short codes and numbers that cannot be: somebody, but nobody to match or to ring.
    return Caller("e164", number) if number else Caller("other", None)


def e164(text: str) -> str | None:
    """The number in international form, or None if it cannot be one."""
    # Without a country code a number could be anybody's in another country.
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
    """The numbers that this could be, as dialled from one of the countries or from abroad."""
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
