"""What people hear and read, a folder per language. Pure, and read once.

English is the measure: a language has every key of English, with the same `{placeholders}`, or
it is refused when the program starts, with the name of the file and of the key.

A prompt that a helpline has changed, for one line or for all its lines, is kept in the database
and comes first; the prompts here are the default.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from app.errors import BadSettings

FOLDER = Path(__file__).parent
# The language in which a text is written first, and which is spoken where no other is known.
SOURCE = "en"
# Marks the messages of the catalogues that the scripts of the pages say.
SCRIPTS_FLAG = "scripts"
_FILES = ("language.yaml", "prompts.yaml", "letters.yaml")
# Lists of these hold any number of words; every other list is as long as in English.
_ANY_NUMBER = "duty_words"


class BadWords(BadSettings):
    """A language is not complete; the text names the file and the key."""


@dataclass(frozen=True)
class About:
    """How a language names itself, and how it is written and spoken.

    `locale` is Unicode's, for dates and numbers; `voice` is the provider's locale and the name
    of a voice, or None for the provider's own. `trouble` is said when even the database is away.
    """

    code: str
    name: str
    locale: str
    right_to_left: bool
    voice: tuple[str, str | None]
    trouble: str


@dataclass(frozen=True)
class Times:
    """How a language says instants and windows of time.

    `days` starts on Monday, `months` in January; both are written as in a sentence.
    """

    at: str
    tomorrow: str
    midnight: str
    on_day: str
    date: str
    window: str
    window_tomorrow: str
    window_on_day: str
    days: tuple[str, ...]
    months: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """All words of a language: prompts by key, times, and letters by section and key."""

    about: About
    prompts: Mapping[str, str]
    times: Times
    letters: Mapping[str, Mapping[str, Any]]


# -- reading -----------------------------------------------------------------------------


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages that have a folder."""
    folders = (path for path in FOLDER.iterdir() if path.is_dir() and path.name[0].isalpha())
    return tuple(sorted(path.name for path in folders))


def _read(language: str, file: str) -> dict[str, Any]:
    path = FOLDER / language / file
    if not path.exists():
        raise BadWords(f"app/words/{language}/{file} is missing. Copy it from app/words/{SOURCE}.")
    # Our own files can be trusted, so the quick loader will do.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        read: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=loader)  # noqa: S506
    except yaml.YAMLError as error:
        where = str(error).replace("\n", " ")
        raise BadWords(f"app/words/{language}/{file} cannot be read: {where}") from None
    return read


@lru_cache(maxsize=64)
def words_of(language: str) -> Words | None:
    """Return the words of a language, or None if it has no folder. Raises BadWords."""
    if language not in languages():
        return None
    read = {file: _read(language, file) for file in _FILES}
    if language != SOURCE:
        problem = next(problems(language, read), None)
        if problem is not None:
            raise BadWords(problem)
    about_, prompts, letters = (read[file] for file in _FILES)
    voice = about_["voice"]
    lists = {name: tuple(prompts["times"][name]) for name in ("days", "months")}
    return Words(
        About(
            language,
            about_["name"],
            about_["locale"],
            about_["right_to_left"],
            (voice["locale"], voice["name"] or None),
            about_["trouble"],
        ),
        prompts["prompts"],
        Times(**{**prompts["times"], **lists}),
        letters,
    )


def problems(language: str, read: Mapping[str, Any] | None = None) -> Iterator[str]:
    """Yield what a language lacks or has too much, compared with English."""
    read = read or {file: _read(language, file) for file in _FILES}
    for file in _FILES:
        path = f"app/words/{language}/{file}"
        yield from _differences(path, "", _read(SOURCE, file), read[file])


def _differences(path: str, key: str, source: Any, text: Any) -> Iterator[str]:
    if type(source) is not type(text):
        yield f"{path}: {key or 'the file'} must be of the kind that it is in English."
    elif isinstance(source, dict):
        for name in source:
            inner = f"{key}.{name}".lstrip(".")
            if name not in text:
                yield f"{path}: {inner} is missing. It is in app/words/{SOURCE}."
            else:
                yield from _differences(path, inner, source[name], text[name])
        for name in text:
            if name not in source:
                yield f"{path}: {f'{key}.{name}'.lstrip('.')} is not in English. Remove it."
    elif isinstance(source, list):
        if not text or (len(text) != len(source) and not key.startswith(_ANY_NUMBER)):
            yield f"{path}: {key} needs {len(source)} entries."
    elif isinstance(source, str):
        if source and not text.strip():
            yield f"{path}: {key} is empty."
        elif placeholders(source) != placeholders(text):
            names = ", ".join("{" + one + "}" for one in sorted(placeholders(source)))
            yield f"{path}: {key} must hold exactly these placeholders: {names or 'none'}."


def placeholders(text: str) -> set[str]:
    """Return the names that are filled in where a text is spoken."""
    try:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError:
        return {"braces that do not match"}


def check() -> None:
    """Read every language. Raises BadWords if one of them is not complete."""
    for language in languages():
        words_of(language)


def forget() -> None:
    """Read every language again, as when a folder was added."""
    languages.cache_clear()
    words_of.cache_clear()


# -- asking ------------------------------------------------------------------------------


def known(language: str | None) -> str:
    """Return the language if it has words, else English."""
    return language if language in languages() else SOURCE


def first_known(wanted: Iterable[str]) -> str:
    """Return the first of these languages that has words, else English."""
    return next((one for one in wanted if one in languages()), SOURCE)


def _all(language: str | None) -> Words:
    found = words_of(known(language))
    assert found is not None
    return found


def about(language: str) -> About:
    """Return how a language is written and spoken, or how English is if it has no words."""
    return _all(language).about


def times_of(language: str) -> Times:
    """Return how a language says times, or how English does if it has no words."""
    return _all(language).times


def prompt(language: str, key: str) -> str | None:
    """Return the text of a prompt in a language, or None if the language has no words."""
    words = words_of(language)
    return words.prompts.get(key) if words is not None else None


def letters(language: str, section: str) -> Mapping[str, Any]:
    """Return a section of the letters, in English if the language has no words."""
    found: Mapping[str, Any] = _all(language).letters[section]
    return found


def letter(language: str, section: str, key: str, **values: object) -> str:
    """Return a text of the letters with its placeholders filled in."""
    return str(letters(language, section)[key]).format(**values)


def code_words(language: str, section: str, code: str) -> str:
    """Return a stored code in words, or the code itself if the section does not name it."""
    return str(letters(language, section).get(code) or code.replace("_", " "))


def yes_no(language: str) -> dict[str, str]:
    """Return the answers to a yes-or-no question, by their codes."""
    answers = letters(language, "answer")
    return {code: str(answers[code]) for code in ("yes", "no", "unknown")}


def direction(language: str) -> str:
    """Return the direction in which a language is written, as HTML and Typst name it."""
    return "rtl" if about(language).right_to_left else "ltr"


def trouble() -> list[About]:
    """Return every language, English first, for when nothing says which one to speak."""
    return sorted((about(one) for one in languages()), key=lambda a: (a.code != SOURCE, a.code))
