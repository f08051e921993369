"""The fields of an agency's form: as the directory fills them, or as a person did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData

from app.calls.weekly_hours import Week, read_week
from app.dashboard.settings.hours_form import hours_rows
from app.referrals.directory.entries import Entry, Phone

MOST_ROWS = 12
_BLANK_ROWS = 2
# Days on which a duty phone may be answered between two times, and days with times of another kind.
SPANS = ("Mo-Su", "Mo-Fr", "Sa-Su")
OTHER = "other"
PRIMERO = ("url", "user", "owned_by", "refer_to", "agency", "mapping")
_PLAIN = ("code", "name", "sector", "age_from", "age_to", "timezone", "email", "sms", "deputy")
_LATER = ("valid_from", "valid_until", "verified_on", "verified_by", "webhook_url")
_SEVERAL = ("services", "areas", "languages")


@dataclass(frozen=True)
class Filled:
    """What stands in the fields, by their names; a field may have several values."""

    values: Mapping[str, list[str]] = field(default_factory=dict)

    def one(self, name: str) -> str:
        """Return the value of a field, or an empty text."""
        return next(iter(self.values.get(name, ())), "").strip()

    def several(self, name: str) -> list[str]:
        """Return the values of a field, each once and in their order."""
        return [one for one in dict.fromkeys(self.values.get(name, ())) if one]

    def flat(self) -> dict[str, str]:
        """Return the first value of each field."""
        return {name: self.one(name) for name in self.values}

    def rows(self, name: str) -> list[int]:
        """Return the numbers of the rows of a list, such as `phone.0.number`, with blank ones."""
        numbers = [n for n in range(MOST_ROWS) if any(self.of_row(name, n).values())]
        last = max(numbers, default=-1)
        return list(range(min(MOST_ROWS, last + 1 + _BLANK_ROWS)))

    def of_row(self, name: str, number: int) -> dict[str, str]:
        """Return what was filled into a row of a list; its place and a choice of days are none."""
        start = f"{name}.{number}."
        found = {
            one.removeprefix(start): self.one(one) for one in self.values if one.startswith(start)
        }
        return {key: value for key, value in found.items() if key not in ("place", "when")}


def as_sent(form: FormData) -> Filled:
    """Return what a browser sent. Files are left out."""
    values: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            values.setdefault(name, []).append(value[:4000])
    return Filled(values)


def as_stored(entry: Entry) -> Filled:
    """Return what the form of an agency shows before anything is changed."""
    values = {name: [_text(getattr(entry, name))] for name in (*_PLAIN, *_LATER)}
    values |= {name: list(getattr(entry, name)) for name in _SEVERAL}
    if hours_rows(entry.hours, {}) is None:
        values["hours_text"] = [entry.hours]
    for n, phone in enumerate(entry.duty_phones):
        values |= {f"phone.{n}.{key}": [text] for key, text in phone_fields(phone).items()}
    for n, mandate in enumerate(entry.mandated_for):
        service, _at, place = mandate.partition("@")
        values |= {f"mandate.{n}.service": [service], f"mandate.{n}.place": [place]}
    for key, text in (entry.primero or {}).items():
        values[f"primero.{key}"] = [str(text)]
    return Filled(values)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def phone_fields(phone: Phone) -> dict[str, str]:
    """Return a duty phone as the fields of its row."""
    found = {"number": phone.number, "when": "", "from": "", "until": "", "text": ""}
    if not phone.hours:
        return found
    week = read_week(phone.hours)
    for days in SPANS if week is not None else ():
        for begin, end in week.of(days[:2]) if week else ():
            if week == span_week(days, begin, end):
                # A field for a time has no 24:00.
                until = end.replace("24:00", "00:00")
                return found | {"when": days, "from": begin, "until": until}
    return found | {"when": OTHER, "text": phone.hours}


def span_week(days: str, begin: str, end: str) -> Week | None:
    """Return the week in which a phone is answered on these days between two times."""
    return read_week(f"{days} {begin}-{end}")
