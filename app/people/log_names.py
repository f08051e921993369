"""Names in place of the ids of people, lines and agencies in the log. A record shows its code.

A code says nothing about a child. It leads to the record only for a reader who may open it.
"""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, cast, func, or_, select, union_all

from app.calls.lines.line_rows import Line
from app.contacts.models import Case, Contact
from app.contacts.scopes import reads_case, reads_contact
from app.referrals.directory.models import Agency
from app.referrals.models import Referral
from app.referrals.scopes import reads_referral
from app.staff.log_values import EVERY_LINE, IDENTITY_PROVIDER
from app.staff.models import AuditEntry, Staff
from app.words.pages import N_, said
from app.work import Work

# The records, as a subject of the log names them: how each is called, and where it is opened.
_RECORDS: dict[str, tuple[Any, Any, str]] = {
    "contact": (Contact, reads_contact, N_("Contact")),
    "case": (Case, reads_case, N_("Case")),
    "referral": (Referral, reads_referral, N_("Referral")),
}
_AGENCY = "agency"
# Subjects that name a kind of rows or settings, and no row.
BARE = {
    "audit_entries": N_("Log"),
    "backups": N_("Back-ups"),
    "cases": N_("cases"),
    "contacts": N_("contacts"),
    "definitions": N_("Definitions"),
    "dialling": N_("Dialling"),
    "erasure_folder": N_("Folder of the erasures"),
    EVERY_LINE: N_("every line"),
    "field_keys": N_("Keys"),
    "hash_keys": N_("Keys"),
    IDENTITY_PROVIDER: N_("Sign-in by a provider"),
    "practices": N_("Practice calls"),
    "referrals": N_("referrals"),
    "retention": N_("Retention"),
    "settings": N_("Times and limits"),
    "sign_in_rules": N_("Signing in"),
    "telephony": N_("Telephony"),
    # Of older entries; it is "definitions" now.
    "unmapped categories": N_("Categories"),
}


class Name(NamedTuple):
    """What stands in place of an id, and where it leads; empty: the reader may not open it.

    `at`: the instant that the text says.
    """

    text: str
    address: str = ""
    at: datetime | None = None


Names = dict[str, Name]


async def names_in(work: Work, reader: Staff, entries: Iterable[AuditEntry]) -> Names:
    """Return the names of what entries hold as ids, or agencies as codes; a query for each kind."""
    written = set(_written(entries))
    left = {key for text in written if (key := _uuid(text)) is not None}
    codes = {text.removeprefix(f"{_AGENCY}:") for text in written if len(text) <= 80} - {""}
    found: Names = {}

    async def look_up(statement: Any) -> list[Any]:
        return list(await work.session.execute(statement)) if left or codes else []

    for key, name in await look_up(select(Staff.id, Staff.name).where(Staff.id.in_(left))):
        found[str(key)] = Name(name)
        left.discard(key)
    for key, name in await look_up(select(Line.id, Line.name).where(Line.id.in_(left))):
        found[str(key)] = Name(name)
        left.discard(key)
    agencies = select(Agency.id, Agency.code, Agency.name)
    for key, code, name in await look_up(
        agencies.where(or_(Agency.id.in_(left), Agency.code.in_(codes)))
    ):
        found |= {str(key): Name(name), f"{_AGENCY}:{code}": Name(name)}
        left.discard(key)
    for kind, (model, reads, _words) in _RECORDS.items():
        rows = select(model.id, model.code, reads(reader)).where(model.id.in_(left))
        for key, code, may_open in await look_up(rows):
            found[str(key)] = Name(code, f"/{kind}s/{key}" if may_open else "")
            left.discard(key)
    return found


def subject_name(subject: str, names: Names) -> Name:
    """Return what the subject of an entry is called, such as `Contact C-123`."""
    if subject in names:
        return names[subject]
    kind, _colon, key = subject.partition(":")
    known = names.get(key)
    if kind in _RECORDS and known is not None:
        return Name(f"{said(_RECORDS[kind][2])} {known.text}", known.address)
    return known or Name(said(BARE[subject]) if subject in BARE else subject)


async def subjects_named(work: Work, text: str) -> tuple[str, ...]:
    """Return the subjects of the log that are meant by a name or a code, as the page shows them,
    or by the number of a line. Small and capital letters are the same."""
    # A record is shown with its kind before its code, and found by the code alone, too.
    code = text.rpartition(" ")[2]
    lower, number = text.lower(), "".join(text.split())
    agency = or_(Agency.code == lower, func.lower(Agency.name) == lower)
    records = [
        select(func.concat(f"{kind}:", model.id)).where(func.lower(model.code) == code.lower())
        for kind, (model, _reads, _words) in _RECORDS.items()
    ]
    found = await work.session.scalars(
        union_all(
            select(cast(Staff.id, Text)).where(func.lower(Staff.name) == lower),
            select(cast(Line.id, Text)).where(
                or_(func.lower(Line.name) == lower, Line.number == number)
            ),
            select(func.concat(f"{_AGENCY}:", Agency.code)).where(agency),
            select(cast(Agency.id, Text)).where(agency),
            *records,
        )
    )
    subjects = list(found)
    bare = [one.rpartition(":")[2] for one in subjects]
    return tuple(dict.fromkeys([*subjects, *(one for one in bare if _uuid(one) is not None)]))


def _written(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Yield what may be an id or the code of an agency: the actor, the subject, every value."""
    for entry in entries:
        yield entry.actor
        yield entry.subject
        yield entry.subject.partition(":")[2]
        yield from _texts(entry.detail)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _uuid(text: str) -> UUID | None:
    with contextlib.suppress(ValueError):
        # Other spellings of an id are not those of the log.
        return found if str(found := UUID(text)) == text else None
    return None
