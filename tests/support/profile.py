"""How much the dearest tests try: a part by default, everything where CI has the time.

`TESTS=whole` plays more hours and sequences of random events, lives every day, and tells the
stories that are `nightly`. The rules and the invariants are the same in both.
"""

import os
from collections.abc import Iterable
from typing import TypeVar

import pytest

WHOLE = os.environ.get("TESTS") == "whole"
# For a story whose proof another test has already: of the verb, of the rule, or of a like story.
nightly = pytest.mark.skipif(not WHOLE, reason="proven elsewhere, too: with TESTS=whole")


_Case = TypeVar("_Case")


def by_day(cases: Iterable[_Case], number: int = 1) -> list[_Case]:
    """Return the first cases of a table whose proof is the same; with `TESTS=whole` all of them."""
    every = list(cases)
    return every if WHOLE else every[:number]
