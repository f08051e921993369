"""Routers that are asked only for paths that can be theirs.

There are hundreds of routes. Each is a regular expression, and a request is held against one after
the other, which takes longer than many a page.
"""

from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Scope


class _Part(APIRouter):
    """The routes of one router, with what their paths begin with: all before the first `{`."""

    _beginnings: tuple[str, ...] | None = None

    @property
    def beginnings(self) -> tuple[str, ...]:
        if self._beginnings is None:
            paths = (route.path or "" for route in iter_route_contexts(self.routes))
            self._beginnings = tuple({path.partition("{")[0] for path in paths})
        return self._beginnings

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a route fits. Most routers need no more than the beginnings to say no."""
        if not scope["path"].startswith(self.beginnings):
            return Match.NONE, {}
        return super().matches(scope)


def beginnings_of(route: BaseRoute) -> tuple[str, ...] | None:
    """Return what the paths of a part begin with; None if it is another route."""
    part = getattr(route, "original_router", None)
    return part.beginnings if isinstance(part, _Part) else None


def include(app: FastAPI, router: APIRouter, prefix: str = "") -> None:
    """Add the routes of a router to the application, under a prefix."""
    part = _Part()
    part.include_router(router, prefix=prefix)
    app.include_router(part)
