"""The cells of the table of who may do what: what is asked for each, and how an answer is read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi.routing import APIRoute

from app.demo.stage import Stage
from app.staff.roles import Role
from app.web.access import Guard, Public
from tests.support.access.asking import Answer, ask
from tests.support.access.bodies import body_of
from tests.support.access.known import NAMED, known
from tests.support.access.places import OF_THE_ACCOUNT, address, owned
from tests.support.access.world import (
    CHILD,
    COLLEAGUE,
    OTHER_TEAM,
    OWN,
    TOKEN_SCOPES,
    World,
    writes,
)
from tests.support.routes import routes

NO_SIGN_IN = "no sign-in"
TOKENS = (*TOKEN_SCOPES, CHILD)
COLUMNS = (NO_SIGN_IN, *(role.value for role in Role), *TOKENS)
SIGNED = "signature"
YES, NO, ABSENT, SIGN_IN = "yes", "no", "not found", "sign in"


@dataclass(frozen=True)
class Place:
    """A row of the table: a method, and a path as the application declares it."""

    method: str
    path: str
    route: APIRoute

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def kinds(self) -> list[str]:
        """Which rows of a person the address or the body names."""
        found = [owned(self.path, p.name) for p in self.route.dependant.path_params]
        return [kind for kind in found if kind] + list(NAMED.get(self.key, {}).values())


def places(stage: Stage) -> list[Place]:
    """Return every route of the application, by its path."""
    found = [
        Place(method, route.path, route)
        for route in routes(stage)
        for method in sorted(route.methods or ())
    ]
    return sorted(found, key=lambda one: (one.path, one.method))


def without_a_row(stage: Stage) -> set[str]:
    """Return what answers and is no row of the table: by its kind and its path.

    Only of a route that declares its dependencies it is known who may use it.
    """
    return {
        f"{type(one).__name__} {getattr(one, 'path', '')}"
        for one in stage.app.routes
        if not isinstance(one, APIRoute)
    }


def permission_of(route: APIRoute) -> str:
    """Return the permission that a route declares, or how else its requests prove themselves."""
    for call in _dependencies(route):
        if isinstance(call, Guard):
            return call.permission.value
        if isinstance(call, Public):
            return "public"
        if getattr(call, "__name__", "") == "signed_request":
            return SIGNED
    return ""


def _dependencies(route: APIRoute) -> Iterator[object]:
    pending = list(route.dependant.dependencies)
    while pending:
        dependency = pending.pop()
        yield dependency.call
        pending += dependency.dependencies


async def cell(stage: Stage, world: World, place: Place, column: str) -> str:
    """Ask a route in the name of one column, with its own row and then with another's."""
    own = await _asked(stage, world, place, column, OWN)
    if own in (NO, SIGN_IN) or not place.kinds:
        return own
    colleague = column in (Role.COUNSELLOR.value, *TOKENS, NO_SIGN_IN)
    other = COLLEAGUE if colleague else OTHER_TEAM
    return f"{own} / {await _asked(stage, world, place, column, other)}"


async def _asked(stage: Stage, world: World, place: Place, column: str, of: str) -> str:
    rows = world.rows | world.of[of]
    headers = dict(world.headers.get(column, {}))
    if column == Role.COUNSELLOR.value:
        writer = {"chat", "media", "chat_contact"}.intersection(place.kinds)
        headers["cookie"] = world.people[writes(OWN) if writer else OWN].cookie_header
    elif of == OWN and column in world.people:
        rows |= {k: v for k, v in world.of[column].items() if k in OF_THE_ACCOUNT}
    rows |= world.instead.get(place.key, {})
    if column in (NO_SIGN_IN, CHILD):
        headers |= world.heads.get(place.key, {})
    names = [p.name for p in place.route.dependant.path_params]
    fields, query, more = known(place.key, rows)
    kind, body = body_of(place.route, fields) if place.method != "GET" else ({}, b"")
    at = address(place.path, names, rows) + query
    answer = await ask(stage.app, place.method, at, headers | kind | more, body)
    return read(answer, place, at)


def read(answer: Answer, place: Place, at: str) -> str:
    """Return what an answer says: whether what was asked for was reached."""
    if answer.status == 401 or (answer.status == 303 and answer.location.startswith("/login")):
        return SIGN_IN
    if answer.status in (403, 404):
        return NO if answer.status == 403 else ABSENT
    # With 502, another system was asked and did not answer: there is none here.
    assert answer.status < 500 or answer.status == 502, (place.key, at, answer)
    assert answer.status not in (405, 429), (place.key, at, answer)
    if answer.unread and place.kinds:
        detail = answer.body.decode(errors="replace")
        detail = json.loads(detail)["detail"] if detail.startswith("{") else detail[-200:]
        raise AssertionError(
            f"{place.key}: its request cannot be read ({detail}). Write in"
            " tests/support/access/known.py what this route is sent."
        )
    return ABSENT if answer.absent else YES
