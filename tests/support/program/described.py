"""Each operation of the interface is asked with right and with wrong input, and its answers are
compared with the description. What does so takes a second to load: the test loads it.
"""

import asyncio
import contextlib
import itertools
from typing import Any

import httpx2
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.app import PREFIX
from app.demo.stage import Stage
from app.staff.roles import Permission, may
from tests.support.access.cells import permission_of
from tests.support.profile import WHOLE
from tests.support.routes import routes

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# A stream without end; see `test_events.py`.
_ENDLESS = ("/api/v1/events",)
_EACH = 20 if WHOLE else 1
_ONCE = settings(
    max_examples=_EACH,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def operations(app: FastAPI) -> list[Any]:
    """Return what the description of the interface offers; signing out comes last."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    # One that cannot be read has no `ok`, and fails here.
    every: list[Any] = list(schema.get_all_operations())
    found = [one.ok() for one in every]
    mine = [one for one in found if one.path.startswith(PREFIX) and one.path not in _ENDLESS]
    return sorted(mine, key=lambda one: bool(one.method.upper() == "DELETE"))


class Interface:
    """The interface in this process, asked by hypothesis from a thread of its own."""

    def __init__(self, stage: Stage, loop: asyncio.AbstractEventLoop) -> None:
        self._base, self._loop = stage.settings.public_url, loop
        transport = httpx2.ASGITransport(stage.app, raise_app_exceptions=False)
        self._client = httpx2.AsyncClient(transport=transport, base_url=self._base)
        self.wrong: dict[str, str] = {}
        self.asked = 0
        self._seen: set[tuple[str, int, str, bytes]] = set()

    def ask(self, case: Case[Any], who: str, cookie: str) -> None:
        """Send a request as a person, and note what is not as described."""
        answer = asyncio.run_coroutine_threadsafe(self._answer(case, cookie), self._loop).result()
        self.asked += 1
        name = f"{case.method} {case.operation.path}"
        seen = (name, answer.status_code, str(answer.headers.get("content-type")), answer.content)
        if seen in self._seen:
            # Most roles are told the same: that they may not.
            return
        self._seen.add(seen)
        try:
            case.validate_response(answer, checks=CHECKS)
        except BaseExceptionGroup as error:
            said = " ".join(f"{error.exceptions[0]}".split())[:300]
            self.wrong.setdefault(name, f"{who} {answer.status_code}: {said}")

    async def _answer(self, case: Case[Any], cookie: str) -> httpx2.Response:
        sent = case.as_transport_kwargs(base_url=self._base)
        known = {k: v for k, v in sent.items() if k in ("params", "json", "data", "content")}
        if isinstance(known.get("data"), (bytes, str)):
            known["content"] = known.pop("data")
        headers = {**sent.get("headers", {}), "Cookie": cookie}
        return await self._client.request(sent["method"], sent["url"], headers=headers, **known)

    async def close(self) -> None:
        await self._client.aclose()


class Turns:
    """Who asks: one who may, one who may not, and a stranger, others each time; or everyone."""

    def __init__(self, stage: Stage, people: dict[str, str]) -> None:
        self._people, self._count = people, itertools.count()
        self._permissions = {
            (method, route.path_format): permission_of(route)
            for route in routes(stage)
            for method in route.methods or ()
        }

    def of(self, operation: Any) -> list[tuple[str, str]]:
        """Return the names and cookies of those who ask; one who may stands first, in turn."""
        permission = self._permissions[operation.method.upper(), operation.path]
        groups: tuple[list[tuple[str, str]], ...] = ([], [])
        for who, cookie in self._people.items():
            closed = permission in set(Permission) and not may(who, Permission(permission))
            groups[closed or not cookie].append((who, cookie))
        first, turn = groups[0] or groups[1], next(self._count)
        asks = first[turn % len(first)]
        others = [one for one in self._people.items() if one != asks]
        if WHOLE:
            return [asks, *others]
        # The refusal of one is that of the others.
        refused = [one for one in groups[1] if one[1] and one != asks]
        strangers = [one for one in others if not one[1]]
        return [asks, *refused[turn % max(len(refused), 1) :][:1], *strangers]


def try_all(stage: Stage, interface: Interface, people: dict[str, str]) -> None:
    """Send valid and wrong input to each operation."""
    turns = Turns(stage, people)
    # By day every third operation: the others by night.
    for number, operation in enumerate(operations(stage.app)[:: 1 if WHOLE else 3]):
        asking = turns.of(operation)
        try_one(interface, operation.as_strategy(GenerationMode.POSITIVE), asking)
        # What refuses wrong input stands before all operations: by day some of them get it.
        if takes_any_text(operation) or not (WHOLE or number % 10 == 0):
            continue
        wrong = asking if WHOLE else asking[:1]
        # There is nothing wrong to send where nothing is asked for.
        with contextlib.suppress(Unsatisfiable):
            try_one(interface, operation.as_strategy(GenerationMode.NEGATIVE), wrong)


def takes_any_text(operation: Any) -> bool:
    """Return whether any text in its path will do, so that a search for wrong input is in vain."""
    raw = operation.definition.raw
    texts = [set(one["schema"]) <= {"type", "title"} for one in raw.get("parameters", [])]
    paths = {one["in"] for one in raw.get("parameters", [])} == {"path"}
    types = {one["schema"].get("type") for one in raw.get("parameters", [])} == {"string"}
    return paths and types and all(texts) and "requestBody" not in raw


def try_one(
    interface: Interface, cases: SearchStrategy[Case[Any]], asking: list[tuple[str, str]]
) -> None:
    @seed(116_111)
    @_ONCE
    @given(case=cases)
    def tried(case: Case[Any]) -> None:
        for who, cookie in asking:
            interface.ask(case, who, cookie)

    tried()
