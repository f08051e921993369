"""Consent that is recorded in a contact or a case, and withdrawals made elsewhere."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from app.contacts.consent.said import said_of
from app.contacts.consent.same_child import ChildOf, records_of_child
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case, Contact
from app.contacts.registry import sheet_of
from app.contacts.saving import Change, Saved, save_answers
from app.contacts.sealed_answers import present
from app.contacts.states import Subject
from app.definitions.forms import CONSENT, OTHERS, Meaning
from app.jobs.names import Task
from app.work import Work

# What the record says a little later counts: a slip of the hand withdraws nothing.
_SLIP = timedelta(seconds=30)


def hear(work: Work, record: Contact | Case, saved: Saved) -> None:
    """Pass on what was written about consent in a record: to the referrals of its children, and
    to the other records of each child.
    """
    form = sheet_of(work, record).form
    meanings = set(CONSENT) | set(OTHERS)
    written = [p for p in saved.saved if (found := form.find(p)) and found[1].means in meanings]
    if written:
        _later(work, record, sorted(written), _SLIP)


def hear_again(work: Work, record: Contact | Case) -> None:
    """Treat all that a record says about consent as if it were written now, because a record of
    the same child was found.
    """
    form, meanings = sheet_of(work, record).form, set(CONSENT) | set(OTHERS)
    paths = [p for p in present(record) if (found := form.find(p)) and found[1].means in meanings]
    if paths:
        _later(work, record, sorted(paths), timedelta(0))


def _later(work: Work, record: Contact | Case, paths: list[str], delay: timedelta) -> None:
    work.defer(Task.RECORD_SAYS_NO, delay=delay, record_id=str(record.id), paths=paths)


def refused_of(
    work: Work, record: Contact | Case, child: str | None, paths: Iterable[str]
) -> list[Meaning]:
    """Return what a record refuses for a child in one of these answers."""
    sheet, just = sheet_of(work, record), set(paths)
    return [
        meaning
        for meaning in (*CONSENT, *OTHERS)
        if just & set(sheet.form.paths_of(meaning, child))
        and said_of(record, sheet, meaning, child) == "no"
    ]


async def carry_refusals(
    work: Work, record: Contact | Case, paths: Iterable[str]
) -> dict[ChildOf, set[str]]:
    """Copy a "no" that a record says for a child to the other records of that child.

    Returns those other records, each with the entries of this record that are the same child.
    """
    section = sheet_of(work, record).form.children
    found: dict[ChildOf, set[str]] = {}
    if section is None:
        return found
    for entry in sheet_of(work, record).entries(present(record), section):
        refused = refused_of(work, record, entry, paths)
        for other in await records_of_child(work, record.id, entry):
            found.setdefault(other, set()).add(entry)
            if refused:
                await note_withdrawal(work, other.model, other.record_id, other.entry, refused)
    return found


async def note_withdrawal(
    work: Work,
    model: type[Contact] | type[Case],
    record_id: UUID,
    child: str | None,
    meanings: Iterable[Meaning] = (*CONSENT, *OTHERS),
) -> None:
    """Record in a form that consent for a child was withdrawn elsewhere, whatever its state."""
    kind: Any = model
    record: Contact | Case | None = await work.session.get(
        kind, record_id, with_for_update=True, populate_existing=True
    )
    assert record is not None
    sheet = sheet_of(work, record)
    form, section = sheet.form, sheet.form.children
    # A question asked once for all children says nothing about one of several.
    alone = section is None or len(sheet.entries(present(record), section)) < 2
    own = f"{section.code}.{child}." if section is not None and child is not None else "\0"
    paths = [
        next((p for p in form.paths_of(meaning, child) if alone or p.startswith(own)), None)
        for meaning in meanings
    ]
    changes = [
        Change(path, "no", record.revision)
        for path in paths
        if path is not None and record.answers.get(path) != "no"
    ]
    if changes:
        await save_answers(work, record, changes)
        note_event(
            work,
            Subject(model.__name__.lower()),
            record.id,
            RecordLog.CONSENT_WITHDRAWN,
            questions=len(changes),
        )
