"""Statistics for people and programs: summaries, files, requests for files.

A program sends a bearer token with the scope `statistics`; a person sends the cookie.
"""

import contextlib
import re
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from app.api.description import files
from app.errors import Invalid, NotAllowed, NotSignedIn, TooMany
from app.retention.kinds import DataKind
from app.retention.rules import read_rules
from app.staff.models import ApiToken, Staff
from app.staff.roles import Permission, may
from app.staff.tokens import may_token, token_of
from app.statistics.counting.summary import today
from app.statistics.dimensions import Dimension
from app.statistics.exports import exporting, requested
from app.statistics.exports.exporting import Wanted, file_name, made, note_export, read_wanted
from app.statistics.exports.files import File
from app.statistics.exports.writers import FORMATS
from app.statistics.models import Export, ExportState, ReportSchedule
from app.statistics.periods import Period
from app.statistics.planning import planning
from app.statistics.protection import budget
from app.statistics.protection.guard import check_grid, last_over, over_by
from app.statistics.published import release
from app.statistics.reports import sending
from app.web import access, step_up
from app.web.access import (
    Guard,
    InWork,
    Requires,
    refuse_cross_site,
    refuse_without_session,
    signed_in,
)
from app.web.bodies import LONGEST_OF_STRANGERS
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["statistics"], route_class=StrictRoute)


class Asker:
    """A person or a program that may see statistics."""

    def __init__(self, staff: Staff | None, token: ApiToken | None) -> None:
        self.staff, self._token = staff, token
        self.token_id = token.id if token is not None else None

    def may(self, permission: Permission) -> bool:
        if self._token is not None:
            return may_token(self._token, permission)
        assert self.staff is not None
        return may(self.staff.role, permission)


class AsksNumbers(Guard):
    """Accept a cookie or a bearer token that may see statistics."""

    async def refuse_strangers(self, request: Request) -> None:
        # A token is looked for with the rest: bodies of these routes are short.
        if "authorization" not in request.headers:
            refuse_cross_site(request, json_only=True)
            await refuse_without_session(request)

    async def __call__(self, request: Request, work: InWork) -> Asker:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if token:
            if scheme.lower() != "bearer":
                raise NotSignedIn("Send the token as: Authorization: Bearer TOKEN.")
            asker = Asker(None, await token_of(work, token.strip()))
        else:
            refuse_cross_site(request, json_only=True)
            asker = Asker(await signed_in(request, work), None)
        if not asker.may(self.permission):
            raise NotAllowed()
        if asker.staff is not None:
            await step_up.check(request, work, asker.staff, access.token_of(request))
        return asker


Asks = Annotated[Asker, Depends(AsksNumbers(Permission.SEE_STATISTICS), scope="function")]
SeesNumbers = Annotated[Staff, Depends(Requires(Permission.SEE_STATISTICS), scope="function")]
Approves = Annotated[Staff, Depends(Requires(Permission.APPROVE_EXPORTS), scope="function")]
Publishes = Annotated[Staff, Depends(Requires(Permission.PUBLISH), scope="function")]

From = Annotated[str | None, Query(alias="from", max_length=40)]
To = Annotated[str | None, Query(alias="to", max_length=40)]
Language = Annotated[
    str,
    Query(
        max_length=20,
        description="for a reader: headings in words, and a column of words beside each of codes",
    ),
]
By = Annotated[str, Query(max_length=200, description="period and dimensions, comma-separated")]


def wanted_by(
    work: Work,
    asker: Asker,
    what: str,
    since: str | None,
    until: str | None,
    kind: str,
    line: str | None,
    by: str,
    names: str = "",
    report: str | None = None,
    language: str = "",
) -> Wanted:
    """Read what a URL asks for. Without a window: the last thirty days; for referrals, the last
    complete month. Raises Invalid.
    """
    if what in (File.REFERRALS, File.FEEDBACK) and since is None and until is None:
        month = last_over(work.now)
        since, until = month.begins.isoformat(), month.ends.isoformat()
    end = until or (today(work) + timedelta(days=1)).isoformat()
    words = [word.strip() for word in by.split(",") if word.strip()]
    periods = [word for word in words if word in set(Period)]
    if len(periods) > 1:
        raise Invalid("Give at most one period in `by`.")
    wanted = read_wanted(
        what,
        since or thirty_days_before(end),
        end,
        kind,
        {
            "period": periods[0] if periods else None,
            "by": [word for word in words if word not in periods],
            # A plus sign in a URL is decoded as a space.
            "line": line.strip().replace(" ", "+") if line else None,
            "measures": [n.strip() for n in names.split(",") if n.strip()] or None,
            "staff": asker.may(Permission.SEE_STAFF_STATISTICS),
            "report": report,
            "language": language,
        },
    )
    if line and wanted.line is not None and not wanted.line.startswith("+"):
        raise Invalid("Write the line as its number, with + and the country code.")
    check_asked(asker, wanted, work.now)
    return wanted


def thirty_days_before(end: str) -> str:
    """Return the beginning of a window of which only the end is given."""
    try:
        edge = date.fromisoformat(end) if len(end) == 10 else datetime.fromisoformat(end)
        return (edge - timedelta(days=30)).isoformat()
    except (ValueError, OverflowError):
        return end


def check_asked(asker: Asker, wanted: Wanted, now: datetime) -> None:
    """Refuse single contacts in tables, and single calls or counsellors without the permission.

    Raises NotAllowed.
    """
    by = wanted.by
    if wanted.what is File.CATEGORIES:
        by = (Dimension.CATEGORY, *by)
    check_grid(wanted.window, wanted.period, by, now)
    if wanted.what in (File.REPORT, File.REFERRALS, File.FEEDBACK):
        over_by(wanted.window, now)
    if wanted.what is File.CALLS and not asker.may(Permission.SEE_SINGLE_CALLS):
        raise NotAllowed(
            "You may not see single calls. They need the permission to export single records."
        )
    single = Dimension.COUNSELLOR in wanted.by or wanted.what is File.COUNSELLORS
    if single and not asker.may(Permission.SEE_STAFF_STATISTICS):
        raise NotAllowed("Figures of single counsellors are for supervisors and administrators.")


@router.get("/statistics/summary")
async def summary(
    work: InWork,
    asker: Asks,
    since: From = None,
    until: To = None,
    line: Annotated[str | None, Query(max_length=20)] = None,
    by: By = "",
    measures: Annotated[str, Query(max_length=1000)] = "",
    language: Language = "",
) -> Response:
    """Return figures for any window, by period and by at most two dimensions."""
    wanted = wanted_by(
        work, asker, File.SUMMARY, since, until, "json", line, by, measures, language=language
    )
    await budget.spend(work, asker.token_id, wanted)
    return await _small(work, wanted)


@router.get("/statistics/dictionary")
async def data_dictionary(asker: Asks) -> list[dict[str, str]]:
    """Describe every column of every file. Column names never change."""
    return [
        {"file": file, "column": name, "words": str(words)}
        for file, name, words in exporting.data_dictionary()
    ]


@router.get("/statistics/planning")
async def plan(
    work: InWork,
    asker: Asks,
    line: Annotated[str | None, Query(max_length=20)] = None,
    more: Annotated[int, Query(ge=-20, le=50)] = 0,
) -> dict[str, Any]:
    """Return the coming week by half hours: expected calls, staff needed and rostered."""
    wanted = wanted_by(work, asker, File.SUMMARY, None, None, "json", line, "")
    return planning.as_json(await planning.plan(work, line=wanted.line, more=more))


@router.get("/statistics/public/{period}")
async def public(work: InWork, asker: Asks, period: str) -> dict[str, Any]:
    """Return the published figures of a period: rounded, and never changed."""
    return release.as_json(await release.released(work, period))


@router.get("/statistics/public/{period}/csv", **files(FORMATS["csv"]))
async def public_csv(work: InWork, asker: Asks, period: str) -> Response:
    """Return the published figures of a period as a CSV file."""
    content = release.as_csv(await release.released(work, period))
    return Response(
        content, media_type=FORMATS["csv"], headers=_headers(f"public-{period[:7]}.csv")
    )


@router.post("/statistics/public/{period}")
async def publish(work: InWork, staff: Publishes, period: str) -> dict[str, Any]:
    """Publish a period that is over. This can be done only once."""
    return release.as_json(await release.publish(work, period))


@router.get("/statistics/{what}.{kind}", **files(*FORMATS.values()))
async def file(
    request: Request,
    work: InWork,
    asker: Asks,
    what: Literal[
        "calls",
        "categories",
        "referrals",
        "summary",
        "counsellors",
        "room",
        "at_once",
        "feedback",
        "report",
    ],
    kind: Literal["csv", "xlsx", "json", "parquet"],
    since: From = None,
    until: To = None,
    line: Annotated[str | None, Query(max_length=20)] = None,
    by: By = "",
    report: Annotated[str | None, Query(max_length=40)] = None,
    language: Language = "",
) -> Response:
    """Return a file at once; long files are streamed. To resume a download, request an export."""
    wanted = wanted_by(
        work, asker, what, since, until, kind, line, by, report=report, language=language
    )
    await budget.spend(work, asker.token_id, wanted)
    if wanted.what is not File.CALLS:
        return await _small(work, wanted)
    return await _streamed(request, work, wanted)


async def _small(work: Work, wanted: Wanted) -> Response:
    async with made(work, wanted) as one:
        content = b"".join([piece async for piece in one.pieces(wanted.kind)])
    note_export(work, wanted)
    return Response(content, media_type=FORMATS[wanted.kind], headers=_headers(file_name(wanted)))


# How many long files one process sends at a time: a slow reader occupies one place.
_STREAMS = 2


async def _streamed(request: Request, work: Work, wanted: Wanted) -> Response:
    """Stream a file. It starts before the response, so a refusal has its text. Raises TooMany."""
    kept = request.app.state.ground.kept
    if kept.get("streams", 0) >= _STREAMS:
        raise TooMany("Other long files are being downloaded now. Ask for the file on /reports.")
    kept["streams"] = kept.get("streams", 0) + 1
    stack = contextlib.AsyncExitStack()

    async def leave() -> None:
        kept["streams"] -= 1

    stack.push_async_callback(leave)
    try:
        one = await stack.enter_async_context(made(work, wanted))
        pieces = one.pieces(wanted.kind)
        first = await anext(pieces)
    except BaseException:
        await stack.aclose()
        raise
    note_export(work, wanted)

    async def all_of_it() -> AsyncIterator[bytes]:
        async with stack:
            yield first
            async for piece in pieces:
                yield piece

    return StreamingResponse(
        all_of_it(),
        media_type=FORMATS[wanted.kind],
        headers=_headers(file_name(wanted)),
        background=BackgroundTask(stack.aclose),
    )


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


# -- scheduled reports --------------------------------------------------------------------------


class WantedSchedule(BaseModel):
    report: str = Field(max_length=40)
    every: str = Field(max_length=10)
    role: str = Field(max_length=30)
    # None, or empty: in the language of each reader.
    language: str | None = Field(default=None, max_length=20)


class ScheduleView(BaseModel):
    id: UUID
    report: str
    every: str
    role: str
    language: str | None
    next_on: date


def schedule_view(row: ReportSchedule) -> ScheduleView:
    return ScheduleView(
        id=row.id,
        report=row.report,
        every=row.every,
        role=row.role,
        language=row.language,
        next_on=row.next_on,
    )


@router.get("/statistics/schedules")
async def list_schedules(work: InWork, staff: SeesNumbers) -> list[ScheduleView]:
    """List the scheduled reports and the roles that receive them."""
    return [schedule_view(row) for row in await sending.schedules(work)]


@router.post("/statistics/schedules", status_code=201)
async def add_schedule(work: InWork, staff: Publishes, body: WantedSchedule) -> ScheduleView:
    """Schedule a report: it is sent to everybody with a role when each period is over."""
    row = await sending.schedule(work, body.report, body.every, body.role, body.language)
    return schedule_view(row)


@router.post("/statistics/schedules/{schedule_id}/end", status_code=204)
async def end_schedule(work: InWork, staff: Publishes, schedule_id: UUID) -> None:
    """Stop sending a scheduled report."""
    await sending.unschedule(work, schedule_id)


# -- requests for files ------------------------------------------------------------------------


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
    await budget.spend(work, asker.token_id, wanted)
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
        **_headers(requested.name_of(export)),
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
