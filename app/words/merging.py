"""Translations of several people as one: what each has changed is kept. Pure.

A file says of which words it was made (`MADE_FROM` in its header). What was changed since stays,
message by message, where the file has those words or none. A message that both have changed is
decided by the person who imports the file. It does not matter who imported the other one: one
person may import what several have translated.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from app.errors import Message as Said
from app.words import catalogues, texts
from app.words.catalogues import CatalogueKind, Identity
from app.words.import_conflicts import Meanwhile

MADE_FROM = "X-Helpline-Made-From"
_HEADER = re.compile(rf'^"{MADE_FROM}: (\d{{1,18}})-([0-9a-f]{{12}})\\n"\s*$', re.MULTILINE)
_FIRST_LINE = '"Content-Type:'
# Characters of a text that a list of places quotes.
_QUOTED = 60


class Import(NamedTuple):
    """A catalogue that was imported: its number, and its text."""

    number: int
    text: str


def marked(text: str, base: Import | None) -> str:
    """Return a catalogue that is exported, with a line in its header that names its base."""
    if base is None:
        return text
    line = f'"{MADE_FROM}: {base.number}-{_sum_of(base.text)}\\n"\n'
    return text.replace(_FIRST_LINE, line + _FIRST_LINE, 1)


def base_of(text: str, known: Iterable[Import]) -> Import | None:
    """Return the import of which a file was made, or None if it was made of the shipped words.

    A file without the line, and one of another helpline, counts as made of the shipped words.
    """
    found = _HEADER.search(text)
    for one in known if found else ():
        if found and int(found[1]) == one.number and found[2] == _sum_of(one.text):
            return one
    return None


def _sum_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Merged:
    """A catalogue with what was said already. Nothing was decided of the places in `both`."""

    text: str
    translated: int
    # How many messages are said as before, and not as the file says them, or as it leaves empty.
    kept: int
    both: list[Said]


def merged(
    language: str,
    kind: CatalogueKind,
    given: str,
    base: Import | None,
    counting: Sequence[Import],
    meanwhile: Meanwhile,
) -> Merged:
    """Return what a file says together with what is in force.

    `counting` are the imports that were not taken back, the oldest first: the last is in force.
    """
    file = catalogues.texts_in(language, kind, given)
    said = catalogues.texts_in(language, kind, counting[-1].text) if counting else {}
    then, now = _in_force(language, kind, base), _in_force(language, kind, None) | said
    result, both = dict[Identity, Any](), list[Identity]()
    for one in dict.fromkeys([*file, *said]):
        mine = file.get(one)
        result[one] = now[one] if mine is None or mine == then.get(one) else mine
        if result[one] != now[one] != then.get(one):
            both.append(one)
    if both and meanwhile != Meanwhile.REPLACE:
        result |= {one: now[one] for one in both}
    kept = sum(text != file.get(one) for one, text in result.items())
    told = {one: text for one, text in result.items() if text is not None}
    return Merged(
        catalogues.written(language, told) if kept else given,
        len(told),
        kept,
        _places(language, given, both, now) if meanwhile == Meanwhile.REFUSE else [],
    )


def without(
    language: str, kind: CatalogueKind, taken: Import, before: Import | None, later: Import
) -> str | None:
    """Return a later import without the words that one before it brought, which is taken back.

    `before` was in force when it came. In a list that was changed again, what the one taken back
    had put in goes, what it had left out stands again, and the rest stays. None if the later one
    says none of its words; an empty text if it says no others.
    """
    was = _in_force(language, kind, before)
    own = catalogues.texts_in(language, kind, before.text) if before is not None else {}
    brought = {
        one: text
        for one, text in catalogues.texts_in(language, kind, taken.text).items()
        if text != was.get(one)
    }
    said = catalogues.texts_in(language, kind, later.text)
    left = dict(said)
    for one in said.keys() & brought.keys():
        if said[one] == brought[one]:
            left[one] = own.get(one)
        elif kind == CatalogueKind.PROMPTS_AND_LETTERS and texts.is_list(one[1] or ""):
            left[one] = _list_without(brought[one], was.get(one) or "", said[one]) or own.get(one)
    if left == said:
        return None
    told = {one: text for one, text in left.items() if text is not None}
    return catalogues.written(language, told) if told else ""


def _list_without(brought: str, was: str, later: str) -> str:
    """Return a later list without what the list `brought` had changed of the one that was."""
    bad, good, now = map(texts.entries, (brought, was, later))
    stays = [one for one in now if one in good or one not in bad]
    again = [one for one in good if one not in bad and one not in now]
    return later if not again and stays == now else "\n".join([*stays, *again])


def _in_force(language: str, kind: CatalogueKind, one: Import | None) -> dict[Identity, Any]:
    """Return what was said of each message while an import was in force."""
    own = catalogues.texts_in(language, kind, one.text) if one is not None else {}
    return {**catalogues.shipped_texts(language, kind), **own}


def _places(
    language: str, given: str, both: Iterable[Identity], now: Mapping[Identity, Any]
) -> list[Said]:
    file = catalogues.parsed(language, given)
    found = []
    for source, context in both:
        message, text = file.get(source, context), now[source, context]
        said = " / ".join(catalogues.as_list(text)) if text is not None else ""
        assert message is not None
        found.append(Said("line %(line)s: “%(text)s”", line=message.lineno, text=said[:_QUOTED]))
    return found
