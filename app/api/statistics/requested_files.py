"""Files that are asked for: a second person approves those with single records."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from app.api.description import files
from app.api.statistics.statistics import Asker, Asks, SeesNumbers, as_attachment, check_asked
from app.retention.kinds import DataKind
from app.retention.rules import read_rules
from app.staff.models import Staff
from app.staff.roles import Permission
from app.statistics.exports import requested
from app.statistics.exports.exporting import read_wanted
from app.statistics.exports.writers import FORMATS
from app.statistics.models import Export, ExportState
from app.web.access import InWork, Requires
from app.web.bodies import LONGEST_OF_STRANGERS
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["statistics"], route_class=StrictRoute)
Approves = Annotated[Staff, Depends(Requires(Permission.APPROVE_EXPORTS), scope="function")]


class WantedFile(BaseModel):
    what: str = Field(max_length=20)
    since: str = Field(alias="from", max_length=40)
    until: str = Field(alias="to", max_length=40)
    format: str = Field(default="csv", max_length=10)
    line: str | None = Field(default=None, max_length=20)
    period: str | None = Field(default=None, max_length=20)
    by: list[Annotated[str, Field(max_length=30)]] = Field(default_factory=list, max_length=2)
    report: str | None = Field(default=None, max_length=40)
    # That of a reader; empty: as programs read it.
    language: str = Field(default="", max_length=20)
    reason: str = Field(default="", max_length=2000)


class ExportView(BaseModel):
    id: UUID
    what: str
    format: str
    begins: str
    ends: str
    state: str
    personal: bool
    asked_at: datetime
    asked_by: str
    mine: bool
    reason: str
    as_of: datetime | None
    done: int
    of: int
    size: int | None
    sha256: str | None
    problem: str | None
    expires_at: datetime | None


async def _days_kept(work: Work) -> int | None:
    """Return for how many days a requested file is kept; None: for ever."""
    return (await read_rules(work)).days[DataKind.EXPORT_FILES]


def export_view(
    work: Work, staff: Staff | None, export: Export, name: str, kept: int | None
) -> ExportView:
    expires_at = export.expires_at
    if expires_at is None and export.state == ExportState.READY and export.as_of and kept:
        expires_at = export.as_of + timedelta(days=kept)
    return ExportView(
        id=export.id,
        what=export.what,
        format=export.format,
        begins=export.begins,
        ends=export.ends,
        state=export.state,
        personal=export.personal,
        asked_at=export.asked_at,
        asked_by=name or "by itself",
        mine=staff is None or export.asked_by == staff.id,
        reason=requested.reason_of(work, export) if export.personal else "",
        as_of=export.as_of,
        done=export.done,
        of=export.of,
        size=export.size,
        sha256=export.digest.hex() if export.digest else None,
        problem=export.problem,
        expires_at=expires_at,
    )


@router.post("/statistics/exports", status_code=202, max_body_size=LONGEST_OF_STRANGERS)
async def ask_for_file(work: InWork, asker: Asks, body: WantedFile) -> ExportView:
    """Ask for a file. If it contains single records, a second person has to approve it."""
    wanted = read_wanted(
        body.what,
        body.since,
        body.until,
        body.format,
        {
            "period": body.period,
            "by": body.by,
            "line": body.line,
            "report": body.report,
            "language": body.language,
            "staff": asker.may(Permission.SEE_STAFF_STATISTICS),
        },
    )
    check_asked(asker, wanted, work.now)
    await asker.spend(work, wanted)
    export = await requested.ask(work, asker.staff, wanted, body.reason, token=asker.token_id)
    return export_view(work, asker.staff, export, work.actor.name, await _days_kept(work))


@router.get("/statistics/exports")
async def list_files(work: InWork, staff: SeesNumbers) -> list[ExportView]:
    """List your own requests, and those that you may decide."""
    kept = await _days_kept(work)
    return [
        export_view(work, staff, one, name, kept)
        for one, name in await requested.exports_of(work, staff)
    ]


async def _own(work: Work, asker: Asker, export_id: UUID) -> Export:
    if asker.staff is not None:
        return await requested.export_of(work, asker.staff, export_id)
    assert asker.token_id is not None
    return await requested.export_of_token(work, asker.token_id, export_id)


@router.get("/statistics/exports/{export_id}")
async def get_file(work: InWork, asker: Asks, export_id: UUID) -> ExportView:
    """Return the progress of a requested file."""
    export = await _own(work, asker, export_id)
    return export_view(work, asker.staff, export, "", await _days_kept(work))


@router.post("/statistics/exports/{export_id}/{word}")
async def decide(
    work: InWork, staff: Approves, export_id: UUID, word: Literal["approve", "refuse"]
) -> ExportView:
    """Approve or refuse another person's request. You cannot decide your own."""
    export = await requested.decide(work, staff, export_id, approve=word == "approve")
    return export_view(work, staff, export, "", await _days_kept(work))


@router.get("/statistics/exports/{export_id}/file", **files(*FORMATS.values(), of_parts=True))
async def download(request: Request, work: InWork, asker: Asks, export_id: UUID) -> Response:
    """Download the file, from any byte (Range). Only for the person or program that asked."""
    if asker.staff is not None:
        export = await requested.downloadable(work, asker.staff, export_id)
    else:
        export = await _own(work, asker, export_id)
        requested.check_ready(export)
    assert export.size is not None
    tag = f'"{export.digest.hex() if export.digest else export.id}"'
    begin, end = read_range(request.headers.get("range"), export.size)
    if request.headers.get("if-range") not in (None, tag):
        begin, end = 0, export.size
    if begin >= export.size and export.size:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{export.size}"})
    headers = {
        **as_attachment(requested.name_of(export)),
        "Accept-Ranges": "bytes",
        "ETag": tag,
        "Content-Length": str(max(end - begin, 0)),
    }
    partial = (begin, end) != (0, export.size)
    if partial:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{export.size}"
    requested.note_download(work, export, begin)
    ground = request.app.state.ground
    return StreamingResponse(
        requested.read_parts(ground, export.id, begin, end),
        status_code=206 if partial else 200,
        media_type=requested.media_type(export),
        headers=headers,
    )


_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


def read_range(text: str | None, size: int) -> tuple[int, int]:
    """Return one half-open range of bytes; the whole file if the header has no valid range."""
    found = _RANGE.fullmatch(text or "")
    if found is None or not (found[1] or found[2]):
        return 0, size
    if not found[1]:
        return max(size - int(found[2]), 0), size
    begin, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    if begin >= size:
        return begin, size
    return (begin, min(end, size)) if end > begin else (0, size)
