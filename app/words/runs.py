"""Runs that are read from the left in every language: numbers, addresses, codes, days. Pure.

Among letters that are read from the right, a sign that belongs to no direction goes to the wrong
end: `+38111` is shown as `38111+`, `2026-11-28` as `28-11-2026` (Unicode, annex 9).
"""

import re

# LEFT-TO-RIGHT ISOLATE and POP DIRECTIONAL ISOLATE: they are not seen.
_BEGINS, _ENDS = "\u2066", "\u2069"
_APART = f"{_BEGINS}[^{_BEGINS}{_ENDS}]*{_ENDS}"
RUN = re.compile(
    r"""
    (?<![\w+])\+\d[\d\ …]*[\d…]         # a number of a phone
    | (?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+  # an address of mail
    | \b(?:[a-z]+://|sip:(?=\w))(?:[!-~]*[\w/])?  # an address of a page or a phone
    | \b\d\d:\d\d-\d\d:\d\d\b           # a span of a day
    | (?:\b[a-z_]+:)*\b\d{4}-\d\d(?:-\d\d)?(?:/\d{4}-\d\d(?:-\d\d)?)?\b  # days of programs
    | (?<!\w)[A-Z]-[0-9A-Z]{3}(?:-[0-9A-Z]{3})*\b                        # a code of a record
    """,
    re.VERBOSE | re.ASCII,
)
_FOUND = re.compile(f"({_APART})|{RUN.pattern}", RUN.flags)
_FROM_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


def has_right_to_left(text: str) -> bool:
    """Return whether a text has letters that are read from the right."""
    return _FROM_RIGHT.search(text) is not None


def apart(text: str) -> str:
    """Return a text with signs around each run, for where there can be no element."""
    return _FOUND.sub(lambda found: found[1] or f"{_BEGINS}{found[0]}{_ENDS}", text)
