"""What people hear, a folder per language. Pure, and read once.

A prompt that a helpline has changed, for one line or for all its lines, is kept in the database
and comes first; the prompts here are the default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Times:
    """How a language says instants and windows of time.

    `days` starts on Monday, `months` in January; both are written as they stand in a sentence.
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
    """The prompts of a language by key, and how it says times."""

    prompts: Mapping[str, str]
    times: Times


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """Return the languages that are shipped."""
    return tuple(sorted(path.parent.name for path in _FOLDER.glob("*/prompts.yaml")))


@lru_cache(maxsize=64)
def words_of(language: str) -> Words | None:
    """Return the words of a language, or None if none are shipped."""
    if language not in languages():
        return None
    # Our own files can be trusted, so the quick loader will do.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (_FOLDER / language / "prompts.yaml").read_text(encoding="utf-8")
    read = yaml.load(text, Loader=loader)  # noqa: S506
    lists = {name: tuple(read["times"][name]) for name in ("days", "months")}
    times = {**read["times"], **lists}
    return Words(dict(read["prompts"]), Times(**times))


def times_of(language: str) -> Times:
    """Return how a language says times, or how English does if the language is not shipped."""
    words = words_of(language) or words_of("en")
    assert words is not None
    return words.times


def prompt(language: str, key: str) -> str | None:
    """Return the shipped text of a prompt in a language, or None."""
    words = words_of(language)
    return words.prompts.get(key) if words is not None else None
