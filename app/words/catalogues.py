"""Gettext catalogues: what the pages say, the labels of the definitions, and what is told. Pure.

A catalogue is shipped as `<language>/pages.po` or `<language>/definitions.po`; one of prompts and
letters (`told_catalogue.py`), or of practice calls, is made of the YAML files of the language: each
of its texts has a key (`keyed.py`). A helpline can import a catalogue of its own: what it
translates comes first. A second script has no file, its messages are those of the language in other
letters.

A language in which the definitions themselves are written has a `definitions.po`, too, made of them
by `scripts/catalogues`. Where such a language says one English label in several ways, each of the
rarer ones has a message of its own, whose context is that text.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po, write_po
from babel.support import NullTranslations, Translations

from app import words
from app.errors import Invalid, Joined
from app.errors import Message as Said
from app.words import runs
from app.words.foreign_addresses import leads_elsewhere
from app.words.keyed import Keyed
from app.words.told_catalogue import SpokenAndMailed


class CatalogueKind(StrEnum):
    """What a catalogue translates."""

    PAGES = "pages"
    DEFINITIONS = "definitions"
    PROMPTS_AND_LETTERS = "prompts-and-letters"
    PRACTICE = "practice"


# The kinds that are shipped as catalogues.
SHIPPED = (CatalogueKind.PAGES, CatalogueKind.DEFINITIONS)
# The kinds whose texts have keys. An area above adds its own (`tell`).
_keyed: dict[CatalogueKind, Keyed] = {CatalogueKind.PROMPTS_AND_LETTERS: SpokenAndMailed()}

# Catalogues that were imported, as text, by language and kind.
Own = Mapping[tuple[str, CatalogueKind], str]
_own: dict[tuple[str, CatalogueKind], str] = {}


def tell(kind: CatalogueKind, keyed: Keyed) -> None:
    """Let the texts of a kind be those of an area above."""
    _keyed[kind] = keyed


def use(own: Own) -> None:
    """Say these catalogues before the shipped ones from now on, and no others."""
    if dict(own) != _own:
        _own.clear()
        _own.update(own)
        compiled.cache_clear()
        for kind, keyed in _keyed.items():
            keyed.use({one: _own_texts(one, kind) for one, of in own if of == kind})


def _own_texts(language: str, kind: CatalogueKind) -> Mapping[str, str]:
    return _keyed[kind].read(parsed(language, _own[language, kind]))


def forget() -> None:
    """Read every catalogue again, as when a folder was added."""
    for kept in (compiled, shipped, parsed, locale_of, translated_languages):
        kept.cache_clear()


@lru_cache(maxsize=64)
def locale_of(language: str) -> Locale:
    """Return how a language writes dates and numbers."""
    return Locale.parse(words.about(language).locale)


@lru_cache(maxsize=8)
def translated_languages(kind: CatalogueKind) -> tuple[str, ...]:
    """Return English, each language with a catalogue, and the second scripts of these."""
    found = {path.parent.name for path in words.FOLDER.glob(f"*/{kind}.po")} | {words.SOURCE}
    return tuple(one for one in words.written() if words.spoken_as(one) in found)


@lru_cache(maxsize=64)
def shipped(language: str, kind: CatalogueKind) -> Catalog | None:
    """Return the catalogue of a language as it is shipped, or None if there is none."""
    path = words.FOLDER / language / f"{kind}.po"
    if not path.exists():
        return None
    with path.open("rb") as file:
        return read_po(file, locale=locale_of(language))


@lru_cache(maxsize=64)
def compiled(language: str, kind: CatalogueKind) -> NullTranslations:
    """Return what a language says; a message that is missing is said in English."""
    base = words.spoken_as(language)
    if base not in translated_languages(kind) or base == words.SOURCE:
        return NullTranslations()
    catalogue = _whole(base, kind)
    if language != base:
        for message in catalogue:
            message.string = _in_script(language, message.id, message.string)
    if words.about(language).right_to_left:
        for message in catalogue:
            message.string = _apart(message.string)
    out = io.BytesIO()
    write_mo(out, catalogue)
    out.seek(0)
    return Translations(out)


def _whole(language: str, kind: CatalogueKind) -> Catalog:
    """Return the shipped catalogue with what a helpline's own one translates in its place."""
    known = shipped(language, kind)
    catalogue = Catalog(locale=locale_of(language))
    own = _own.get((language, kind))
    better = parsed(language, own) if own else Catalog()
    forms = _forms(language)
    for message in known or ():
        if message.id:
            mine = better.get(message.id, message.context)
            # One that was kept by an earlier version may break a page: it is not said.
            sayable = mine is not None and _counts(mine) and not _problem_of(mine, kind, forms)
            text = mine.string if mine is not None and sayable else None
            catalogue.add(
                message.id, text or message.string, flags=message.flags, context=message.context
            )
    return catalogue


def _in_script(language: str, source: object, text: Any) -> Any:
    if isinstance(text, (tuple, list)):
        said = " ".join(source) if isinstance(source, (tuple, list)) else str(source)
        return tuple(words.in_script(language, one, said) for one in text)
    return words.in_script(language, str(text), str(source)) if source else text


def _apart(text: Any) -> Any:
    """Return a text of a message whose numbers and addresses are read from the left."""
    return runs.apart(text) if isinstance(text, str) else tuple(map(runs.apart, text))


def own_label(language: str, english: str, written: str) -> str | None:
    """Return what a helpline says in place of a label that a file writes in a language itself.

    `language` may be a second script of it. None if nothing was imported, or if the label is not
    one of the shipped definitions: the words of a country's own files stay as they are.
    """
    base = words.spoken_as(language)
    known = (
        shipped(base, CatalogueKind.DEFINITIONS)
        if (base, CatalogueKind.DEFINITIONS) in _own
        else None
    )
    for context in (written, None) if known is not None else ():
        message = known.get(english, context) if known is not None else None
        if message is not None and message.string == written:
            said = compiled(language, CatalogueKind.DEFINITIONS)
            return str(said.pgettext(context, english) if context else said.gettext(english))
    return None


def is_translated(text: object) -> bool:
    """Return whether a message has a text in every form."""
    return all(text) if isinstance(text, (tuple, list)) else bool(text)


def _counts(message: Message) -> bool:
    """Return whether a translator is done with a message: it is whole, and not marked as fuzzy."""
    return is_translated(message.string) and not message.fuzzy


# -- taking out and in ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """How many messages of a catalogue are translated."""

    translated: int
    messages: int


def progress(language: str, kind: CatalogueKind) -> Progress:
    """Return how many messages a language has translated of those that there are."""
    if kind not in SHIPPED:
        return Progress(*_keyed[kind].count(language))
    base = words.spoken_as(language)
    asked = _messages(base, kind)
    if base == words.SOURCE:
        return Progress(len(asked), len(asked))
    known = shipped(base, kind)
    # To copy a catalogue of thousands of messages takes longer than to count them.
    catalogue = known if known is not None and not _own.get((base, kind)) else _whole(base, kind)
    found = (catalogue.get(one.id, one.context) for one in asked)
    return Progress(sum(one is not None and is_translated(one.string) for one in found), len(asked))


def _messages(language: str, kind: CatalogueKind) -> list[Message]:
    """Return every message of a kind, from the catalogue of the language, or the first there is."""
    for one in (language, *translated_languages(kind)):
        known = shipped(one, kind)
        if known is not None:
            return [message for message in known if message.id]
    return []


def exported(language: str, kind: CatalogueKind) -> str:
    """Return the catalogue of a language as a translator edits it, with what is in force now."""
    catalogue = Catalog(locale=locale_of(language), fuzzy=False)
    if kind not in SHIPPED:
        _keyed[kind].fill(catalogue, language)
    else:
        now = _whole(language, kind)
        for one in _messages(language, kind):
            known = now.get(one.id, one.context)
            text = known.string if known is not None else None
            catalogue.add(one.id, text, context=one.context)
    out = io.BytesIO()
    # Texts with keys stand in the order in which they are said.
    write_po(out, catalogue, width=100, sort_output=kind in SHIPPED, no_location=True)
    return out.getvalue().decode()


# A message of a catalogue: its English (the one, and several), and its context.
Identity = tuple[Any, str | None]


def shipped_texts(language: str, kind: CatalogueKind) -> dict[Identity, Any]:
    """Return what is shipped of each message of a kind; None where there is no translation."""
    if kind not in SHIPPED:
        keyed = _keyed[kind]
        known = keyed.shipped_of(language)
        english = keyed.shipped_of(words.SOURCE)
        return {(source, key): known.get(key) for key, source in english.items()}
    there = shipped(language, kind) or Catalog()
    found = dict[Identity, Any]()
    for one in _messages(language, kind):
        mine = there.get(one.id, one.context)
        done = mine is not None and is_translated(mine.string)
        found[_identity(one)] = mine.string if mine is not None and done else None
    return found


def texts_in(language: str, kind: CatalogueKind, text: str) -> dict[Identity, Any]:
    """Return what a catalogue translates of the messages that there are, without what cannot be
    said."""
    given, forms = parsed(language, text), _forms(language)
    if kind not in SHIPPED:
        english = _keyed[kind].shipped_of(words.SOURCE)
        return {(english[key], key): said for key, said in _keyed[kind].read(given).items()}
    known = {_identity(one) for one in _messages(language, kind)}
    return {
        _identity(one): one.string
        for one in given
        if one.id and _identity(one) in known and _counts(one) and not _problem_of(one, kind, forms)
    }


@lru_cache(maxsize=4)
def parsed(language: str, text: str) -> Catalog:
    """Return a catalogue that was checked. It is shared: nothing may change it."""
    return read_po(io.StringIO(text), locale=locale_of(language))


def written(language: str, texts: Mapping[Identity, Any]) -> str:
    """Return a catalogue of these texts."""
    catalogue = Catalog(locale=locale_of(language), fuzzy=False)
    for (source, context), text in texts.items():
        catalogue.add(source, text, context=context)
    out = io.BytesIO()
    write_po(out, catalogue, width=100, no_location=True)
    return out.getvalue().decode()


def check(language: str, kind: CatalogueKind, text: str) -> Progress:
    """Check a catalogue that is to be imported, and return how much of it is translated.

    Raises Invalid with every place that is wrong; its line is that of the file.
    """
    given = _read(language, text)
    wrong: list[Said] = []
    if kind not in SHIPPED:
        wrong = list(_keyed[kind].wrong(language, given))
        done = Progress(len(_keyed[kind].read(given)), _keyed[kind].count(words.SOURCE)[1])
    else:
        wrong = [Said(place) for place in _wrong(given, kind, _forms(language))]
        # Labels of definitions are sent to no child, and a law has a number in each country.
        wrong += _elsewhere(language, given) if kind == CatalogueKind.PAGES else []
        known = {_identity(one) for one in _messages(language, kind)}
        found = sum(_identity(one) in known and _counts(one) for one in given if one.id)
        done = Progress(found, len(known))
    if wrong:
        raise Invalid(
            "Nothing was imported. Correct these places: %(places)s", places=Joined(wrong[:_NAMED])
        )
    if not done.translated:
        raise Invalid(
            "This file translates no message of the program. Save the catalogue from this page, "
            "and translate that."
        )
    return done


def _identity(one: Message) -> tuple[Any, str | None]:
    return one.id if isinstance(one.id, str) else tuple(one.id), one.context or None


def _read(language: str, text: str) -> Catalog:
    try:
        return read_po(io.StringIO(text), locale=locale_of(language), abort_invalid=True)
    except PoFileError as error:
        raise Invalid(
            "This is not a catalogue of gettext: line %(line)s cannot be read.",
            line=error.lineno + 1,
        ) from None
    except (ValueError, LookupError):
        raise Invalid(
            "This is not a catalogue of gettext. Export it again here, and translate that file."
        ) from None


_NAMED = 20
# A tag ends before another begins: text that only opens tags is read in one go.
_FILLED_IN = re.compile(r"%\(\w+\)[sd]|</?[a-z][^<>]*>")
_VALUE = re.compile(r"%\((\w+)\)([sd])")


def _forms(language: str) -> int:
    return Catalog(locale=locale_of(language)).num_plurals


def _wrong(given: Catalog, kind: CatalogueKind, forms: int) -> Iterator[str]:
    for message in given:
        if message.id and _counts(message) and (problem := _problem_of(message, kind, forms)):
            yield f"{message.lineno}: {problem}"


def _elsewhere(language: str, given: Catalog) -> Iterator[Said]:
    """Yield messages of pages with a number or an address that is neither English nor shipped."""
    there = shipped(language, CatalogueKind.PAGES) or Catalog()
    for one in given:
        if not one.id or not _counts(one):
            continue
        now = there.get(one.id, one.context)
        known = [*as_list(one.id), *as_list(now.string if now is not None else "")]
        for text in as_list(one.string):
            found = leads_elsewhere(text, known)
            if found is not None:
                yield Said(
                    "line %(line)s: “%(found)s” is a number or an address that the English does "
                    "not have",
                    line=one.lineno,
                    found=found,
                )


def _problem_of(message: Message, kind: CatalogueKind, forms: int) -> str | None:
    """Return what a page could not say of a message, or None."""
    # A label is shown as it is.
    is_said = kind == CatalogueKind.PAGES
    sources, texts = as_list(message.id), as_list(message.string)
    if len(sources) > 1 and len(texts) != forms:
        return f"{len(texts)} / {forms}"
    wanted = set[str]().union(*map(filled_in, sources))
    allowed = [filled_in(one) for one in sources]
    for text in texts:
        found = filled_in(text)
        # A form for one number may leave the number out.
        if found - wanted or (found not in allowed and found | {"%(num)s"} not in allowed):
            return ", ".join(sorted(found ^ wanted))
        # The pages take a message as it is, also within an attribute.
        if strange := _markup(text) - _markup(" ".join(sources)):
            return " ".join(sorted(strange))
        if is_said and not _can_be_filled_in(text) and all(map(_can_be_filled_in, sources)):
            return "%"
    return None


def _can_be_filled_in(text: str) -> bool:
    """Return whether a text can be filled in as the pages do it, where they say `text % values`.

    A sign of percent by itself fails, or shows every value: "50 % s" fills in all that there is.
    """
    if "%" in _VALUE.sub("", text.replace("%%", "")):
        return False
    values = {name: 1 if form == "d" else "x" for name, form in _VALUE.findall(text)}
    try:
        text % values
    except (ValueError, TypeError, KeyError):
        return False
    return True


def _markup(text: str) -> set[str]:
    """Return what HTML would take for markup, besides the tags that `filled_in` compares."""
    return set(_FILLED_IN.sub("", text)) & set('<>"&')


def as_list(one: Any) -> list[str]:
    """Return the forms of a message or of its text."""
    return [one] if isinstance(one, str) else list(one)


def filled_in(text: str) -> set[str]:
    """Return what is filled in where a message is said, and its markup."""
    return set(_FILLED_IN.findall(text))
