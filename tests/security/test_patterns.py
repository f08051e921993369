"""No text of a stranger makes a regular expression run for ever, or for the square of it."""

import contextlib
import gc
import json
from pathlib import Path

import pytest

from tests.support.commands import elsewhere
from tests.support.profile import WHOLE, nightly
from tests.support.program import sources
from tests.support.program.patterns import MADE, Found, collected, slow_with, try_all

pytestmark = pytest.mark.whole

# A second or more each, and slow in the way of the one that is tried every time.
_SLOWLY_FOUND = (
    [
        (r"\S+@\S+\.\w+|\w+_\w+", "sub"),
        (r"(?:(Mo[A-Za-z, -]*?)\s+)?(\d[\d:]*|off)", "fullmatch"),
        (r"\d\s*h?\s*-", "fullmatch"),
    ]
    if WHOLE
    else []
)


@nightly
def test_no_pattern_runs_for_ever(tmp_path: Path) -> None:
    """By day each is tried in the process of the tests, which has read the sources already."""
    tried = tmp_path / "tried"
    # The process is killed at its bound, and then says nothing.
    with contextlib.suppress(EOFError):
        elsewhere(try_all, tried)
    lines = [json.loads(line) for line in tried.read_text().splitlines()]
    assert [one for one in lines if "slow" in one] == []
    # It ended by itself, and not at its bound while it tried the last one that it names.
    assert "all" in lines[-1], lines[-1]
    assert lines[-1]["all"] > 100


@pytest.mark.timeout(120)
def test_no_pattern_takes_the_square() -> None:
    """By night in a process of its own, which is killed at its bound."""
    found, _ = collected()
    assert len(found) > 100
    # What is cleaned up meanwhile would be counted.
    looks = gc.isenabled()
    gc.disable()
    try:
        slow = {one.place: with_ for one in found if (with_ := slow_with(one))}
    finally:
        if looks:
            gc.enable()
    assert slow == {}


def test_every_pattern_that_is_made_as_the_program_runs_is_tried_too() -> None:
    found, made = collected()
    assert made == MADE
    assert {one.place.partition(":")[0] for one in found} >= MADE


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (rb"<Relationship\b[^>]*>", "findall"),
        *_SLOWLY_FOUND,
    ],
)
def test_a_pattern_that_takes_the_square_is_found(pattern: str | bytes, method: str) -> None:
    one = Found("here", pattern, 0, (method,))
    # A busy machine lets a short text look slow, too: then nothing is said of it.
    assert any(slow_with(one) is not None for _ in range(20))


def test_the_patterns_of_the_forms_are_run_by_an_engine_that_is_linear() -> None:
    # Pydantic has another one, which is not its own and which it uses only if it is told to.
    assert list(sources.having("regex_engine")) == []
