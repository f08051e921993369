"""Which child was meant by a place after the code of a record.

It is shown before a report or an erasure is decided. A record can change after the search: a child
stands at another place then, or is gone from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import select

from app.contacts.models import Case, Contact, Filled
from app.contacts.records import Opened, is_contact
from app.contacts.registry import sheet_of
from app.contacts.sealed_answers import present
from app.definitions.forms import Form
from app.errors import UnknownDefinition
from app.retention.data_requests.children import place_in
from app.retention.data_requests.kinds import READ_BECAUSE
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.searched import sought_of
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work


class Standing(StrEnum):
    """Whether the child that was meant is still in the record."""

    THERE = "there"
    GONE = "gone"
    # The form of the record is not known on this server, or the search did not keep which child.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Meant:
    """A child that was meant: the code of the record, and the place that was written after it."""

    code: str
    place: int
    standing: Standing
    # The place of this child in the record now.
    now: int | None = None
    # The name in the record, for the person who looked for it; empty if it is not written down.
    name: str = ""
    born: str = ""


async def children_meant(
    work: Work, request: DataRequest, *, with_words: bool = False
) -> list[Meant]:
    """Return the children whose places were written after codes; none when the request is over.

    `with_words`: with name and year of birth. The reading of each record is logged first. Raises
    KeptByNewerVersion.
    """
    sought = sought_of(work, request)
    places: dict[str, set[int]] = {}
    for code, place in map(place_in, sought.codes):
        if place:
            places.setdefault(code, set()).add(int(place))
    records = await _by_code(work, places)
    found: list[Meant] = []
    for code, wanted in places.items():
        asked = sought.entries.get(code, [])
        found += await _of_record(
            work, records.get(code), code, sorted(wanted), asked, with_words=with_words
        )
    return found


async def _by_code(work: Work, codes: Iterable[str]) -> dict[str, Filled]:
    found: dict[str, Filled] = {}
    for model in (Contact, Case) if codes else ():
        rows: Any = await work.session.scalars(select(model).where(model.code.in_(codes)))
        found |= {record.code: record for record in rows}
    return found


async def _of_record(
    work: Work,
    record: Filled | None,
    code: str,
    places: list[int],
    asked: list[str],
    *,
    with_words: bool,
) -> list[Meant]:
    """Return the children at places of one record; `asked`: their entries at the search."""
    if record is None or record.erased_at is not None:
        return [Meant(code, place, Standing.GONE) for place in places]
    try:
        sheet = sheet_of(work, record)
    except UnknownDefinition:
        return [Meant(code, place, Standing.UNKNOWN) for place in places]
    section = sheet.form.children
    # A form without children is about one of them, in no entry.
    there = sheet.entries(present(record), section) if section is not None else [""]
    meant = asked if section is not None else there
    if len(meant) != len(places):
        return [Meant(code, place, Standing.UNKNOWN) for place in places]
    found = []
    opened: Opened[Filled] | None = None
    for place, entry in zip(places, meant, strict=True):
        if entry not in there:
            found.append(Meant(code, place, Standing.GONE))
            continue
        one = Meant(code, place, Standing.THERE, there.index(entry) + 1)
        if with_words:
            opened = opened or await _open(work, record)
            one = _with_words(one, opened, sheet.form, entry or None)
        found.append(one)
    return found


async def _open(work: Work, record: Filled) -> Opened[Filled]:
    of_contact = is_contact(record)
    action = AuditLog.CONTACT_READ if of_contact else AuditLog.CASE_READ
    subject = f"{'contact' if of_contact else 'case'}:{record.id}"
    await write_reading(work, action, subject, reason=READ_BECAUSE)
    return Opened(work, record)


def _with_words(one: Meant, opened: Opened[Filled], form: Form, entry: str | None) -> Meant:
    def said(meaning: Any) -> list[str]:
        # What is asked once for all children tells of none.
        paths = [
            path
            for path in form.paths_of(meaning, entry)
            if entry is None or path.split(".")[1] == entry
        ]
        return [str(answer) for path in paths if (answer := opened.answer(path))]

    born = said("birth_date")
    return replace(one, name=" ".join(said("child_name")), born=born[0][:4] if born else "")
