"""Requested files: asked for, decided, listed, and downloaded from any byte on.

A file about single persons needs the approval of a second person.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, or_, select, update

from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.privacy.keys import Bound, told
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import ActedFrom
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.staff.second_person import Asker, SecondPerson, second
from app.statistics.dimensions import Dimension
from app.statistics.exports.exporting import ExportWanted, file_name, read_wanted
from app.statistics.exports.files import PERSONAL, WHAT, File
from app.statistics.exports.writers import FORMATS, PIECE
from app.statistics.models import Export, ExportPart, ExportState
from app.work import Ground, Work

_S = ExportState
_REASON = 10


def _column(export_id: UUID) -> dict[str, Any]:
    return {"table": "exports", "column": "reason_sealed", "row": export_id}


def part_place(part_id: UUID) -> dict[str, Any]:
    return {"table": "export_parts", "column": "data_sealed", "row": part_id}


async def ask(
    work: Work,
    staff: Staff | None,
    wanted: ExportWanted,
    reason: str = "",
    *,
    token: UUID | None = None,
) -> Export:
    """Request a file. One about single persons waits for the approval of a second person.

    Raises Invalid, NotAllowed.
    """
    personal = wanted.what in PERSONAL
    if personal and (staff is None or not may(staff.role, Permission.EXPORT_RECORDS)):
        raise NotAllowed("Only supervisors and administrators may export single records.")
    if personal and len(reason.strip()) < _REASON:
        raise Invalid("Say what it is needed for, in at least %(least)s characters.", least=_REASON)
    export = Export(
        id=uuid4(),
        what=wanted.what.value,
        format=wanted.kind,
        begins=wanted.window.begins.isoformat(),
        ends=wanted.window.ends.isoformat(),
        options=wanted.options,
        token_id=token,
        personal=personal,
        asked_by=staff.id if staff is not None else None,
        asked_role=staff.role if personal and staff is not None else None,
        asked_at=work.now,
        state=_S.ASKED if personal else _S.APPROVED,
    )
    if personal:
        sealed = work.keys.seal(reason.strip()[:2000].encode(), **_column(export.id))
        export.reason_sealed = sealed
    work.session.add(export)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.EXPORT_REQUESTED,
        f"export:{export.id}",
        what=wanted.what.value,
        window=wanted.window.words,
        format=wanted.kind,
    )
    if not personal:
        work.defer(Task.MAKE_EXPORT, export_id=str(export.id))
    work.announce(Topic.EXPORTS)
    return export


async def decide(work: Work, staff: Staff | None, export_id: UUID, *, approve: bool) -> Export:
    """Approve or refuse a file, as the second person; None is the operator, for what a person asked
    for on the page. Any other person who may approve refuses.

    Raises NotFound, NotAllowed, SecondPerson, Conflict.
    """
    export = await work.session.get(Export, export_id, with_for_update=True)
    if export is None:
        raise NotFound("There is no such request.")
    if export.asked_by == (staff.id if staff is not None else None):
        raise NotAllowed("This is your own request: another person has to decide.")
    if export.state != _S.ASKED:
        raise Conflict("This request has already been decided.")
    if staff is not None and approve and not (await second(work, staff)).may_decide(_asked(export)):
        raise SecondPerson()
    export.decided_by = staff.id if staff is not None else None
    export.decided_at = work.now
    export.state = (_S.APPROVED if approve else _S.REFUSED).value
    await work.session.flush()
    write_entry(
        work,
        AuditLog.EXPORT_APPROVED if approve else AuditLog.EXPORT_REFUSED,
        f"export:{export.id}",
        before=_S.ASKED.value,
        after=export.state,
        what=export.what,
    )
    if approve:
        work.defer(Task.MAKE_EXPORT, export_id=str(export.id))
    work.announce(Topic.EXPORTS)
    return export


def _asked(export: Export) -> Asker:
    return Asker(export.asked_by, export.asked_role or "", export.asked_at)


async def approvable(work: Work, staff: Staff, exports: list[Export]) -> set[UUID]:
    """Return which of these files wait for a second person who this person can be."""
    waits = [one for one in exports if one.state == _S.ASKED and one.asked_by != staff.id]
    if not waits or not may(staff.role, Permission.APPROVE_EXPORTS):
        return set()
    reader = await second(work, staff)
    return {one.id for one in waits if reader.may_decide(_asked(one))}


def reason_of(work: Work, export: Export) -> str:
    """Return what the file is needed for, in the words of the person who requested it."""
    if export.reason_sealed is None:
        return ""
    return work.keys.open(export.reason_sealed, **_column(export.id)).decode()


def _visible(staff: Staff) -> Any:
    mine = or_(Export.asked_by == staff.id, Export.role == staff.role)
    if may(staff.role, Permission.APPROVE_EXPORTS):
        return or_(mine, Export.personal)
    return mine


# Requests for files that the page lists.
_SHOWN = 50


async def exports_of(work: Work, staff: Staff) -> list[tuple[Export, str]]:
    """Return a person's own requests, the reports sent to their role, and the requests that they
    may decide on; newest first.
    """
    rows = await work.session.execute(
        select(Export, func.coalesce(Staff.name, ""))
        .join(Staff, Staff.id == Export.asked_by, isouter=True)
        .where(_visible(staff))
        .order_by(Export.asked_at.desc())
        .limit(_SHOWN)
    )
    return [(export, name) for export, name in rows]


async def waiting(work: Work) -> list[tuple[Export, str]]:
    """Return the files that wait for a second person, the oldest first, with who asked."""
    rows = await work.session.execute(
        select(Export, Staff.name)
        .join(Staff, Staff.id == Export.asked_by)
        .where(Export.state == _S.ASKED)
        .order_by(Export.asked_at)
    )
    return [(export, name) for export, name in rows]


async def export_of(work: Work, staff: Staff, export_id: UUID) -> Export:
    """Return a file that a person may see. Raises NotFound."""
    export = await work.session.scalar(
        select(Export).where(Export.id == export_id, _visible(staff))
    )
    if export is None:
        raise NotFound("Not found, or you do not have access.")
    return export


async def is_personal(work: Work, export_id: UUID) -> bool:
    """Return whether a file is about single persons; False if there is no such file."""
    return bool(await work.session.scalar(select(Export.personal).where(Export.id == export_id)))


async def export_of_token(work: Work, token: UUID, export_id: UUID) -> Export:
    """Return a file that this token requested, and no other. Raises NotFound."""
    export = await work.session.scalar(
        select(Export).where(Export.id == export_id, Export.token_id == token)
    )
    if export is None:
        raise NotFound("Not found, or this token did not request it.")
    return export


async def downloadable(work: Work, staff: Staff, export_id: UUID) -> Export:
    """Return a file that is ready, for the person who requested it or a person of its role.

    Raises NotFound, NotAllowed, Conflict.
    """
    export = await export_of(work, staff, export_id)
    if export.asked_by != staff.id and export.role != staff.role:
        raise NotAllowed("Only the person who requested this file may download it.")
    # The person's role may have changed since.
    if export.personal and not may(staff.role, Permission.EXPORT_RECORDS):
        raise NotAllowed()
    if names_counsellors(export) and not may(staff.role, Permission.SEE_STAFF_STATISTICS):
        raise NotAllowed()
    check_ready(export)
    return export


def names_counsellors(export: Export) -> bool:
    """Return whether a file shows single counsellors."""
    if export.what not in WHAT:
        return False
    wanted = wanted_of(export)
    single = Dimension.COUNSELLOR in wanted.by or wanted.what is File.COUNSELLORS
    return single or (wanted.what is File.CALLS and wanted.staff)


def check_ready(export: Export) -> None:
    """Check that a file is ready. Raises Conflict."""
    if export.state != _S.READY:
        raise Conflict("The file is not ready.")


async def use_approval(work: Work, export_id: UUID) -> Export | None:
    """Use up an approval on the command line: it is logged, and valid once.

    Return None if there is no approval.
    """
    export = await work.session.get(Export, export_id, with_for_update=True)
    if export is None or not export.personal or export.state not in (_S.APPROVED, _S.READY):
        return None
    write_entry(
        work,
        AuditLog.EXPORT_DOWNLOADED,
        f"export:{export.id}",
        what=export.what,
        personal=True,
        by=ActedFrom.COMMAND_LINE,
    )
    export.state = _S.EXPIRED.value
    await work.session.execute(delete(ExportPart).where(ExportPart.export_id == export_id))
    return export


def wanted_of(export: Export) -> ExportWanted:
    """Return the request behind a file."""
    return read_wanted(export.what, export.begins, export.ends, export.format, export.options)


# -- reading -----------------------------------------------------------------------------------


async def read_parts(ground: Ground, export_id: UUID, begin: int, end: int) -> AsyncIterator[bytes]:
    """Yield the bytes from `begin` until before `end`, opened piece by piece."""
    number = begin // PIECE
    while begin < end:
        async with ground.database.reading_sessions() as session:
            part = await session.get(ExportPart, (export_id, number))
        if part is None:
            return
        (opened,) = await ground.keys.open_all([(Bound(**part_place(part.id)), part.data_sealed)])
        data = told(opened)
        inside = data[begin - part.begins_at : end - part.begins_at]
        yield inside
        begin += len(inside)
        number += 1


def note_download(work: Work, export: Export, begin: int) -> None:
    """Log a download, before the first byte is sent."""
    write_entry(
        work,
        AuditLog.EXPORT_DOWNLOADED,
        f"export:{export.id}",
        what=export.what,
        personal=export.personal,
        begins_at=begin,
    )


def name_of(export: Export) -> str:
    if export.what not in WHAT:
        named = [export.what, export.begins[:10], export.options.get("language", "")]
        return f"{'-'.join(filter(None, named))}.{export.format}"
    return file_name(wanted_of(export))


def media_type(export: Export) -> str:
    return FORMATS.get(export.format, "application/pdf")


async def expire(work: Work) -> int:
    """Delete the contents of reports whose time is over; the record of each one stays.

    A requested file has no such time: it is kept as long as the rule of retention says.
    """
    rows = list(
        await work.session.scalars(
            select(Export.id).where(Export.state == _S.READY, Export.expires_at <= work.now)
        )
    )
    if rows:
        await work.session.execute(delete(ExportPart).where(ExportPart.export_id.in_(rows)))
        await work.session.execute(
            update(Export).where(Export.id.in_(rows)).values(state=_S.EXPIRED.value)
        )
    return len(rows)
