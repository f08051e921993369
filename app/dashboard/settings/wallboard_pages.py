"""Making and withdrawing wallboards; what one shows is in `app/dashboard/wall.py`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from app.dashboard.templating import templates
from app.errors import Refusal
from app.people import wallboards
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_WALLBOARDS)]


async def _kept(
    request: Request, work: Work, staff: Staff, *, address: str = "", notice: str = ""
) -> Response:
    await work.session.flush()
    values = {
        "wallboards": await wallboards.in_use(work),
        "address": address,
        "notice": notice,
        "staff": staff,
    }
    return templates.TemplateResponse(request, "fragments/team/wallboards.html", values)


@router.post("/admin/wallboards")
async def make_wallboard(
    request: Request, work: InWork, staff: Keeps, name: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Make a wallboard. Its address is shown only once."""
    try:
        token = await wallboards.make(work, staff, name)
    except Refusal as refusal:
        return await _kept(request, work, staff, notice=refusal_words(refusal))
    return await _kept(request, work, staff, address=wallboards.address_of(work, token))


@router.post("/admin/wallboards/{wallboard_id}/withdraw")
async def withdraw_wallboard(
    request: Request, work: InWork, staff: Keeps, wallboard_id: UUID
) -> Response:
    """Withdraw the address of a wallboard."""
    notice = ""
    try:
        await wallboards.withdraw(work, wallboard_id)
    except Refusal as refusal:
        notice = refusal_words(refusal)
    return await _kept(request, work, staff, notice=notice)
