"""No style makes the browser work out every element of a page again when one of them changes.

A browser keeps one list of what may look different once any `:has()` has another answer. A selector
that ends in anything at all behind a `:has()`, as in `.a:has(.b) > *`, puts every element on it.
And a `:not()` within any `:has()` lets the browser look through that list at each element or word
that comes or goes.
"""

import re
from pathlib import Path

import pytest

import app.dashboard

_SOURCE = Path(app.dashboard.__file__).parent / "static/source"
_BUILT = _SOURCE.parent / "built/board.css"
_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_SELECTORS = re.compile(r"([^{}@;]+)\{")
_NAMED = re.compile(r"(?<![\w-])[a-z][\w-]*|[.#][\w-]+|\[")


def _split(text: str, at: str) -> list[str]:
    """Split a selector where one of these stands outside of brackets."""
    parts, depth = [""], 0
    for one in text:
        depth += (one in "([") - (one in ")]")
        if one in at and not depth:
            parts.append("")
        else:
            parts[-1] += one
    return [part.strip() for part in parts if part.strip()]


def broad(selector: str) -> list[str]:
    """Return the parts of a selector that end in anything at all behind a `:has()`."""
    found = []
    for one in _split(selector, ","):
        *before, last = _split(one, " >+~")
        if inner := re.match(r".*?:is\((.*)\)$", last):
            found += broad(inner[1])
        elif any(":has(" in part for part in before):
            plain = re.sub(r":(?!is\()[\w-]+(\((?:[^()]|\([^()]*\))*\))?", "", last)
            if not _NAMED.search(plain):
                found.append(one)
    return found


@pytest.mark.parametrize(
    ("selector", "is_broad"),
    [
        (".a:has(.b) > *", True),
        (".a:has(.b) > :not(.c, #d)", True),
        (".row .a:not(:has(.b)) :nth-child(n + 3):not(:last-child)", True),
        ("[data-stale] :is(.a, #desk:has([data-record]) > * > :not(.writing))", True),
        (".a:has(.b) > span:nth-child(2), .a:has(> div)", False),
        (".a:has(.b) > :is(section, p):not(#queue)", False),
        (":root:has(.a), .a > *", False),
    ],
)
def test_a_selector_that_names_nothing_behind_a_has_is_broad(selector: str, is_broad: bool) -> None:
    assert bool(broad(selector)) == is_broad


def test_no_style_is_broad() -> None:
    files = sorted(_SOURCE.rglob("*.css"))
    selectors = [
        " ".join(one.split())
        for file in files
        for one in _SELECTORS.findall(_COMMENT.sub("", file.read_text()))
        if ":has(" in one
    ]
    assert len(selectors) > 20
    assert [broad(one) for one in selectors if broad(one)] == []


def test_no_answer_hangs_on_what_is_not_there() -> None:
    """In the sheet that is sent, with what other packages bring into it."""
    within = re.findall(r":has\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)", _BUILT.read_text())
    assert len(within) > 20
    assert [one for one in within if ":not(" in one] == []
