"""The JSON interface of back-ups: the last ones, how far they reach, what was tried."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.safekeeping.backups import asking, state
from app.safekeeping.models import BackupKind
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["backups"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_BACKUPS), scope="function")]
Asks = Annotated[Staff, Depends(Requires(Permission.KEEP_SETTINGS), scope="function")]


class BackupView(BaseModel):
    """A back-up, or a drill: a restore that was tried. `problem`: why it failed."""

    kind: BackupKind
    begun_at: datetime
    ended_at: datetime
    size: int
    problem: str | None


class BackupsView(BaseModel):
    """What is known of the back-ups. `log_at`: until when what was written is kept."""

    made_here: bool
    log_at: datetime | None
    base_late: bool
    log_late: bool
    newest: list[BackupView]


@router.get("/backups")
async def all_backups(work: InWork, _staff: Sees) -> BackupsView:
    """Return the last back-ups and drills; they are restored on the server alone."""
    known = await state.read(work)
    return BackupsView(
        made_here=work.settings.backup_target is not None,
        log_at=known.log_at if known else None,
        base_late=known.base_late if known else False,
        log_late=known.log_late if known else False,
        newest=[
            BackupView.model_validate(one, from_attributes=True) for one in await state.newest(work)
        ],
    )


@router.post("/backups", status_code=202)
async def make_backup(work: InWork, _staff: Asks) -> None:
    """Ask for a back-up now; a worker makes it."""
    await asking.ask(work)
