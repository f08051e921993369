"""The templates of the pages, for tests that look for something in all of them."""

from collections.abc import Iterator
from functools import cache

from jinja2 import nodes

from app.dashboard.templating import templates
from tests.support.program.sources import FOLDER

TEMPLATES = FOLDER / "dashboard/templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))


@cache
def parsed(name: str) -> nodes.Template:
    """Return a template as it is parsed: to parse all of them takes half a second."""
    return templates.env.parse((TEMPLATES / name).read_text())


def all_parsed() -> Iterator[tuple[str, nodes.Template]]:
    """Yield each template by its name."""
    yield from ((name, parsed(name)) for name in NAMES)
