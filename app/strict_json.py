"""JSON that all its readers understand alike: no name twice in an object, no NaN and no Infinity.

If a name is there twice, one reader takes the first value and another one the last: what
was checked would not be what is done (RFC 8259, section 4, and section 6 for the numbers).
"""

import json
from typing import Any

# Two names have four quotation marks, in every encoding of JSON.
_TWO_NAMES = 4


class Ambiguous(ValueError):
    """It can be read, but not by all readers alike."""


def read(text: bytes | str) -> Any:
    """Return the value. Raises Ambiguous, ValueError for what is no JSON, and RecursionError."""
    marks = text.count('"') if isinstance(text, str) else text.count(b'"')
    if marks < _TWO_NAMES:
        # Nothing to look at in each object: ten times as fast.
        return json.loads(text, parse_constant=_constant)
    return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Ambiguous("a name stands there twice")
    return made


def _constant(name: str) -> Any:
    raise Ambiguous(f"{name} is no number of JSON")
