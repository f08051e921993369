"""Match a request only against the routes that can have its path.

There are hundreds of routes, each a regular expression: to try one after the other takes longer
than many a page. The routes are looked up by the beginning of their paths, up to the first
parameter.
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
        self._by_beginning: dict[str, Router | None] = {}
        # By the paths of routes that have no parameter.
        self._by_path: dict[str, Router | None] = {}

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
            self._by_beginning = dict.fromkeys(
                one for route in routes for one in _beginnings(route)
            )
            self._by_path = dict.fromkeys(route.path for route in routes if _is_fixed(route))
        if path in self._by_path:
            return self._router_of_path(path)
        parts = path.split("/", _DEEPEST)
        for number in range(min(len(parts), _DEEPEST), 1, -1):
            beginning = "/".join(parts[:number])
            if beginning in self._by_beginning:
                return self._router_of_beginning(beginning)
        return self._router_of_beginning("")

    def _router_of_path(self, path: str) -> Router:
        """Return a router of the routes that have a path which a route has without a parameter: it
        is found, so nothing is led to a path with a slash more or less."""
        router = self._by_path[path]
        if router is None:
            found = [
                route for route in self._router_of_beginning(path).routes if _matches(route, path)
            ]
            router = self._by_path[path] = Router(found, default=self._app.router.not_found)
        return router

    def _router_of_beginning(self, beginning: str) -> Router:
        router = self._by_beginning.get(beginning)
        if router is None:
            found = [route for route in self._app.router.routes if _may_have(route, beginning)]
            router = self._by_beginning[beginning] = Router(
                found, default=self._app.router.not_found
            )
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
    decides. Nothing is known of routes without a path."""
    if not isinstance(route, (Route, Mount)):
        return True
    begins = route.path.partition("{")[0]
    return begins.startswith(beginning) or beginning.startswith(begins)


def _is_fixed(route: BaseRoute) -> TypeGuard[Route]:
    """Return whether a route has one path."""
    return isinstance(route, Route) and "{" not in route.path


def _matches(route: BaseRoute, path: str) -> bool:
    """Return whether a route has a path, by whatever method. Nothing is known of other routes."""
    return not isinstance(route, Route) or route.path_regex.match(path) is not None
