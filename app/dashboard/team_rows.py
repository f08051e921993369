"""The people of a team as the page shows them: each is drawn again only when something of them has
changed, however often the page is.
"""

from collections.abc import Hashable
from dataclasses import replace
from functools import lru_cache

from markupsafe import Markup

from app.dashboard.team_views import PersonRow
from app.dashboard.templating import templates
from app.words import pages

# What counts on in the page by itself, as the row of a person has it.
_UP = 'data-up="{}"'
_BEGINS = _UP.format(0)


def draw(row: PersonRow) -> Markup:
    """Return one person, in the language of the reader."""
    before, count, after = _drawn(row, pages.of_reader())
    return Markup(before + (count and _UP.format(row.seconds)) + after)  # noqa: S704 (a template)


@lru_cache(maxsize=4096)
def _drawn(row: PersonRow, words: Hashable) -> tuple[str, str, str]:
    """Return a person in these words: what stands before the time that counts on, its beginning,
    and what stands after it."""
    template = templates.get_template("fragments/team/team_person.html")
    return template.render(p=replace(row, seconds=0)).partition(_BEGINS)
