"""What people hear, a folder per language. Pure, and read once.

A line's own words and those that a helpline has changed for all its lines stand in the database
and come first; these are what is said without them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Times:
    """How instants and stretches of time are said; `days` from Monday on."""

    at: str
    tomorrow: str
    on_day: str
    on_date: str
    window: str
    window_tomorrow: str
    window_on_day: str
    days: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """The prompts of a language by their keys, and its times."""

    prompts: Mapping[str, str]
    times: Times


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages that are shipped."""
    return tuple(sorted(path.parent.name for path in _FOLDER.glob("*/prompts.yaml")))


@lru_cache(maxsize=64)
def words_of(language: str) -> Words | None:
    """The words of a language; None where none are shipped."""
    if language not in languages():
        return None
    # Our own files, so the quick reader that trusts them will do.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (_FOLDER / language / "prompts.yaml").read_text(encoding="utf-8")
    read = yaml.load(text, Loader=loader)  # noqa: S506
    times = {**read["times"], "days": tuple(read["times"]["days"])}
    return Words(dict(read["prompts"]), Times(**times))


def times_of(language: str) -> Times:
    """How a language says times; English where it has no words for them."""
    words = words_of(language) or words_of("en")
    assert words is not None
    return words.times


def prompt(language: str, key: str) -> str | None:
    """The shipped words of a key in a language."""
    words = words_of(language)
    return words.prompts.get(key) if words is not None else None
