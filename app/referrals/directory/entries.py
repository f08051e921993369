"""What an agency of the directory is entered with, and the check of it."""

import re
from collections.abc import Container
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from app import words
from app.calls.hours import read_hours
from app.contacts.records import library_of
from app.dialling.rules import Rules, Why, why_not, words_of
from app.errors import Invalid, Joined, Message, why
from app.privacy import ends
from app.privacy.numbers import dialled_from
from app.referrals.library import protocols_of
from app.referrals.states import HOUSE, Sector, Service
from app.work import Work

EVERYWHERE = "*"
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,59}")
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,190}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?")


@dataclass(frozen=True)
class Phone:
    number: str
    # When the phone is answered; empty: whenever the agency is open.
    hours: str = ""


def for_log(name: str, value: Any) -> Any:
    """Return a value of an entry as the log may hold it for ever: of an address only its ends."""
    if value is None:
        return None
    match name:
        case "email":
            return ends.of_email(value)
        case "sms":
            return ends.of_number(value)
        case "webhook_url":
            return ends.of_url(value)
        case "primero":
            return ends.of_url(str(value.get("url", "")))
        case "verified_by":
            return ends.of_name(value)
        case "duty_phones":
            # Phones as they are entered, or as a change that waits stores them.
            phones = [one if isinstance(one, Phone) else Phone(**one) for one in value]
            return [f"{ends.of_number(one.number)} {one.hours}".strip() for one in phones]
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Entry:
    """An agency as the keeper of the directory writes it."""

    code: str
    name: str
    sector: str
    services: tuple[str, ...]
    areas: tuple[str, ...] = ()
    age_from: int | None = None
    age_to: int | None = None
    hours: str = ""
    timezone: str = ""
    languages: tuple[str, ...] = ()
    email: str | None = None
    sms: str | None = None
    duty_phones: tuple[Phone, ...] = ()
    deputy: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    verified_on: date | None = None
    verified_by: str = ""
    # `service@place`, with `*` for everywhere.
    mandated_for: tuple[str, ...] = ()
    webhook_url: str | None = None
    primero: dict[str, Any] | None = field(default=None)


def _check_languages(languages: tuple[str, ...], wrong: list[Message]) -> None:
    strange = [one for one in languages if not _LANGUAGE.fullmatch(one)]
    wrong += [
        Message("languages: '%(one)s' is not a code like sr", one=one[:20]) for one in strange
    ]
    if languages and not set(languages) & set(words.written()):
        wrong.append(
            Message(
                "languages: there are no letters in %(languages)s; add one of: %(words)s",
                languages=list(languages),
                words=list(words.written()),
            )
        )


def check_entry(work: Work, entry: Entry, rules: Rules) -> Entry:
    """Return the entry as it can be stored; `rules` say which numbers are dialled.

    Raises Invalid with all its errors.
    """
    wrong: list[Message] = []
    places = library_of(work.ground).places.choices()
    protocol = protocols_of(work.ground).current
    if not _CODE.fullmatch(entry.code):
        wrong.append(Message("code: 2 to 60 small letters, digits and dashes"))
    if not 1 <= len(entry.name) <= 200 or not entry.name.isprintable():
        wrong.append(Message("name: 1 to 200 characters"))
    if entry.sector not in set(Sector):
        wrong.append(Message("sector: one of %(sector)s", sector=list(Sector)))
    unknown = [s for s in entry.services if s not in set(Service)]
    if unknown or not entry.services:
        wrong.append(Message("services: one or more of %(service)s", service=list(Service)))
    own_house = entry.sector == Sector.OWN_HOUSE
    if any((service in HOUSE) != own_house for service in entry.services):
        wrong.append(
            Message("services: supervisor_on_call and director_on_call are for own_house only")
        )
    wrong += [
        Message("areas: there is no place '%(code)s'", code=c[:40])
        for c in entry.areas
        if c not in places
    ]
    _check_ages(entry, wrong)
    timezone = entry.timezone or protocol.timezone
    for what, hours in (("hours", entry.hours), *((p.number, p.hours) for p in entry.duty_phones)):
        try:
            read_hours(hours or "24/7", timezone, protocol.country)
        except ValueError as error:
            wrong.append(Message("%(what)s: %(problem)s", what=what, problem=why(error)))
    _check_languages(entry.languages, wrong)
    phones, sms = _numbers(entry, rules, [c for c in (protocol.country,) if c], wrong)
    if entry.email is not None and not _EMAIL.fullmatch(entry.email):
        wrong.append(Message("email: not an address"))
    if entry.deputy == entry.code:
        wrong.append(Message("deputy: an agency cannot be its own deputy"))
    if entry.valid_from and entry.valid_until and entry.valid_from >= entry.valid_until:
        wrong.append(Message("valid_until is exclusive and must be after valid_from"))
    _check_mandates(entry, places, wrong)
    if entry.webhook_url is not None:
        _check_address("webhook_url", entry.webhook_url, work.settings.in_production, wrong)
    if entry.primero is not None:
        _check_primero(work, entry.primero, wrong)
    if not (phones or sms or entry.email or entry.webhook_url or entry.primero):
        wrong.append(
            Message("duty_phones, email or sms: give at least one way to reach the agency")
        )
    if wrong:
        raise Invalid(Joined(wrong))
    return Entry(
        **{
            **{f.name: getattr(entry, f.name) for f in fields(Entry)},
            "duty_phones": phones,
            "sms": sms,
            "timezone": timezone,
        }
    )


def _numbers(
    entry: Entry, rules: Rules, countries: list[str], wrong: list[Message]
) -> tuple[tuple[Phone, ...], str | None]:
    phones = []
    for phone in entry.duty_phones:
        number = dialled_from(phone.number, countries)
        why_it_is_not = _why_not(number, rules)
        if number is None or why_it_is_not is Why.NOT_A_NUMBER:
            wrong.append(
                Message(
                    "duty_phones: '%(number)s' needs a + and the country code",
                    number=phone.number[:30],
                )
            )
        elif why_it_is_not is not None:
            wrong.append(
                Message(
                    "duty_phones: '%(number)s': %(problem)s",
                    number=phone.number[:30],
                    problem=words_of(why_it_is_not, number),
                )
            )
        else:
            phones.append(Phone(number, phone.hours))
    if len({p.number for p in phones}) != len(phones):
        wrong.append(Message("duty_phones: a number is listed twice"))
    sms = dialled_from(entry.sms, countries) if entry.sms else None
    if entry.sms:
        why_it_is_not = _why_not(sms, rules)
        if sms is None or not sms.startswith("+"):
            wrong.append(Message("sms: the number needs a + and the country code"))
        elif why_it_is_not is not None:
            wrong.append(Message("sms: %(problem)s", problem=words_of(why_it_is_not, sms)))
    return tuple(phones), sms


def _why_not(number: str | None, rules: Rules) -> Why | None:
    return Why.NOT_A_NUMBER if number is None else why_not(number, rules)


def _check_address(what: str, url: str, in_production: bool, wrong: list[Message]) -> None:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        fine = False
    if not fine:
        wrong.append(
            Message("%(what)s: an http(s) address without user name and password", what=what)
        )
    elif in_production and not url.startswith("https://"):
        wrong.append(Message("%(what)s: must start with https://", what=what))


def _check_primero(work: Work, primero: dict[str, Any], wrong: list[Message]) -> None:
    known = {"url", "user", "owned_by", "refer_to", "agency", "mapping"}
    if set(primero) - known or not {"url", "user", "owned_by", "mapping"} <= set(primero):
        wrong.append(
            Message(
                "primero: url, user, owned_by, mapping; and refer_to or agency (%(known)s)",
                known=sorted(known),
            )
        )
        return
    _check_address("primero url", str(primero["url"]), work.settings.in_production, wrong)
    names = {name for name, _ in protocols_of(work.ground).mappings}
    if primero["mapping"] not in names:
        wrong.append(Message("primero mapping: one of %(names)s", names=sorted(names)))


def _check_ages(entry: Entry, wrong: list[Message]) -> None:
    for name in ("age_from", "age_to"):
        age = getattr(entry, name)
        if age is not None and not 0 <= age <= 25:
            wrong.append(Message("%(name)s: 0 to 25 years", name=name))
    if entry.age_from is not None and entry.age_to is not None and entry.age_from > entry.age_to:
        wrong.append(Message("age_from is above age_to"))


def _check_mandates(entry: Entry, places: Container[str], wrong: list[Message]) -> None:
    for mandate in entry.mandated_for:
        service, _, place = mandate.partition("@")
        shown = mandate[:60]
        if service not in entry.services:
            wrong.append(
                Message(
                    "mandated_for: '%(mandate)s' is not for a service of this agency",
                    mandate=shown,
                )
            )
        if place != EVERYWHERE and place not in places:
            wrong.append(
                Message("mandated_for: write service@place, not '%(mandate)s'", mandate=shown)
            )
