"""The JSON interface of the last changes of a line, and of taking one back."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.api.settings.lines import KeepsLines
from app.country import line_changes
from app.web.access import InWork
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["lines"], route_class=StrictRoute)


class LineChangeView(BaseModel):
    """A change of a line, by the part that was changed."""

    id: int
    at: datetime
    by: str | None = Field(description="Who made it; null: the command line.")
    part: line_changes.LinePart
    carrier: str | None = Field(
        description="The messenger whose account was changed; null: another part."
    )
    before: dict[str, Any] = Field(
        description="What the change made another one, as it was; of a number only its ends."
    )
    after: dict[str, Any] = Field(description="The same values, as the change left them.")
    can_be_taken_back: bool
    why_not: str | None = Field(
        description="Why it cannot be taken back: for example, the values have changed since, or "
        "the whole numbers are not kept."
    )


@router.get("/lines/{line_id}/changes")
async def changes(work: InWork, _staff: KeepsLines, line_id: UUID) -> list[LineChangeView]:
    """Return the last changes of a line, the newest first. Prompts have routes of their own."""
    found = await line_changes.changes_of(work, line_id)
    return [
        LineChangeView(
            id=one.id,
            at=one.at,
            by=one.by,
            part=one.part,
            carrier=one.carrier,
            before=one.before,
            after=one.after,
            can_be_taken_back=one.can_be_taken_back,
            why_not=str(one.why_not) if one.why_not is not None else None,
        )
        for one in found
    ]


@router.post("/lines/{line_id}/changes/{change_id}/back", status_code=204)
async def take_back(
    work: InWork,
    _staff: KeepsLines,
    line_id: UUID,
    change_id: Annotated[int, Path(ge=1, le=2**62)],
) -> None:
    """Put in force again what was before a change; the next caller meets it. It is a change of its
    own. 409 ChangedSince if the values have changed since; the checks of the values hold again."""
    await line_changes.take_back(work, line_id, change_id)
