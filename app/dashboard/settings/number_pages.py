"""The page of the telephony: where the provider's numbers lead, and a button to set them up."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.calls.lines import finding_lines
from app.calls.lines.number_setup import SetupReport, set_up_numbers
from app.dashboard.templating import page
from app.errors import Refusal
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import message_words, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_LINES)]


@router.get("/admin/numbers")
async def numbers_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the provider, and the numbers of the lines there."""
    return await _show(request, work, staff)


async def _show(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    report: SetupReport | None = None,
    notice: str = "",
) -> Response:
    settings = work.settings
    return page(
        request,
        "settings/numbers.html",
        staff=staff,
        platform=settings.telephony_platform,
        has_account=settings.has_telephony,
        practices=settings.practice_exchange is not None,
        address=settings.public_url,
        numbers=sorted((await finding_lines.numbers_of(work)).items()),
        done=[message_words(one) for one in report.done] if report else [],
        problems=[message_words(one) for one in report.problems] if report else [],
        is_set_up=report is not None,
        notice=notice,
    )


@router.post("/admin/numbers")
async def set_up(request: Request, work: InWork, staff: Keeps) -> Response:
    """Set up the provider's numbers, and show what was done and what is left to do."""
    try:
        report = await set_up_numbers(work)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, notice=refusal_words(refusal))
    return await _show(request, work, staff, report=report)
