"""The page of back-ups and anchors: the last ones, how far they reach, what was tried."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.dashboard.settings.log_pages import WAY_WORDS
from app.dashboard.templating import page
from app.safekeeping import anchors
from app.safekeeping.backups import state
from app.safekeeping.models import BackupKind
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_BACKUPS)]
KIND_WORDS = {
    BackupKind.BASE: N_("Back-up"),
    BackupKind.DRILL: N_("Restore, tried"),
}


@router.get("/admin/backups")
async def backups_page(request: Request, work: InWork, staff: Sees) -> Response:
    """Show the back-ups; they are made and restored on the server alone."""
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
    )
