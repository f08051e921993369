"""How much the dearest tests try: a part by default, everything where CI has the time.

`TESTS=whole` plays more hours and sequences of random events, lives every day, and tells the
stories that are `nightly`. The rules and the invariants are the same in both.
"""

import os
from collections.abc import Iterable
from itertools import product
from typing import Any, TypeVar

import pytest

WHOLE = os.environ.get("TESTS") == "whole"
# For a story whose proof another test has already: of the verb, of the rule, or of a like story.
nightly = pytest.mark.skipif(not WHOLE, reason="proven elsewhere, too: with TESTS=whole")


_Case = TypeVar("_Case")


def by_day(cases: Iterable[_Case], number: int = 1) -> list[_Case]:
    """Return the first cases of a table whose proof is the same; with `TESTS=whole` all of them."""
    every = list(cases)
    return every if WHOLE else every[:number]


def each_once(firsts: Iterable[Any], seconds: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return pairs of two tables: by day each value in one of them, with `TESTS=whole` all pairs.

    For two ways of asking one question, of which either one is wrong if the answer is.
    """
    ones, others = list(firsts), list(seconds)
    if WHOLE:
        return list(product(ones, others))
    number = max(len(ones), len(others))
    return [(ones[at % len(ones)], others[at % len(others)]) for at in range(number)]
