"""The parts that a live stream brings are those of the pages, with the same permissions."""

import re
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from app.dashboard import board, inbox, live, rail, talks, team
from app.dashboard.live import PARTS
from app.dashboard.rota import page as rota_page
from app.database.topics import Topic
from app.web.access import Guard
from app.web.parts import Part
from tests.support.routes import TEMPLATES

_ROUTES = {
    route.path: route
    for module in (board, inbox, rail, rota_page, talks, team)
    for router in (module.router, board.shared_router)
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ())
}


def _guards(dependant: Dependant) -> Iterator[Guard]:
    for one in dependant.dependencies:
        if isinstance(one.call, Guard):
            yield one.call
        yield from _guards(one)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.address)
def test_a_part_needs_the_permission_of_its_address(part: Part) -> None:
    """The stream must not bring what a request would refuse."""
    assert {guard.permission for guard in _guards(_ROUTES[part.address].dependant)} == {
        part.permission
    }
    named = {topic.removesuffix(":me") for topic in part.topics | part.soon}
    assert named <= set(Topic)


def test_a_page_leaves_to_the_stream_what_the_stream_brings() -> None:
    pushed = re.findall(r'hx-get="([^"]+)"[^>]*?data-pushed', TEMPLATES)
    assert set(pushed) == {part.address for part in PARTS}
    assert live.router.routes
