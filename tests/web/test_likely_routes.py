"""A request is held against the routes that can be its own, and reaches no other than before."""

import re
from typing import Any
from uuid import uuid4

from starlette.routing import Match

from app.web.likely_routes import LikelyRoutes
from tests.support.program.quiet import QuietStage


def paths_of(quiet: QuietStage) -> set[tuple[str, str]]:
    """Return a path of each route, with a method that it has."""
    found = set()
    for route in quiet.app.router.routes:
        path = re.sub(r"\{[^}]*\}", "00000000-0000-0000-0000-000000000000", route.path)  # type: ignore[attr-defined]
        found |= {(method, path) for method in getattr(route, "methods", None) or ()}
    return found


def takes(candidates: Any, method: str, path: str) -> Any:
    """Return the route that takes a request, if one does."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return next((one for one in candidates if one.matches(scope)[0] is Match.FULL), None)


async def test_each_path_is_taken_by_the_route_that_would_have_it_among_all(
    quiet: QuietStage,
) -> None:
    every = quiet.app.router.routes
    likely_routes = quiet.app.router.middleware_stack
    assert isinstance(likely_routes, LikelyRoutes)
    asked = sorted(paths_of(quiet))
    assert len(asked) > 500
    for method, path in asked:
        likely = likely_routes.likely(path).routes
        found = takes(likely, method, path)
        assert found is not None
        assert found is takes(every, method, path), (method, path)
    few = len(every) / 20
    assert len(likely_routes.likely("/board/chats/now").routes) < few
    assert len(likely_routes.likely(f"/api/v1/contacts/{uuid4()}/answers").routes) < few


async def test_what_no_route_has_is_refused_as_before(quiet: QuietStage) -> None:
    """Another method, a slash too many, an address of nothing, and a file of the pages."""
    base = quiet.settings.public_url
    for method, path, status in (
        ("DELETE", "/api/v1/session/none", 404),
        ("PATCH", "/contacts", 405),
        ("GET", "/contacts/", 307),
        ("GET", "/api/v1/contacts/", 307),
        ("GET", "/nothing/of/that/kind", 404),
        ("GET", "/", 303),
        ("GET", "/static/no-such-file.js", 404),
    ):
        answer = await quiet.client.request(method, base + path)
        assert answer.status_code == status, (method, path, answer.text[:200])
