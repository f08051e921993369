"""A job carries out requested exports, and keeps their files sealed in pieces."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import delete, update

from app.database.engine import with_limits
from app.database.topics import Topic
from app.errors import Invalid
from app.jobs.passing import PASSING
from app.jobs.transaction import transaction
from app.privacy.keys import Bound
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.statistics.exports.exporting import made
from app.statistics.exports.requested import part_place, wanted_of
from app.statistics.exports.writers import PIECE
from app.statistics.models import Export, ExportPart, ExportState
from app.work import PROGRAM, Ground, Work

_S = ExportState


@asynccontextmanager
async def alone_with(ground: Ground, export_id: UUID) -> AsyncIterator[bool]:
    """Yield whether only this process makes the file now; the lock is free when a process dies."""
    async with await psycopg.AsyncConnection.connect(
        ground.database.url,
        autocommit=True,
        connect_timeout=3,
        application_name="helpline export",
        options=with_limits(ground.database.url),
    ) as connection:
        row = await (
            await connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 710008))", (str(export_id),)
            )
        ).fetchone()
        yield bool(row and row[0])


async def make(ground: Ground, export_id: UUID) -> None:
    """Make an approved file. A second or concurrent run does nothing."""
    async with alone_with(ground, export_id) as alone:
        if alone:
            await _make(ground, export_id)


async def _make(ground: Ground, export_id: UUID) -> None:
    async with transaction(ground, PROGRAM) as work:
        export = await work.session.get(Export, export_id, with_for_update=True)
        if export is None or export.state not in (_S.APPROVED, _S.IN_PROGRESS):
            await _drop_late(work, export_id, export)
            return
        export.state, export.as_of = _S.IN_PROGRESS.value, work.now
        await work.session.execute(delete(ExportPart).where(ExportPart.export_id == export_id))
    try:
        wanted = wanted_of(export)
        async with transaction(ground, PROGRAM, long=True) as work, made(work, wanted) as one:
            await _keep(ground, export_id, one.pieces(wanted.kind), one)
    except Invalid as error:
        await fail(ground, export_id, error.detail)
        return
    except Exception as error:
        # The job runs again after an error that may pass; any other error is final and shown.
        if not isinstance(error, PASSING):
            await fail(ground, export_id, "The file could not be made. The log says why.")
        raise
    async with transaction(ground, PROGRAM) as work:
        export = await work.session.get(Export, export_id, with_for_update=True)
        if export is None or export.state != _S.IN_PROGRESS:
            await _drop_late(work, export_id, export)
            return
        await set_export(work, export_id, state=_S.READY)
        write_entry(work, AuditLog.EXPORT_MADE, f"export:{export_id}", what=export.what)
        work.announce(Topic.EXPORTS)


async def _drop_late(work: Work, export_id: UUID, export: Export | None) -> None:
    """Delete what was kept of a file that has expired while it was made: a person whose data was
    erased meanwhile may be in it."""
    if export is not None and export.state == _S.EXPIRED:
        await work.session.execute(delete(ExportPart).where(ExportPart.export_id == export_id))


async def fail(ground: Ground, export_id: UUID, why: str) -> None:
    """Mark a file as failed, with the reason, and delete its pieces."""
    async with transaction(ground, PROGRAM) as work:
        await set_export(work, export_id, state=_S.FAILED, problem=why)
        await work.session.execute(delete(ExportPart).where(ExportPart.export_id == export_id))
        work.announce(Topic.EXPORTS)


async def clear_parts(ground: Ground, export_id: UUID) -> None:
    """Delete the pieces that an interrupted run has kept."""
    async with transaction(ground, PROGRAM) as work:
        await work.session.execute(delete(ExportPart).where(ExportPart.export_id == export_id))


async def keep_file(ground: Ground, export_id: UUID, content: bytes) -> None:
    """Keep a file that was made in one go."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    await _keep(ground, export_id, pieces(), None)


async def _keep(ground: Ground, export_id: UUID, pieces: AsyncIterator[bytes], one: Any) -> None:
    """Seal and keep a file piece by piece; each piece is committed separately."""
    held = bytearray()
    digest = hashlib.sha256()
    number = size = 0

    async def flush_piece(data: bytes) -> None:
        nonlocal number, size
        async with transaction(ground, PROGRAM, aside=True) as work:
            part_id = uuid4()
            (sealed,) = await work.keys.seal_all([(Bound(**part_place(part_id)), data)])
            work.session.add(
                ExportPart(
                    export_id=export_id,
                    number=number,
                    begins_at=size,
                    size=len(data),
                    id=part_id,
                    data_sealed=sealed,
                )
            )
            progress = {} if one is None else {"done": one.progress["done"], "of": one.table.of}
            await set_export(work, export_id, **progress)
        number, size = number + 1, size + len(data)

    async for piece in pieces:
        held += piece
        digest.update(piece)
        while len(held) >= PIECE:
            await flush_piece(bytes(held[:PIECE]))
            del held[:PIECE]
    await flush_piece(bytes(held))
    async with transaction(ground, PROGRAM, aside=True) as work:
        await set_export(work, export_id, size=size, digest=digest.digest())


async def set_export(work: Work, export_id: UUID, **values: Any) -> None:
    """Update a file's row, such as its state or progress."""
    if values:
        await work.session.execute(update(Export).where(Export.id == export_id).values(**values))
