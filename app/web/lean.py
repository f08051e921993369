"""A short way for frequent requests of people whose session is remembered.

Such a route is declared, found, described and checked like any other. If the session of the
cookie is remembered, and the route needs only ids from its path and either optional texts from its
query or a body of JSON, the request goes straight to the endpoint. Otherwise it goes the usual,
long way; so does one without the permission, and there its refusal is logged, and one whose body
cannot be read, and there it is said what is wrong with it.
"""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from app.staff import accounts, session_tokens
from app.staff.models import Staff
from app.staff.roles import may
from app.staff.sessions import note_use
from app.web import decisions, step_up
from app.web.access import (
    Requires,
    asked_by,
    finished,
    heard,
    is_act,
    opened,
    refuse_cross_site,
    token_of,
    work_of,
)
from app.web.strict_bodies import StrictRoute, read_json
from app.words import pages
from app.work import Work

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LeanRoute(StrictRoute):
    """For routes whose parameters are `work`, `staff`, perhaps `request`, ids in the path, and with
    GET optional texts in the query, with POST a model as the body, and that answer with a Response
    of their own."""

    def get_route_handler(self) -> Handler:
        long_way = super().get_route_handler()
        requires = self.requires()
        if requires is None:
            return long_way
        endpoint, names = self.endpoint, [p.name for p in self.dependant.path_params]
        has_body = bool(self.dependant.body_params)
        given = self._body if has_body else self._texts
        own_request = self.dependant.request_param_name

        async def handler(request: Request) -> Response:
            known = _remembered(request, requires)
            if known is None:
                return await long_way(request)
            refuse_cross_site(request, json_only=requires.json_only)
            values = await given(request)
            if has_body:
                # It may have taken its time, and the session ended meanwhile.
                known = _remembered(request, requires)
            if values is None or known is None:
                return await long_way(request)
            work, staff = known
            try:
                values |= {name: UUID(request.path_params[name]) for name in names}
            except ValueError:
                return await long_way(request)
            if own_request is not None:
                values[own_request] = request
            async with finished(work):
                await _known(request, work, staff)
                decisions.allow(request, requires.permission)
                answer: Response = await endpoint(work=work, staff=staff, **values)
            return answer

        return handler

    async def _texts(self, request: Request) -> dict[str, Any]:
        """Return the texts of the query."""
        return {p.name: request.query_params.get(p.name) for p in self.dependant.query_params}

    async def _body(self, request: Request) -> dict[str, Any] | None:
        """Return the body, or None if it is not the JSON of one."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return None
        (body,) = self.dependant.body_params
        try:
            model: type[BaseModel] = self.endpoint.__annotations__[body.name]
            return {body.name: model.model_validate(await read_json(request))}
        except (ValueError, RecursionError, ClientDisconnect):
            return None

    def requires(self) -> Requires | None:
        """Return the guard of the route, if it needs nothing but one permission."""
        dependant, annotations = self.dependant, self.endpoint.__annotations__
        if dependant.body_params:
            plain = self.methods == {"POST"} and self._has_plain_body()
        else:
            texts = (
                annotations.get(p.name) == str | None and p.alias == p.name
                for p in dependant.query_params
            )
            plain = self.methods == {"GET"} and all(texts)
        if not plain or dependant.header_params or dependant.cookie_params:
            return None
        guards = [d.call for d in dependant.dependencies if isinstance(d.call, Requires)]
        others = [
            d for d in dependant.dependencies if d.call not in guards and d.call is not work_of
        ]
        is_own = annotations.get("return") is Response
        if others or len(guards) != 1 or not is_own:
            return None
        # An act that may need a proof is asked for it on the long way.
        return None if step_up.name_of(self.endpoint) in step_up.ACTS else guards[0]

    def _has_plain_body(self) -> bool:
        """Return whether the body is one model, and nothing is asked in the query."""
        models = [self.endpoint.__annotations__.get(p.name) for p in self.dependant.body_params]
        if len(models) != 1 or self.dependant.query_params or self._embed_body_fields:
            return False
        return isinstance(models[0], type) and issubclass(models[0], BaseModel)


def _remembered(request: Request, requires: Requires) -> tuple[Work, Staff] | None:
    """Return the unit of work and the person, if their session is remembered and they may."""
    work = opened(request)
    staff = session_tokens.remembered_staff(work, token_of(request))
    if staff is None or not may(staff.role, requires.permission):
        return None
    return work, staff


async def _known(request: Request, work: Work, staff: Staff) -> None:
    """Do what the long way does with a person whose session it has found."""
    asked_by(request, work, staff)
    work.actor = accounts.actor_of(staff)
    pages.speak(staff.page_language)
    if request.method != "GET":
        await note_use(work, token_of(request), acts=is_act(request), reads=False)
    await heard(request, work, staff)
