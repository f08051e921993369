"""The interface does what its description says, for every role and any input."""

import asyncio
import contextlib
import itertools
from typing import Any

import httpx2
import pytest
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
from app.staff.roles import Role
from tests.support.profile import WHOLE

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


def try_all(stage: Stage, interface: Interface, people: dict[str, str]) -> None:
    """Send valid input as everybody, and wrong input as one of them in turn."""
    turns = itertools.cycle(people.items())
    for operation in operations(stage.app):
        try_one(interface, operation.as_strategy(GenerationMode.POSITIVE), [*people.items()])
        asking = [*people.items()] if WHOLE else [next(turns)]
        if takes_any_text(operation):
            continue
        # There is nothing wrong to send where nothing is asked for.
        with contextlib.suppress(Unsatisfiable):
            try_one(interface, operation.as_strategy(GenerationMode.NEGATIVE), asking)


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


# The helpline of the test draws by chance in its own thread, while hypothesis looks whether a
# strategy does.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
async def test_every_answer_is_as_described_for_every_role(stage: Stage) -> None:
    people: dict[str, str] = {"nobody": ""}
    for role in Role:
        person = await stage.add_counsellor(role.value, role=role, shift=False, state=None)
        people[role.value] = person.cookie_header
    interface = Interface(stage, asyncio.get_running_loop())
    await asyncio.to_thread(try_all, stage, interface, people)
    await interface.close()
    assert interface.asked > 6 * 100
    assert "HTTPValidationError" not in stage.app.openapi()["components"]["schemas"]
    assert not interface.wrong, "\n".join(f"{k}: {v}" for k, v in interface.wrong.items())
