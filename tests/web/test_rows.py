"""Rows of lists that are drawn again: a button acts on the row that the reader sees."""

import re
from pathlib import Path

import app.dashboard

FRAGMENTS = Path(app.dashboard.__file__).parent / "templates" / "fragments"
_LOOP = re.compile(r"{%-? for (?!code|id)[^%]*%}(.*?){%-? endfor", re.DOTALL)
_FIRST = re.compile(r"<(?:li|tr|div|section|article)\b[^>]*>?")
_ACTS = re.compile(r"<(?:button|form)\b(?![^>]*\bid=)[^>]*(?:data-post|data-json|hx-post)=")


def test_an_action_of_a_row_has_an_id_or_its_row_has_one() -> None:
    """Without an id, a refresh could turn the row under the pointer into another one."""
    acting = []
    for path in sorted(FRAGMENTS.rglob("*.html")):
        for loop in _LOOP.findall(path.read_text()):
            row = _FIRST.search(loop)
            if row and _ACTS.search(loop[row.start() :]):
                acting.append((path.name, row.group()))
    assert len(acting) > 3
    assert [(name, row) for name, row in acting if 'id="' not in row] == []
