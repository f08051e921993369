"""The page of the keys: which one seals, what each has sealed, and sealing everything anew."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.templating import page
from app.errors import Refusal
from app.sealing import hashes, resealing, state
from app.sealing.state import KeyUse
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_KEYS)]
USE_WORDS = {
    KeyUse.SEALS: N_("seals"),
    KeyUse.SEALS_SOON: N_("seals in a moment"),
    KeyUse.OPENS: N_("only opens older values"),
    KeyUse.RETIRED: N_("retired"),
    KeyUse.UNKNOWN: N_("missing on the server"),
}


@router.get("/admin/keys")
async def keys_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show the keys; they are in the settings of the server, and no page shows one."""
    return await _show(request, work, staff)


async def _show(request: Request, work: Work, staff: Staff, problem: str = "") -> Response:
    return page(
        request,
        "settings/keys.html",
        staff=staff,
        state=await state.read(work),
        uses={use.value: words for use, words in USE_WORDS.items()},
        problem=problem,
    )


async def _do(
    request: Request, work: Work, staff: Staff, verb: Callable[[], Awaitable[object]]
) -> Response:
    try:
        await verb()
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, refusal_words(refusal))
    return RedirectResponse("/admin/keys", 303)


@router.post("/admin/keys/reseal")
async def reseal(work: InWork, _staff: Keeps) -> Response:
    """Begin to seal everything anew that another key has sealed."""
    state.ask_for_resealing(work)
    return RedirectResponse("/admin/keys", 303)


@router.post("/admin/keys/rotate")
async def rotate(request: Request, work: InWork, staff: Keeps) -> Response:
    """Let the first key of the settings seal."""
    return await _do(request, work, staff, lambda: resealing.rotate_key(work))


@router.post("/admin/keys/retire")
async def retire(
    request: Request, work: InWork, staff: Keeps, number: Annotated[int, Form(ge=0, le=255)]
) -> Response:
    """Retire a key with which nothing is sealed any more."""
    tables = state.all_tables(work)
    return await _do(request, work, staff, lambda: resealing.retire_key(work, tables, number))


@router.post("/admin/keys/rotate-hashes")
async def rotate_hashes(request: Request, work: InWork, staff: Keeps) -> Response:
    """Give the hashes by which callers and names are found a new key."""
    return await _do(request, work, staff, lambda: hashes.rotate_hashes(work))
