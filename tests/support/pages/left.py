"""What a page leaves in English, or shows as a stored code, for a reader of another language."""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import app
from app.words import pages, places
from tests.support.long_words import LONG, PHRASE

# What a reader reads or hears: the text between tags, and what describes an element.
READ = """
() => {
  const said = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const within = walker.currentNode.parentElement;
    const other = "script, style, template, kbd, code, textarea, [lang]:not(html)";
    if (!within.closest(other)) said.push(walker.currentNode.data);
  }
  for (const one of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
    if (one.closest("[lang]:not(html)")) continue;
    said.push(one.getAttribute("aria-label"), one.title, one.placeholder);
  }
  return [document.title, ...said].filter(Boolean).map((one) => one.trim().replace(/\\s+/g, " "));
}
"""
# What the rows of these tests are called, and what is written in them; what is typed as a code.
_NAMES = {
    "Plavi telefon",
    "Girl is bullied at school",
    "She was told whom to talk to.",
    "The child is in danger tonight.",
    "A house by the river",
    "Shown at the door on Monday.",
    "shelter | child_protection",
    # A day is typed so into a form.
    "2026-11-24",
}
# Pages that compare files or explain them: they name what stands in these.
OF_FILES = {"/admin/definitions/{set_id}", "/reports/dictionary"}
_WORD = re.compile(r"(?<![\w@./:-])[a-z]+(?:[_.][a-z]+)*(?![\w@/:-])")
_OF_PROGRAMS = re.compile(r"\b\d{4}-(\d\d|W\d\d|Q\d)\b|\dT\d\d:")
_KEY = re.compile(r"[a-z_]+:\S+$")
# Files and short words that are the same in every language.
_SAME = {"csv", "json", "xlsx", "parquet", "pdf", "min", "sms"}


@cache
def _known() -> re.Pattern[str]:
    """Match what is data, or the name of a language, a country or a time zone."""
    with pages.spoken_in(LONG):
        known = {pages.language_name(code) for code in pages.known_languages()}
        known |= {name for _, name in [*places.country_choices(), *places.zone_choices()]}
    known |= _NAMES | set(_sources())
    return re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))))


def _sources() -> Iterator[str]:
    """Yield where the deadlines of the shipped protocols come from, as their files say it."""
    for path in (Path(app.__file__).parent / "referrals/data").glob("*.yaml"):
        yield from _under("source", yaml.safe_load(path.read_text("utf-8")))


def _under(key: str, read: Any) -> Iterator[str]:
    if isinstance(read, dict):
        yield from (one for name, one in read.items() if name == key and isinstance(one, str))
        yield from (text for inner in read.values() for text in _under(key, inner))
    elif isinstance(read, list):
        yield from (text for inner in read for text in _under(key, inner))


def in_english(said: list[str]) -> set[str]:
    """Return what the long language would have said with accents, and is no data."""
    return {one for one in said if one.isascii() and PHRASE.search(_known().sub("", one))}


@cache
def _codes() -> frozenset[str]:
    """Return every code of an enum of the program that runs."""
    pending: list[type[StrEnum]] = [StrEnum]
    members: set[str] = set()
    while pending:
        enum = pending.pop()
        pending += enum.__subclasses__()
        if enum.__module__.startswith("app."):
            members |= {str(member) for member in enum}
    return frozenset(members - _SAME)


def codes_in(said: Iterable[str]) -> set[str]:
    """Return the texts of a page in the long language that hold a code; each word has an accent."""
    return {one for one in said if _codes() & set(_WORD.findall(_known().sub("", one)))}


def dates_in(said: Iterable[str]) -> set[str]:
    """Return the texts that hold a day, a month, a week or an instant as programs write them.

    The log names its subjects by keys, such as `report:daily:2026-11-27`; it is searched by them.
    """
    return {
        one for one in said if _OF_PROGRAMS.search(_known().sub("", one)) and not _KEY.match(one)
    }
