"""Lines: the numbers that children ring, their languages, and what they say."""

from collections.abc import Iterable
from datetime import timedelta
from string import Formatter
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from sqlalchemy import delete, or_, select, update

from app import words
from app.calls.asked import QUESTIONS
from app.calls.hours import read_hours
from app.calls.models import Line, LineLanguage, LineNumber, Prompt
from app.calls.speech import LineScript, PromptText, Spoken
from app.errors import Conflict, Invalid
from app.privacy.numbers import dialled, e164
from app.staff.audit import write_entry
from app.work import Work

# How a language is spoken: the provider's locale and voice. Where the voice is None, the
# provider's default voice for the locale speaks. A language that is not listed needs recorded
# files.
SPOKEN = {
    "en": ("en-GB", None),
    "sr": ("sr-RS", "Google.sr-RS-Standard-A"),
    "bg": ("bg-BG", "Google.bg-BG-Standard-A"),
    "hu": ("hu-HU", "Google.hu-HU-Standard-A"),
    "ro": ("ro-RO", "Google.ro-RO-Standard-A"),
    "uk": ("uk-UA", "Google.uk-UA-Standard-A"),
}

# The prompts of a line, and the placeholders that each text may use.
PROMPT_KEYS: dict[str, frozenset[str]] = {
    "greeting": frozenset({"line"}),
    "choose_language": frozenset({"digit"}),
    "danger": frozenset({"digit"}),
    "wait_first": frozenset(),
    "privacy": frozenset(),
    "wait_keys": frozenset({"danger", "message"}),
    "wait_next": frozenset(),
    "wait_place": frozenset({"ahead"}),
    "comfort": frozenset(),
    "long_wait": frozenset({"digit"}),
    "danger_heard": frozenset({"emergency"}),
    "draining": frozenset(),
    "farewell": frozenset(),
    "out_of_hours": frozenset({"resumes", "emergency"}),
    "out_of_hours_unknown": frozenset({"emergency"}),
    "no_counsellor_on_duty": frozenset({"emergency"}),
    "leave_message": frozenset(),
    "message_thanks": frozenset(),
    "returned": frozenset(),
    "hold": frozenset(),
    "line_lost": frozenset(),
    "goodbye": frozenset(),
    "whisper": frozenset({"line", "digit"}),
    "whisper_dialled": frozenset({"line", "digit"}),
    "rings_again": frozenset(),
    "rings_them": frozenset(),
    "whisper_again": frozenset({"line", "digit"}),
    "taken": frozenset(),
    "transferred": frozenset(),
    "ask_colleague": frozenset({"line", "digit"}),
    "ask_outside": frozenset({"line", "digit"}),
    "blocked": frozenset({"digit", "emergency"}),
    "partner": frozenset(),
    "partner_ask": frozenset({"line", "digit"}),
    "offer_callback": frozenset({"digit"}),
    "callback_safe": frozenset(),
    "callback_who": frozenset(),
    "callback_when": frozenset(),
    "callback_kept": frozenset({"window"}),
    "callback_not": frozenset(),
    "ask_for_last": frozenset({"digit"}),
    "wish_kept": frozenset(),
    "duty_menu": frozenset({"available", "break", "off", "line"}),
    "duty_available": frozenset(),
    "duty_break": frozenset(),
    "duty_off": frozenset(),
    "question_heard": frozenset(),
    **{f"ask_{code}": frozenset[str]() for code in QUESTIONS},
    "alarm": frozenset({"line", "reason", "digit"}),
    "alarm_nobody_signed_in": frozenset(),
    "alarm_everybody_away": frozenset(),
    "alarm_last_one_misses": frozenset(),
    "alarm_long_wait": frozenset(),
    "alarm_draft_not_sent": frozenset(),
    "alarm_override_not_seen": frozenset(),
    "alarm_danger_not_referred": frozenset(),
    "alarm_risk_rose": frozenset(),
    "alarm_details_not_opened": frozenset(),
    "alarm_withdrawal_undecided": frozenset(),
    "alarm_taken": frozenset(),
    "alarm_over": frozenset(),
    "waiting_sound": frozenset(),
}


# Keys of sounds without words: the shipped file is played unless the line has its own.
SOUNDS = frozenset({"waiting_sound"})


class LineExists(Conflict):
    default = "There is already a line with that number."


async def add_line(
    work: Work,
    *,
    number: str,
    name: str,
    country: str,
    languages: list[str],
    timezone: str,
    practice: bool = False,
    leads_here: Iterable[str] = (),
    shown_number: str | None = None,
) -> Line:
    """Add a line; statistics leave out a line for practice.

    `number` is what children dial, and may be a short number; `leads_here` are the provider's
    numbers to which it is mapped; `shown_number` is what the phones of counsellors and agencies
    show. Raises Invalid, LineExists.
    """
    valid = dialled(number)
    if valid is None:
        raise Invalid(f"{number} is not a phone number with + and country code, nor a short one.")
    numbers = [_whole_number(one) for one in leads_here]
    if not valid.startswith("+") and not numbers:
        raise Invalid(
            f"{number} is a short number. Give the provider's numbers behind it, with + and "
            "country code."
        )
    shows = _whole_number(shown_number) if shown_number else None
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(f"{timezone} is not a time zone. Write one like Europe/Belgrade.") from None
    if len(country) != 2 or not country.isalpha():
        raise Invalid("Write the country as its two-letter code, for example RS.")
    if not languages or len(set(languages)) != len(languages) or len(languages) > 8:
        raise Invalid("Give one to eight different languages, for example sr,en.")
    for language in languages:
        check_language(language)
        await check_speakable(work, language)
    for one in (valid, *numbers):
        if await _is_taken(work, one):
            raise LineExists()
    line = Line(
        id=uuid4(),
        number=valid,
        name=name,
        country=country.upper(),
        timezone=timezone,
        practice=practice,
        shown_number=shows,
        created_at=work.now,
    )
    work.session.add(line)
    await work.session.flush()
    for one in numbers:
        work.session.add(LineNumber(number=one, line_id=line.id))
    digits = [d for d in "123456789" if d != "9"]
    for position, language in enumerate(languages):
        locale, voice = SPOKEN.get(language, (language, None))
        work.session.add(
            LineLanguage(
                line_id=line.id,
                language=language,
                position=position,
                digit=digits[position],
                locale=locale,
                voice=voice,
            )
        )
    write_entry(work, "line added", str(line.id), languages=languages)
    work.announce("lines")
    return line


def _whole_number(number: str) -> str:
    """Return a number in international form. Raises Invalid."""
    valid = e164(number.strip())
    if valid is None:
        raise Invalid(f"{number} is not a phone number with + and country code.")
    return valid


async def _is_taken(work: Work, number: str) -> bool:
    of_line = select(Line.id).where(Line.number == number)
    mapped = select(LineNumber.line_id).where(LineNumber.number == number)
    return await work.session.scalar(of_line.union(mapped).limit(1)) is not None


async def change_numbers(
    work: Work, line: LineScript, *, leads_here: list[str] | None, shown_number: str | None
) -> None:
    """Change which of the provider's numbers lead to a line, and which number phones show.

    None leaves a value as it is; an empty `shown_number` means the line's own number. Raises
    Invalid, LineExists.
    """
    if leads_here is not None:
        numbers = [_whole_number(one) for one in leads_here]
        if not line.number.startswith("+") and not numbers:
            raise Invalid("A short number needs at least one of the provider's numbers behind it.")
        await work.session.execute(delete(LineNumber).where(LineNumber.line_id == line.id))
        for one in numbers:
            if await _is_taken(work, one):
                raise LineExists()
            work.session.add(LineNumber(number=one, line_id=line.id))
            await work.session.flush()
    if shown_number is not None:
        shows = _whole_number(shown_number) if shown_number else None
        await work.session.execute(
            update(Line).where(Line.id == line.id).values(shown_number=shows)
        )
    write_entry(work, "line numbers set", str(line.id), numbers=len(leads_here or []))
    work.announce("lines")


async def numbers_of(work: Work) -> dict[str, LineScript]:
    """Return every number at the provider that leads to a line, with its line."""
    rows = await work.session.execute(select(Line.id, Line.number).where(Line.active))
    mapped = await work.session.execute(select(LineNumber.line_id, LineNumber.number))
    found: dict[str, LineScript] = {}
    for line_id, number in (*rows.all(), *mapped.all()):
        line = await line_of_id(work, line_id)
        if line is not None and number.startswith("+"):
            found[number] = line
    return found


async def set_opening_hours(work: Work, line: LineScript, hours: str) -> None:
    """Set when a line should be staffed. Raises Invalid."""
    try:
        read_hours(hours, line.timezone, line.country)
    except ValueError as error:
        raise Invalid(f"{error}.") from None
    await work.session.execute(
        update(Line).where(Line.id == line.id).values(opening_hours=hours.strip())
    )
    write_entry(work, "line hours set", str(line.id), hours=hours.strip())
    work.announce("lines")


def check_language(language: str) -> None:
    """Refuse a text that is not a language code. Raises Invalid."""
    try:
        Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        raise Invalid(f"{language!r} is not a language code. Write one like sr or en.") from None


async def check_speakable(work: Work, language: str) -> None:
    """Refuse a language in which a line would lack words or a voice. Raises Invalid.

    Its callers would be served in another language.
    """
    rows = await work.session.execute(
        select(Prompt.key, Prompt.audio.is_not(None)).where(
            Prompt.line_id.is_(None), Prompt.language == language
        )
    )
    known: dict[str, bool] = {row[0]: row[1] for row in rows}
    missing = [
        key
        for key in PROMPT_KEYS
        if key not in known and key not in SOUNDS and words.prompt(language, key) is None
    ]
    if missing:
        raise Invalid(
            f"There are no words in {language!r} for: {', '.join(missing)}. Add them with "
            f"`helpline line prompt KEY --language {language} --text ...` (or --file), and then "
            "add the line."
        )
    silent = [key for key in PROMPT_KEYS if not known.get(key) and key not in SOUNDS]
    if language not in SPOKEN and silent:
        raise Invalid(
            f"The provider has no voice for {language!r}. Record these words and add them with "
            f"`helpline line prompt KEY --language {language} --file ...`: {', '.join(silent)}."
        )


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
    if key not in PROMPT_KEYS:
        raise Invalid(f"There is no prompt {key!r}. There are: {', '.join(PROMPT_KEYS)}.")
    check_language(language)
    if (text is None) == (audio is None):
        raise Invalid("Give either a text or a recorded file.")
    if text is not None:
        check_prompt_text(key, text)
    if audio is not None and (
        audio_type not in ("audio/mpeg", "audio/wav") or len(audio) > 5_000_000
    ):
        raise Invalid("A recorded prompt is an MP3 or WAV file of at most 5 MB.")
    line_id = line.id if line else None
    prompt = (
        await work.session.scalars(
            select(Prompt).where(
                Prompt.line_id.is_not_distinct_from(line_id),
                Prompt.language == language,
                Prompt.key == key,
            )
        )
    ).one_or_none()
    if prompt is None:
        prompt = Prompt(id=uuid4(), line_id=line_id, language=language, key=key)
        work.session.add(prompt)
    prompt.text, prompt.audio, prompt.audio_type = text, audio, audio_type
    write_entry(work, "prompt changed", str(line_id or "every line"), key=key, language=language)
    work.announce("lines")


def check_prompt_text(key: str, text: str) -> None:
    """Refuse a text with a placeholder that its prompt does not have. Raises Invalid."""
    try:
        fields = [part for part in Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise Invalid(f"The braces of the text do not match: {error}.") from None
    plain = all(not spec and not conversion for _, _, spec, conversion in fields)
    unknown = {name for _, name, _, _ in fields} - PROMPT_KEYS[key]
    if unknown or not plain or len(text) > 1500:
        known = ", ".join("{" + k + "}" for k in sorted(PROMPT_KEYS[key])) or "nothing"
        raise Invalid(f"This text may refer only to {known} and have at most 1500 characters.")


async def line_of_number(work: Work, number: str | None) -> LineScript | None:
    """Return the active line that was dialled by a number, short number or SIP address, or None."""
    valid = dialled(number)
    if valid is None:
        return None
    mapped = select(LineNumber.line_id).where(LineNumber.number == valid).scalar_subquery()
    return await _script(work, or_(Line.number == valid, Line.id == mapped), ("number", valid))


async def line_of_id(work: Work, line_id: UUID | None) -> LineScript | None:
    """Return the line of a call, or None for a ring on a number that we do not know."""
    if line_id is None:
        return None
    return await _script(work, Line.id == line_id, ("id", line_id))


async def any_line(work: Work) -> LineScript | None:
    """Return the oldest line, whose prompts answer a ring on a number that we do not know."""
    first = select(Line.id).where(Line.active).order_by(Line.created_at).limit(1)
    return await _script(work, Line.id == first.scalar_subquery(), ("any", None))


async def _script(work: Work, which: object, key: tuple[str, object]) -> LineScript | None:
    memory = work.ground.memory
    known: LineScript | None = memory.recall("lines", key, work.now)
    if known is not None:
        return known
    line = await work.session.scalar(select(Line).where(which, Line.active))  # type: ignore[arg-type]
    if line is None:
        return None
    script = await _read_script(work, line)
    memory.keep("lines", key, script, work.now + timedelta(seconds=30))
    return script


async def _read_script(work: Work, line: Line) -> LineScript:
    languages = await work.session.scalars(
        select(LineLanguage).where(LineLanguage.line_id == line.id).order_by(LineLanguage.position)
    )
    prompts: dict[tuple[str, str], PromptText] = {}
    rows = await work.session.execute(
        select(Prompt.id, Prompt.language, Prompt.key, Prompt.text)
        .where((Prompt.line_id == line.id) | Prompt.line_id.is_(None))
        .order_by(Prompt.line_id.nulls_first())
    )
    for prompt_id, language, prompt_key, text in rows:
        prompts[language, prompt_key] = PromptText(text, None if text is not None else prompt_id)
    return LineScript(
        id=line.id,
        number=line.number,
        name=line.name,
        country=line.country,
        timezone=line.timezone,
        danger_digit=line.danger_digit,
        languages=tuple(Spoken(s.language, s.digit, s.locale, s.voice) for s in languages),
        prompts=prompts,
        plan=line.plan,
        practice=line.practice,
        shown_number=line.shown_number or await _own_number(work, line),
    )


async def _own_number(work: Work, line: Line) -> str:
    """Return a number of the line that the provider can show: not a short one, if it has others."""
    if line.number.startswith("+"):
        return line.number
    mapped = select(LineNumber.number).where(LineNumber.line_id == line.id)
    found: str | None = await work.session.scalar(mapped.order_by(LineNumber.number).limit(1))
    return found or line.number


class CallRules(NamedTuple):
    """What routing has to know about a line."""

    number: str
    plan: dict[str, Any]
    practice: bool


async def call_rules(work: Work) -> dict[UUID, CallRules]:
    """Return the rules of all lines, also of inactive ones: callers may still wait on them."""
    known: dict[UUID, CallRules] | None = work.ground.memory.recall("lines", "rules", work.now)
    if known is not None:
        return known
    rows = await work.session.execute(select(Line.id, Line.number, Line.plan, Line.practice))
    found = {id_: CallRules(number, plan, practice) for id_, number, plan, practice in rows}
    work.ground.memory.keep("lines", "rules", found, work.now + timedelta(seconds=30))
    return found


async def set_plan(work: Work, line: LineScript, plan: dict[str, Any]) -> None:
    """Store a checked plan with its line."""
    await work.session.execute(update(Line).where(Line.id == line.id).values(plan=plan))
    write_entry(work, "line plan set", str(line.id), plan=plan)
    work.announce("lines")
