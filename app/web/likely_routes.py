"""A request is held against the routes that can have its path, and against no others.

There are hundreds of routes, each a regular expression: to try one after the other takes longer
than many a page. What a path begins with, as far as a route has it without a parameter, says which
are left: that is looked up.
"""

from typing import TypeGuard

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send


class LikelyRoutes:
    """Takes a request to the route that has its path, or answers that there is none."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._usual: ASGIApp = app.router.middleware_stack
        # Routes are added once, while the server starts.
        self._known = -1
        self._begun: dict[str, Router | None] = {}
        # By the paths of routes that have no parameter.
        self._whole: dict[str, Router | None] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._usual(scope, receive, send)
            return
        scope.setdefault("router", self._app.router)
        await self.likely(scope["path"]).app(scope, receive, send)

    def likely(self, path: str) -> Router:
        """Return a router of the routes that can have a path, in their order.

        They are those that can have it with a slash more or less at its end, too.
        """
        routes = self._app.router.routes
        if len(routes) != self._known:
            self._known = len(routes)
            self._begun = dict.fromkeys(one for route in routes for one in _beginnings(route))
            self._whole = dict.fromkeys(route.path for route in routes if _is_fixed(route))
        if path in self._whole:
            return self._having(path)
        parts = path.split("/", _DEEPEST)
        for number in range(min(len(parts), _DEEPEST), 1, -1):
            beginning = "/".join(parts[:number])
            if beginning in self._begun:
                return self._found(beginning)
        return self._found("")

    def _having(self, path: str) -> Router:
        """Return a router of the routes that have a path which a route has without a parameter: it
        is found, so nothing is led to a path with a slash more or less."""
        router = self._whole[path]
        if router is None:
            found = [route for route in self._found(path).routes if _has(route, path)]
            router = self._whole[path] = Router(found, default=self._app.router.not_found)
        return router

    def _found(self, beginning: str) -> Router:
        router = self._begun.get(beginning)
        if router is None:
            found = [route for route in self._app.router.routes if _may_have(route, beginning)]
            router = self._begun[beginning] = Router(found, default=self._app.router.not_found)
        return router


# Parts of a path, with the empty one before its first slash: `/api/v1/contacts/search`.
_DEEPEST = 5


def _beginnings(route: BaseRoute) -> list[str]:
    """Return what the path of a route begins with, by one part, two and more, up to its first
    parameter."""
    if not isinstance(route, (Route, Mount)):
        return []
    parts = route.path.partition("{")[0].rstrip("/").split("/")
    return ["/".join(parts[:number]) for number in range(2, min(len(parts), _DEEPEST) + 1)]


def _may_have(route: BaseRoute, beginning: str) -> bool:
    """Return whether a path with this beginning can be a route's: what stands before its first `{`
    decides. Of other routes than those with a path nothing is known."""
    if not isinstance(route, (Route, Mount)):
        return True
    begins = route.path.partition("{")[0]
    return begins.startswith(beginning) or beginning.startswith(begins)


def _is_fixed(route: BaseRoute) -> TypeGuard[Route]:
    """Return whether a route has one path."""
    return isinstance(route, Route) and "{" not in route.path


def _has(route: BaseRoute, path: str) -> bool:
    """Return whether a route has a path, by whatever method. Of other routes nothing is known."""
    return not isinstance(route, Route) or route.path_regex.match(path) is not None
