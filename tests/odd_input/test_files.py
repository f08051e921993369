"""Files of strangers: each is imported whole, or refused with a reason and without a trace."""

import io
import wave
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis.strategies import builds, sampled_from
from sqlalchemy import text

from app import words
from app.administration import languages
from app.calls.prompts import check_recording
from app.country import archive
from app.definitions.datafile import BadDefinition
from app.definitions.library import load
from app.errors import Invalid, Refusal
from app.referrals.directory.directory_csv import import_directory, read_directory
from app.routing.rota.calendar_import import events_of, import_rota
from app.words import catalogues
from app.words.catalogues import CatalogueKind
from app.work import Work
from tests.support.definitions.sets import with_short_form, zipped
from tests.support.profile import WHOLE, by_day
from tests.support.program.made_up import (
    BYTES,
    TEXT,
    changed,
    profile,
    refused_or,
    seconds_of,
    tried,
)
from tests.support.verbs import a_counsellor, a_line, logged

pytestmark = pytest.mark.whole

T = TypeVar("T")

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//another program//EN
BEGIN:VEVENT
UID:night@example.org
DTSTART;TZID=Europe/Belgrade:20300107T220000
DTEND;TZID=Europe/Belgrade:20300108T060000
RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=12
EXDATE;TZID=Europe/Belgrade:20300114T220000
SUMMARY:ana
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
DIRECTORY = (
    "code,name,sector,services,areas,duty_phones,email,webhook_url\n"
    'shelter,"Kuća, prva",shelter,shelter,RS-08,+381113000001,a@example.org,\n'
    "police,Policija,police,police,,+381113000002,,https://agency.example/events\n"
)
CATALOGUE = (
    'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    '"Plural-Forms: nplurals=3; plural=(n%10==1 ? 0 : n%10>=2 ? 1 : 2);\\n"\n\n'
    'msgid "Sign out"\nmsgstr "Odjavi se"\n\n'
    'msgid "Helpline"\nmsgstr "Telefon"\n'
)


def _attempts(whole: int) -> int:
    """Return how many files are tried: by day a third."""
    return whole if WHOLE else whole // 3


async def _rows(work: Work, *tables: str) -> list[int]:
    counts = ", ".join(f"(SELECT count(*) FROM {one})" for one in tables)
    return list((await work.session.execute(text(f"SELECT {counts}"))).one())


async def accepted(verb: Awaitable[T]) -> T | None:
    """Return what a file was imported as, None if it was refused; a refusal has words."""
    try:
        return await verb
    except Refusal as refusal:
        why = str(refusal)
    assert why
    return None


async def test_any_calendar_is_imported_whole_or_refused(work: Work) -> None:
    await a_line(work)
    await a_counsellor(work, "ana")
    before = await _rows(work, "shifts", "rota_changes")
    whole = 0

    async def attempt(content: bytes) -> None:
        nonlocal whole
        nested = await work.session.begin_nested()
        shifts, changes = await accepted(import_rota(work, content)) or (0, 0)
        whole += shifts > 0
        after = await _rows(work, "shifts", "rota_changes")
        assert after == [before[0] + shifts, before[1] + changes]
        await nested.rollback()

    await attempt(CALENDAR.encode())
    await tried(changed(CALENDAR.encode()) | BYTES, attempt, _attempts(40))
    assert whole, "some files are imported"


async def test_any_directory_is_imported_whole_or_refused(work: Work) -> None:
    await a_line(work)
    before = await _rows(work, "agencies", "duty_phones")
    whole = 0

    async def attempt(content: str) -> None:
        nonlocal whole
        nested = await work.session.begin_nested()
        found = await accepted(import_directory(work, content))
        entries = [] if found is None else [one for _, one in read_directory(content)]
        whole += len(entries) > 0
        phones = sum(len(one.duty_phones) for one in entries)
        after = await _rows(work, "agencies", "duty_phones")
        assert (found or 0) == len(entries)
        assert after == [before[0] + len(entries), before[1] + phones]
        await nested.rollback()

    await attempt(DIRECTORY)
    await tried(changed(DIRECTORY) | TEXT, attempt, 15)
    assert whole, "some files are imported"


async def test_any_catalogue_is_imported_whole_or_refused(work: Work) -> None:
    whole = 0

    async def attempt(content: bytes) -> None:
        nonlocal whole
        nested = await work.session.begin_nested()
        entries = len(logged(work))
        found = await accepted(
            languages.import_catalogue(work, "sr", "pages", content, reviewed=False)
        )
        times = int(found is not None)
        assert await _rows(work, "own_catalogues") == [times]
        assert len(logged(work)) == entries + times
        if found is not None:
            whole += 1
            assert _translated(content.decode()).items() <= _translated(found.text).items()
        await nested.rollback()

    await attempt(CATALOGUE.encode())
    await tried(changed(CATALOGUE).map(lambda one: one.encode()) | BYTES, attempt, _attempts(40))
    assert whole, "some files are imported"


def _translated(catalogue: str) -> dict[object, object]:
    """Return the messages of the example that a catalogue translates."""
    found = read_po(io.StringIO(catalogue), locale="sr")
    return {one.id: one.string for one in found if one.id in ("Sign out", "Helpline")}


FORM = with_short_form()["form-brief.yaml"]
NAMES = sampled_from(
    ["form-brief.yaml", "a/../form.yaml", "\u202eform.yaml", "con.yaml", "x" * 200]
)


@profile(15)
@given(builds(lambda name, body: (name, body.encode()), NAMES, changed(FORM) | TEXT))
def test_any_definition_is_read_or_refused(file: tuple[str, bytes]) -> None:
    refused_or(lambda: load(archive.from_files([file]).folder), BadDefinition)


@profile(40)
@given(changed(zipped({"country/form-brief.yaml": FORM, "readme.txt": "no"})) | BYTES)
def test_any_archive_is_read_or_refused(content: bytes) -> None:
    refused_or(lambda: archive.from_zip(content), BadDefinition)


def _wave() -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x01\x02" * 400)
    return made.getvalue()


SOUNDS = changed(_wave()) | changed(b"ID3\x04\x00\x00" + b"\xff\xfb\x90" * 40) | BYTES


@profile(80)
@given(SOUNDS, sampled_from(["audio/wav", "audio/mpeg", "audio/x-wav", "text/html", "", None]))
def test_any_sound_is_imported_or_refused(content: bytes, kind: str | None) -> None:
    def check() -> None:
        check_recording(content, kind)

    if refused_or(check, Invalid):
        begins = {"audio/wav": (b"RIFF",), "audio/mpeg": (b"ID3", b"\xff")}[kind or ""]
        assert content.startswith(begins)


# -- time ------------------------------------------------------------------------------------


def _calendar(times: int) -> bytes:
    lines = CALENDAR.split("\r\n")
    event = lines[3:11]
    return "\r\n".join([*lines[:3], *(event * times), *lines[11:]]).encode()


def _long_lines(times: int) -> bytes:
    folded = "SUMMARY:a" + '\r\n b;x="' * times
    return CALENDAR.replace("SUMMARY:ana", folded).encode()


def _directory(times: int) -> str:
    head, row, _ = DIRECTORY.split("\n")[:3]
    return "\n".join([head, *(row.replace("shelter,", f"s{n},", 1) for n in range(times))])


def _quotes(times: int) -> str:
    return "code,name,sector,services\n" + 'a,"' + '""' * times


def _nested(times: int) -> str:
    return "form: brief\nversion: 2\nx: " + "[" * times


def _aliases(times: int) -> str:
    return "form: brief\nx: &a [1, 1]\n" + "".join(f"y{n}: [*a, *a]\n" for n in range(times))


def _messages(times: int) -> str:
    return CATALOGUE + "".join(f'\nmsgid "m{n}"\nmsgstr ""\n"%(a)s <b>"\n' for n in range(times))


def _one_message(times: int) -> str:
    return CATALOGUE + '\nmsgid "long"\nmsgstr ""\n' + '"<a <a %(a"\n' * times


def _read_calendar(content: bytes) -> None:
    refused_or(lambda: events_of(content), Invalid)


def _read_directory(content: str) -> None:
    refused_or(lambda: read_directory(content), Invalid)


def _read_definition(content: str) -> None:
    files = [("form-brief.yaml", content.encode())]
    refused_or(lambda: archive.from_files(files), BadDefinition)


def _read_catalogue(content: str) -> None:
    refused_or(lambda: catalogues.check("sr", CatalogueKind.PAGES, content), Invalid)
    refused_or(lambda: catalogues.check("sr", CatalogueKind.PROMPTS_AND_LETTERS, content), Invalid)


_HOSTILE = ("a", "%(", "a@", "a.", "_", "<a", "`", "&a", "H")


def _repeated(what: str) -> Callable[[int], str]:
    return lambda times: what * (times // len(what))


def _turn(content: str) -> None:
    """Write it in Cyrillic, as catalogues that are imported and messages of children are."""
    words.turned_into("sr-Cyrl", content, "Something else")
    words.turned_into("sr-Cyrl", "Nešto drugo", content)


@pytest.mark.parametrize(
    ("made", "read", "size"),
    [
        (_calendar, _read_calendar, 40),
        (_long_lines, _read_calendar, 1500),
        (_directory, _read_directory, 200),
        (_quotes, _read_directory, 20_000),
        (_nested, _read_definition, 5000),
        (_aliases, _read_definition, 500),
        (_messages, _read_catalogue, 300),
        (_one_message, _read_catalogue, 600),
        *((_repeated(one), _turn, 8_000) for one in by_day(_HOSTILE, 3)),
    ],
)
def test_four_times_as_much_takes_about_four_times_as_long(
    made: Callable[[int], bytes | str], read: Callable[[bytes | str], None], size: int
) -> None:
    small, large = made(size), made(4 * size)
    once = seconds_of(lambda: read(small))
    # Sixteen times would be the square. What takes no time at all is measured by nothing.
    assert seconds_of(lambda: read(large)) < 9 * once + 0.2
