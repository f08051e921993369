"""What the signed-in pages say, in the language of their reader.

English is written where it is used. Every other language has a gettext catalogue that is compiled
when it is first read. The language of the reader is set
for each request; where none is set, pages and refusals are English.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import lru_cache

from babel import Locale, UnknownLocaleError, localedata
from babel.dates import format_datetime, format_time
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations

from app import words
from app.errors import LIST_SIGN, Country, Message, Refusal, Share, text_of_code
from app.words import catalogues, days, runs
from app.words.catalogues import CatalogueKind, locale_of

SOURCE = words.SOURCE
_reader: ContextVar[str] = ContextVar("reader", default=SOURCE)
# What is told of each refusal that the reader is told of.
_noting: ContextVar[Callable[[Refusal], None] | None] = ContextVar("noting", default=None)


def page_languages() -> tuple[str, ...]:
    """Return the languages in which the pages can be read: English, and each with a catalogue."""
    return catalogues.translated_languages(CatalogueKind.PAGES)


def _catalogue(language: str) -> NullTranslations:
    return catalogues.compiled(language, CatalogueKind.PAGES)


def label_words(text: str, language: str) -> str | None:
    """Return a label of a shipped definition in a language, or None if it has no translation.

    `text` is the label in English.
    """
    said = catalogues.compiled(language, CatalogueKind.DEFINITIONS).gettext(text) if text else text
    return said if said != text or language == SOURCE else None


def forget() -> None:
    """Read every catalogue again, as when a folder was added."""
    catalogues.forget()
    _of_scripts.cache_clear()


def load(chosen: Iterable[str]) -> None:
    """Compile these catalogues now, so that no request waits for them."""
    for language in chosen:
        for kind in catalogues.SHIPPED:
            catalogues.compiled(read_in(language), kind)


def speak(language: str | None) -> None:
    """Set the language of the reader for what this request still says."""
    _reader.set(read_in(language))


def note_refusals(note: Callable[[Refusal], None]) -> None:
    """Tell of each refusal that this request still says: a page says many itself."""
    _noting.set(note)


def read_in(language: str | None) -> str:
    """Return the language in which a reader with this choice reads the pages."""
    return language if language in page_languages() else SOURCE


def preferred(accepted: str, among: Sequence[str] | None = None) -> str:
    """Return the language that a browser prefers (`Accept-Language`, RFC 9110): one of the pages,
    or `among` others, where none of them is an empty text."""
    if among is None:
        return _preferred_page(accepted[:500], tuple(page_languages()))
    return _preferred(accepted, among) or ""


@lru_cache(maxsize=256)
def _preferred_page(accepted: str, known: tuple[str, ...]) -> str:
    return _preferred(accepted, known) or SOURCE


def page_language_of(tag: object) -> str | None:
    """Return the language of the pages that a tag of another program means, such as `sr-Cyrl-RS`
    (BCP 47) or `sr_RS`; None if the pages are not in it."""
    if not isinstance(tag, str):
        return None
    return _preferred(tag.replace("_", "-"), page_languages())


def _preferred(accepted: str, known: Sequence[str]) -> str | None:
    weighed = []
    for one in accepted[:500].split(","):
        tag, _, weight = one.partition(";")
        number = weight.strip().removeprefix("q=")
        try:
            weighed.append((-float(number or 1), tag.strip().lower()))
        except ValueError:
            continue
    for _weight, tag in sorted(weighed, key=lambda one: one[0]):
        parts = tag.split("-")
        for code in ("-".join(parts[:2]), parts[0]):
            found = next((one for one in known if one.lower() == code), None)
            if found is not None:
                return found
    return None


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


def of_reader() -> Hashable:
    """Return what the reader's words are: equal as long as every message is said as before."""
    return reader(), _catalogue(reader())


def N_(message: str) -> str:
    """Mark a message that is written here and said elsewhere."""
    return message


def said(message: str) -> str:
    """Return a message in the reader's language, or as it is if the catalogue has none."""
    return _catalogue(_reader.get()).gettext(message) if message else ""


def message_words(message: Message) -> str:
    """Return a message and its values in the reader's language."""
    return _apart(message.said(said, _value_words))


def _apart(text: str) -> str:
    """Return a text whose values were filled in, as its reader reads them."""
    return runs.apart(text) if words.about(reader()).right_to_left else text


def _value_words(value: date | Country | float) -> str:
    if isinstance(value, Share):
        # With all its digits, and the sign where the language writes it.
        return str(format_percent(value, locale=locale_of(reader()), decimal_quantization=False))
    if isinstance(value, float):
        return number_words(value)
    return country_name(value) if isinstance(value, Country) else day_words(value)


def refusal_words(refusal: Refusal) -> str:
    """Return why a request was not carried out, in the reader's language."""
    if (note := _noting.get()) is not None:
        note(refusal)
    if refusal.letter:
        # Agencies read it, too, so its words are in the letters.
        return words.letter(reader(), "agency_refusal", refusal.letter)
    return message_words(refusal.message)


def said_n(one: str, many: str, number: int) -> str:
    """Return the form of a message that goes with a number, in the reader's language."""
    return _catalogue(_reader.get()).ngettext(one, many, number)


def _(message: str, **values: object) -> str:
    """Return a message in the reader's language with its `%(name)s` filled in."""
    return _apart(said(message) % values)


def ngettext(one: str, many: str, number: int, **values: object) -> str:
    """Return the form of a message for a number; `%(num)s` is the number."""
    return _apart(said_n(one, many, number) % {"num": number, **values})


def list_words(parts: Iterable[object]) -> str:
    """Return parts one after the other, with the sign that the reader's language has between them.

    There is no "and": a list may also be of what there is to choose from.
    """
    return said(LIST_SIGN).join(str(one) for one in parts)


def code_words(code: object) -> str:
    """Return a stored code in the reader's words: `on_hold` is "on hold"."""
    return said(text_of_code(str(code)))


def scripts_words() -> dict[str, str]:
    """Return the messages of the pages' scripts; empty for English, which the scripts contain."""
    return {m: said(m) for m in _of_scripts()} if reader() != SOURCE else {}


@lru_cache(maxsize=1)
def _of_scripts() -> tuple[str, ...]:
    """Return what the scripts say, read from the first catalogue: each marks it with `js`."""
    for language in page_languages():
        known = catalogues.shipped(language, CatalogueKind.PAGES)
        if known is not None:
            return tuple(str(m.id) for m in known if words.SCRIPTS_FLAG in m.flags)
    return ()


def date_words(value: date, pattern: str) -> str:
    """Return a date or an instant by a pattern of Unicode, in the order of the reader's language.

    A catalogue may translate the pattern: Serbian puts a full stop after the day.
    """
    at = value if isinstance(value, datetime) else datetime.combine(value, time())
    return str(format_datetime(at, said(pattern), locale=locale_of(reader())))


def day_words(value: date) -> str:
    """Return a date, or an instant with its time of day, with the year."""
    if isinstance(value, datetime):
        return days.moment(value, reader())
    return days.day(value, reader())


def instant_words(value: datetime) -> str:
    """Return a weekday, a day and the time of day, as lists show them."""
    return date_words(value, N_("EEE dd MMM HH:mm"))


def language_name(code: str) -> str:
    """Return the name of a language in the reader's language, or its code."""
    try:
        name = Locale.parse(code.replace("-", "_")).get_display_name(locale_of(reader()))
    except (UnknownLocaleError, ValueError):
        return code
    return str(name) if name else code


def country_name(code: str) -> str:
    """Return the name of a country in the reader's language, or its code."""
    return str(locale_of(reader()).territories.get(code, code))


def known_languages() -> list[str]:
    """Return the codes of the languages that have a name in the reader's language."""
    names = locale_of(reader()).languages
    return [one for one in localedata.locale_identifiers() if one in names]


def weekday_name(number: int) -> str:
    """Return the name of a day of the week in the reader's language; 0 is Monday."""
    return str(locale_of(reader()).days["stand-alone"]["wide"][number])


def weekday_short(number: int) -> str:
    """Return the short name of a day of the week in the reader's language; 0 is Monday."""
    return str(locale_of(reader()).days["stand-alone"]["abbreviated"][number])


def clock_words(clock: str) -> str:
    """Return a time of day like `08:00` as the reader's language writes it, of 24 hours."""
    hour, minute = clock.split(":")
    if hour == "24":
        return clock_words(f"23:{minute}").replace("23", "24")
    # The sign between is the locale's: 08.00 in some.
    short = str(locale_of(reader()).time_formats["short"].pattern)
    pattern = "HH.mm" if "." in short else "HH:mm"
    return str(format_time(time(int(hour), int(minute)), pattern, locale=locale_of(reader())))


def number_words(value: float, pattern: str | None = None) -> str:
    """Return a number as the reader's language writes it; the pattern is Unicode's, like `0.0`."""
    return str(format_decimal(value, format=pattern, locale=locale_of(reader())))


def share_words(value: float, pattern: str = "0.0%") -> str:
    """Return a share from 0 to 1 in percent, with one digit after the point or by a pattern."""
    return str(format_percent(value, format=pattern, locale=locale_of(reader())))
