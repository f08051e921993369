"""The page of an agency's keys: the secret of its signed events, and our password at its system."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.templating import page
from app.errors import Refusal
from app.referrals.directory import addresses, agencies
from app.referrals.directory.address_rows import AddressField
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_DIRECTORY)]
_KEYS = (AddressField.WEBHOOK_SECRET, AddressField.PRIMERO_PASSWORD)


@router.get("/agencies/{code}/keys")
async def keys_page(request: Request, work: InWork, staff: Keeps, code: str) -> Response:
    """Show which keys an agency has, and forms for new ones."""
    return await _show(request, work, staff, code)


async def _show(
    request: Request, work: Work, staff: Staff, code: str, *, made: str = "", notice: str = ""
) -> Response:
    agency = await agencies.agency_of_code(work, code)
    waits = {
        one.change.field
        for one in await addresses.waiting(work, staff)
        if one.agency.id == agency.id and one.change.field in _KEYS
    }
    answer = page(
        request,
        "settings/agency_keys.html",
        staff=staff,
        agency=agency,
        secret_waits=AddressField.WEBHOOK_SECRET.value in waits,
        password_waits=AddressField.PRIMERO_PASSWORD.value in waits,
        made=made,
        notice=notice,
    )
    if made:
        answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post("/agencies/{code}/secret")
async def make_secret(request: Request, work: InWork, staff: Keeps, code: str) -> Response:
    """Make a secret for the agency's signed events, and show it this once."""
    made = await agencies.set_webhook_secret(work, code)
    return await _show(request, work, staff, code, made=made)


@router.post("/agencies/{code}/password")
async def set_password(
    request: Request,
    work: InWork,
    staff: Keeps,
    code: str,
    password: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Store the password of our account at the agency's own system, sealed."""
    try:
        await agencies.set_primero_password(work, code, password)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, code, notice=refusal_words(refusal))
    return RedirectResponse(f"/agencies/{code}/keys", 303)
