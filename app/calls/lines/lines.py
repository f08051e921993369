"""Lines: the numbers that children ring, their languages, and what they say."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from sqlalchemy import delete, select

from app import words
from app.calls.hours import read_hours
from app.calls.lines import partner_doubts
from app.calls.lines.finding_lines import numbers_behind
from app.calls.lines.leading import BACK_WITHIN, Leads, tell_supervisors
from app.calls.lines.line_rows import EarlierNumbers, Line, LineLanguage, LineNumber, Prompt
from app.calls.speech import LineScript
from app.database.topics import Topic
from app.errors import Conflict, Invalid, why
from app.privacy import ends
from app.privacy.numbers import dialled, e164
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.words.keys import PROMPT_KEYS, SOUNDS, PromptKey
from app.work import Work

# Languages without words here in which the provider can speak: its locale and voice. A helpline
# that gives all prompts as text itself needs no folder in `app/words`.
_VOICES = {
    "hu": ("hu-HU", "Google.hu-HU-Standard-A"),
}


LONGEST_NAME = 80
# How many changes of a line are shown, and of how many the whole numbers are kept.
CHANGES_KEPT = 20
# Where an administrator writes and records what every line says; a language follows.
PROMPTS_PAGE = "/admin/every-line?language="


def voice_of(language: str) -> tuple[str, str | None] | None:
    """Return the provider's locale and voice, or None for a language that needs recorded files.

    Without a voice the provider's default for the locale speaks.
    """
    if language in words.languages():
        return words.about(language).voice
    return _VOICES.get(language)


class LineExists(Conflict):
    default = "There is already a line with that number."


class LineRetired(Conflict):
    default = "A retired line has this number. Take that line back into use."


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
    valid, numbers = _read_numbers(number, leads_here)
    shows = _whole_number(shown_number) if shown_number else None
    check_place(country, timezone)
    await _check_languages(work, languages)
    for one in (valid, *numbers):
        if await is_taken(work, one):
            raise LineExists()
    if await is_retired(work, valid):
        raise LineRetired()
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
    for position, language in enumerate(languages):
        work.session.add(row_of_language(line.id, language, position, DIGITS[position]))
    after = {"name": name, "languages": languages, "country": line.country, "timezone": timezone}
    more = {"practice": practice, **_for_log(numbers, shows)}
    write_entry(work, AuditLog.LINE_ADDED, str(line.id), before=None, after={**after, **more})
    work.announce(Topic.LINES)
    changed = [Leads.NUMBER] + ([Leads.NUMBERS_BEHIND] if numbers else [])
    changed += [Leads.SHOWN_NUMBER] if shows else []
    await tell_supervisors(work, line.id, *changed, taken_back=False)
    return line


def _for_log(numbers: list[str], shown: str | None) -> dict[str, Any]:
    """Return the numbers behind a line as the log may hold them for ever: only their ends."""
    found = [ends.of_number(one) for one in sorted(numbers)]
    return {"numbers": found, "shown_number": ends.of_number(shown)}


def _read_numbers(number: str, leads_here: Iterable[str]) -> tuple[str, list[str]]:
    """Return what children dial, and the provider's numbers that lead to it. Raises Invalid."""
    valid = read_number(number)
    numbers = [_whole_number(one) for one in leads_here]
    if not valid.startswith("+") and not numbers:
        raise Invalid(
            "%(number)s is a short number. Give the provider's numbers behind it, with + "
            "and country code.",
            number=number,
        )
    return valid, numbers


def read_number(number: str) -> str:
    """Return what children dial as it is stored. Raises Invalid."""
    valid = dialled(number)
    if valid is None:
        raise Invalid(
            "%(number)s is not a phone number with + and country code, nor a short one.",
            number=number,
        )
    return valid


def check_place(country: str, timezone: str) -> None:
    """Refuse what is no country or no time zone. Raises Invalid."""
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(
            "%(timezone)s is not a time zone. Write one like Europe/Belgrade.", timezone=timezone
        ) from None
    if len(country) != 2 or not country.isalpha():
        raise Invalid("Write the country as its two-letter code, for example RS.")


async def _check_languages(work: Work, languages: list[str]) -> None:
    if not languages or len(set(languages)) != len(languages) or len(languages) > 8:
        raise Invalid("Give one to eight different languages, for example sr,en.")
    for language in languages:
        check_language(language)
        await check_speakable(work, language)


# The digits of a menu's languages; 9 is for danger.
DIGITS = "12345678"


def row_of_language(line_id: UUID, language: str, position: int, digit: str) -> LineLanguage:
    locale, voice = voice_of(language) or (language, None)
    return LineLanguage(
        line_id=line_id,
        language=language,
        position=position,
        digit=digit,
        locale=locale,
        voice=voice,
    )


def _whole_number(number: str) -> str:
    """Return a number in international form. Raises Invalid."""
    valid = e164(number.strip())
    if valid is None:
        raise Invalid("%(number)s is not a phone number with + and country code.", number=number)
    return valid


async def is_taken(work: Work, number: str, but: UUID | None = None) -> bool:
    """Return whether a number leads to a line in use, other than `but`."""
    of_line = select(Line.id).where(Line.number == number, Line.retired_at.is_(None))
    mapped = select(LineNumber.line_id).where(LineNumber.number == number)
    found = await work.session.scalars(of_line.union(mapped))
    return any(one != but for one in found)


async def is_retired(work: Work, number: str) -> bool:
    """Return whether children dialled a number for a line that is retired now."""
    found = select(Line.id).where(Line.number == number, Line.retired_at.is_not(None))
    return await work.session.scalar(found) is not None


async def has_numbers_behind(work: Work, line_id: UUID) -> bool:
    """Return whether numbers of the provider lead to a line, beside its own."""
    found = select(LineNumber.number).where(LineNumber.line_id == line_id).limit(1)
    return await work.session.scalar(found) is not None


async def change_numbers(
    work: Work, line: LineScript, *, leads_here: list[str] | None, shown_number: str | None
) -> None:
    """Change which of the provider's numbers lead to a line, and which number phones show.

    None leaves a value as it is; an empty `shown_number` means the line's own number. Raises
    Invalid, LineExists.
    """
    row = await lock_line(work, line.id)
    former, shown = await numbers_behind(work, line), row.shown_number
    if leads_here is not None:
        # Its own number leads to it as it is.
        numbers = [one for one in map(_whole_number, leads_here) if one != row.number]
        if not line.number.startswith("+") and not numbers:
            raise Invalid("A short number needs at least one of the provider's numbers behind it.")
        await work.session.execute(delete(LineNumber).where(LineNumber.line_id == line.id))
        for one in numbers:
            if await is_taken(work, one):
                raise LineExists()
            work.session.add(LineNumber(number=one, line_id=line.id))
            await work.session.flush()
    if shown_number is not None:
        shows = _whole_number(shown_number) if shown_number else None
        row.shown_number = shows
        await work.session.flush()
    now = await numbers_behind(work, line)
    if (former, shown) == (now, row.shown_number):
        return
    change = await keep_numbers(
        work,
        line,
        before={"leads_here": former, "shown_number": shown},
        after={"leads_here": now, "shown_number": row.shown_number},
    )
    write_entry(
        work,
        AuditLog.LINE_NUMBERS_SET,
        str(line.id),
        before=_for_log(former, shown),
        after=_for_log(now, row.shown_number),
        change=str(change),
    )
    work.announce(Topic.LINES)
    changed = [Leads.NUMBERS_BEHIND] if former != now else []
    changed += [Leads.SHOWN_NUMBER] if shown != row.shown_number else []
    await tell_supervisors(work, line.id, *changed)


async def keep_numbers(
    work: Work, line: LineScript, *, before: dict[str, Any], after: dict[str, Any]
) -> UUID:
    """Keep the whole numbers of a change, so that it can be taken back; the oldest changes go, once
    a second person cannot take them back any more.

    Return the id by which the log names them.
    """
    newest = (
        select(EarlierNumbers.id)
        .where(EarlierNumbers.line_id == line.id)
        .order_by(EarlierNumbers.at.desc())
        .limit(CHANGES_KEPT - 1)
    )
    await work.session.execute(
        delete(EarlierNumbers)
        .where(
            EarlierNumbers.line_id == line.id,
            EarlierNumbers.id.not_in(newest),
            EarlierNumbers.at < work.now - BACK_WITHIN,
        )
        .execution_options(synchronize_session=False)
    )
    kept = EarlierNumbers(id=uuid4(), line_id=line.id, at=work.now, before=before, after=after)
    work.session.add(kept)
    await work.session.flush()
    return kept.id


async def lock_line(work: Work, line_id: UUID) -> Line:
    """Return the row of a line, locked, as it is stored now."""
    return await work.session.get_one(Line, line_id, with_for_update=True, populate_existing=True)


async def lock_lines(work: Work) -> list[Line]:
    """Return the rows of all lines, locked, as they are stored now: for what depends on others."""
    rows = await work.session.scalars(
        select(Line).order_by(Line.id).with_for_update().execution_options(populate_existing=True)
    )
    return list(rows)


async def set_opening_hours(work: Work, line: LineScript, hours: str) -> None:
    """Set when a line should be staffed. Raises Invalid."""
    try:
        read_hours(hours, line.timezone, line.country)
    except ValueError as error:
        raise Invalid("%(problem)s.", problem=why(error)) from None
    row = await lock_line(work, line.id)
    before, after = row.opening_hours, hours.strip()
    if before == after:
        return
    row.opening_hours = after
    await work.session.flush()
    write_entry(
        work,
        AuditLog.LINE_HOURS_SET,
        str(line.id),
        before={"hours": before},
        after={"hours": after},
    )
    work.announce(Topic.LINES)


async def rename(work: Work, line: LineScript, name: str) -> None:
    """Give a line the name that its callers hear in the greeting. Raises Invalid."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise Invalid("Write a name of at most %(longest)s characters.", longest=LONGEST_NAME)
    row = await lock_line(work, line.id)
    before, row.name = row.name, name
    if before == name:
        return
    await work.session.flush()
    write_entry(work, AuditLog.LINE_RENAMED, str(line.id), before=before, after=name)
    work.announce(Topic.LINES)
    await tell_supervisors(work, line.id, Leads.NAME)


def check_language(language: str) -> None:
    """Refuse a text that is not a language code. Raises Invalid."""
    try:
        Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        raise Invalid(
            "'%(language)s' is not a language code. Write one like sr or en.", language=language
        ) from None


class Lacks(NamedTuple):
    """What a line lacks to speak a language: words, and without a voice recordings."""

    words: list[PromptKey]
    recordings: list[PromptKey]


async def lacks_of(work: Work, language: str, line_id: UUID | None = None) -> Lacks:
    """Return what a line would lack to speak a language.

    The prompts of every line count, and before them those of the line itself, if it is there.
    """
    rows = await work.session.execute(
        select(Prompt.key, Prompt.audio.is_not(None))
        .where((Prompt.line_id == line_id) | Prompt.line_id.is_(None), Prompt.language == language)
        .order_by(Prompt.line_id.nulls_first())
    )
    known: dict[str, bool] = {row[0]: row[1] for row in rows}
    missing = [
        key
        for key in PROMPT_KEYS
        if key not in known and key not in SOUNDS and words.prompt(language, key) is None
    ]
    silent = [key for key in PROMPT_KEYS if not known.get(key) and key not in SOUNDS]
    return Lacks(missing, silent if voice_of(language) is None else [])


async def check_speakable(work: Work, language: str, line_id: UUID | None = None) -> None:
    """Refuse a language in which a line would lack words or a voice. Raises Invalid.

    Its callers would be served in another language.
    """
    lacks = await lacks_of(work, language, line_id)
    if lacks.words:
        raise Invalid(
            "There are no words in '%(language)s' for: %(missing)s. Write or record them on the "
            "page %(page)s, or with `helpline line prompt`, and then try again.",
            language=language,
            page=PROMPTS_PAGE + language,
            missing=list(lacks.words),
        )
    if lacks.recordings:
        raise Invalid(
            "The provider has no voice for '%(language)s'. Record these words on the page "
            "%(page)s, or add files with `helpline line prompt`, and then try again: %(silent)s.",
            language=language,
            page=PROMPTS_PAGE + language,
            silent=list(lacks.recordings),
        )


async def set_plan(
    work: Work, line: LineScript, plan: dict[str, Any], *, of_leaver: bool = False
) -> None:
    """Store a checked plan with its line. `of_leaver`: because the number of the partner is the
    phone of a person who has left."""
    row = await lock_line(work, line.id)
    before = row.plan
    different = [name for name in {**before, **plan} if before.get(name) != plan.get(name)]
    if not different:
        return
    row.plan = plan
    if plan.get("partner_number") is not None:
        row.partner_lost_at = row.partner_lost_of = None
    await work.session.flush()
    more: dict[str, Any] = {"of_leaver": True} if of_leaver else {}
    if "partner_number" in different:
        await partner_doubts.look_at(work, row)
        change = await keep_numbers(
            work,
            line,
            before={"partner_number": before.get("partner_number")},
            after={"partner_number": plan.get("partner_number")},
        )
        more["change"] = str(change)
    write_entry(
        work,
        AuditLog.LINE_PLAN_SET,
        str(line.id),
        before={name: _step_for_log(name, before.get(name)) for name in different},
        after={name: _step_for_log(name, plan.get(name)) for name in different},
        **more,
    )
    work.announce(Topic.LINES)


def _step_for_log(name: str, value: Any) -> Any:
    return ends.of_number(value) if name == "partner_number" else value
