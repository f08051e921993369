"""A request is held against the routes that can have its path, and against no others.

There are hundreds of routes, each a regular expression: to try one after the other takes longer
than many a page. What a path begins with, up to its second part, says which are left: that is
looked up.
"""

from functools import lru_cache

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
        self._likely = lru_cache(maxsize=1024)(self._find)

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
            self._likely.cache_clear()
        return self._likely("/".join(path.split("/", 3)[:3]))

    def _find(self, beginning: str) -> Router:
        found = [route for route in self._app.router.routes if _may_have(route, beginning)]
        return Router(found, default=self._app.router.not_found)


def _may_have(route: BaseRoute, beginning: str) -> bool:
    """Return whether a path with this beginning can be a route's: what stands before its first `{`
    decides. Of other routes than those with a path nothing is known."""
    if not isinstance(route, (Route, Mount)):
        return True
    begins = route.path.partition("{")[0]
    return begins.startswith(beginning) or beginning.startswith(begins)
