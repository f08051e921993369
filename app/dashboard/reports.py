"""The pages of statistics: reports with charts and tables, summaries, exports, planning."""

import asyncio
import base64
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.templating import page
from app.dashboard.views import language_words
from app.definitions import in_force
from app.errors import Message, NotAllowed
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission, Role, may
from app.staff.second_person import RULE
from app.statistics.counting.counsellors import room
from app.statistics.counting.kept_targets import targets_of
from app.statistics.counting.labels import TOTAL, labeller, plain
from app.statistics.counting.period_words import period_words
from app.statistics.counting.referral_figures import ReferralsBy
from app.statistics.counting.shapes import shapes_in
from app.statistics.counting.summary import FiguresWanted, summarise, today, zone_of, zones_of
from app.statistics.dimensions import Dimension
from app.statistics.exports import exporting, requested
from app.statistics.exports.exporting import read_by, read_wanted
from app.statistics.exports.files import PERSONAL, WHAT, File
from app.statistics.exports.writers import FORMATS
from app.statistics.measures import NAMES, definition
from app.statistics.periods import Period, Window
from app.statistics.planning import planning
from app.statistics.protection import budget
from app.statistics.protection.guard import KEY_OF, is_content, last_over
from app.statistics.published import release
from app.statistics.reports import counted_calls, sending
from app.statistics.reports.printing import print_report
from app.statistics.reports.reports import Report, ReportKind, kind_of, kinds, window_of
from app.statistics.reports.sections import show
from app.web.access import InWork, reader_with, token_of
from app.web.step_up import is_fresh
from app.words.pages import list_words, reader
from app.work import Work

router = APIRouter(include_in_schema=False)
SeesNumbers = Annotated[Staff, reader_with(Permission.SEE_STATISTICS)]
Publishes = Annotated[Staff, reader_with(Permission.PUBLISH)]
SeesCalls = Annotated[Staff, reader_with(Permission.SEE_SINGLE_CALLS)]
# The most rows that a page shows. The file has all of them.
_MOST_ROWS = 1000
_FIRST_CHOICE = (
    "calls",
    "offered",
    "answered",
    "abandoned",
    "service_level",
    "asa",
    "wait_p90",
    "aht",
    "conversations",
    "first_word_median",
    "contacts",
    "contacts_completed",
    "urgent_contacts",
)


@router.get("/reports")
async def reports_page(request: Request, work: InWork, staff: SeesNumbers) -> Response:
    """List the reports, exports, schedules and releases."""
    lines = await zones_of(work)
    exports = await requested.exports_of(work, staff)
    return page(
        request,
        "reports/reports.html",
        staff=staff,
        kinds=[kind for kind in kinds(work).values() if _may_see(staff, kind)],
        exports=exports,
        approvable=await requested.approvable(work, staff, [export for export, _ in exports]),
        second_person_rule=RULE,
        reason_of=lambda export: requested.reason_of(work, export),
        schedules=await sending.schedules(work),
        roles=[role for role in Role if may(role, Permission.SEE_STATISTICS)],
        releases=await release.releases(work),
        public_period=work.settings.public_period,
        publishable=await release.publishable(work),
        what=[what for what in WHAT if what is not File.REPORT and _may_ask(staff, what)],
        formats=list(FORMATS),
        periods=list(Period),
        dimensions=[d for d in Dimension if _may_count(staff, d)],
        referrals_by=[by.value for by in ReferralsBy],
        plain=plain,
        lines=lines.names,
        titles={name: kind.title for name, kind in kinds(work).items()},
        since=(today(work) - timedelta(days=30)).isoformat(),
        until=(today(work) + timedelta(days=1)).isoformat(),
        personal=PERSONAL,
    )


def _may_see(staff: Staff, kind: ReportKind) -> bool:
    return not kind.staff or may(staff.role, Permission.SEE_STAFF_STATISTICS)


def _may_ask(staff: Staff, what: File) -> bool:
    if what in PERSONAL:
        return may(staff.role, Permission.EXPORT_RECORDS)
    if what is File.CALLS:
        return may(staff.role, Permission.SEE_SINGLE_CALLS)
    return what is not File.COUNSELLORS or may(staff.role, Permission.SEE_STAFF_STATISTICS)


@router.get("/reports/dictionary")
async def dictionary_page(request: Request, staff: SeesNumbers) -> Response:
    """Describe every column of every file."""
    files: dict[str, list[tuple[str, Message]]] = {}
    for file, name, words in exporting.data_dictionary():
        files.setdefault(file, []).append((name, words))
    return page(request, "reports/dictionary.html", staff=staff, files=files)


@router.get("/reports/explore")
async def explore_page(
    request: Request,
    work: InWork,
    staff: SeesNumbers,
    since: Annotated[str, Query(alias="from", max_length=40)] = "",
    until: Annotated[str, Query(alias="to", max_length=40)] = "",
    period: str = "",
    by: str = "",
    and_: Annotated[str, Query(alias="and")] = "",
    line: str = "",
) -> Response:
    """Count any window, by any period and up to two dimensions."""
    day = today(work)
    since = since or (day - timedelta(days=6)).isoformat()
    until = until or (day + timedelta(days=1)).isoformat()
    dimensions = read_by([word for word in (by, and_) if word])
    if Dimension.COUNSELLOR in dimensions and not may(staff.role, Permission.SEE_STAFF_STATISTICS):
        raise NotAllowed("Figures of single counsellors are for supervisors and administrators.")
    options = {"line": line, "period": period, "by": dimensions}
    wanted = read_wanted(File.SUMMARY, since, until, "csv", options)
    await budget.spend_of_person(work, staff, wanted)
    targets = await targets_of(work)
    asked = FiguresWanted(wanted.window, wanted.period, dimensions, wanted.line, targets=targets)
    summary = await summarise(work, asked, language=reader())
    names = [name for name in NAMES if name in _FIRST_CHOICE]
    if any(is_content(d) for d in dimensions):
        names = [name for name in names if name in KEY_OF]
    # Leave out rows in which nothing was counted.
    rows = [
        row
        for row in summary.shown_rows
        if row.kind == TOTAL or any(summary.figures(row, names).values())
    ]
    counted = [*([] if asked.period is None else [asked.period.value]), *dimensions]
    return page(
        request,
        "reports/explore.html",
        staff=staff,
        summary=summary,
        rows=rows[:_MOST_ROWS],
        more=max(len(rows) - _MOST_ROWS, 0),
        names=names,
        all_names=NAMES,
        definition=definition,
        show=show,
        plain=plain,
        period_words=period_words,
        periods=list(Period),
        dimensions=[d for d in Dimension if _may_count(staff, d)],
        lines=(await zones_of(work)).names,
        since=since,
        until=until,
        period=period,
        by=by,
        and_=and_,
        line=line,
        counted=",".join(counted),
    )


def _may_count(staff: Staff, dimension: Dimension) -> bool:
    return dimension is not Dimension.COUNSELLOR or may(staff.role, Permission.SEE_STAFF_STATISTICS)


@router.get("/reports/planning")
async def planning_page(
    request: Request,
    work: InWork,
    staff: SeesNumbers,
    line: str = "",
    more: Annotated[int, Query(ge=-50, le=50)] = 0,
) -> Response:
    """Show the coming week: expected calls, staff needed and rostered, with a what-if."""
    found = await planning.plan(work, line=line or None, more=more)
    # By local time: when the clocks change, a half hour holds two slots or none.
    days: dict[str, dict[str, list[planning.PlannedSlot]]] = {}
    for slot in found.slots:
        days.setdefault(slot.local[:10], {}).setdefault(slot.local[11:16], []).append(slot)
    return page(
        request,
        "reports/planning.html",
        staff=staff,
        plan=found,
        days={date.fromisoformat(day): slots for day, slots in days.items()},
        half_hours=[f"{n // 2:02d}:{n % 2 * 30:02d}" for n in range(48)],
        lines=(await zones_of(work)).names,
        line=line,
        more=more,
        kept=await _kept(work) if may(staff.role, Permission.SEE_STAFF_STATISTICS) else [],
    )


async def _kept(work: Work) -> list[tuple[date, int, float | None]]:
    """Return for each of the last seven days: rostered seconds, and adherence from 0 to 1."""
    found = []
    for back in range(7, 0, -1):
        day = today(work) - timedelta(days=back)
        whole = (await room(work, Window(day, day + timedelta(days=1)))).all
        adherence = whole.figures()["adherence"]
        found.append((day, whole.rostered, adherence))
    return found


@router.post("/reports/publish")
async def publish(
    work: InWork, _staff: Publishes, period: Annotated[str, Form(max_length=10)]
) -> Response:
    """Publish a period. A release cannot be changed or taken back."""
    await release.publish(work, period.strip())
    return RedirectResponse(f"/reports/public/{period.strip()}", status_code=303)


@router.get("/reports/public/{period}")
async def public_page(request: Request, work: InWork, staff: SeesNumbers, period: str) -> Response:
    """Show the release of a period as it was published."""
    found = await release.released(work, period)
    return page(request, "reports/public.html", staff=staff, found=found, words=release.WORDS)


@router.get("/reports/files/{export_id}")
async def file_page(
    request: Request, work: InWork, staff: SeesNumbers, export_id: UUID
) -> Response:
    """Redirect from the link of a mail to its file, if the reader may have it.

    A file of single records is downloaded from the page of reports, which asks for a proof.
    """
    export = await requested.downloadable(work, staff, export_id)
    if export.personal and not await is_fresh(work, staff, token_of(request)):
        return RedirectResponse("/reports", status_code=303)
    return RedirectResponse(f"/api/v1/statistics/exports/{export_id}/file", status_code=303)


@router.get("/reports/calls")
async def calls_page(
    request: Request,
    work: InWork,
    staff: SeesCalls,
    since: Annotated[str, Query(alias="from", max_length=40)],
    until: Annotated[str, Query(alias="to", max_length=40)],
    line: str = "",
    outcome: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """List the calls that a figure of a report counts."""
    wanted = read_wanted(File.CALLS, since, until, "csv", {"line": line})
    outcomes = counted_calls.read_outcomes(outcome)
    rows, number = await counted_calls.counted_calls(work, wanted.window, wanted.line, outcomes)
    names = (await zones_of(work)).names
    label = await labeller(work, dict(names), reader())
    return page(
        request,
        "reports/counted_calls.html",
        staff=staff,
        rows=rows,
        number=number,
        window=wanted.window,
        line=line,
        lines=names,
        outcomes=outcomes,
        outcome_words=list_words(label(Dimension.OUTCOME, one) for one in outcomes),
        label=label,
        language_words=language_words,
    )


@router.get("/reports/{name}.pdf")
async def report_pdf(
    work: InWork, staff: SeesNumbers, name: str, day: str = "", line: str = ""
) -> Response:
    """Return a report as a PDF."""
    report = await _counted(work, staff, name, day, line)
    content = await print_report(report, zone_of(work))
    file = f"{report.name}-{report.window.begins}.pdf"
    return Response(
        content,
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


@router.get("/reports/{name}")
async def report_page(
    request: Request, work: InWork, staff: SeesNumbers, name: str, day: str = "", line: str = ""
) -> Response:
    """Show a report: five figures, charts, tables, then the definitions."""
    report = await _counted(work, staff, name, day, line)
    return page(
        request,
        "reports/report.html",
        staff=staff,
        report=report,
        kind=kind_of(work, name),
        pictures=await asyncio.to_thread(_pictures, report),
        before=_day_before(report.window.begins),
        after=_next_day(work, kind_of(work, name), report.window),
        line=line,
        lines=(await zones_of(work)).names,
        is_shape=name in shapes_in(in_force.folder_of(work.ground)),
        opens=may(staff.role, Permission.SEE_SINGLE_CALLS),
        calls_of=lambda outcomes: _calls_of(report, line, outcomes),
    )


def _calls_of(report: Report, line: str, outcomes: tuple[str, ...]) -> str:
    """Return the address of the list of calls that a figure counts."""
    window = report.window
    asked = {"from": window.begins, "to": window.ends, "line": line, "outcome": ",".join(outcomes)}
    return f"/reports/calls?{urlencode(asked)}"


def _next_day(work: Work, kind: ReportKind, window: Window) -> date | None:
    """Return the first day of the next period, if a report of it can be read."""
    day = window.ends
    if not isinstance(day, date) or day >= today(work):
        return None
    if kind.only_of_months and day >= last_over(work.now).ends:
        # It has begun, and no month of it is over in every time zone.
        return None
    return day


def _day_before(day: Any) -> date:
    assert isinstance(day, date)
    return day - timedelta(days=1)


async def _counted(work: Work, staff: Staff, name: str, day: str, line: str) -> Report:
    kind = kind_of(work, name)
    if not _may_see(staff, kind):
        raise NotAllowed("Figures of single counsellors are for supervisors and administrators.")
    window = window_of(work, kind, day)
    report = await kind.make(work, window, line or None)
    write_entry(work, AuditLog.REPORT_READ, f"report:{name}:{window.words}")
    return report


def _pictures(report: Report) -> list[str | None]:
    """Return the charts as data addresses, which keeps their styles out of the page."""
    found: list[str | None] = []
    for section in report.sections:
        if section.chart is None:
            found.append(None)
            continue
        encoded = base64.b64encode(section.chart.svg().encode()).decode()
        found.append(f"data:image/svg+xml;base64,{encoded}")
    return found
