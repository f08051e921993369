"""Statistics for people and programs: summaries, and files that are made at once.

A program sends a bearer token with the scope `statistics`; a person sends the cookie.
"""

import contextlib
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from app.api.description import files
from app.errors import Invalid, NotAllowed, NotSignedIn, TooMany
from app.staff.models import ApiToken, Staff
from app.staff.roles import Permission, may
from app.staff.tokens import may_token, token_of
from app.statistics.counting.summary import today
from app.statistics.dimensions import Dimension
from app.statistics.exports import exporting
from app.statistics.exports.exporting import ExportWanted, file_name, made, note_export, read_wanted
from app.statistics.exports.files import File
from app.statistics.exports.writers import FORMATS
from app.statistics.periods import Period
from app.statistics.planning import planning
from app.statistics.protection import budget
from app.statistics.protection.guard import check_grid, last_over, over_by
from app.statistics.published import release
from app.web import access, decisions, step_up
from app.web.access import (
    Guard,
    InWork,
    Requires,
    refuse_cross_site,
    refuse_without_session,
    signed_in,
)
from app.web.decisions import Right
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

    async def spend(self, work: Work, wanted: ExportWanted) -> None:
        """Count a table about contents against the budget. Raises TooMany."""
        if self.token_id is not None:
            await budget.spend(work, self.token_id, wanted)
        elif self.staff is not None:
            await budget.spend_of_person(work, self.staff, wanted)


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
        right = Right.STATISTICS_TOKEN if asker.staff is None else None
        if not asker.may(self.permission):
            decisions.deny_permission(request, self.permission, right)
            raise NotAllowed()
        if asker.staff is not None:
            await step_up.check(request, work, asker.staff, access.token_of(request))
            decisions.allow(request, self.permission)
        else:
            decisions.grant(request, Right.STATISTICS_TOKEN)
        return asker


Asks = Annotated[Asker, Depends(AsksNumbers(Permission.SEE_STATISTICS), scope="function")]
SeesNumbers = Annotated[Staff, Depends(Requires(Permission.SEE_STATISTICS), scope="function")]
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
) -> ExportWanted:
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


def check_asked(asker: Asker, wanted: ExportWanted, now: datetime) -> None:
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
    await asker.spend(work, wanted)
    return await _small(work, wanted)


@router.get("/statistics/dictionary")
async def data_dictionary(_asker: Asks) -> list[dict[str, str]]:
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
async def public(work: InWork, _asker: Asks, period: str) -> dict[str, Any]:
    """Return the published figures of a period: rounded, and never changed."""
    return release.as_json(await release.released(work, period))


@router.get("/statistics/public/{period}/csv", **files(FORMATS["csv"]))
async def public_csv(work: InWork, _asker: Asks, period: str) -> Response:
    """Return the published figures of a period as a CSV file."""
    content = release.as_csv(await release.released(work, period))
    return Response(
        content, media_type=FORMATS["csv"], headers=as_attachment(f"public-{period[:7]}.csv")
    )


@router.post("/statistics/public/{period}")
async def publish(work: InWork, _staff: Publishes, period: str) -> dict[str, Any]:
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
    await asker.spend(work, wanted)
    if wanted.what is not File.CALLS:
        return await _small(work, wanted)
    return await _streamed(request, work, wanted)


async def _small(work: Work, wanted: ExportWanted) -> Response:
    async with made(work, wanted) as one:
        content = b"".join([piece async for piece in one.pieces(wanted.kind)])
    note_export(work, wanted)
    return Response(
        content, media_type=FORMATS[wanted.kind], headers=as_attachment(file_name(wanted))
    )


# How many long files one process sends at a time: a slow reader occupies one place.
_STREAMS = 2


async def _streamed(request: Request, work: Work, wanted: ExportWanted) -> Response:
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
        headers=as_attachment(file_name(wanted)),
        background=BackgroundTask(stack.aclose),
    )


def as_attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
