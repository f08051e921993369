"""The page of all components shows each of them, in each state, and nothing on it acts."""

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from jinja2 import nodes

from app.calls.platform import InTalk
from app.dashboard.developers import samples
from app.dashboard.developers.components import components_page, still
from app.dashboard.records.form_views import spelling
from app.dashboard.templating import templates
from app.errors import NotFound

FOLDER = Path("app/dashboard/templates/components")
PAGE = Path("app/dashboard/templates/developers/components.html")
# Of the frame, which is around the page itself; of an entry of a form, which holds questions; of a
# refusal, which is a notice that the script lifts over the page; and parts of another component.
ELSEWHERE = {"rail_link", "entry", "refusal", "links", "options", "danger_words"}


def drawn() -> str:
    """Return the page without the frame around it."""
    source = PAGE.read_text().replace('{% extends "base.html" %}', "")
    return templates.env.from_string(source).render(
        shown=samples,
        spelling=spelling(),
        language="en",
        recent=[],
        writable=False,
        can=InTalk(hold=True),
    )


def test_every_component_is_on_the_page() -> None:
    made = {
        macro.name
        for file in sorted(FOLDER.glob("*.html"))
        for macro in templates.env.parse(file.read_text()).find_all(nodes.Macro)
    }
    read = templates.env.parse(PAGE.read_text())
    shown = {
        call.node.name for call in read.find_all(nodes.Call) if isinstance(call.node, nodes.Name)
    }
    assert len(made) > 20
    assert made - shown == ELSEWHERE


def test_each_state_has_its_words_and_no_part_acts() -> None:
    html = drawn()
    for words in (
        "A caller in danger",
        "A caller who was cut off",
        "Connecting…",
        "Talking",
        "Putting on hold…",
        "On hold",
        "Resuming…",
        "Coming back…",
        "Unmute",
        "Ready again",
        "A child in danger writes",
        "You are away: missed two calls",
        "Ana needs a supervisor now",
        "Write a whole number.",
        "is being offered",
        "Loading…",
        "Nothing needs you now.",
    ):
        assert words in html, words
    assert not re.search(r"\s(hx-|data-(ringing|post|help|alert|key|undo))", html)
    ids = Counter(re.findall(r'\bid="([^"]+)"', html))
    assert [name for name, times in ids.items() if times > 1] == []


def test_a_still_part_does_nothing_and_keeps_its_names_together() -> None:
    part = (
        '<b id="x" aria-labelledby="x y" hx-post="/a" data-key="a" data-state="on" data-up="3"></b>'
    )
    assert still(part, 7) == (
        '<b id="x-shown-7" aria-labelledby="x-shown-7 y-shown-7" data-state="on" data-up="3"></b>'
    )


async def test_in_production_there_is_no_such_page() -> None:
    work = SimpleNamespace(settings=SimpleNamespace(in_production=True))
    nothing = cast(Any, None)
    with pytest.raises(NotFound):
        await components_page(nothing, cast(Any, work), nothing)
