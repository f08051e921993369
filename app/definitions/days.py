"""Days and times of day as people type them: in any digits, in the order of their language. Pure.

What is stored is ISO 8601.
"""

import re
import unicodedata
from datetime import date

from app.words import pages
from app.words.catalogues import locale_of

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PARTS = re.compile(r"([0-9]{1,4})([./-])[ ]?([0-9]{1,2})\2[ ]?([0-9]{1,4})\.?")
# Marks of direction that Arabic writes between the parts of a date.
_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u061c"))


def plain_digits(text: str) -> str:
    """Return a text with digits of any script as 0 to 9."""
    return "".join(
        str(unicodedata.digit(one)) if not one.isascii() and one.isdecimal() else one
        for one in text.translate(_MARKS)
    )


def read_day(text: str) -> str:
    """Return a date as ISO 8601: `2026-11-24`, `24. 11. 2026.`, `24.11.2026`, `24/11/2026`.

    With slashes or dashes, the order of day and month is that of the reader's language. Raises
    ValueError.
    """
    plain = plain_digits(text).strip()
    if _ISO.fullmatch(plain):
        return date.fromisoformat(plain).isoformat()
    found = _PARTS.fullmatch(plain)
    if found is None:
        raise ValueError
    first, between, second, third = found.groups()
    if len(first) == 4:
        year, month, day = first, second, third
    elif between != "." and _month_first():
        month, day, year = first, second, third
    else:
        day, month, year = first, second, third
    if len(year) != 4 or len(day) > 2:
        raise ValueError
    return date(int(year), int(month), int(day)).isoformat()


def _month_first() -> bool:
    form = str(locale_of(pages.reader()).date_formats["short"].pattern)
    return form.index("M") < form.index("d")
