"""What is heard on a line: a text or a recording is changed, goes back, or is heard on a phone."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from app.calls import prompts
from app.calls.lines import finding_lines
from app.calls.speech import LineScript
from app.dashboard.settings.lines.line_pages import Keeps, Text, change_and_show, show_line
from app.errors import Refusal
from app.people import connection_tests
from app.people.connection_words import words_of
from app.web.access import InWork
from app.web.recordings import recording_response
from app.words.pages import message_words, refusal_words

router = APIRouter(include_in_schema=False)
# A recording, and what a form writes around it.
LARGEST = prompts.LARGEST_RECORDING + 64 * 1024
_TYPES = {"audio/mpeg": "audio/mpeg", "audio/mp3": "audio/mpeg", "audio/wav": "audio/wav"}
_TYPES |= {"audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav"}


async def read_form(
    text: str, sound: UploadFile | None
) -> tuple[str | None, bytes | None, str | None]:
    """Return the text of a prompt, or its recording with its type."""
    if sound is not None and sound.filename:
        return None, await sound.read(), _TYPES.get(sound.content_type or "")
    # A form ends its lines with CR LF.
    return " ".join(text.split()), None, None


@router.post("/admin/lines/{line_id}/prompts/{language}/{key}", max_body_size=LARGEST)
async def change_prompt(
    request: Request,
    work: InWork,
    staff: Keeps,
    line_id: UUID,
    language: str,
    key: str,
    text: Text = "",
    sound: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Change what a line says: a text, or an MP3 or WAV file."""
    words, audio, kind = await read_form(text, sound)

    async def verb(line: LineScript) -> None:
        await prompts.set_prompt(
            work,
            line=line,
            language=language,
            key=key,
            text=words,
            audio=audio,
            audio_type=kind,
        )

    typed = {"text": text}
    return await change_and_show(request, work, staff, line_id, key, typed, verb, language)


@router.post("/admin/lines/{line_id}/prompts/{language}/{key}/back")
async def take_back(
    request: Request, work: InWork, staff: Keeps, line_id: UUID, language: str, key: str
) -> Response:
    """Undo the last change of a prompt."""

    async def verb(line: LineScript) -> None:
        await prompts.take_back(work, line, language, key)

    return await change_and_show(request, work, staff, line_id, key, {}, verb, language)


@router.post("/admin/lines/{line_id}/prompts/{language}/{key}/program")
async def use_words_of_program(
    request: Request, work: InWork, staff: Keeps, line_id: UUID, language: str, key: str
) -> Response:
    """Say again what comes with the program."""

    async def verb(line: LineScript) -> None:
        await prompts.use_words_of_program(work, line, language, key)

    return await change_and_show(request, work, staff, line_id, key, {}, verb, language)


@router.post("/admin/lines/{line_id}/prompts/{language}/{key}/ring")
async def ring_phone(
    request: Request,
    work: InWork,
    staff: Keeps,
    line_id: UUID,
    language: str,
    key: str,
    number: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Let a phone be rung, which hears the prompt."""
    answer: dict[str, Any] = {"part": key, "typed": {"number": number}}
    try:
        test = await connection_tests.ring_test_phone(
            work, staff, number, line_id=line_id, language=language, key=key
        )
    except Refusal as refusal:
        await work.undo()
        answer["notice"] = refusal_words(refusal)
    else:
        answer["told"] = message_words(words_of(test, ""))
    return await show_line(request, work, staff, line_id, language, **answer)


@router.get("/admin/lines/{line_id}/recordings/{recording}")
async def recording(work: InWork, _staff: Keeps, line_id: UUID, recording: UUID) -> Response:
    """Return a recording that the line plays."""
    _row, line = await finding_lines.read_line(work, line_id)
    return await recording_response(work, line, recording)
