"""What a page works out for its template is read there: a value that is not costs queries."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.program import sources

PAGES = Path("dashboard")
TEMPLATES = sources.FOLDER / PAGES / "templates"
_NAME = re.compile(r"[A-Za-z_]\w*")
_NAMED = re.compile(r"[\w/.-]+\.html")


def _read_by(template: str, seen: set[str]) -> set[str]:
    """Return every name in a template and in those that it names."""
    if template in seen or not (TEMPLATES / template).is_file():
        return set()
    seen.add(template)
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    found = set(_NAME.findall(text))
    for other in _NAMED.findall(text):
        found |= _read_by(other, seen)
    return found


def _pages(file: Path) -> Iterator[tuple[ast.Call, list[str]]]:
    """Yield each call of `page` and its templates; none where their names are put together."""
    for node in sources.nodes(file):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "page":
            parts = list(ast.walk(node.args[1]))
            words = {one.value for one in parts if isinstance(one, ast.Constant)}
            named = [one for one in words if isinstance(one, str) and one.endswith(".html")]
            yield node, [] if any(isinstance(one, ast.JoinedStr) for one in parts) else named


def test_every_value_that_is_given_to_a_template_is_read_there() -> None:
    asked, unread = 0, []
    for file in (one for one in sources.texts() if one.is_relative_to(PAGES)):
        for call, templates in _pages(file):
            read = set().union(*(_read_by(one, set()) for one in templates))
            names = {one.arg for one in call.keywords if one.arg is not None}
            asked += len(names) if templates else 0
            unread += [f"{file}:{call.lineno}: {name}" for name in names - read if templates]
    assert asked > 300
    assert unread == []


def test_no_page_gives_a_template_a_value_with_a_name_that_the_base_sets() -> None:
    """The base has the last word: the page's own value would never be shown."""
    base = (TEMPLATES / "base.html").read_text(encoding="utf-8")
    taken = set(re.findall(r"{% set (\w+) =", base))
    assert taken
    given: list[str] = []
    for file in (one for one in sources.texts() if one.is_relative_to(PAGES)):
        for node in sources.nodes(file):
            names: set[object] = set()
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "page":
                names = {one.arg for one in node.keywords}
            elif isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Dict):
                names = {one.value for one in node.value.keys if isinstance(one, ast.Constant)}
            if not isinstance(node, ast.Call | ast.AnnAssign | ast.Assign):
                continue
            given += [f"{file}:{node.lineno}: {name}" for name in sorted(taken & names)]
    assert given == []
