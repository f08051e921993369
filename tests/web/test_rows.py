"""Rows of lists that are drawn again: a button acts on the row that the reader sees."""

import re
from pathlib import Path

import pytest

import app.dashboard

FRAGMENTS = Path(app.dashboard.__file__).parent / "templates" / "fragments"
_LOOP = re.compile(r"{%-? for (?!code|id)[^%]*%}(.*?){%-? endfor", re.DOTALL)
_FIRST = re.compile(r"<(?:li|tr|div|section|article)\b[^>]*>?")
_ACTS = re.compile(r"<(?:button|form)\b(?![^>]*\bid=)[^>]*(?:data-post|data-json|hx-post)=")


@pytest.mark.parametrize("path", sorted(FRAGMENTS.rglob("*.html")), ids=lambda path: path.stem)
def test_an_action_of_a_row_has_an_id_or_its_row_has_one(path: Path) -> None:
    """Without an id, a refresh could turn the row under the pointer into another one."""
    for loop in _LOOP.findall(path.read_text()):
        row = _FIRST.search(loop)
        if row and _ACTS.search(loop[row.start() :]):
            assert 'id="' in row.group(), f"{path.name}: {row.group()}"
