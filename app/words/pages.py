"""What the signed-in pages say, in the language of their reader.

English is written where it is used. Every other language has a gettext catalogue,
`<language>/pages.po`, that is compiled when it is first read. The language of the reader is set
for each request; where none is set, pages and refusals are English.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from functools import lru_cache

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations

from app import words
from app.errors import Message, Refusal

SOURCE = words.SOURCE
_reader: ContextVar[str] = ContextVar("reader", default=SOURCE)


@lru_cache(maxsize=64)
def page_languages() -> tuple[str, ...]:
    """Return the languages in which the pages can be read: English, and each with a catalogue."""
    found = {path.parent.name for path in words.FOLDER.glob("*/pages.po")}
    return tuple(sorted({SOURCE} | found))


@lru_cache(maxsize=64)
def _catalogue(language: str) -> NullTranslations:
    path = words.FOLDER / language / "pages.po"
    if language == SOURCE or not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        read = read_po(file, locale=locale_of(language))
    compiled = io.BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return Translations(compiled)


def forget() -> None:
    """Read every catalogue again, as when a folder was added."""
    for kept in (page_languages, _catalogue, locale_of, _of_scripts):
        kept.cache_clear()


def load() -> None:
    """Compile every catalogue now, so that no request waits for it."""
    for language in page_languages():
        _catalogue(language)


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """Return how a language writes dates and numbers."""
    return Locale.parse(words.about(language).locale)


def speak(language: str | None) -> None:
    """Set the language of the reader for what this request still says."""
    _reader.set(read_in(language))


def read_in(language: str | None) -> str:
    """Return the language in which a reader with this choice reads the pages."""
    return language if language in page_languages() else SOURCE


@contextmanager
def spoken_in(language: str) -> Iterator[None]:
    """Say everything inside in this language."""
    before = _reader.set(language if language in page_languages() else SOURCE)
    try:
        yield
    finally:
        _reader.reset(before)


def reader() -> str:
    """Return the language of the reader."""
    return _reader.get()


def N_(message: str) -> str:
    """Mark a message that is written here and said elsewhere."""
    return message


def said(message: str) -> str:
    """Return a message in the reader's language, or as it is if the catalogue has none."""
    return _catalogue(_reader.get()).gettext(message) if message else ""


def message_words(message: Message) -> str:
    """Return a message and its values in the reader's language."""
    return message.said(said)


def refusal_words(refusal: Refusal) -> str:
    """Return why a request was not carried out, in the reader's language."""
    if refusal.letter:
        # Agencies read it, too, so its words are in the letters.
        return words.letter(reader(), "agency_refusal", refusal.letter)
    return message_words(refusal.message)


def said_n(one: str, many: str, number: int) -> str:
    """Return the form of a message that goes with a number, in the reader's language."""
    return _catalogue(_reader.get()).ngettext(one, many, number)


def _(message: str, **values: object) -> str:
    """Return a message in the reader's language with its `%(name)s` filled in."""
    return said(message) % values


def ngettext(one: str, many: str, number: int, **values: object) -> str:
    """Return the form of a message for a number; `%(num)s` is the number."""
    return said_n(one, many, number) % {"num": number, **values}


def code_words(code: object) -> str:
    """Return a stored code in the reader's words: `on_hold` is "on hold"."""
    return said(str(code).replace("_", " "))


def scripts_words() -> dict[str, str]:
    """Return the messages of the pages' scripts; empty for English, which the scripts contain."""
    return {m: said(m) for m in _of_scripts()} if reader() != SOURCE else {}


@lru_cache(maxsize=1)
def _of_scripts() -> tuple[str, ...]:
    """Return what the scripts say, read from the first catalogue: each marks it with `js`."""
    for language in page_languages():
        path = words.FOLDER / language / "pages.po"
        if path.exists():
            with path.open("rb") as file:
                found = [m for m in read_po(file) if words.SCRIPTS_FLAG in m.flags]
            return tuple(str(m.id) for m in found)
    return ()


def date_words(value: date, pattern: str) -> str:
    """Return a date or an instant by a pattern of Unicode, in the order of the reader's language.

    A catalogue may translate the pattern: Serbian puts a full stop after the day.
    """
    locale = locale_of(reader())
    if isinstance(value, datetime):
        return str(format_datetime(value, said(pattern), locale=locale))
    return str(format_date(value, said(pattern), locale=locale))


def instant_words(value: datetime) -> str:
    """Return a weekday, a day and the time of day, as lists show them."""
    return date_words(value, N_("EEE dd MMM HH:mm"))


def language_name(code: str) -> str:
    """Return the name of a language in the reader's language, or its code."""
    name = locale_of(reader()).languages.get(code)
    return str(name) if name else code


def weekday_name(number: int) -> str:
    """Return the name of a day of the week in the reader's language; 0 is Monday."""
    return str(locale_of(reader()).days["stand-alone"]["wide"][number])


def number_words(value: float, pattern: str | None = None) -> str:
    """Return a number as the reader's language writes it; the pattern is Unicode's, like `0.0`."""
    return str(format_decimal(value, format=pattern, locale=locale_of(reader())))


def share_words(value: float) -> str:
    """Return a share from 0 to 1 in percent, with one digit after the point."""
    return str(format_percent(value, format="0.0%", locale=locale_of(reader())))
