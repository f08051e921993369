"""Numbers and addresses in a translation that its English does not have. Pure.

A person who imports a translation could send children to a phone or a page of their own. The
numbers that a text is to say are filled in where it is spoken.
"""

import re
import unicodedata
from collections.abc import Iterable

_FILLED_IN = re.compile(r"\{[^{}]*\}|%\(\w+\)[sd]|</?[a-z][^<>]*>")
# Three digits or more with no letter between them: the shortest numbers that can be called.
_NUMBER = re.compile(r"\d(?:[\W_]{0,9}\d){2,}")
# What stands in a word, between spaces, that is an address.
_ADDRESS = re.compile(r"://|@\w|\w\.[^\W\d_]{2}")
_AROUND = "\"'.,;:!?()[]„“”‚‘’«»…"


def leads_elsewhere(text: str, known: Iterable[str]) -> str | None:
    """Return the first number or address of a text that is in none of those known, or None."""
    allowed = set[str]().union(*(_found(one) for one in known))
    return next((one for one in _found(text) if one not in allowed), None)


def _found(text: str) -> dict[str, None]:
    plain = unicodedata.normalize("NFKC", text)
    plain = "".join(one for one in plain if unicodedata.category(one) != "Cf").lower()
    plain = _FILLED_IN.sub("x", plain)
    numbers = (
        "".join(str(unicodedata.digit(one)) for one in found if one.isdecimal())
        for found in _NUMBER.findall(plain)
    )
    addresses = (one.strip(_AROUND) for one in plain.split() if _ADDRESS.search(one))
    return dict.fromkeys([*numbers, *addresses])
