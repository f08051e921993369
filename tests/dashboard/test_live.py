"""The parts that a live stream brings are those of the pages, with the same permissions."""

import asyncio
import re
from collections.abc import Hashable
from dataclasses import dataclass, replace

import pytest
from fastapi.routing import APIRoute

from app.dashboard import desk, inbox, live, rail, talks, team
from app.dashboard.live import PARTS
from app.dashboard.rota import page as rota_page
from app.database.bus import Bus
from app.database.topics import Topic
from app.staff.models import Staff
from app.staff.roles import may
from app.web.parts import Part, Parts, View
from app.work import Work
from tests.support.profile import WHOLE
from tests.support.routes import TEMPLATES, guards_of
from tests.support.verbs import a_counsellor, a_supervisor

_ROUTES = {
    route.path: route
    for module in (desk, inbox, rail, rota_page, talks, team)
    for router in (module.router, desk.shared_router)
    for route in router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ())
}


@dataclass(eq=False)
class Page:
    """An open page, which shows whatever it is sent."""

    def hand(self, address: str, said: bytes) -> None:
        pass


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.address)
def test_a_part_needs_the_permission_of_its_address(part: Part) -> None:
    """The stream must not bring what a request would refuse."""
    assert {guard.permission for guard in guards_of(_ROUTES[part.address].dependant)} == {
        part.permission
    }
    named = {topic.removesuffix(":me") for topic in part.topics | part.soon}
    assert named <= set(Topic)


# About their reader; all others are made once for many.
OWN = {"/board/frame", "/board/counts/own", "/board/alerts"}


async def opened(part: Part, crowd: list[Staff], work: Work) -> tuple[int, int]:
    """Return how often a part is made for pages of these people that show it, and how many such
    pages there are."""
    made = 0

    async def make(work: Work, scope: Hashable) -> object:
        nonlocal made
        made += 1
        return ""

    async def view(work: Work, found: object, staff: Staff) -> Hashable:
        return None

    views = View(view, lambda found, view: "") if part.views is not None else None
    parts = Parts(work.ground, Bus(""))
    parts.offer(replace(part, make=make, views=views))
    copies = [parts.open(one, parts.readable(one, [part.address]), Page()) for one in crowd]
    for copy in {copy for found in copies for copy in found}:
        while copy.making is not None or copy.timer is not None:
            await asyncio.sleep(0.005)
    return made, sum(map(len, copies))


@pytest.mark.parametrize("part", PARTS if WHOLE else PARTS[::3], ids=lambda part: part.address)
async def test_what_many_see_is_made_once_for_all_of_them(work: Work, part: Part) -> None:
    """However many pages are open: once for a team, a role in it and a language at most."""
    crowd = [await a_counsellor(work, f"counsellor {n}") for n in range(4)]
    crowd += [await a_supervisor(work, f"supervisor {n}") for n in range(4)]
    made, pages = await opened(part, crowd, work)
    assert pages >= 4
    if part.address in OWN:
        assert made == pages
    else:
        roles = len({one.role for one in crowd if may(one.role, part.permission)})
        assert made == (roles if part.scope is rail.seat_of else 1)


def test_a_page_leaves_to_the_stream_what_the_stream_brings() -> None:
    pushed = re.findall(r'hx-get="([^"]+)"[^>]*?data-pushed', TEMPLATES)
    assert set(pushed) == {part.address for part in PARTS}
    assert live.router.routes
