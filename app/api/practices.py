"""The JSON interface of practice calls: start one, note what was done in it, write a remark."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from app.staff.models import Staff
from app.staff.roles import Permission
from app.training import practices, remarks
from app.training.models import Practice
from app.training.scenarios import CounsellorAct
from app.training.script import Ended, Reply
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["practice"], route_class=StrictRoute)
TakesCalls = Annotated[Staff, Depends(Requires(Permission.TAKE_CALLS), scope="function")]


class StartIn(BaseModel):
    scenario: str = Field(max_length=40)
    language: str = Field(max_length=8)
    # The child writes, and no telephone rings.
    written: bool = False


class ActIn(BaseModel):
    act: CounsellorAct
    # The number of the next act, as the writer sees the talk: 1 for the first.
    number: int = Field(ge=1)
    # The fact that a question was about.
    topic: str | None = Field(default=None, max_length=40)


class RemarkIn(BaseModel):
    words: str = Field(max_length=4000)


class PracticeView(BaseModel):
    """A practice, without what was said in it."""

    id: UUID
    scenario: str
    language: str
    written: bool
    started_at: datetime
    ended_at: datetime | None
    ended: Ended | None


class TurnView(BaseModel):
    """How the child took an act."""

    reply: Reply
    phase: str
    ends: Ended | None


def _view(one: Practice) -> PracticeView:
    return PracticeView(
        id=one.id,
        scenario=one.scenario,
        language=one.language,
        written=one.written,
        started_at=one.started_at,
        ended_at=one.ended_at,
        ended=Ended(one.ended_how) if one.ended_how else None,
    )


@router.get("/practices")
async def mine(work: InWork, staff: TakesCalls) -> list[PracticeView]:
    """List the reader's own practices, the newest first."""
    return [_view(one) for one in await practices.earlier(work, staff)]


@router.post("/practices", status_code=201)
async def start(work: InWork, staff: TakesCalls, body: StartIn) -> PracticeView:
    """Start a practice: the reader's own telephone rings, or a conversation is offered to them."""
    return _view(
        await practices.start(work, staff, body.scenario, body.language, written=body.written)
    )


@router.post("/practices/{practice_id}/acts", status_code=201)
async def note_act(work: InWork, staff: TakesCalls, practice_id: UUID, body: ActIn) -> TurnView:
    """Note what the counsellor has just done; the child answers."""
    turn = await practices.note_act(work, staff, practice_id, body.act, body.topic, body.number)
    return TurnView(reply=turn.reply, phase=turn.phase, ends=turn.ends)


@router.post("/practices/{practice_id}/remarks", status_code=204)
async def remark(work: InWork, staff: TakesCalls, practice_id: UUID, body: RemarkIn) -> None:
    """Write a remark about a practice."""
    await remarks.add_remark(work, staff, practice_id, body.words)
