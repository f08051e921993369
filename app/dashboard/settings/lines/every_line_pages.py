"""The page of what every line says: written and recorded before a line speaks a language."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from starlette.responses import RedirectResponse

from app import words
from app.calls import prompts
from app.calls.lines import finding_lines, lines
from app.dashboard.languages import language_choices
from app.dashboard.settings.lines import line_views
from app.dashboard.settings.lines.line_pages import Keeps, Text
from app.dashboard.settings.lines.prompt_pages import LARGEST, read_form
from app.dashboard.templating import page
from app.errors import Refusal
from app.staff.models import Staff
from app.web.access import InWork
from app.web.recordings import recording_response
from app.words.keys import LONGEST_TEXT
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)


@router.get("/admin/every-line")
async def every_line_page(
    request: Request,
    work: InWork,
    staff: Keeps,
    language: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show what every line says in a language, and what a line would lack to speak it."""
    notice = ""
    try:
        if language:
            lines.check_language(language)
    except Refusal as refusal:
        language, notice = "", refusal_words(refusal)
    return await _show(request, work, staff, language, notice=notice)


async def _show(request: Request, work: Work, staff: Staff, language: str, **more: Any) -> Response:
    spoken = {
        one for row in await finding_lines.all_lines(work) for one in await _spoken_by(work, row.id)
    }
    known = {*words.languages(), *spoken, *await prompts.languages_of(work, None)}
    chosen = line_views.on_the_way(language or (min(spoken) if spoken else words.SOURCE))
    lacks = await lines.lacks_of(work, chosen.language)
    line = await line_views.example_line(work)
    heard = await prompts.heard_of(work, None, chosen.language)
    return page(
        request,
        "settings/every_line.html",
        staff=staff,
        language=chosen,
        languages=language_choices({*known, chosen.language}),
        lacks=lacks,
        names=line_views.NAMES,
        steps=line_views.flow_of(line_views.parts_of(line, chosen.language, heard)),
        sources=line_views.SOURCES,
        base="/admin/every-line",
        own=prompts.Source.EVERY_LINE.value,
        rings=False,
        longest=LONGEST_TEXT,
        **{"notice": "", "part": "", "typed": {}, "told": "", **more},
    )


async def _spoken_by(work: Work, line_id: UUID) -> list[str]:
    _row, line = await finding_lines.read_line(work, line_id)
    return [one.language for one in line.languages]


async def _change(
    request: Request,
    work: Work,
    staff: Staff,
    language: str,
    key: str,
    typed: dict[str, Any],
    verb: Callable[[], Awaitable[object]],
) -> Response:
    """Change a prompt. After a refusal it keeps what was typed."""
    lines.check_language(language)
    try:
        await verb()
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
        return await _show(request, work, staff, language, part=key, typed=typed, notice=notice)
    return RedirectResponse(f"/admin/every-line?language={language}#{key}", 303)


@router.post("/admin/every-line/prompts/{language}/{key}", max_body_size=LARGEST)
async def change_prompt(
    request: Request,
    work: InWork,
    staff: Keeps,
    language: str,
    key: str,
    text: Text = "",
    sound: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Change what every line says: a text, or an MP3 or WAV file."""
    written, audio, kind = await read_form(text, sound)

    async def verb() -> None:
        await prompts.set_prompt(
            work,
            line=None,
            language=language,
            key=key,
            text=written,
            audio=audio,
            audio_type=kind,
        )

    return await _change(request, work, staff, language, key, {"text": text}, verb)


@router.post("/admin/every-line/prompts/{language}/{key}/back")
async def take_back(
    request: Request, work: InWork, staff: Keeps, language: str, key: str
) -> Response:
    """Undo the last change of a prompt of every line."""

    async def verb() -> None:
        await prompts.take_back(work, None, language, key)

    return await _change(request, work, staff, language, key, {}, verb)


@router.post("/admin/every-line/prompts/{language}/{key}/program")
async def use_words_of_program(
    request: Request, work: InWork, staff: Keeps, language: str, key: str
) -> Response:
    """Say again what comes with the program."""

    async def verb() -> None:
        await prompts.use_words_of_program(work, None, language, key)

    return await _change(request, work, staff, language, key, {}, verb)


@router.get("/admin/every-line/recordings/{recording}")
async def recording(work: InWork, _staff: Keeps, recording: UUID) -> Response:
    """Return a recording that every line plays."""
    return await recording_response(work, None, recording)
