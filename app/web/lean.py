"""A short way for frequent requests of people whose session is remembered.

Such a route is declared, found, described and checked like any other. If the session of the
cookie is remembered, and the route needs only ids from its path and optional texts from its
query, the request goes straight to the endpoint. Otherwise it goes the usual, long way; so does
one without the permission, and there its refusal is logged.
"""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from app.staff import accounts
from app.staff.roles import may
from app.web.access import Requires, finished, heard, opened, token_of
from app.web.strict_bodies import StrictRoute
from app.words import pages

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LeanRoute(StrictRoute):
    """For GET routes whose parameters are `work`, `staff`, perhaps `request`, ids in the path and
    optional texts in the query, and that answer with a Response of their own."""

    def get_route_handler(self) -> Handler:
        long_way = super().get_route_handler()
        requires = self._requires()
        if requires is None:
            return long_way
        endpoint, names = self.endpoint, [p.name for p in self.dependant.path_params]
        asked = [p.name for p in self.dependant.query_params]
        own_request = self.dependant.request_param_name

        async def handler(request: Request) -> Response:
            work = opened(request)
            staff = accounts.remembered_staff(work, token_of(request))
            if staff is None or not may(staff.role, requires.permission):
                return await long_way(request)
            try:
                ids = {name: UUID(request.path_params[name]) for name in names}
            except ValueError:
                return await long_way(request)
            work.actor = accounts.actor_of(staff)
            pages.speak(staff.page_language)
            async with finished(work):
                await heard(request, work, staff)
                values: dict[str, Any] = {n: request.query_params.get(n) for n in asked}
                if own_request is not None:
                    values[own_request] = request
                answer: Response = await endpoint(work=work, staff=staff, **ids, **values)
            return answer

        return handler

    def _requires(self) -> Requires | None:
        """Return the guard of the route, if it needs nothing but one permission."""
        dependant = self.dependant
        others = (dependant.header_params, dependant.cookie_params, dependant.body_params)
        texts = all(
            self.endpoint.__annotations__.get(p.name) == str | None and p.alias == p.name
            for p in dependant.query_params
        )
        guards = [d.call for d in dependant.dependencies if isinstance(d.call, Requires)]
        answers = self.endpoint.__annotations__.get("return")
        plain = texts and not any(others) and self.methods == {"GET"} and answers is Response
        if not plain or len(guards) != 1:
            return None
        return guards[0]
