"""The directory as CSV: an exported file can be imported; errors name their line and the remedy."""

import asyncio
import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from app.dialling import outward
from app.dialling.rules import Rules
from app.errors import BadText, Invalid, Joined, Message, why
from app.referrals.directory.agencies import entries, save_agency
from app.referrals.directory.entries import Entry, Phone, check_entry
from app.referrals.directory.models import Agency
from app.work import Work

COLUMNS = (
    "code",
    "name",
    "sector",
    "services",
    "areas",
    "age_from",
    "age_to",
    "hours",
    "timezone",
    "languages",
    "email",
    "sms",
    "duty_phones",
    "deputy",
    "valid_from",
    "valid_until",
    "verified_on",
    "verified_by",
    "mandated_for",
    "webhook_url",
    "primero",
)
_REQUIRED = ("code", "name", "sector", "services")
_LISTS = ("services", "areas", "languages", "mandated_for")
_DATES = ("valid_from", "valid_until", "verified_on")
# Far more agencies than a country has.
_MOST = 20_000
# Errors that one answer lists.
_SHOWN = 50
# A spreadsheet reads a text with these beginnings as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class BadDirectory(Invalid):
    """Nothing was imported; the text lists the errors by line."""

    def __init__(self, errors: list[Message]) -> None:
        self.errors = errors
        left = len(errors) - _SHOWN
        more = [Message("and %(number)s more", number=left)] if left > 0 else []
        super().__init__(
            "Nothing was imported. Correct these errors (%(number)s):\n%(errors)s",
            number=len(errors),
            errors=Joined([*errors[:_SHOWN], *more], "\n"),
        )


def read_directory(text: str) -> list[tuple[int, Entry]]:
    """Read the entries of a file with their lines. Raises BadDirectory."""
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        names = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = names
        _check_header(names)
        rows = []
        for row in reader:
            rows.append((reader.line_num, row))
            if len(rows) > _MOST:
                raise BadDirectory(
                    [
                        Message(
                            "line %(line_num)s: more than %(most)s agencies",
                            line_num=reader.line_num,
                            most=_MOST,
                        )
                    ]
                )
    except csv.Error as error:
        raise BadDirectory([Message("this is not CSV: %(problem)s", problem=why(error))]) from None
    found, errors = [], []
    for line, row in rows:
        try:
            found.append((line, _entry(row)))
        except ValueError as error:
            errors.append(Message("line %(line)s: %(problem)s", line=line, problem=why(error)))
    lines: dict[str, int] = {}
    for line, entry in found:
        if entry.code in lines:
            errors.append(
                Message(
                    "line %(line)s: code '%(code)s' is also in line %(lines)s",
                    line=line,
                    code=entry.code,
                    lines=lines[entry.code],
                )
            )
        lines.setdefault(entry.code, line)
    if errors:
        raise BadDirectory(errors)
    return found


def _check_header(names: list[str]) -> None:
    times = Counter(names)
    missing = [name for name in _REQUIRED if name not in times]
    unknown = [name for name in names if name not in COLUMNS]
    twice = sorted(name for name, number in times.items() if number > 1)
    errors = [Message("line 1: the column '%(name)s' is missing", name=name) for name in missing]
    errors += [Message("line 1: there is no column '%(name)s'", name=name[:40]) for name in unknown]
    errors += [
        Message("line 1: the column '%(name)s' appears twice", name=name[:40]) for name in twice
    ]
    if errors:
        raise BadDirectory(
            [*errors, Message("the columns are: %(columns)s", columns=list(COLUMNS))]
        )


def _entry(row: dict[str, Any]) -> Entry:
    if None in row:
        raise BadText("there are more values than columns")
    if any(value is None for value in row.values()):
        raise BadText("there are fewer values than columns")
    plain = {name: _unescaped(value.strip()) for name, value in row.items()}
    if any("\x00" in value for value in plain.values()):
        raise BadText("there is a NUL character, which no text can hold")
    values: dict[str, Any] = {"code": plain["code"], "name": plain["name"]}
    values["sector"] = plain["sector"]
    for name in _LISTS:
        values[name] = _list(plain.get(name, ""))
    for name in ("age_from", "age_to"):
        values[name] = _number(name, plain.get(name, ""))
    for name in _DATES:
        values[name] = _date(name, plain.get(name, ""))
    for name in ("hours", "timezone", "verified_by"):
        values[name] = plain.get(name, "")
    for name in ("email", "sms", "deputy", "webhook_url"):
        values[name] = plain.get(name) or None
    values["duty_phones"] = _phones(plain.get("duty_phones", ""))
    values["primero"] = _pairs(plain.get("primero", ""))
    return Entry(**values)


def _list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split("|") if part.strip()))


def _number(name: str, text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise BadText(
            "%(name)s: '%(text)s' is not a whole number of years", name=name, text=text[:20]
        )
    return int(text)


def _date(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadText(
            "%(name)s: '%(text)s' is not a date like 2026-11-24", name=name, text=text[:20]
        ) from None


def _phones(text: str) -> tuple[Phone, ...]:
    """Read `+38111… (22:00-06:00) | +38164…`: in order, each with its hours if it has any."""
    found = []
    for part in _list(text):
        number, _, hours = part.partition("(")
        if hours and not hours.endswith(")"):
            raise BadText("duty_phones: '%(part)s' has no closing bracket", part=part[:40])
        found.append(Phone(number.strip(), hours.removesuffix(")").strip()))
    return tuple(found)


def _pairs(text: str) -> dict[str, Any] | None:
    """Read `url=https://… | user=… | owned_by=… | mapping=primero-cp`."""
    pairs = [part.partition("=") for part in _list(text)]
    if any(not mark for _, mark, _ in pairs):
        raise BadText("primero: write name=value pairs, separated by |")
    return {name.strip(): value.strip() for name, _, value in pairs} or None


def _columns(text: str) -> list[str]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    return [name.strip() for name in reader.fieldnames or []]


def _checked(
    work: Work, text: str, before: dict[str, Entry], rules: Rules
) -> list[tuple[int, Entry]]:
    """Return the entries of a file with their lines, every one checked. Raises BadDirectory."""
    absent = [name for name in COLUMNS if name not in _columns(text)]
    # A column that the file does not have keeps what the directory says.
    found = [
        (line, replace(entry, **{name: getattr(before[entry.code], name) for name in absent}))
        if entry.code in before
        else (line, entry)
        for line, entry in read_directory(text)
    ]
    errors = []
    known = {*before, *(entry.code for _, entry in found)}
    for line, entry in found:
        try:
            check_entry(work, entry, rules)
        except Invalid as refusal:
            errors.append(Message("line %(line)s: %(problem)s", line=line, problem=refusal.message))
        if entry.deputy and entry.deputy not in known:
            errors.append(
                Message(
                    "line %(line)s: deputy: there is no agency '%(deputy)s'",
                    line=line,
                    deputy=entry.deputy[:60],
                )
            )
    errors += _mandated_twice(found)
    if errors:
        raise BadDirectory(errors)
    return found


def _mandated_twice(found: list[tuple[int, Entry]]) -> list[Message]:
    errors = []
    taken: dict[str, int] = {}
    for line, entry in found:
        for mandate in entry.mandated_for:
            if mandate in taken:
                errors.append(
                    Message(
                        "line %(line)s: %(mandate)s is also mandated in line %(taken)s",
                        line=line,
                        mandate=mandate,
                        taken=taken[mandate],
                    )
                )
            taken.setdefault(mandate, line)
    return errors


async def import_directory(work: Work, text: str) -> int:
    """Import a whole file, or nothing of it. Return the number of agencies in it.

    Raises BadDirectory with every error and its line.
    """
    before = {entry.code: entry for _, entry in await entries(work)}
    # In a thread: a large file takes seconds, in which calls must be answered.
    rules = await outward.rules_now(work)
    found = await asyncio.to_thread(_checked, work, text, before, rules)
    in_file = {entry.code for _, entry in found}
    for line, entry in found:
        try:
            await save_agency(work, entry, with_=in_file)
        except Invalid as refusal:
            # Raising rolls back what was saved from the file so far.
            raise BadDirectory(
                [Message("line %(line)s: %(problem)s", line=line, problem=refusal.message)]
            ) from None
    return len(found)


def write_directory(rows: Iterable[tuple[Agency, Entry]]) -> str:
    """Return the directory as a file for `import_directory`, safe in a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for _, entry in rows:
        writer.writerow([_escaped(_cell(entry, name)) for name in COLUMNS])
    return file.getvalue()


def as_texts(entry: Entry) -> dict[str, str]:
    """Return an entry as the texts of its columns, for a form."""
    return {name: _cell(entry, name) for name in COLUMNS}


def read_entry(texts: dict[str, str]) -> Entry:
    """Read an entry from the texts of its columns. Raises Invalid."""
    unknown = [name for name in texts if name not in COLUMNS]
    if unknown:
        raise Invalid(
            "There is no column '%(name)s'. The columns are: %(columns)s.",
            name=unknown[0][:40],
            columns=list(COLUMNS),
        )
    try:
        return _entry({**dict.fromkeys(COLUMNS, ""), **texts})
    except ValueError as error:
        raise Invalid(why(error)) from None


def _cell(entry: Entry, name: str) -> str:
    value = getattr(entry, name)
    match value:
        case None:
            return ""
        case date():
            return value.isoformat()
        case dict():
            return " | ".join(f"{key}={text}" for key, text in value.items())
        case tuple():
            return " | ".join(
                (f"{v.number} ({v.hours})" if v.hours else v.number) if isinstance(v, Phone) else v
                for v in value
            )
    return str(value)


def _escaped(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text


def _unescaped(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:].startswith(_FORMULA) else text
