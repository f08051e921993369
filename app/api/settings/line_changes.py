"""The JSON interface of the last changes of a line, and of taking one back."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from app.administration import line_changes, number_changes
from app.api.settings.lines import KeepsLines
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["lines"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_ACCESS_REQUESTS), scope="function")]
ChangeId = Annotated[int, Path(ge=1, le=2**62)]


class LineChangeView(BaseModel):
    """A change of a line, by the part that was changed."""

    id: int
    at: datetime
    by: str | None = Field(description="Who made it; null: the command line.")
    part: line_changes.LinePart
    carrier: str | None = Field(
        description="The carrier whose account was changed; null: another part."
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


class NumberChangeView(LineChangeView):
    """A change of a line's numbers, or of its account at a carrier."""

    line_id: UUID
    line: str
    until: datetime = Field(description="Until then a second person can take it back.")


def _values(one: line_changes.LineChange) -> dict[str, Any]:
    return {
        "id": one.id,
        "at": one.at,
        "by": one.by,
        "part": one.part,
        "carrier": one.carrier,
        "before": one.before,
        "after": one.after,
        "can_be_taken_back": one.can_be_taken_back,
        "why_not": str(one.why_not) if one.why_not is not None else None,
    }


@router.get("/lines/{line_id}/changes")
async def changes(work: InWork, _staff: KeepsLines, line_id: UUID) -> list[LineChangeView]:
    """Return the last changes of a line, the newest first. Prompts have routes of their own."""
    found = await line_changes.changes_of(work, line_id)
    return [LineChangeView(**_values(one)) for one in found]


@router.post("/lines/{line_id}/changes/{change_id}/back", status_code=204)
async def take_back(
    work: InWork,
    _staff: KeepsLines,
    line_id: UUID,
    change_id: ChangeId,
) -> None:
    """Put in force again what was before a change; the next caller meets it. It is a change of its
    own. 409 ChangedSince if the values have changed since; the checks of the values hold again."""
    await line_changes.take_back(work, line_id, change_id)


@router.get("/number-changes")
async def number_changes_of_lines(work: InWork, staff: Sees) -> list[NumberChangeView]:
    """Return the changes of numbers and accounts of all lines that the reader can take back now,
    the newest first: those of the last 14 days that another person made."""
    return [
        NumberChangeView(**_values(one.change), line_id=one.line_id, line=one.line, until=one.until)
        for one in await number_changes.to_take_back(work, staff)
    ]


@router.post("/number-changes/{change_id}/back", status_code=204)
async def take_number_back(work: InWork, _staff: Sees, change_id: ChangeId) -> None:
    """Take back a change of numbers or of an account, as a second person. 409 TooLate after 14
    days, ChangedSince if the values have changed since."""
    await number_changes.take_back(work, change_id)
