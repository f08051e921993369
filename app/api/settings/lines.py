"""The JSON interface of lines: their facts, numbers, plan, languages, and what callers hear."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from app.api.description import files
from app.calls import prompts
from app.calls.key_questions import questions_of, set_questions
from app.calls.lines import (
    finding_lines,
    line_facts,
    line_languages,
    line_use,
    lines,
    partner_doubts,
)
from app.calls.lines.line_rows import Line
from app.calls.prompts import Source
from app.calls.speech import LineScript
from app.routing import changing_plans, partners
from app.routing.plan import check_skills, read_plan
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.recordings import recording_response
from app.web.strict_bodies import StrictRoute
from app.words.keys import LONGEST_TEXT
from app.work import Work

router = APIRouter(tags=["lines"], route_class=StrictRoute)
KeepsLines = Annotated[Staff, Depends(Requires(Permission.KEEP_LINES), scope="function")]
Short = Annotated[str, Field(max_length=200)]


class LineView(BaseModel):
    """A line."""

    id: UUID
    number: str
    name: str
    country: str
    timezone: str
    opening_hours: str
    practice: bool
    # Null: it is in use.
    retired_at: datetime | None
    # Since when it is without the partner that it had, because that number was the phone of a
    # person who has left, or was refused by a second person. Null: it has one, or none is wanted.
    partner_lost_at: datetime | None


class SpokenView(BaseModel):
    """A language of a line, and the digit of the menu that chooses it."""

    language: str
    digit: str


class PlanView(BaseModel):
    """Who else is offered a call as it waits, in seconds, and which skills a call needs."""

    backup_after: int
    supervisor_after: int
    on_call_after: int
    any_skill_after: int
    preferred_for: int
    partner_after: int
    partner_number: str | None
    ring_at_once: int
    priority: int
    night_from: int
    night_until: int
    longest_wait: int
    message_wait: int
    callback_wait: int
    skills: dict[str, int]


class WholeLineView(LineView):
    """A line with its languages, numbers and plan."""

    languages: list[SpokenView]
    # The provider's numbers that lead here, beside its own.
    leads_here: list[str]
    # What phones of counsellors and agencies show; null: a number of the line.
    shown_number: str | None
    plan: PlanView
    # A new number of the partner that waits for a second person; null: none.
    partner_waits: str | None
    # Whether a person who has left had entered the partner's number as a second phone that was
    # never proven, and it was not confirmed since. Callers are connected with it meanwhile.
    partner_in_doubt: bool
    # Whether callers are put through to the phone of a person who has left.
    partner_of_leaver: bool
    # The codes of the questions by key to a caller who cannot speak, in order.
    key_questions: list[str]


class LineIn(BaseModel):
    """A new line."""

    number: Short
    name: Short
    country: Short
    languages: Annotated[list[Short], Field(max_length=8)]
    timezone: Short
    practice: bool = False
    leads_here: Annotated[list[Short], Field(max_length=50)] = []
    shown_number: Short | None = None


class FactsIn(BaseModel):
    """What is left out stays as it is."""

    name: Short | None = None
    opening_hours: Short | None = None
    number: Short | None = None
    country: Short | None = None
    timezone: Short | None = None
    practice: bool | None = None


class NumbersIn(BaseModel):
    """What is left out stays as it is; an empty `shown_number` is a number of the line."""

    leads_here: Annotated[list[Short], Field(max_length=50)] | None = None
    shown_number: Short | None = None


class PlanIn(BaseModel):
    """What is left out stays as it is; an empty `partner_number` is none, and says that none is
    wanted."""

    backup_after: int | None = None
    supervisor_after: int | None = None
    on_call_after: int | None = None
    any_skill_after: int | None = None
    preferred_for: int | None = None
    partner_after: int | None = None
    partner_number: Short | None = None
    # The number of the partner, to confirm it while it is in doubt.
    confirm_partner: Short | None = None
    ring_at_once: int | None = None
    priority: int | None = None
    night_from: int | None = None
    night_until: int | None = None
    longest_wait: int | None = None
    message_wait: int | None = None
    callback_wait: int | None = None
    # `name` or `name:level`.
    skills: Annotated[list[Short], Field(max_length=50)] | None = None


class KeyQuestionsIn(BaseModel):
    """The codes in their order; an empty list asks none."""

    questions: Annotated[list[Short], Field(max_length=50)]


class LanguageIn(BaseModel):
    language: Annotated[str, Field(max_length=20)]


class PromptView(BaseModel):
    """What a line says for one key. Without `text` it is a recording, or the shipped sound."""

    key: str
    text: str | None
    recording: bool
    # By which the recording is fetched.
    recording_id: UUID | None
    source: Source
    # A change of this line can be taken back.
    earlier: bool


class TextIn(BaseModel):
    text: Annotated[str, Field(max_length=LONGEST_TEXT)]


async def _line(work: Work, line_id: UUID) -> LineScript:
    _row, line = await finding_lines.read_line(work, line_id)
    return line


def _view(row: Line) -> LineView:
    return LineView.model_validate(row, from_attributes=True)


async def _whole(work: Work, line_id: UUID) -> WholeLineView:
    row, line = await finding_lines.read_line(work, line_id)
    waits = await partners.waiting(work, None, line_id)
    return WholeLineView(
        **_view(row).model_dump(),
        languages=[SpokenView(language=one.language, digit=one.digit) for one in line.languages],
        leads_here=await finding_lines.numbers_behind(work, line),
        shown_number=row.shown_number,
        plan=PlanView(**asdict(read_plan(line.plan))),
        partner_waits=waits[0].row.number if waits else None,
        partner_in_doubt=await partner_doubts.is_in_doubt(work, row),
        partner_of_leaver=await partners.is_of_leaver(work, read_plan(line.plan)),
        key_questions=questions_of(line),
    )


async def prompt_views(work: Work, line: LineScript | None, language: str) -> list[PromptView]:
    """Return what a line, or every line, says in a language."""
    return [
        PromptView(
            key=one.key,
            text=one.text,
            recording=one.recording is not None,
            recording_id=one.recording,
            source=one.source,
            earlier=one.earlier,
        )
        for one in await prompts.heard_of(work, line, language)
    ]


async def sent_recording(request: Request, work: Work) -> tuple[bytes, str]:
    """Return the recording that is the body, and its media type."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    # A slow upload must not hold a database connection.
    await work.let_go()
    return await request.body(), kind


@router.get("/lines")
async def all_lines(work: InWork, _staff: KeepsLines, retired: bool = False) -> list[LineView]:
    """Return the lines in use, or with `retired` those that are not any more."""
    found = await (line_use.retired_lines(work) if retired else finding_lines.all_lines(work))
    return [_view(one) for one in found]


@router.post("/lines", status_code=201)
async def add_line(work: InWork, _staff: KeepsLines, body: LineIn) -> WholeLineView:
    """Add a line: the number that children ring."""
    row = await lines.add_line(work, **body.model_dump())
    await work.session.flush()
    return await _whole(work, row.id)


@router.get("/lines/{line_id}")
async def one_line(work: InWork, _staff: KeepsLines, line_id: UUID) -> WholeLineView:
    """Return a line with its languages, numbers and plan."""
    return await _whole(work, line_id)


@router.patch("/lines/{line_id}")
async def change_facts(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: FactsIn
) -> WholeLineView:
    """Change the name, the hours, the number, the country or the time zone of a line, or whether it
    is for practice; the next caller meets the change."""
    line = await _line(work, line_id)
    await line_facts.change_facts(
        work,
        line,
        number=body.number,
        country=body.country,
        timezone=body.timezone,
        practice=body.practice,
    )
    line = await _line(work, line_id)
    if body.name is not None:
        await lines.rename(work, line, body.name)
    if body.opening_hours is not None:
        await lines.set_opening_hours(work, line, body.opening_hours)
    return await _whole(work, line_id)


@router.post("/lines/{line_id}/retire", status_code=204)
async def retire(work: InWork, _staff: KeepsLines, line_id: UUID) -> None:
    """Take a line out of use. Callers who wait in it are still answered. 409 LastLine, or
    OnlyLineOfPeople."""
    await line_use.retire(work, line_id)


@router.post("/lines/{line_id}/take-into-use", status_code=204)
async def take_into_use(work: InWork, _staff: KeepsLines, line_id: UUID) -> None:
    """Take a retired line back into use, with its numbers. 409 LineExists if another line has
    one of them now."""
    await line_use.take_into_use(work, line_id)


@router.patch("/lines/{line_id}/numbers")
async def change_numbers(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: NumbersIn
) -> WholeLineView:
    """Change which of the provider's numbers lead to a line, and which number phones show."""
    line = await _line(work, line_id)
    await lines.change_numbers(
        work, line, leads_here=body.leads_here, shown_number=body.shown_number
    )
    return await _whole(work, line_id)


@router.patch("/lines/{line_id}/plan")
async def change_plan(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: PlanIn
) -> WholeLineView:
    """Change who else is offered a call as it waits, and which skills a call needs.

    A new number of the partner waits for a second person with another role; so does the one in
    doubt that is confirmed. 409 NotInDoubt, AnotherWaits.
    """
    changed: dict[str, Any] = body.model_dump()
    if body.skills is not None:
        changed["skills"] = check_skills(body.skills)
    await changing_plans.change_plan(work, await _line(work, line_id), **changed)
    return await _whole(work, line_id)


@router.put("/lines/{line_id}/key-questions")
async def set_key_questions(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: KeyQuestionsIn
) -> WholeLineView:
    """Set which questions by key a line asks of a caller who cannot speak."""
    await set_questions(work, await _line(work, line_id), body.questions)
    return await _whole(work, line_id)


@router.post("/lines/{line_id}/languages", status_code=201)
async def add_language(
    work: InWork, _staff: KeepsLines, line_id: UUID, body: LanguageIn
) -> SpokenView:
    """Add a language to a line; its callers are offered it from the next call on."""
    digit = await line_languages.add_language(work, await _line(work, line_id), body.language)
    return SpokenView(language=body.language, digit=digit)


@router.delete("/lines/{line_id}/languages/{language}", status_code=204)
async def remove_language(
    work: InWork,
    _staff: KeepsLines,
    line_id: UUID,
    language: Annotated[str, Path(max_length=20)],
) -> None:
    """Remove a language from a line: the next caller is not offered it. Callers who chose it keep
    it. 422 if it is the last one of the line or of its written conversations."""
    await line_languages.remove_language(work, await _line(work, line_id), language)


@router.get("/lines/{line_id}/prompts")
async def all_prompts(
    work: InWork,
    _staff: KeepsLines,
    line_id: UUID,
    language: Annotated[str, Query(max_length=20)],
) -> list[PromptView]:
    """Return what a line says in a language, also in one that it does not speak yet."""
    return await prompt_views(work, await _line(work, line_id), language)


@router.put("/lines/{line_id}/prompts/{language}/{key}", status_code=204)
async def set_prompt(
    work: InWork, _staff: KeepsLines, line_id: UUID, language: str, key: str, body: TextIn
) -> None:
    """Change a text; the next caller hears it."""
    line = await _line(work, line_id)
    await prompts.set_prompt(work, line=line, language=language, key=key, text=body.text)


@router.put(
    "/lines/{line_id}/prompts/{language}/{key}/recording",
    status_code=204,
    max_body_size=prompts.LARGEST_RECORDING,
)
async def set_recording(
    request: Request, work: InWork, _staff: KeepsLines, line_id: UUID, language: str, key: str
) -> None:
    """Play a recording. The body is the MP3 or WAV file."""
    audio, kind = await sent_recording(request, work)
    line = await _line(work, line_id)
    await prompts.set_prompt(
        work, line=line, language=language, key=key, audio=audio, audio_type=kind
    )


@router.get("/lines/{line_id}/recordings/{recording}", **files("audio/mpeg", "audio/wav"))
async def recording(work: InWork, _staff: KeepsLines, line_id: UUID, recording: UUID) -> Response:
    """Return a recording that a line plays."""
    return await recording_response(work, await _line(work, line_id), recording)


@router.delete("/lines/{line_id}/prompts/{language}/{key}", status_code=204)
async def use_words_of_program(
    work: InWork, _staff: KeepsLines, line_id: UUID, language: str, key: str
) -> None:
    """Remove the line's own prompt: callers hear the shipped text again."""
    line = await _line(work, line_id)
    await prompts.use_words_of_program(work, line, language, key)


@router.post("/lines/{line_id}/prompts/{language}/{key}/back", status_code=204)
async def take_back(
    work: InWork, _staff: KeepsLines, line_id: UUID, language: str, key: str
) -> None:
    """Undo the last change of a prompt."""
    line = await _line(work, line_id)
    await prompts.take_back(work, line, language, key)
