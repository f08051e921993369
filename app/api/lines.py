"""The JSON interface of lines: what callers hear, and taking a change back."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from app.calls import chat_lines, lines, prompts
from app.calls.chat_rules import ChatRules, read_chat
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


class ChatSettingsView(BaseModel):
    """How children write to a line."""

    on: bool
    slug: str | None
    languages: list[str]
    at_once: int
    reserve: int
    reserve_seconds: int
    sites: list[str]
    exit_site: str
    title: str
    icon: str
    # What the child's page shows, and what counsellors have at hand; words by language.
    emoji: list[str]
    closed: dict[str, str]
    beginnings: dict[str, list[str]]
    # The carriers by which children write, and what is sent by WhatsApp after a day of silence.
    by: list[str]
    templates: list[str]


Template = Annotated[str, Field(max_length=80)]


class ChatSettingsIn(BaseModel):
    """What is left out stays; an empty `slug` removes it."""

    on: bool | None = None
    slug: Annotated[str, Field(max_length=40)] | None = None
    languages: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=8)] | None = (
        None
    )
    at_once: int | None = None
    reserve: int | None = None
    reserve_seconds: int | None = None
    sites: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=50)] | None = (
        None
    )
    exit_site: Annotated[str, Field(max_length=300)] | None = None
    title: Annotated[str, Field(max_length=80)] | None = None
    icon: Annotated[str, Field(max_length=20)] | None = None
    emoji: Annotated[list[Annotated[str, Field(max_length=12)]], Field(max_length=50)] | None = None
    closed: Annotated[dict[str, str], Field(max_length=8)] | None = None
    beginnings: Annotated[dict[str, list[str]], Field(max_length=8)] | None = None
    by: Annotated[list[Annotated[str, Field(max_length=20)]], Field(max_length=8)] | None = None
    templates: (
        Annotated[list[Annotated[str, Field(max_length=80)]], Field(max_length=20)] | None
    ) = None


def _chat_view(rules: ChatRules) -> ChatSettingsView:
    return ChatSettingsView(**asdict(rules))


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


@router.get("/lines/{line_id}/chat")
async def chat_settings(work: InWork, staff: KeepsLines, line_id: UUID) -> ChatSettingsView:
    """Return whether and how children write to a line."""
    row, _line = await lines.read_line(work, line_id)
    return _chat_view(read_chat(row.chat))


@router.patch("/lines/{line_id}/chat")
async def set_chat(
    work: InWork, staff: KeepsLines, line_id: UUID, body: ChatSettingsIn
) -> ChatSettingsView:
    """Change how children write to a line: the languages, how many conversations a counsellor has
    at once, the counsellors who are kept for calls, the sites that may show the page, where a
    child goes that leaves at once, and what the browser shows of the page."""
    _row, line = await lines.read_line(work, line_id)
    return _chat_view(await chat_lines.change_chat(work, line, **body.model_dump()))


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
