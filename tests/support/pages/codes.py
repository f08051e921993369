"""Stored codes that a page shows as they are, where a reader of another language needs words."""

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache

_WORD = re.compile(r"(?<![\w@./:-])[a-z]+(?:[_.][a-z]+)*(?![\w@/:-])")
# Files and measures are called the same in every language, and so are these rows of the tests.
_SAME = {"csv", "json", "xlsx", "parquet", "pdf", "min", "sms"}


@cache
def codes() -> frozenset[str]:
    """Return every code of an enum of the program that runs."""
    pending: list[type[StrEnum]] = [StrEnum]
    members: set[str] = set()
    while pending:
        enum = pending.pop()
        pending += enum.__subclasses__()
        if enum.__module__.startswith("app."):
            members |= {str(member) for member in enum}
    return frozenset(members - _SAME)


def codes_in(said: Iterable[str]) -> set[str]:
    """Return the texts of a page in the long language that hold a code; each word has an accent."""
    return {one for one in said if codes() & set(_WORD.findall(one))}
