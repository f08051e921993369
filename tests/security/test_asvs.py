"""The table of the ASVS: every requirement once, and each test that it names exists."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "security" / "asvs.md"
# Requirements of version 5.0.0, by level.
_OF_LEVEL = {"1": 70, "2": 183, "3": 92}
_ROW = re.compile(
    r"^\| (\d+)\.(\d+)\.(\d+) \| ([123]) \| ([^|]+) \| ([^|]+) \| ([^|]*) \| ([^|]*)\|$",
    re.MULTILINE,
)
_TEST = re.compile(r"`(test_\w+)`")
_LINK = re.compile(r"\]\([^)]+\)")


def _rows() -> list[tuple[str, ...]]:
    return _ROW.findall(PAGE.read_text())


def test_every_requirement_stands_in_the_table_once() -> None:
    rows = _rows()
    numbers = [tuple(int(part) for part in row[:3]) for row in rows]
    assert numbers == sorted(set(numbers))
    # No row has a form that the pattern does not know.
    assert len(rows) == len(re.findall(r"^\| \d", PAGE.read_text(), re.MULTILINE))
    levels = Counter(row[3] for row in rows)
    assert {level: levels[level] for level in _OF_LEVEL} == _OF_LEVEL
    # Chapters and sections are numbered without a gap.
    assert {number[0] for number in numbers} == set(range(1, 18))


def _defined() -> set[str]:
    """The tests that there are."""
    found = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        found.update(re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE))
    return found


def test_each_document_names_tests_that_exist() -> None:
    defined = _defined()
    for path in sorted((ROOT / "docs" / "security").glob("*.md")):
        gone = set(_TEST.findall(path.read_text())) - defined
        assert gone == set(), path.name


def test_a_row_says_how_and_names_tests_that_exist() -> None:
    defined = _defined()
    last = ""
    for *number, _level, _asked, state, how, proof in _rows():
        name = ".".join(number)
        tests = _TEST.findall(proof)
        # "The same" refers to the row above.
        linked = _LINK.search(how) or ("The same" in how and last in ("written", "operator"))
        assert state in ("met", "written", "operator", "not met", "no"), name
        assert bool(tests) == (state == "met"), f"{name}: only what is met has a proof"
        assert how.strip(), name
        if state in ("written", "operator"):
            assert linked or name in ("13.3.4",), f"{name}: the page that says it"
        assert set(tests) <= defined, f"{name}: {set(tests) - defined}"
        last = state
