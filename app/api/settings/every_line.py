"""The JSON interface of what every line says, before a line has a prompt of its own."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from app.api.description import files
from app.api.settings.lines import KeepsLines, PromptView, TextIn, prompt_views, sent_recording
from app.calls import prompts
from app.calls.lines import lines
from app.errors import Refusal
from app.web.access import InWork
from app.web.recordings import recording_response
from app.web.strict_bodies import StrictRoute
from app.words.pages import refusal_words

router = APIRouter(tags=["lines"], route_class=StrictRoute)


class SpeakableView(BaseModel):
    """Whether a line can speak a language, by what every line says; if not, what it lacks."""

    speakable: bool
    why: str | None


@router.get("/every-line/languages/{language}")
async def speakable(work: InWork, _staff: KeepsLines, language: str) -> SpeakableView:
    """Return whether a line can speak a language."""
    lines.check_language(language)
    try:
        await lines.check_speakable(work, language)
    except Refusal as refusal:
        return SpeakableView(speakable=False, why=refusal_words(refusal))
    return SpeakableView(speakable=True, why=None)


@router.get("/every-line/prompts")
async def all_prompts(
    work: InWork, _staff: KeepsLines, language: Annotated[str, Query(max_length=20)]
) -> list[PromptView]:
    """Return what every line says in a language, which no line need speak yet."""
    return await prompt_views(work, None, language)


@router.put("/every-line/prompts/{language}/{key}", status_code=204)
async def set_prompt(
    work: InWork, _staff: KeepsLines, language: str, key: str, body: TextIn
) -> None:
    """Change a text of every line; the next caller hears it."""
    await prompts.set_prompt(work, line=None, language=language, key=key, text=body.text)


@router.put(
    "/every-line/prompts/{language}/{key}/recording",
    status_code=204,
    max_body_size=prompts.LARGEST_RECORDING,
)
async def set_recording(
    request: Request, work: InWork, _staff: KeepsLines, language: str, key: str
) -> None:
    """Play a recording on every line. The body is the MP3 or WAV file."""
    audio, kind = await sent_recording(request, work)
    await prompts.set_prompt(
        work, line=None, language=language, key=key, audio=audio, audio_type=kind
    )


@router.delete("/every-line/prompts/{language}/{key}", status_code=204)
async def use_words_of_program(work: InWork, _staff: KeepsLines, language: str, key: str) -> None:
    """Remove a prompt of every line: callers hear the shipped text again."""
    await prompts.use_words_of_program(work, None, language, key)


@router.post("/every-line/prompts/{language}/{key}/back", status_code=204)
async def take_back(work: InWork, _staff: KeepsLines, language: str, key: str) -> None:
    """Undo the last change of a prompt of every line."""
    await prompts.take_back(work, None, language, key)


@router.get("/every-line/recordings/{recording}", **files("audio/mpeg", "audio/wav"))
async def recording(work: InWork, _staff: KeepsLines, recording: UUID) -> Response:
    """Return a recording that every line plays."""
    return await recording_response(work, None, recording)
