"""Consent that is written in a contact or a case, and a withdrawal heard of elsewhere."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from app.contacts.forms import CONSENT, OTHERS
from app.contacts.models import Case, Contact
from app.contacts.records import note_event, present, sheet_of
from app.contacts.saving import Change, Saved, save_answers
from app.work import Work

# What is said a little later counts: a slip of the hand withdraws nothing.
_SLIP = timedelta(seconds=30)


def hear(work: Work, record: Contact | Case, saved: Saved) -> None:
    """What was written about consent in a record reaches the referrals of its children."""
    form = sheet_of(work, record).form
    written = [found[1].means for path in saved.saved if (found := form.find(path)) is not None]
    if set(written) & set(CONSENT):
        work.defer("referrals:record_says_no", delay=_SLIP, record_id=str(record.id))


async def note_withdrawal(
    work: Work, model: type[Contact] | type[Case], record_id: UUID, child: str | None
) -> None:
    """Consent for a child was withdrawn elsewhere: the form says so, whatever its state."""
    kind: Any = model
    record: Contact | Case | None = await work.session.get(
        kind, record_id, with_for_update=True, populate_existing=True
    )
    assert record is not None
    sheet = sheet_of(work, record)
    form, section = sheet.form, sheet.form.children
    # What is asked once for all children says nothing about one of several.
    alone = section is None or len(sheet.entries(present(record), section)) < 2
    own = f"{section.code}.{child}." if section is not None and child is not None else "\0"
    paths = [
        next((p for p in form.paths_of(meaning, child) if alone or p.startswith(own)), None)
        for meaning in (*CONSENT, *OTHERS)
    ]
    changes = [
        Change(path, "no", record.revision)
        for path in paths
        if path is not None and record.answers.get(path) != "no"
    ]
    if changes:
        await save_answers(work, record, changes)
        note_event(
            work, model.__name__.lower(), record.id, "consent withdrawn", questions=len(changes)
        )
