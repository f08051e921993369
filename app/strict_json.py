"""JSON that all its readers understand alike: no name twice in an object, no NaN and no Infinity.

Of a name that stands there twice, one reader takes the first value and another one the last: what
was checked would not be what is done (RFC 8259, section 4, and section 6 for the numbers).
"""

import json
from typing import Any


class Ambiguous(ValueError):
    """It can be read, but not by all readers alike."""


def read(text: bytes | str) -> Any:
    """Return the value. Raises Ambiguous, ValueError for what is no JSON, and RecursionError."""
    return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Ambiguous("a name stands there twice")
    return made


def _constant(name: str) -> Any:
    raise Ambiguous(f"{name} is no number of JSON")
