"""What is wrong with JSON by a schema."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest


def wrong_by(schema: Any, found: Any) -> Iterator[Any]:
    """Yield each error of what was found."""
    # Loaded where it is needed: each process of the tests loads this file. Its grammar of addresses
    # takes most of a second, and no `format` of a schema is tried here.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "rfc3987_syntax", None)
        from jsonschema import Draft202012Validator
    return Draft202012Validator(schema).iter_errors(found)  # type: ignore[no-any-return]
