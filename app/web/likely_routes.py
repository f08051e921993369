"""The router of the application asks only those parts that can have the path of a request.

There are about a hundred parts (`routes.py`), and each costs some microseconds to say no. What a
path begins with, up to its second part, says which are left: that is looked up.
"""

from functools import lru_cache

from fastapi import FastAPI
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.routes import beginnings_of


class LikelyRoutes:
    """Takes a request to the part that has its path; any other takes the usual way."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._usual: ASGIApp = app.router.middleware_stack
        # Routes are added once, while the server starts.
        self._known = -1
        self._likely = lru_cache(maxsize=1024)(self._find)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for route in self.likely(scope["path"]):
                match, _ = route.matches(scope)
                if match is Match.FULL:
                    scope.setdefault("router", self._app.router)
                    await route.handle(scope, receive, send)
                    return
        await self._usual(scope, receive, send)

    def likely(self, path: str) -> tuple[BaseRoute, ...]:
        """Return the parts that can have a path, in their order."""
        routes = self._app.router.routes
        if len(routes) != self._known:
            self._known = len(routes)
            self._likely.cache_clear()
        return self._likely("/".join(path.split("/", 3)[:3]))

    def _find(self, beginning: str) -> tuple[BaseRoute, ...]:
        """Return the parts that can have a path with this beginning, in their order.

        A route outside of a part, such as a mount, is left to the usual way.
        """
        found: list[BaseRoute] = []
        for route in self._app.router.routes:
            begins = beginnings_of(route)
            if begins is None:
                continue
            if any(one.startswith(beginning) or beginning.startswith(one) for one in begins):
                found.append(route)
        return tuple(found)
