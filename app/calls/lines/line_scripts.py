"""Lines as a call goes by them: read as one value, which each process remembers."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, select

from app import words
from app.calls.lines.line_rows import Line, LineLanguage, LineNumber, Prompt
from app.calls.speech import LineScript, PromptText, Spoken
from app.database.topics import Topic
from app.work import Ground, Work

_SPOKEN = "spoken languages"
# How long a line is remembered, if nothing says that it has changed.
BELIEVED = timedelta(seconds=30)
OLDEST = select(Line).where(Line.active).order_by(Line.created_at, Line.number).limit(1)


async def script_of(work: Work, which: Select[Line], key: tuple[str, object]) -> LineScript | None:
    memory = work.ground.memory
    known: LineScript | None = memory.recall(Topic.LINES, key, work.now)
    if known is not None:
        return known
    line = await work.session.scalar(which, {"value": key[1]})
    if line is None:
        return None
    script = await read_script(work, line)
    memory.keep(Topic.LINES, key, script, work.now + BELIEVED)
    return script


def spoken_languages(ground: Ground) -> list[str]:
    """Return the languages of the lines that this process knows, English if it knows none.

    They are said one after the other where nothing says which language a caller speaks.
    """
    known: dict[UUID, list[str]] = ground.kept.get(_SPOKEN, {})
    return list(dict.fromkeys(one for line in known.values() for one in line)) or [words.SOURCE]


async def learn_languages(work: Work) -> None:
    """Remember the languages of all lines in use, for when the database is away."""
    found = await work.session.execute(
        select(Line.id, LineLanguage.language)
        .join(Line, Line.id == LineLanguage.line_id)
        .where(Line.active, LineLanguage.removed_at.is_(None))
        .order_by(Line.created_at, Line.number, LineLanguage.position)
    )
    known: dict[UUID, list[str]] = {}
    for line_id, language in found:
        known.setdefault(line_id, []).append(language)
    work.ground.kept[_SPOKEN] = known


def _remember(work: Work, line: Line, spoken: Iterable[str]) -> None:
    """Remember the languages of a line as they are now; none if it was retired."""
    known: dict[UUID, list[str]] = work.ground.kept.setdefault(_SPOKEN, {})
    if line.active:
        known[line.id] = list(spoken)
    else:
        known.pop(line.id, None)


async def read_script(work: Work, line: Line) -> LineScript:
    languages = await work.session.scalars(
        select(LineLanguage).where(LineLanguage.line_id == line.id).order_by(LineLanguage.position)
    )
    prompts: dict[tuple[str, str], PromptText] = {}
    rows = await work.session.execute(
        select(Prompt.id, Prompt.language, Prompt.key, Prompt.text)
        .where((Prompt.line_id == line.id) | Prompt.line_id.is_(None))
        .order_by(Prompt.line_id.nulls_first())
    )
    rows_of = list(languages)
    spoken = [one for one in rows_of if one.removed_at is None]
    removed = [one for one in rows_of if one.removed_at is not None]
    _remember(work, line, (one.language for one in spoken))
    for prompt_id, language, prompt_key, text in rows:
        prompts[language, prompt_key] = PromptText(text, None if text is not None else prompt_id)
    return LineScript(
        id=line.id,
        number=line.number,
        name=line.name,
        country=line.country,
        timezone=line.timezone,
        danger_digit=line.danger_digit,
        languages=tuple(_as_value(one) for one in spoken),
        removed=tuple(_as_value(one) for one in removed),
        prompts=prompts,
        plan=line.plan,
        chat=line.chat,
        practice=line.practice,
        active=line.active,
        shown_number=await _shown_number(work, line),
        key_questions=None if line.key_questions is None else tuple(line.key_questions),
    )


def _as_value(row: LineLanguage) -> Spoken:
    return Spoken(row.language, row.digit, row.locale, row.voice)


async def _shown_number(work: Work, line: Line) -> str:
    """Return the number that phones show. For a retired line this is the number of the oldest line
    in use, since the provider may have given its own to another customer."""
    if not line.active:
        line = await work.session.scalar(OLDEST) or line
    return line.shown_number or await _own_number(work, line)


async def _own_number(work: Work, line: Line) -> str:
    """Return a number of the line that the provider can show: not a short one, if it has others."""
    if line.number.startswith("+"):
        return line.number
    mapped = select(LineNumber.number).where(LineNumber.line_id == line.id)
    found: str | None = await work.session.scalar(mapped.order_by(LineNumber.number).limit(1))
    return found or line.number
