"""The page that shows how agencies reply."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.dashboard.templating import page
from app.errors import Invalid
from app.referrals import accountability
from app.staff.models import Staff
from app.staff.roles import Permission
from app.statistics.exports.exporting import ExportWanted
from app.statistics.exports.files import File
from app.statistics.periods import Period, Window, whole_period
from app.statistics.protection import budget, guarded_referrals
from app.statistics.protection.guard import last_over
from app.web.access import InWork, reader_with

router = APIRouter(include_in_schema=False)
SeesNumbers = Annotated[Staff, reader_with(Permission.SEE_STATISTICS)]


@router.get("/referrals/accountability")
async def accountability_page(
    request: Request, work: InWork, staff: SeesNumbers, since: str = "", until: str = ""
) -> Response:
    """Show how agencies reply in whole months, with the definition of each number."""
    newest = last_over(work.now)
    first = _month(since) if since else newest
    last = _month(until) if until else (first if since else newest)
    if last.begins < first.begins:
        raise Invalid("The first month comes after the last. Choose them in order.")
    wanted = ExportWanted(File.REFERRALS, Window(first.begins, last.ends))
    await budget.spend_of_person(work, staff, wanted)
    window, rows = await guarded_referrals.by_agency(work, wanted.window)
    return page(
        request,
        "reports/accountability.html",
        staff=staff,
        rows=rows,
        definitions=accountability.DEFINITIONS,
        all_agencies=accountability.ALL,
        since=f"{first.begins:%Y-%m}",
        until=f"{last.begins:%Y-%m}",
        newest=f"{newest.begins:%Y-%m}",
        window=window,
        now=work.now,
    )


def _month(text: str) -> Window:
    try:
        return whole_period(Period.MONTH, date.fromisoformat(f"{text}-01"))
    except (ValueError, OverflowError):
        raise Invalid("Write a month like 2026-11.") from None
