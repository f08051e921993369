"""The JSON interface of the live talks, for their supervisors."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.api.views import TalkView, talk_view
from app.calls import record
from app.routing.participants import moving, supervising
from app.routing.participants.participants import Mode
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["calls"], route_class=StrictRoute)
Supervises = Annotated[Staff, Depends(Requires(Permission.SUPERVISE), scope="function")]


@router.get("/talks")
async def talks(work: InWork, staff: Supervises) -> list[TalkView]:
    """Return the live talks."""
    return [talk_view(one, work.now) for one in await supervised.live_talks(work, staff)]


async def _supervise(work: Work, staff: Staff, call_id: UUID, mode: Mode) -> dict[str, UUID]:
    call = await record.lock_call(work, call_id)
    return {"participant_id": (await supervising.supervise(work, staff, call, mode)).id}


@router.post("/calls/{call_id}/listen", status_code=202)
async def listen(work: InWork, staff: Supervises, call_id: UUID) -> dict[str, UUID]:
    """Listen in: the supervisor hears both and is not heard."""
    return await _supervise(work, staff, call_id, Mode.LISTEN)


@router.post("/calls/{call_id}/whisper", status_code=202)
async def whisper(work: InWork, staff: Supervises, call_id: UUID) -> dict[str, UUID]:
    """Whisper: only the counsellor hears the supervisor."""
    return await _supervise(work, staff, call_id, Mode.WHISPER)


@router.post("/calls/{call_id}/barge", status_code=202)
async def barge(work: InWork, staff: Supervises, call_id: UUID) -> dict[str, UUID]:
    """Barge in: the supervisor talks with both."""
    return await _supervise(work, staff, call_id, Mode.TALK)


@router.post("/calls/{call_id}/take-over", status_code=204)
async def take_over(work: InWork, staff: Supervises, call_id: UUID) -> None:
    """Take the talk over. The supervisor must be in it."""
    await moving.take_over(work, staff, call_id)


class MoveIn(BaseModel):
    counsellor_id: UUID


@router.post("/calls/{call_id}/move", status_code=202)
async def move(work: InWork, staff: Supervises, call_id: UUID, body: MoveIn) -> None:
    """Ask a colleague into the talk, which is theirs as soon as they are in."""
    await moving.move_talk(work, staff, call_id, body.counsellor_id)
