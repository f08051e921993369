"""Reads the form of an agency into the entry that the directory stores."""

from collections.abc import Iterable
from datetime import date, time
from typing import Any

from app import words
from app.calls.hours import read_hours as check_hours
from app.calls.weekly_hours import read_week
from app.contacts.finding.words import normal_words
from app.dashboard.directory.filled import MOST_ROWS, OTHER, PRIMERO, SPANS, Filled, span_week
from app.dashboard.settings.hours_form import read_hours
from app.errors import BadText, Code, Message, Refusal
from app.referrals.directory.entries import EVERYWHERE, Entry, Phone, Problem
from app.referrals.states import OWN_SERVICES, Sector
from app.words.local_hours import stored_hours
from app.words.pages import language_name, weekday_short

_LONGEST_CODE = 50


def code_for(name: str, taken: Iterable[str]) -> str:
    """Return a code made of a name, in small Latin letters, that no agency has yet."""
    known = set(taken)
    made = "-".join(normal_words(name))[:_LONGEST_CODE].strip("-")
    first = made if len(made) > 1 else "agency"
    found, number = first, 1
    while found in known:
        number += 1
        found = f"{first}-{number}"
    return found


def read_entry(filled: Filled, code: str, before: Entry | None) -> tuple[Entry, list[Problem]]:
    """Return what was filled in as an entry, with what only this form can say is wrong with it."""
    wrong: list[Problem] = []
    values: dict[str, Any] = {"code": code, "name": filled.one("name")}
    for name in ("sector", "timezone", "verified_by"):
        values[name] = filled.one(name)
    for name in ("services", "areas"):
        values[name] = _in_order(filled.several(name), getattr(before, name) if before else ())
    values["languages"] = tuple(filled.several("languages"))
    for name in ("email", "sms", "deputy", "webhook_url"):
        values[name] = filled.one(name) or None
    for name in ("age_from", "age_to"):
        values[name] = _years(filled, name, wrong)
    for name in ("valid_from", "valid_until", "verified_on"):
        values[name] = _day(filled, name, wrong)
    values["hours"] = _hours(filled, before.hours if before else "", wrong)
    values["duty_phones"] = _phones(filled, before, wrong)
    values["mandated_for"] = _mandates(filled, wrong)
    values["primero"] = _primero(filled, wrong)
    entry = Entry(**values)
    _check_choices(entry, wrong)
    return entry, wrong


def _check_choices(entry: Entry, wrong: list[Problem]) -> None:
    """Say in words what the check of an entry would say in codes."""
    if entry.sector not in set(Sector):
        wrong.append(Problem("sector", Message("Choose one.")))
    elif not entry.services:
        wrong.append(Problem("services", Message("Choose at least one.")))
    elif any((one in OWN_SERVICES) != (entry.sector == Sector.OWN_HOUSE) for one in entry.services):
        what = Message(
            "%(services)s: choose these for the sector '%(sector)s', and only these.",
            services=[Code(one) for one in sorted(OWN_SERVICES, reverse=True)],
            sector=Code(Sector.OWN_HOUSE),
        )
        wrong.append(Problem("services", what))
    if entry.languages and not set(entry.languages) & set(words.written()):
        what = Message(
            "The program cannot write to an agency in these languages. Add one of: %(languages)s.",
            languages=[language_name(one) for one in words.written()],
        )
        wrong.append(Problem("languages", what))
    for mandate in entry.mandated_for:
        service = mandate.partition("@")[0]
        if service not in entry.services:
            what = Message("'%(service)s' is not a service of this agency.", service=Code(service))
            wrong.append(Problem("mandated_for", what))


def _in_order(chosen: list[str], before: tuple[str, ...]) -> tuple[str, ...]:
    """Return what was chosen, in the stored order first: the form does not show an order."""
    kept = [one for one in before if one in chosen]
    return (*kept, *(one for one in chosen if one not in kept))


def _years(filled: Filled, name: str, wrong: list[Problem]) -> int | None:
    text = filled.one(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        wrong.append(Problem(name, Message("Write a whole number of years.")))
        return None
    return int(text)


def _day(filled: Filled, name: str, wrong: list[Problem]) -> date | None:
    text = filled.one(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        wrong.append(Problem(name, Message("Choose a day.")))
        return None


def _hours(filled: Filled, before: str, wrong: list[Problem]) -> str:
    """Return the opening hours: from the text if there is one, otherwise by weekday."""
    text = filled.one("hours_text")
    if text:
        return before if text == before else _read_text("hours", text, wrong)
    if not filled.one("hours.Mo"):
        return ""
    try:
        return read_hours(filled.flat(), before)
    except Refusal as refusal:
        wrong.append(Problem("hours", refusal.message))
        return ""


def _read_text(column: str, text: str, wrong: list[Problem]) -> str:
    """Return hours that were typed in the reader's language as they are stored."""
    stored = stored_hours(text)
    try:
        check_hours(stored, "UTC", None)
    except BadText:
        what = Message(
            "'%(text)s' is not understood. Write days and times like %(example)s.",
            text=text[:120],
            example=example_of_hours(),
        )
        wrong.append(Problem(column, what))
        return ""
    return stored


def example_of_hours() -> str:
    """Return opening hours as the reader would type them."""
    return f"{weekday_short(0)}–{weekday_short(4)} 8:00–16:00"


def _phones(filled: Filled, before: Entry | None, wrong: list[Problem]) -> tuple[Phone, ...]:
    """Return the duty phones in the order of calling that was chosen."""
    stored = {phone.number: phone.hours for phone in before.duty_phones} if before else {}
    found = []
    for n in range(MOST_ROWS):
        number = filled.one(f"phone.{n}.number")
        if not number:
            if any(filled.of_row("phone", n).values()):
                wrong.append(Problem("duty_phones", Message("Hours without a number.")))
            continue
        hours = _phone_hours(filled, n, stored.get(number, ""), wrong)
        found.append((_place(filled, n), Phone(number, hours)))
    return tuple(phone for _at, phone in sorted(found, key=lambda one: one[0]))


def _place(filled: Filled, n: int) -> float:
    """Return where a row comes: one that moved is before the row of that place, or after it."""
    text = filled.one(f"phone.{n}.place")
    place = int(text) if text.isascii() and text.isdigit() and len(text) < 3 else n + 1
    return place + (0 if place == n + 1 else 0.5 if place > n + 1 else -0.5)


def _phone_hours(filled: Filled, n: int, was: str, wrong: list[Problem]) -> str:
    when = filled.one(f"phone.{n}.when")
    if when == OTHER:
        text = filled.one(f"phone.{n}.text")
        return was if text == was else _read_text("duty_phones", text, wrong)
    if when not in SPANS:
        return ""
    begin, end = _clock(filled.one(f"phone.{n}.from")), _clock(filled.one(f"phone.{n}.until"))
    if begin is None or end is None or begin == end:
        number = filled.one(f"phone.{n}.number")
        what = Message("%(number)s: enter from when until when.", number=number)
        wrong.append(Problem("duty_phones", what))
        return ""
    end = "24:00" if end == "00:00" else end
    # The same hours keep the text that is stored.
    if was and read_week(was) == span_week(when, begin, end):
        return was
    return f"{begin}-{end}" if when == SPANS[0] else f"{when} {begin}-{end}"


def _clock(text: str) -> str | None:
    try:
        return time.fromisoformat(text).strftime("%H:%M")
    except ValueError:
        return None


def _mandates(filled: Filled, wrong: list[Problem]) -> tuple[str, ...]:
    found = []
    for n in range(MOST_ROWS):
        service, place = filled.one(f"mandate.{n}.service"), filled.one(f"mandate.{n}.place")
        if service:
            found.append(f"{service}@{place or EVERYWHERE}")
        elif place:
            wrong.append(Problem("mandated_for", Message("Choose a service for each place.")))
    return tuple(dict.fromkeys(found))


def _primero(filled: Filled, wrong: list[Problem]) -> dict[str, Any] | None:
    found = {key: text for key in PRIMERO if (text := filled.one(f"primero.{key}"))}
    if found and not {"url", "user", "owned_by", "mapping"} <= set(found):
        what = Message("Fill in its address, our account, who owns the records, and the mapping.")
        wrong.append(Problem("primero", what))
    return found or None
