"""Documents of a case: checked by content, scanned, and sealed before they are stored."""

import asyncio
import contextlib
import shlex
from pathlib import PurePath
from typing import NamedTuple
from uuid import UUID, uuid4

import filetype
from sqlalchemy import select
from sqlalchemy.orm import defer

from app.contacts.cases.cases import lock_open, open_case_record
from app.contacts.cases.details import Details, look_into
from app.contacts.cases.models import CaseDocument
from app.contacts.cases.quotas import check_quotas
from app.contacts.events import note_event
from app.contacts.log_kinds import RecordLog
from app.contacts.models import Case
from app.contacts.records import Opened
from app.contacts.states import Subject
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound, Refusal
from app.privacy.keys import Bound, told
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# The accepted media types, told by the content, and the file name extensions of each.
ALLOWED: dict[str, tuple[str, ...]] = {
    "application/pdf": (".pdf",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/heic": (".heic",),
    "audio/mpeg": (".mp3",),
    "audio/x-wav": (".wav",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (".docx",),
    "application/vnd.oasis.opendocument.text": (".odt",),
}
# What is stored of the choice about the details.
_AS_KEPT = {Details.REMOVE: "removed", Details.KEEP: "kept"}
# The longest that a scan may take, in seconds.
_SCAN_SECONDS = 60


class Checked(NamedTuple):
    """What is kept of a document: its bytes, its media type, what became of its details, whether it
    was scanned, and warnings for its readers."""

    name: str
    content: bytes
    kind: str
    details: Details
    scanned: str
    flags: list[str]


class TooLarge(Refusal):
    status = 413
    default = "The document is too large."


class NotAccepted(Refusal):
    status = 415
    default = "A document of this kind is not accepted."


class ScanFailed(Refusal):
    status = 503
    default = "The document could not be checked for viruses and was not kept. Try again."


def kind_of(content: bytes, name: str) -> str:
    """Return the media type of the content; the extension must match. Raises NotAccepted."""
    found = filetype.guess(content)
    mime = found.mime if found is not None else ""
    ending = PurePath(name).suffix.lower()
    if mime not in ALLOWED or ending not in ALLOWED[mime]:
        endings = [e for kinds in ALLOWED.values() for e in kinds]
        raise NotAccepted(
            "Accepted documents are %(endings)s. The content must match the extension.",
            endings=endings,
        )
    return mime


async def scan(command: str | None, content: bytes) -> str:
    """Run the configured scanner. Return `clean`, or `not_scanned` without a scanner.

    Raises NotAccepted if it finds something, ScanFailed if it cannot tell.
    """
    if not command:
        return "not_scanned"
    try:
        process = await asyncio.create_subprocess_exec(
            *shlex.split(command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except (OSError, ValueError):
        raise ScanFailed() from None
    try:
        async with asyncio.timeout(_SCAN_SECONDS):
            # A scanner that has seen enough closes its input. The server's event loop then raises
            # an error that `communicate` does not expect.
            with contextlib.suppress(RuntimeError):
                await process.communicate(content)
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise ScanFailed() from None
    if process.returncode == 1:
        raise NotAccepted("The scanner found something harmful in the document.")
    if process.returncode != 0:
        raise ScanFailed()
    return "clean"


async def check_document(
    work: Work, name: str, content: bytes, details: Details = Details.REMOVE
) -> Checked:
    """Check size, type and viruses, look into it, and remove the details of the camera or program
    unless they are to be kept. Hold no connection: a scan may take a minute.

    Raises Refusal.
    """
    name = name.strip()
    if not name or len(name) > 200 or not name.isprintable() or "/" in name:
        raise Invalid("Give the document a name of 1 to 200 characters, without a slash.")
    if not content:
        raise Invalid("The document is empty.")
    limit = work.settings.document_megabytes
    if len(content) > limit * 1024 * 1024:
        raise TooLarge("A document may have at most %(limit)s MB.", limit=limit)
    kind = kind_of(content, name)
    scanned = await scan(work.settings.scanner, content)
    kept, flags = await look_into(work.ground, content, kind, details)
    return Checked(name, kept, kind, details, scanned, flags)


async def add_document(work: Work, staff: Staff, case_id: UUID, checked: Checked) -> CaseDocument:
    """Seal a checked document into a case. Raises NotFound, Conflict, DayIsFull, CaseIsFull."""
    case = await lock_open(work, staff, case_id)
    await check_quotas(work, staff, case.id, len(checked.content))
    document_id = uuid4()
    sealed_name, sealed_content = await work.keys.seal_all(
        [
            (Bound("case_documents", "name_sealed", document_id), checked.name.encode()),
            (Bound("case_documents", "content_sealed", document_id), checked.content),
        ]
    )
    document = CaseDocument(
        id=document_id,
        case_id=case.id,
        at=work.now,
        staff_id=staff.id,
        media_type=checked.kind,
        size=len(checked.content),
        scan=checked.scanned,
        details=_AS_KEPT[checked.details],
        flags=checked.flags,
        name_sealed=sealed_name,
        content_sealed=sealed_content,
    )
    work.session.add(document)
    await work.session.flush()
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.DOCUMENT_ADDED,
        document=str(document_id),
        media=checked.kind,
        size=document.size,
        scan=checked.scanned,
        details=document.details,
        flags=checked.flags,
    )
    return document


async def remove_document(
    work: Work, staff: Staff, case_id: UUID, document_id: UUID, reason: str
) -> None:
    """Remove a document that does not belong in the case: name and content are gone for good.

    The log keeps that it was there, who added it, and who removed it and why. Raises NotFound,
    Invalid, Conflict.
    """
    case = await lock_open(work, staff, case_id)
    document = await work.session.scalar(
        select(CaseDocument)
        .where(CaseDocument.id == document_id, CaseDocument.case_id == case.id)
        .with_for_update()
    )
    if document is None:
        raise NotFound("There is no such document in this case.")
    if not reason.strip() or len(reason) > 2000 or "\x00" in reason:
        raise Invalid("Write why it does not belong here, in at most 2000 characters.")
    if document.removed_at is not None:
        raise Conflict("The document was removed already.")
    for column in ("name_sealed", "content_sealed"):
        empty = work.keys.seal(b"", table="case_documents", column=column, row=document.id)
        setattr(document, column, empty)
    document.removed_at, document.removed_by = work.now, staff.id
    note_event(
        work,
        Subject.CASE,
        case.id,
        RecordLog.DOCUMENT_REMOVED,
        words=reason.strip(),
        document=str(document.id),
        size=document.size,
    )
    work.announce(Topic.RECORD.of(case.id))


async def documents_of(opened: Opened[Case]) -> list[tuple[CaseDocument, str]]:
    """Return the documents of a case with their names; the contents stay sealed."""
    rows = await opened.work.session.scalars(
        select(CaseDocument)
        .where(CaseDocument.case_id == opened.id)
        .options(defer(CaseDocument.content_sealed))
        .order_by(CaseDocument.at)
    )
    found = list(rows)
    names = await opened.all_words(
        [(row.name_sealed, Bound("case_documents", "name_sealed", row.id)) for row in found]
    )
    return list(zip(found, names, strict=True))


async def open_document(
    work: Work, staff: Staff, case_id: UUID, document_id: UUID
) -> tuple[CaseDocument, str, bytes]:
    """Open a document with name and content; the reading is logged first. Raises NotFound."""
    opened = await open_case_record(work, staff, case_id)
    document = await work.session.scalar(
        select(CaseDocument).where(
            CaseDocument.id == document_id, CaseDocument.case_id == opened.id
        )
    )
    if document is None or document.removed_at is not None:
        raise NotFound("There is no such document in this case.")
    await write_reading(work, AuditLog.DOCUMENT_READ, f"case:{case_id}", document=str(document_id))
    name, content = await work.keys.open_all(
        [
            (Bound("case_documents", "name_sealed", document.id), document.name_sealed),
            (Bound("case_documents", "content_sealed", document.id), document.content_sealed),
        ]
    )
    return document, told(name).decode(), told(content)
