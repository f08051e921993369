"""The table of the ASVS: every requirement once, and each test that it names exists."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "security" / "asvs.md"
# Requirements of version 5.0.0, by level.
_OF_LEVEL = {"1": 70, "2": 183, "3": 92}
_ROW = re.compile(
    r"^\| (\d+)\.(\d+)\.(\d+) \| ([123]) \| (yes |no |)\| ([^|]+) \| ([^|]+) \| ([^|]*) "
    r"\| ([^|]*)\|$",
    re.MULTILINE,
)
_TEST = re.compile(r"`(test_\w+)`")
_LINK = re.compile(r"\]\(([^)#]+)(?:#([^)]+))?\)(?:, point (\d+))?")
_WORDS = re.compile(r"`([^`]+)`")


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
    for *number, _level, _child, _asked, state, how, proof in _rows():
        name = ".".join(number)
        tests = _TEST.findall(proof)
        # "The same" refers to the row above.
        linked = _LINK.search(how) or ("The same" in how and last in ("written", "operator"))
        assert state in ("met", "written", "operator", "not met", "no"), name
        if state != "operator":
            assert bool(tests) == (state == "met"), f"{name}: only what is met has a proof"
        assert how.strip(), name
        if state in ("written", "operator"):
            assert linked, f"{name}: the page that says it"
        assert set(tests) <= defined, f"{name}: {set(tests) - defined}"
        last = state


def _section(text: str, anchor: str) -> str:
    """Return the part of a page under the heading with this anchor."""
    found = ""
    depth, in_code = 0, False
    for line in text.splitlines():
        in_code ^= line.lstrip().startswith("```")
        heading = None if in_code else re.match(r"(#+) (.*)", line)
        if heading and depth and len(heading[1]) <= depth:
            break
        if heading and not depth:
            made = re.sub(r"[^\w -]", "", heading[2].lower()).replace(" ", "-")
            depth = len(heading[1]) if made == anchor else 0
        found += f"{line}\n" if depth else ""
    return found


def _named(how: str) -> str:
    """Return what stands where a row leads: of a page, its section or its point."""
    found = ""
    for page, anchor, point in _LINK.findall(how):
        text = (PAGE.parent / page).read_text()
        if anchor:
            text = _section(text, anchor)
            assert text, f"no section {anchor}"
        if point:
            text = re.split(rf"^{point}\. ", text, flags=re.MULTILINE)[1]
            text = re.split(r"^(?:\d+\. |## )", text, flags=re.MULTILINE)[0]
        found += text
    return " ".join(found.split())


def test_what_an_operator_has_to_do_stands_in_the_page_that_is_named() -> None:
    checked = 0
    for *number, _level, _child, _asked, state, how, proof in _rows():
        if state != "operator":
            continue
        wanted = [words for words in _WORDS.findall(proof) if not words.startswith("test_")]
        assert wanted, f"{number}: the words of the page"
        there = _named(how)
        for words in wanted:
            assert words in there, f"{number}: {words}"
            checked += 1
    assert checked > 20


def test_what_touches_a_childs_record_is_not_left_out() -> None:
    for *number, level, child, _asked, state, _how, _proof in _rows():
        name = ".".join(number)
        assert bool(child) == (level == "3"), f"{name}: levels 1 and 2 hold for everything"
        if state == "not met":
            assert level == "3", f"{name}: levels 1 and 2 are met"
            assert child.strip() != "yes", f"{name}: it touches a child's record"
        if state == "no":
            assert child.strip() != "yes", f"{name}: it applies to nothing here"


# Requirements of level 2, and a choice of the operator, with a part for level 3 alone: whether it
# touches a child's record, and its state. None may join those that are not met unseen.
_WITH_A_PART_OF_LEVEL_3 = {
    "3.4.3": ("yes", "met"),
    "6.3.3": ("yes", "operator"),
    "6.6.1": ("yes", "operator"),
    "12.1.2": ("yes", "operator"),
    "13.3.1": ("yes", "operator"),
    "13.3.3": ("yes", "operator"),
    "16.3.2": ("yes", "met"),
}
_PART = re.compile(r"Of level 3 \([^()]+; child: (yes|no)\): (met|not met|operator)\. (.*)")


def test_a_part_that_only_level_3_asks_for_is_said_in_its_row() -> None:
    found = {}
    for *number, _level, _child, _asked, _state, how, _proof in _rows():
        if "Of level 3" in how:
            part = _PART.search(how)
            assert part, f"{number}: whether it touches a record, and its state"
            found[".".join(number)] = part
    states = {name: (part[1], part[2]) for name, part in found.items()}
    assert states == _WITH_A_PART_OF_LEVEL_3
    assert ("yes", "not met") not in states.values()
