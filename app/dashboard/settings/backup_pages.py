"""The page of back-ups and anchors: the last ones, how far they reach, what was tried."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.settings.log_pages import WAY_WORDS
from app.dashboard.templating import page
from app.errors import Refusal
from app.safekeeping import anchors
from app.safekeeping.backups import asking, state
from app.safekeeping.models import BackupKind
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.words.pages import N_, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_BACKUPS)]
Asks = Annotated[Staff, reader_with(Permission.KEEP_SETTINGS)]
KIND_WORDS = {
    BackupKind.BASE: N_("Back-up"),
    BackupKind.DRILL: N_("Restore, tried"),
}


@router.get("/admin/backups")
async def backups_page(request: Request, work: InWork, staff: Sees) -> Response:
    """Show the back-ups; they are restored on the server alone."""
    return await _show(request, work, staff)


@router.post("/admin/backups/make")
async def make_backup(request: Request, work: InWork, staff: Asks) -> Response:
    """Ask for a back-up now."""
    try:
        await asking.ask(work)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, notice=refusal_words(refusal))
    return RedirectResponse("/admin/backups", 303)


async def _show(request: Request, work: Work, staff: Staff, notice: str = "") -> Response:
    return page(
        request,
        "settings/backups.html",
        staff=staff,
        state=await state.read(work),
        rows=await state.newest(work),
        kind_words={kind.value: words for kind, words in KIND_WORDS.items()},
        hours=work.settings.backup_hours,
        anchors=await anchors.states(work),
        way_words=WAY_WORDS,
        own=work.settings.backup_target is not None,
        under_way=await state.is_under_way(work),
        may_ask=may(staff.role, Permission.KEEP_SETTINGS),
        notice=notice,
    )
