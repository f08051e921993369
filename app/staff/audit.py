"""The append-only log of people's acts.

Rows can be neither changed nor deleted, and triggers in the database chain them: see
`app/staff/log_checks/chains.py`. The oldest part goes by a rule, if there is one: see
`app/staff/log_checks/beginnings.py`.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from pydantic_core import to_json
from sqlalchemy import select

from app.database.quick import Command
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Actor, Ground, Work

_ENTRY = Command(
    AuditEntry.__table__, "at", "actor", "action", "subject", "detail", "previous", "hash"
)

# All readings that wait, in one statement, which is a transaction by itself: one trip to the
# database. The trigger numbers and chains them in the order of the list.
_READINGS = """
INSERT INTO audit_entries (at, actor, action, subject, detail, previous, hash)
SELECT at, actor, action, subject, detail, '', ''
FROM jsonb_to_recordset(%(readings)s)
  AS r (at timestamptz, actor text, action text, subject text, detail jsonb)
"""


def write_entry(work: Work, action: AuditLog, subject: str, **detail: Any) -> None:
    """Append what the actor of this work does; `detail` must hold no personal data.

    The row is written just before the commit: the chain has one end, and a transaction that
    appends to it locks it until the commit.
    """
    append(work, entry_of(work.actor, work.now, action, subject, detail))


def append(work: Work, entry: dict[str, Any]) -> None:
    """Append a row just before the commit of this work."""
    work.write_later(_ENTRY, entry, last=True)


def entry_of(
    actor: Actor, now: datetime, action: AuditLog, subject: str, detail: dict[str, Any]
) -> dict[str, Any]:
    """Return a row of the log; the database fills in its place in the chain."""
    if actor.emergency is not None:
        detail = {**detail, "emergency": str(actor.emergency)}
    return {
        "at": now,
        "actor": str(actor.staff_id) if actor.staff_id else actor.kind.value,
        "action": action.value,
        "subject": subject,
        "detail": detail,
        "previous": b"",
        "hash": b"",
    }


async def write_reading(work: Work, action: AuditLog, subject: str, **detail: Any) -> None:
    """Append that the actor is about to read something, and commit it before going on.

    Open what is read only after this has returned: a reading that fails afterwards still
    counts. Readings that arrive at once share a transaction, since the chain has one end.
    """
    await write_reading_of(work.ground, work.actor, work.now, action, subject, **detail)


async def write_reading_of(
    ground: Ground, actor: Actor, now: datetime, action: AuditLog, subject: str, **detail: Any
) -> None:
    """Do the same outside a unit of work."""
    readings = ground.kept.setdefault("readings", _Readings(ground))
    await readings.write(entry_of(actor, now, action, subject, detail))


def _as_text(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the log as JSON; the trigger makes its hashes."""
    kept = {key: value for key, value in entry.items() if key not in ("previous", "hash")}
    return {**kept, "at": entry["at"].isoformat()}


class _Readings:
    """The readings of one process that wait to be written to the log."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, entry: dict[str, Any]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                # Readings whose rows the database has just answered come in the same turn.
                await asyncio.sleep(0)
                batch += self._waiting
                self._waiting.clear()
                rows = [_as_text(entry) for entry, _ in batch]
                await self._ground.database.quick.send(_READINGS, readings=Jsonb(rows, to_json))
            except BaseException as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)


@dataclass(frozen=True)
class EntriesWanted:
    """What a reader of the log looks for; what is empty does not narrow it."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None
    # Other subjects that are meant as well.
    also: tuple[str, ...] = ()


async def list_entries(
    work: Work, wanted: EntriesWanted, *, before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Return a page of the log, newest first: who did or read what, never what it said."""
    statement = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    for column, value in (
        (AuditEntry.actor, wanted.actor),
        (AuditEntry.action, wanted.action),
    ):
        if value:
            statement = statement.where(column == value)
    if wanted.subject:
        statement = statement.where(AuditEntry.subject.in_((wanted.subject, *wanted.also)))
    if wanted.since is not None:
        statement = statement.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(AuditEntry.at < wanted.until)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    return list(await work.session.scalars(statement))
