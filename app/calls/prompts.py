"""What a line says: its own texts and recordings, and taking a change back.

A change counts for the next caller. A prompt of a line comes first, then one of every line, then
the words that come with the program.
"""

from enum import StrEnum
from hashlib import sha256
from string import Formatter
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Select, delete, select

from app import words
from app.calls.lines.leading import Leads, tell_supervisors
from app.calls.lines.line_rows import EarlierPrompt, Prompt
from app.calls.lines.lines import check_language
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Conflict, Invalid, Message, NotFound
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_values import EVERY_LINE, PromptSaid
from app.words.keys import LONGEST_TEXT, PROMPT_KEYS, SOUNDS, PromptKey
from app.work import Work

# In bytes.
LARGEST_RECORDING = 5_000_000
_KINDS = ("audio/mpeg", "audio/wav")
# How many earlier versions of a prompt are kept.
_KEPT = 5


class Source(StrEnum):
    """Where the words of a prompt come from."""

    LINE = "line"
    EVERY_LINE = "every_line"
    PROGRAM = "program"


class Heard(NamedTuple):
    """What a line says for one prompt in one language. Without text it is a recording."""

    key: PromptKey
    text: str | None
    recording: UUID | None
    source: Source
    # A change of this line's own prompt can be taken back.
    earlier: bool


class NothingEarlier(Conflict):
    default = "There is no earlier version to go back to."


async def heard_of(work: Work, line: LineScript | None, language: str) -> list[Heard]:
    """Return what a line, or every line, says in a language, in the order of the keys.

    The line need not speak the language yet. Raises Invalid.
    """
    check_language(language)
    rows = await work.session.execute(
        select(Prompt.key, Prompt.text, Prompt.id, Prompt.line_id)
        .where(
            Prompt.language == language,
            (Prompt.line_id == _id(line)) | Prompt.line_id.is_(None),
        )
        .order_by(Prompt.line_id.nulls_first())
    )
    own = {row.key: row for row in rows}
    earlier = set(
        await work.session.scalars(
            select(EarlierPrompt.key).where(
                EarlierPrompt.line_id.is_not_distinct_from(_id(line)),
                EarlierPrompt.language == language,
            )
        )
    )
    found = []
    for key in PROMPT_KEYS:
        row = own.get(key)
        if row is None:
            text = None if key in SOUNDS else words.prompt(language, key) or ""
            found.append(Heard(key, text, None, Source.PROGRAM, key in earlier))
        else:
            source = Source.LINE if row.line_id else Source.EVERY_LINE
            recording = None if row.text is not None else row.id
            found.append(Heard(key, row.text, recording, source, key in earlier))
    return found


async def languages_of(work: Work, line: LineScript | None) -> list[str]:
    """Return the languages in which a line, or every line, has prompts of its own, by code."""
    rows = await work.session.scalars(
        select(Prompt.language)
        .where(Prompt.line_id.is_not_distinct_from(_id(line)))
        .distinct()
        .order_by(Prompt.language)
    )
    return list(rows)


def check_spoken(line: LineScript, language: str) -> str:
    """Return a language of the line. Raises NotFound."""
    if language not in {one.language for one in line.languages}:
        raise NotFound("The line does not speak this language.")
    return language


async def set_prompt(
    work: Work,
    *,
    line: LineScript | None,
    language: str,
    key: str,
    text: str | None = None,
    audio: bytes | None = None,
    audio_type: str | None = None,
) -> None:
    """Change what a line says, or what every line says if `line` is None. Raises Invalid."""
    prompt_key = check_key(key)
    check_language(language)
    if (text is None) == (audio is None):
        raise Invalid("Give either a text or a recorded file.")
    if text is not None:
        if prompt_key in SOUNDS:
            raise Invalid("This is a sound without words. Give a recorded file.")
        check_prompt_text(prompt_key, text)
    if audio is not None:
        check_recording(audio, audio_type)
    prompt = await _own(work, line, language, prompt_key)
    if prompt is not None and text is not None and prompt.text == text:
        return
    before = _for_log(prompt)
    await _keep(work, line, language, prompt_key, prompt)
    if prompt is not None and (audio is not None or prompt.audio is not None):
        # A recording is fetched by its id and may be remembered on the way: a new one has a new id.
        await work.session.delete(prompt)
        await work.session.flush()
        prompt = None
    if prompt is None:
        prompt = Prompt(id=uuid4(), line_id=_id(line), language=language, key=prompt_key.value)
        work.session.add(prompt)
    prompt.text, prompt.audio, prompt.audio_type = text, audio, audio_type
    await work.session.flush()
    await _log(work, line, language, prompt_key, before, _for_log(prompt))


async def use_words_of_program(
    work: Work, line: LineScript | None, language: str, key: str
) -> None:
    """Remove the prompt of a line, or of every line: the next words count. Raises Invalid."""
    prompt_key = check_key(key)
    prompt = await _own(work, line, language, prompt_key)
    if prompt is None:
        return
    before = _for_log(prompt)
    await _keep(work, line, language, prompt_key, prompt)
    await work.session.delete(prompt)
    await work.session.flush()
    await _log(work, line, language, prompt_key, before, None)


async def take_back(work: Work, line: LineScript | None, language: str, key: str) -> None:
    """Undo the last change of a prompt of a line, or of every line.

    Raises Invalid, NothingEarlier.
    """
    prompt_key = check_key(key)
    earlier = await work.session.scalar(
        _earlier(line, language, prompt_key).order_by(EarlierPrompt.number.desc()).limit(1)
    )
    if earlier is None:
        raise NothingEarlier()
    prompt = await _own(work, line, language, prompt_key)
    before = _for_log(prompt)
    if prompt is not None:
        await work.session.delete(prompt)
        await work.session.flush()
    if earlier.text is not None or earlier.audio is not None:
        work.session.add(
            Prompt(
                id=uuid4(),
                line_id=_id(line),
                language=language,
                key=prompt_key.value,
                text=earlier.text,
                audio=earlier.audio,
                audio_type=earlier.audio_type,
            )
        )
    after = _for_log(earlier)
    await work.session.delete(earlier)
    await work.session.flush()
    await _log(work, line, language, prompt_key, before, after)


def check_key(key: str) -> PromptKey:
    """Return a prompt by its key. Raises Invalid."""
    if key not in PROMPT_KEYS:
        raise Invalid(
            "There is no prompt '%(key)s'. There are: %(known)s.", key=key, known=list(PROMPT_KEYS)
        )
    return PromptKey(key)


def _id(line: LineScript | None) -> UUID | None:
    return line.id if line is not None else None


async def _own(work: Work, line: LineScript | None, language: str, key: PromptKey) -> Prompt | None:
    found: Prompt | None = await work.session.scalar(
        select(Prompt)
        .where(
            Prompt.line_id.is_not_distinct_from(_id(line)),
            Prompt.language == language,
            Prompt.key == key.value,
        )
        .with_for_update()
    )
    return found


def _earlier(line: LineScript | None, language: str, key: PromptKey) -> Select[EarlierPrompt]:
    return select(EarlierPrompt).where(
        EarlierPrompt.line_id.is_not_distinct_from(_id(line)),
        EarlierPrompt.language == language,
        EarlierPrompt.key == key.value,
    )


async def _keep(
    work: Work, line: LineScript | None, language: str, key: PromptKey, prompt: Prompt | None
) -> None:
    """Keep what a prompt says now, so that a change can be taken back."""
    kept = list(
        await work.session.scalars(
            _earlier(line, language, key).order_by(EarlierPrompt.number.desc())
        )
    )
    work.session.add(
        EarlierPrompt(
            id=uuid4(),
            line_id=_id(line),
            language=language,
            key=key.value,
            number=kept[0].number + 1 if kept else 1,
            text=prompt.text if prompt is not None else None,
            audio=prompt.audio if prompt is not None else None,
            audio_type=prompt.audio_type if prompt is not None else None,
        )
    )
    too_old = [one.id for one in kept[_KEPT - 1 :]]
    if too_old:
        await work.session.execute(delete(EarlierPrompt).where(EarlierPrompt.id.in_(too_old)))


# A prompt as the log holds it: its text, or the length and the checksum of its recording.
Told = dict[str, str | int]


def _for_log(prompt: Prompt | EarlierPrompt | None) -> Told | None:
    if prompt is None:
        return None
    if prompt.audio is not None:
        return {"bytes": len(prompt.audio), "digest": sha256(prompt.audio).hexdigest()}
    return {"text": prompt.text} if prompt.text is not None else None


async def _log(
    work: Work,
    line: LineScript | None,
    language: str,
    key: PromptKey,
    before: Told | None,
    after: Told | None,
) -> None:
    """Log a change, and tell supervisors of it if callers hear something else than before. A side
    is None if the line, or every line, says nothing of its own: then the words of every line are
    heard, or those of the program."""
    write_entry(
        work,
        AuditLog.PROMPT_CHANGED,
        str(line.id if line is not None else EVERY_LINE),
        **PromptSaid(key.value, language).kept(),
        before=before,
        after=after,
    )
    work.announce(Topic.LINES)
    if before is None or after is None:
        own = _for_log(await _own(work, None, language, key)) if line is not None else None
        own = own or {"text": words.prompt(language, key) or ""}
        before, after = before or own, after or own
    if _heard(before) != _heard(after):
        is_sound = key in SOUNDS or "text" not in after
        await tell_supervisors(work, _id(line), Leads.RECORDING if is_sound else Leads.PROMPT)


def _heard(said: Told) -> str | list[str]:
    """Return what callers hear of a text or a recording, for a comparison."""
    return str(said["text"]).split() if "text" in said else str(said["digest"])


def check_prompt_text(key: PromptKey, text: str) -> None:
    """Refuse a text with a placeholder that its prompt does not have. Raises Invalid."""
    if not text.strip() or "\x00" in text:
        raise Invalid("Write what the line is to say.")
    try:
        fields = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError:
        raise Invalid(
            "The braces of the text do not match: each { needs its }, with a name between them."
        ) from None
    plain = all(not spec and not conversion for _, _, spec, conversion in fields)
    unknown = {name for _, name, _, _ in fields} - PROMPT_KEYS[key]
    known = ", ".join("{" + k + "}" for k in sorted(PROMPT_KEYS[key]))
    if unknown and not known:
        raise Invalid("%(key)s must hold no placeholder in braces", key=Message("Text"))
    if len(text) > LONGEST_TEXT and not known:
        words = "%(key)s may have at most %(most)s characters"
        raise Invalid(words, key=Message("Text"), most=LONGEST_TEXT)
    if unknown or not plain or len(text) > LONGEST_TEXT:
        raise Invalid(
            "This text may refer only to %(known)s and have at most 1500 characters.", known=known
        )


def check_recording(audio: bytes, audio_type: str | None) -> None:
    """Refuse a file that the provider could not play. Raises Invalid."""
    mp3 = audio[:3] == b"ID3" or (len(audio) > 1 and audio[0] == 0xFF and audio[1] & 0xE0 == 0xE0)
    wav = audio[:4] == b"RIFF" and audio[8:12] == b"WAVE"
    fits = {"audio/mpeg": mp3, "audio/wav": wav}.get(audio_type or "", False)
    if audio_type not in _KINDS or not fits or len(audio) > LARGEST_RECORDING:
        raise Invalid("A recorded prompt is an MP3 or WAV file of at most 5 MB.")


async def recording_of(
    work: Work, line: LineScript | None, recording: UUID
) -> tuple[bytes, str] | None:
    """Return a recording that a line, or every line, plays, with its type."""
    row = (
        await work.session.execute(
            select(Prompt.audio, Prompt.audio_type).where(
                Prompt.id == recording,
                (Prompt.line_id == _id(line)) | Prompt.line_id.is_(None),
                Prompt.audio.is_not(None),
            )
        )
    ).first()
    return (row.audio, row.audio_type) if row is not None else None
