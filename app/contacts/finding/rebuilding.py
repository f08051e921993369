"""Hashing names again whose keyed hashes are of an earlier version, a few records at a time."""

from typing import Any

from sqlalchemy import delete, exists, select

from app.contacts.models import Case, Contact, MatchKey
from app.contacts.records import Opened
from app.contacts.registry import sheet_of
from app.contacts.saving import write_keys
from app.contacts.states import KeyKind
from app.jobs.names import Task
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work

_OLD = KeyKind.SOUND
_AT_ONCE = 50


async def want(work: Work) -> None:
    """Defer the job if there is any hash of an earlier version."""
    if await work.session.scalar(select(exists().where(MatchKey.kind == _OLD))):
        work.defer(Task.REBUILD_KEYS)


async def rebuild(work: Work) -> int:
    """Hash the names of some records again, defer the next job, and return how many there were."""
    rows = await work.session.execute(
        select(MatchKey.subject_kind, MatchKey.subject_id)
        .where(MatchKey.kind == _OLD)
        .distinct()
        .limit(_AT_ONCE)
    )
    found = rows.all()
    for kind, record_id in found:
        model: Any = Contact if kind == "contact" else Case
        record = await work.session.get(
            model, record_id, with_for_update=True, populate_existing=True
        )
        if record is None:
            await work.session.execute(delete(MatchKey).where(MatchKey.subject_id == record_id))
            continue
        await write_reading(work, AuditLog.NAMES_READ_TO_REBUILD_SEARCH, f"{kind}:{record_id}")
        opened, sheet = Opened(work, record), sheet_of(work, record)
        values = {
            path: opened.answer(path)
            for path in (*record.answers, *record.sealed)
            if (field := sheet.form.find(path)) is not None and field[1].found_by is not None
        }
        await work.session.execute(
            delete(MatchKey).where(MatchKey.subject_id == record_id, MatchKey.kind == _OLD)
        )
        await write_keys(work, record, sheet, values, new=False)
    if found:
        await want(work)
    return len(found)
