"""What an agency of the directory is entered with, and the check of it."""

import re
from collections.abc import Container
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from app import words
from app.calls.hours import read_hours
from app.contacts.registry import library_of
from app.dialling.rules import Rules, Why, why_not, words_of
from app.errors import Invalid, Joined, Message, why
from app.outbox.addresses import reads_alike
from app.privacy import ends
from app.privacy.numbers import dialled_from
from app.referrals.library import protocols_of
from app.referrals.states import OWN_SERVICES, Sector, Service
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
    """Return a value of an entry as the log may hold it for ever: only the ends of an address."""
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
    """An agency as it is entered in the directory."""

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


@dataclass(frozen=True)
class Problem:
    """What is wrong with a column of an entry: a form says it at its field."""

    column: str
    what: Message

    @property
    def message(self) -> Message:
        """Return it with the name of its column, as programs and files need it."""
        return Message("%(what)s: %(problem)s", what=self.column, problem=self.what)


class BadEntry(Invalid):
    """An entry that cannot be stored, with each of its problems."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(Joined([one.message for one in problems]))


def _check_languages(languages: tuple[str, ...], wrong: list[Problem]) -> None:
    strange = [one for one in languages if not _LANGUAGE.fullmatch(one)]
    wrong += [
        Problem("languages", Message("'%(one)s' is not a code like sr", one=one[:20]))
        for one in strange
    ]
    if languages and not set(languages) & set(words.written()):
        what = Message(
            "the program cannot write in %(languages)s; add one of: %(words)s",
            languages=list(languages),
            words=list(words.written()),
        )
        wrong.append(Problem("languages", what))


def check_entry(work: Work, entry: Entry, rules: Rules) -> Entry:
    """Return the entry as it can be stored; `rules` say which numbers are dialled.

    Raises BadEntry with all its problems.
    """
    wrong: list[Problem] = []
    places = library_of(work.ground).places.choices()
    protocol = protocols_of(work.ground).current
    if not _CODE.fullmatch(entry.code):
        wrong.append(Problem("code", Message("2 to 60 small letters, digits and dashes")))
    if not 1 <= len(entry.name) <= 200 or not entry.name.isprintable():
        wrong.append(Problem("name", Message("1 to 200 characters")))
    _check_services(entry, wrong)
    wrong += [
        Problem("areas", Message("there is no place '%(code)s'", code=c[:40]))
        for c in entry.areas
        if c not in places
    ]
    _check_ages(entry, wrong)
    timezone = entry.timezone or protocol.timezone
    _check_hours(entry, timezone, protocol.country, wrong)
    _check_languages(entry.languages, wrong)
    phones, sms = _numbers(entry, rules, [c for c in (protocol.country,) if c], wrong)
    if entry.email is not None and not _EMAIL.fullmatch(entry.email):
        wrong.append(Problem("email", Message("not an address")))
    if entry.deputy == entry.code:
        wrong.append(Problem("deputy", Message("an agency cannot be its own deputy")))
    if entry.valid_from and entry.valid_until and entry.valid_from >= entry.valid_until:
        what = Message("it is the first day that no longer counts, and is after the day 'from'")
        wrong.append(Problem("valid_until", what))
    _check_mandates(entry, places, wrong)
    if entry.webhook_url is not None:
        check_address("webhook_url", entry.webhook_url, work.settings.in_production, wrong)
    if entry.primero is not None:
        _check_primero(work, entry.primero, wrong)
    # A way that is there and wrong has a problem of its own.
    if not any((entry.duty_phones, entry.sms, entry.email, entry.webhook_url, entry.primero)):
        what = Message("give at least one way to reach the agency")
        wrong.append(Problem("duty_phones, email or sms", what))
    if wrong:
        raise BadEntry(wrong)
    return Entry(
        **{
            **{f.name: getattr(entry, f.name) for f in fields(Entry)},
            "duty_phones": phones,
            "sms": sms,
            "timezone": timezone,
        }
    )


def _check_services(entry: Entry, wrong: list[Problem]) -> None:
    if entry.sector not in set(Sector):
        wrong.append(Problem("sector", Message("one of %(sector)s", sector=list(Sector))))
    unknown = [s for s in entry.services if s not in set(Service)]
    if unknown or not entry.services:
        what = Message("one or more of %(service)s", service=list(Service))
        wrong.append(Problem("services", what))
    is_ours = entry.sector == Sector.OWN_HOUSE
    if any((service in OWN_SERVICES) != is_ours for service in entry.services):
        what = Message("supervisor_on_call and director_on_call are for own_house only")
        wrong.append(Problem("services", what))


def _check_hours(entry: Entry, timezone: str, country: str | None, wrong: list[Problem]) -> None:
    for number, hours in (("", entry.hours), *((p.number, p.hours) for p in entry.duty_phones)):
        try:
            read_hours(hours or "24/7", timezone, country)
        except ValueError as error:
            if not number:
                wrong.append(Problem("hours", why(error)))
                continue
            what = Message("'%(number)s': %(problem)s", number=number[:30], problem=why(error))
            wrong.append(Problem("duty_phones", what))


def _numbers(
    entry: Entry, rules: Rules, countries: list[str], wrong: list[Problem]
) -> tuple[tuple[Phone, ...], str | None]:
    phones = []
    for phone in entry.duty_phones:
        shown = phone.number[:30]
        number = dialled_from(phone.number, countries)
        why_it_is_not = _why_not(number, rules)
        if number is None or why_it_is_not is Why.NOT_A_NUMBER:
            what = Message("'%(number)s' needs a + and the country code", number=shown)
            wrong.append(Problem("duty_phones", what))
        elif why_it_is_not is not None:
            words = words_of(why_it_is_not, number)
            what = Message("'%(number)s': %(problem)s", number=shown, problem=words)
            wrong.append(Problem("duty_phones", what))
        else:
            phones.append(Phone(number, phone.hours))
    if len({p.number for p in phones}) != len(phones):
        wrong.append(Problem("duty_phones", Message("a number is listed twice")))
    sms = dialled_from(entry.sms, countries) if entry.sms else None
    if entry.sms:
        why_it_is_not = _why_not(sms, rules)
        if sms is None or not sms.startswith("+"):
            what = Message("the number needs a + and the country code")
            wrong.append(Problem("sms", what))
        elif why_it_is_not is not None:
            wrong.append(Problem("sms", words_of(why_it_is_not, sms)))
    return tuple(phones), sms


def _why_not(number: str | None, rules: Rules) -> Why | None:
    return Why.NOT_A_NUMBER if number is None else why_not(number, rules)


def check_address(what: str, url: str, in_production: bool, wrong: list[Problem]) -> None:
    """Add to `wrong` if an address is read in two ways, tells a password or is not of HTTPS."""
    try:
        parts = urlsplit(url)
        fine = reads_alike(url) and not parts.username
    except ValueError:
        fine = False
    if not fine:
        problem = Message("an http(s) address without user name and password")
        wrong.append(Problem(what, problem))
    elif in_production and not url.startswith("https://"):
        wrong.append(Problem(what, Message("must start with https://")))


def _check_primero(work: Work, primero: dict[str, Any], wrong: list[Problem]) -> None:
    known = {"url", "user", "owned_by", "refer_to", "agency", "mapping"}
    if set(primero) - known or not {"url", "user", "owned_by", "mapping"} <= set(primero):
        what = Message(
            "url, user, owned_by, mapping; and refer_to or agency (%(known)s)", known=sorted(known)
        )
        wrong.append(Problem("primero", what))
        return
    check_address("primero url", str(primero["url"]), work.settings.in_production, wrong)
    names = {name for name, _ in protocols_of(work.ground).mappings}
    if primero["mapping"] not in names:
        what = Message("one of %(names)s", names=sorted(names))
        wrong.append(Problem("primero mapping", what))


def _check_ages(entry: Entry, wrong: list[Problem]) -> None:
    for name in ("age_from", "age_to"):
        age = getattr(entry, name)
        if age is not None and not 0 <= age <= 25:
            wrong.append(Problem(name, Message("0 to 25 years")))
    if entry.age_from is not None and entry.age_to is not None and entry.age_from > entry.age_to:
        wrong.append(Problem("age_from", Message("it is above the oldest age")))


def _check_mandates(entry: Entry, places: Container[str], wrong: list[Problem]) -> None:
    for mandate in entry.mandated_for:
        service, _, place = mandate.partition("@")
        shown = mandate[:60]
        if service not in entry.services:
            what = Message("'%(mandate)s' is not for a service of this agency", mandate=shown)
            wrong.append(Problem("mandated_for", what))
        if place != EVERYWHERE and place not in places:
            what = Message("write service@place, not '%(mandate)s'", mandate=shown)
            wrong.append(Problem("mandated_for", what))
