"""The JSON interface of lines: what callers hear, and taking a change back."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.calls import lines, prompts
from app.calls.prompts import Source
from app.calls.speech import LineScript
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.work import Work

router = APIRouter(tags=["lines"])
KeepsLines = Annotated[Staff, Depends(Requires(Permission.KEEP_LINES), scope="function")]


class LineView(BaseModel):
    """A line in use."""

    id: UUID
    number: str
    name: str
    country: str
    timezone: str
    opening_hours: str
    practice: bool


class PromptView(BaseModel):
    """What a line says for one key. Without `text` it is a recording, or the shipped sound."""

    key: str
    text: str | None
    recording: bool
    source: Source
    # A change of this line can be taken back.
    earlier: bool


class TextIn(BaseModel):
    text: Annotated[str, Field(max_length=prompts.LONGEST_TEXT)]


async def _line(work: Work, line_id: UUID, language: str) -> LineScript:
    _row, line = await lines.read_line(work, line_id)
    prompts.check_spoken(line, language)
    return line


@router.get("/lines")
async def all_lines(work: InWork, staff: KeepsLines) -> list[LineView]:
    """Return the lines in use."""
    return [
        LineView(
            id=one.id,
            number=one.number,
            name=one.name,
            country=one.country,
            timezone=one.timezone,
            opening_hours=one.opening_hours,
            practice=one.practice,
        )
        for one in await lines.all_lines(work)
    ]


@router.get("/lines/{line_id}/prompts")
async def all_prompts(
    work: InWork,
    staff: KeepsLines,
    line_id: UUID,
    language: Annotated[str, Query(max_length=20)],
) -> list[PromptView]:
    """Return what a line says in one of its languages."""
    line = await _line(work, line_id, language)
    return [
        PromptView(
            key=one.key,
            text=one.text,
            recording=one.recording is not None,
            source=one.source,
            earlier=one.earlier,
        )
        for one in await prompts.heard_of(work, line, language)
    ]


@router.put("/lines/{line_id}/prompts/{language}/{key}", status_code=204)
async def set_prompt(
    work: InWork, staff: KeepsLines, line_id: UUID, language: str, key: str, body: TextIn
) -> None:
    """Change a text; the next caller hears it."""
    line = await _line(work, line_id, language)
    await prompts.set_prompt(work, line=line, language=language, key=key, text=body.text)


@router.delete("/lines/{line_id}/prompts/{language}/{key}", status_code=204)
async def use_words_of_program(
    work: InWork, staff: KeepsLines, line_id: UUID, language: str, key: str
) -> None:
    """Give up the line's own prompt: it says again what comes with the program."""
    line = await _line(work, line_id, language)
    await prompts.use_words_of_program(work, line, language, key)


@router.post("/lines/{line_id}/prompts/{language}/{key}/back", status_code=204)
async def take_back(
    work: InWork, staff: KeepsLines, line_id: UUID, language: str, key: str
) -> None:
    """Undo the last change of a prompt."""
    line = await _line(work, line_id, language)
    await prompts.take_back(work, line, language, key)
