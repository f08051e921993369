"""Opening hours as a reader types them, in the text that is stored.

`app/calls/hours.py` reads OpenStreetMap's form (`Mo-Fr 08:00-16:00; PH off`). A reader may write
days, holidays and times as their language does: "pon–pet 8.00–16.00; praznici zatvoreno".
"""

import re
from functools import lru_cache

from app.words.catalogues import locale_of
from app.words.pages import reader, said

_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_STORED = frozenset({*_DAYS, "PH", "SH", "off", "closed", "open"})
_WORD = re.compile(r"[^\W\d_]+\.?")
_CLOCK = re.compile(r"\b(\d{1,2})[.:](\d\d)\b")
# Hours alone, on both sides: 8-16.
_HOURS = re.compile(r"(?<![\d:./-])(\d{1,2})\s*-\s*(\d{1,2})(?![\d:./-])")


def stored_hours(text: str) -> str:
    """Return what a reader typed with days, holidays and times in the stored form.

    What is not understood stays as it is, so that its check names it.
    """
    found = text.replace("–", "-").replace("—", "-")
    # The signs of a list in Arabic, as a page writes them.
    found = found.replace("، ", ",").replace("،", ",").replace("؛", ";")
    for phrase, stored in _phrases():
        found = re.sub(re.escape(phrase), stored, found, flags=re.IGNORECASE)
    found = _WORD.sub(lambda word: _day(word[0]), found)
    found = _CLOCK.sub(lambda clock: f"{int(clock[1]):02d}:{clock[2]}", found)
    return _HOURS.sub(lambda both: f"{int(both[1]):02d}:00-{int(both[2]):02d}:00", found)


def _day(word: str) -> str:
    if word in _STORED:
        return word
    return _names(reader()).get(word.rstrip(".").casefold(), word)


@lru_cache(maxsize=64)
def _names(language: str) -> dict[str, str]:
    """Return the stored day by each of its names in a language; a name of two days is none."""
    days = locale_of(language).days
    found: dict[str, set[str]] = {}
    for kind in ("format", "stand-alone"):
        for width in ("wide", "abbreviated", "short"):
            for number, name in days[kind].get(width, {}).items():
                found.setdefault(name.rstrip(".").casefold(), set()).add(_DAYS[number])
    return {name: one for name, (one, *others) in found.items() if not others}


def _phrases() -> list[tuple[str, str]]:
    """Return what the reader's pages say for holidays, closed and always; the longest first."""
    words = {
        said("public holidays"): "PH",
        said("closed all day"): "off",
        said("open round the clock"): "24/7",
    }
    return sorted(words.items(), key=lambda one: -len(one[0]))
