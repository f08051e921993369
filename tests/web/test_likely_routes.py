"""A request goes straight to the routes that can be its own, and to no other than before."""

import re
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import Match

from app.demo.stage import Stage
from app.web import routes
from app.web.likely_routes import LikelyRoutes


def paths_of(stage: Stage) -> set[tuple[str, str]]:
    """Return a path of each route, with a method that it has."""
    found = set()
    for route in iter_route_contexts(stage.app.router.routes):
        path = re.sub(r"\{[^}]*\}", "00000000-0000-0000-0000-000000000000", route.path or "")
        found |= {(method, path) for method in route.methods or ()}
    return found


def takes(candidates: Any, method: str, path: str) -> Any:
    """Return the part that takes a request, if one does."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    for route in candidates:
        if routes.beginnings_of(route) is not None and route.matches(scope)[0] is Match.FULL:
            return route
    return None


async def test_each_path_is_taken_by_the_part_that_would_have_it_among_all(stage: Stage) -> None:
    every = stage.app.router.routes
    likely_routes = stage.app.router.middleware_stack
    assert isinstance(likely_routes, LikelyRoutes)
    asked = sorted(paths_of(stage))
    assert len(asked) > 500
    for method, path in asked:
        likely = likely_routes.likely(path)
        assert takes(likely, method, path) is takes(every, method, path), (method, path)
    assert len(likely_routes.likely("/board/chats/now")) < len(every) / 4
