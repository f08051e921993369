"""Words of danger that a helpline has imported and that mark nothing, with the reason.

The rules of the program may leave out what they once took, and a line can lose a language.
"""

import asyncio
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from app import words
from app.administration.languages import all_own
from app.calls.lines import finding_lines
from app.words import catalogues, danger, texts
from app.words.catalogues import CatalogueKind
from app.words.pages import N_
from app.work import Work

_KIND = CatalogueKind.PROMPTS_AND_LETTERS


class Why(StrEnum):
    """Why words of danger mark nothing."""

    NOT_SPOKEN = "not_spoken"
    TOO_SHORT = "too_short"
    COMMON = "common"
    NOT_READ = "not_read"


WORDS = {
    Why.NOT_SPOKEN: N_("No line speaks this language."),
    Why.TOO_SHORT: N_("They are too short."),
    Why.COMMON: N_("They are common words, and would mark almost every message."),
    Why.NOT_READ: N_("This version cannot read the list. Save the file again, and import it."),
}


class Unmarked(NamedTuple):
    """Words of danger of a language that mark nothing for one reason."""

    language: str
    why: Why
    words: list[str]


async def unmarked(work: Work) -> list[Unmarked]:
    """Return the imported words of danger that mark nothing, by language and reason."""
    lists: dict[str, str] = {}
    for row in await all_own(work):
        if row.kind == _KIND and row.taken_back_at is None:
            lists.setdefault(row.language, row.text)
    if not lists:
        return []
    spoken = set()
    for line in await finding_lines.all_lines(work):
        _row, script = await finding_lines.read_line(work, line.id)
        spoken |= {words.spoken_as(one.language) for one in script.languages}
    # Reading a catalogue takes a moment, and calls are answered meanwhile.
    return await asyncio.to_thread(_unmarked, lists, spoken)


def _unmarked(lists: Mapping[str, str], spoken: Iterable[str]) -> list[Unmarked]:
    found: dict[tuple[str, Why], list[str]] = {}
    for language, text in sorted(lists.items()):
        shipped = set(texts.entries(words.shipped_texts(language).get(danger.KEY, "")))
        is_read = any(key == danger.KEY for _, key in catalogues.texts_in(language, _KIND, text))
        for word in _stored(language, text):
            why = _why(language, word, spoken, is_read=is_read)
            if word not in shipped and why is not None:
                found.setdefault((language, why), []).append(word)
    return [Unmarked(*key, said) for key, said in found.items()]


def _stored(language: str, text: str) -> list[str]:
    """Return the words of danger of a catalogue, also those that are not read any more."""
    for one in catalogues.parsed(language, text):
        if one.context == danger.KEY and one.string and not one.fuzzy:
            return list(dict.fromkeys(texts.entries(str(one.string))))
    return []


def _why(language: str, word: str, spoken: Iterable[str], *, is_read: bool) -> Why | None:
    if language not in words.languages() or language not in spoken:
        return Why.NOT_SPOKEN
    if not danger.stem(word):
        return Why.TOO_SHORT
    if danger.common_in(language, word) is not None:
        return Why.COMMON
    return None if is_read else Why.NOT_READ
