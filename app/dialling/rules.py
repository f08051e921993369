"""Which numbers the program dials: countries, kinds of numbers, and how many of them. Pure.

`phonenumbers` says what a number is. Numbers that cost a fortune are never dialled, whatever
an administrator allows: a person who makes a machine dial them is paid for each minute.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType, ShortNumberCost, shortnumberinfo

from app.errors import Code, Country, Message
from app.privacy.numbers import e164, e164_in, user_of


class NumberKind(StrEnum):
    """A kind of number that an administrator can allow."""

    FIXED_LINE = "fixed_line"
    MOBILE = "mobile"
    TOLL_FREE = "toll_free"
    VOIP = "voip"
    # One number for a whole company, often at a price of its own.
    COMPANY = "company_number"
    # A number that follows a person, often at a price of its own.
    PERSONAL = "personal_number"
    # The library knows no such range: perhaps it is new.
    UNKNOWN = "unknown"


class Why(StrEnum):
    """Why a number is not dialled."""

    NOT_A_NUMBER = "not_a_number"
    EXPENSIVE = "expensive"
    COUNTRY = "country"
    KIND = "kind"


_KINDS: dict[int, tuple[NumberKind, ...]] = {
    PhoneNumberType.FIXED_LINE: (NumberKind.FIXED_LINE,),
    PhoneNumberType.MOBILE: (NumberKind.MOBILE,),
    PhoneNumberType.FIXED_LINE_OR_MOBILE: (NumberKind.FIXED_LINE, NumberKind.MOBILE),
    PhoneNumberType.TOLL_FREE: (NumberKind.TOLL_FREE,),
    PhoneNumberType.VOIP: (NumberKind.VOIP,),
    PhoneNumberType.UAN: (NumberKind.COMPANY,),
    PhoneNumberType.PERSONAL_NUMBER: (NumberKind.PERSONAL,),
    PhoneNumberType.UNKNOWN: (NumberKind.UNKNOWN,),
}
# Country codes of no country: satellites and international networks (870, 878, 881 to 883), shared
# cost (808), premium rate (979) and the like.
_NO_COUNTRY = "001"
# What is dialled before a number: for a line to the outside, and to another country (beside 00).
_OUTSIDE = ("", "0", "9")
_ABROAD = ("", "011", "810")
_LONGEST_EXTENSION = 6
DEFAULT_KINDS = (NumberKind.FIXED_LINE, NumberKind.MOBILE, NumberKind.TOLL_FREE, NumberKind.VOIP)


@dataclass(frozen=True)
class Rules:
    """What may be dialled. `home` are the countries of the lines; without any, none is refused."""

    home: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    kinds: tuple[str, ...] = field(default=tuple(kind.value for kind in DEFAULT_KINDS))
    # How many numbers one person may have dialled, and when the administrators are told.
    person_hour: int = 30
    person_day: int = 120
    alarm_hour: int = 1000
    alarm_day: int = 8000
    # Minutes for which dialled phones were up.
    minutes_hour: int = 2000
    minutes_day: int = 16000
    revision: int = 0


@lru_cache(maxsize=1024)
def _about(number: str) -> tuple[str, int]:
    """Return the country of a number, and the library's type of it."""
    parsed = phonenumbers.parse(number)
    country = phonenumbers.region_code_for_number(parsed)
    if country is None:
        # In no known range: the main country of its code.
        country = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return str(country), phonenumbers.number_type(parsed)


def country_of(number: str) -> str:
    """Return the two letters of the country of a number; empty for a short one or an address."""
    return _about(number)[0] if e164(number) is not None else ""


def kinds_of(number: str) -> tuple[NumberKind, ...]:
    """Return the kinds that a number in international form can have; none if never dialled."""
    country, kind = _about(number)
    return () if country == _NO_COUNTRY else _KINDS.get(kind, ())


def why_not(number: str, rules: Rules) -> Why | None:
    """Return why a number is not dialled, or None if it is.

    It is a number in international form, or a short one of the lines' countries, such as 116 111.
    """
    if not number.startswith("+"):
        return None if _is_short(number, rules.home) else Why.NOT_A_NUMBER
    if e164(number) is None:
        return Why.NOT_A_NUMBER
    country, kinds = country_of(number), kinds_of(number)
    if not kinds:
        return Why.EXPENSIVE
    if rules.home and country not in rules.home and country not in rules.countries:
        return Why.COUNTRY
    return None if set(kinds) <= set(rules.kinds) else Why.KIND


def why_not_answered(number: str, rules: Rules) -> Why | None:
    """Return why a number that wrote to us is not answered: the kinds of numbers count, and no
    country, since the answer is one text that was asked for."""
    return why_not(number, replace(rules, home=()))


def _is_short(number: str, countries: tuple[str, ...]) -> bool:
    """Return whether this is a short number of a country that costs no premium."""
    if not number.isdigit() or len(number) > 8:
        return False
    for country in countries:
        try:
            parsed = phonenumbers.parse(number, country)
        except phonenumbers.NumberParseException:
            continue
        if (
            shortnumberinfo.is_valid_short_number_for_region(parsed, country)
            and shortnumberinfo.expected_cost_for_region(parsed, country)
            != ShortNumberCost.PREMIUM_RATE
        ):
            return True
    return False


def why_not_address(address: str, rules: Rules) -> Why | None:
    """Return why an address is not rung: a number, or the number in a SIP address.

    The gateway decides what it dials, and only it can refuse everything else: a user part with
    letters, an extension that it leads abroad, a prefix of its own, and digits that are also a
    number of a country of ours, as 011 is an area there and the way abroad elsewhere.
    """
    lowered = address.lower()
    if lowered.startswith("client:"):
        return None
    if not lowered.startswith(("sip:", "sips:")):
        return why_not(address, rules)
    for user in _users_of(address, rules.home):
        why = _why_not_user(user, rules)
        if why is not None:
            return why
    return None


def _why_not_user(user: str, rules: Rules) -> Why | None:
    number = e164(user) or _number_abroad(user, rules.home)
    if number is not None:
        return why_not(number, rules)
    # An extension, or a number as it is dialled within the country, or abroad from there.
    codes = tuple(f"+{phonenumbers.country_code_for_region(one)}" for one in rules.home)
    for within in e164_in(user, list(rules.home)):
        why = why_not(within, rules)
        if why is Why.EXPENSIVE or (why is not None and not within.startswith(codes)):
            return why
    return None


def _users_of(address: str, home: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what a gateway may dial for a SIP address: its user part, and if that is neither an
    extension nor a number as it stands, what is left after a prefix."""
    user = unicodedata.normalize("NFKC", user_of(address))
    user = user.partition(":")[0].partition(";")[0]
    user = "".join(str(unicodedata.decimal(one, one)) for one in user)
    # No code of a country begins with a zero: a plus before one says no more than what follows.
    user = re.sub(r"\+(?=0)", "", user)
    if "@" not in address or any(one.isalpha() for one in user):
        yield user
        return
    # Codes with a star or a hash come before a number or after it.
    for part in dict.fromkeys([user, *re.split("[*#]", user)]):
        digits = "".join(one for one in part if one == "+" or one.isdecimal())
        yield digits
        if len(digits) > _LONGEST_EXTENSION and not any(map(_is_valid, e164_in(digits, [*home]))):
            prefixes = (outside + abroad for outside in _OUTSIDE for abroad in _ABROAD)
            yield from (digits.removeprefix(one) for one in prefixes if digits.startswith(one))


def _number_abroad(user: str, home: tuple[str, ...] = ()) -> str | None:
    """Return the number that begins with the code of a country without a plus, as some gateways
    dial it; None if it is none, or one that a country of ours dials as it stands.

    Where numbers are dialled with a 0 before them, one without it is none of that country.
    """
    number = e164(f"+{user}") if user.isdecimal() else None
    if number is None or not _is_valid(number):
        return None
    closed = [one for one in home if not phonenumbers.ndd_prefix_for_region(one, True)]
    return None if any(_is_valid(one) for one in e164_in(user, closed)) else number


def _is_valid(number: str) -> bool:
    """Return whether a number in international form is of a range that is in use."""
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def words_of(why: Why, number: str) -> Message:
    """Return in words why a number is not dialled, and what to do."""
    match why:
        case Why.NOT_A_NUMBER:
            return Message("That is not a phone number. Write it with + and the country code.")
        case Why.EXPENSIVE:
            return Message(
                "Premium-rate, shared-cost, satellite and similar numbers are never dialled. "
                "Enter another number."
            )
        case Why.COUNTRY:
            return Message(
                "Numbers of the country %(country)s are not dialled. Enter another number, or ask "
                "an administrator to allow the country (Administration, Dialling).",
                country=Country(country_of(_number_in(number))),
            )
    found = _number_in(number)
    return Message(
        "Numbers of this kind (%(kind)s) are not dialled. Enter another number, or ask an "
        "administrator to allow the kind (Administration, Dialling).",
        kind=[Code(kind) for kind in (kinds_of(found) if found else ())],
    )


def _number_in(address: str) -> str:
    if ":" not in address:
        return address
    found = (e164(user) or _number_abroad(user) for user in _users_of(address))
    return next((number for number in found if number is not None), "")
