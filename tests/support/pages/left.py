"""What a page leaves in English, or shows as a stored code, for a reader of another language."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from pathlib import Path

import lxml.html

from app import words
from app.training import scenarios
from app.words import pages, places
from app.words.catalogues import locale_of
from tests.support.long_words import KEPT, LONG, PHRASE, longer
from tests.support.pages.readers import NAMES

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
# What the rows of these tests are called, and what is written in them.
_NAMES = {
    "Sud je tražio spise.",
    # The code of an agency.
    "clinic",
    "Plavi telefon",
    "Girl is bullied at school",
    "She was told whom to talk to.",
    "The child is in danger tonight.",
    "A house by the river",
    "Shown at the door on Monday.",
    "There are many records.",
    "Sigurna kuća",
    "dugog imena",
    "A dog",
    "letter.pdf",
    "Pitaj pre nego što posavetuješ.",
    "Zaključana vrata.",
    # A protocol and a mapping of categories go by the name of their file.
    "rs",
    "chi",
    *NAMES,
    "iva",
    "wera",
    "shelter | child_protection",
    # A day is typed so into a form.
    "2026-11-24",
}
# What is typed as a code, or in a word, in rows of these tests.
_TYPED = {"autumn", "house", "shouts"}
# Pages that compare files or explain them: they name what stands in these.
OF_FILES = {"/admin/definitions/{set_id}", "/reports/dictionary"}
# Pages that are in English for every reader.
IN_ENGLISH = {"/developers/components"}
_WORD = re.compile(r"(?<![\w@./:-])[a-z]+(?:[_.][a-z]+)*(?![\w@/:-])")
_OF_PROGRAMS = re.compile(r"\b\d{4}-(\d\d|W\d\d|Q\d)\b|\dT\d\d:")
_KEY = re.compile(r"[a-z_]+:\S+$")
# Files and short words that are the same in every language.
_SAME = {"csv", "json", "xlsx", "parquet", "pdf", "min", "sms"}


@cache
def _known(_folder: Path) -> re.Pattern[str]:
    """Match what is data, or the name of a language, a country or a time zone.

    The long language is not in every folder of words, and its names are not known without it.
    """
    names = locale_of(LONG)
    months = {
        name
        for named in (*names.months.values(), *names.days.values())
        for width in named.values()
        for name in width.values()
    }
    with pages.spoken_in(LONG):
        known = months | {pages.language_name(code) for code in pages.known_languages()}
        known |= {name for _, name in [*places.country_choices(), *places.zone_choices()]}
    known |= _NAMES
    either = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)")


def in_english(said: list[str]) -> set[str]:
    """Return what the long language would have said with accents, and is no data."""
    return {one for one in said if PHRASE.search(_without_data(one))}


# Most texts of a page stand on every page, and there are hundreds of names.
@cache
def _without_known(text: str, folder: Path) -> str:
    return _known(folder).sub("", text)


def _without_names(text: str) -> str:
    return _without_known(text, words.FOLDER)


def _without_data(text: str) -> str:
    """Return a text without what is the same in every language: what is filled in, and names."""
    return KEPT.sub("", _without_names(text))


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


def hidden_english(html: str) -> set[str]:
    """Return the English of a page that is marked as English, and that is no data.

    What is looked for in the texts of a page passes over what says that it is in another language.
    """
    if 'lang="en' not in html:
        return set()
    page = lxml.html.fromstring(f"<html><body>{html}</body></html>")
    for quiet in page.xpath("//script | //style | //template | //kbd | //code"):
        quiet.drop_tree()
    marked = "ancestor-or-self::*[@lang][1][starts-with(@lang, 'en')]"
    texts = page.xpath(f"//body//text()[parent::*/{marked}]")
    texts += page.xpath(f"//body//@*[name() = 'aria-label' or name() = 'title'][../{marked}]")
    said = {" ".join(one.split()) for one in texts}
    return {one for one in said if _LETTERS.search(one) and not _is_data(one)}


_LETTERS = re.compile(r"[^\W\d_]{2}")


def _is_data(text: str) -> bool:
    return (
        bool(_scripted().match(text))
        or text == words.about(words.SOURCE).name
        or bool(_told().match(text))
    )


@cache
def _scripted() -> re.Pattern[str]:
    """Match what scripted children say, one sentence or some, and what is said of them: not all is
    in each language."""
    said = sorted({" ".join(one.split()) for one in scenarios.english().values()}, reverse=True)
    return re.compile(rf"(?:(?:{'|'.join(map(re.escape, said))}) ?)+\Z")


@cache
def _told() -> re.Pattern[str]:
    """Match what callers hear in English, with what is filled in or without."""
    said = words.words_of(words.SOURCE)
    assert said is not None
    parts = [re.split(r"\{\w+\}", one) for one in said.prompts.values()]
    return re.compile("|".join(rf"(?:{'.+'.join(map(re.escape, one))})\Z" for one in parts))


def codes_in(said: Iterable[str]) -> set[str]:
    """Return the texts of a page in the long language that hold a code, of an enum or not.

    Each word of that language has an accent, so any other word in small letters is one.
    """
    left = {one for one in said if one not in _TYPED}
    return {one for one in left if any(map(_is_code, _WORD.findall(_without_data(one))))}


def _is_code(word: str) -> bool:
    return word in _codes() or (word not in _SAME and longer(word)[: len(word)] != word)


def dates_in(said: Iterable[str]) -> set[str]:
    """Return the texts that hold a day, a month, a week or an instant as programs write them.

    The log names its subjects by keys, such as `report:daily:2026-11-27`; it is searched by them.
    """
    return {one for one in said if _OF_PROGRAMS.search(_without_names(one)) and not _KEY.match(one)}
