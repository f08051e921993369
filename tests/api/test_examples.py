"""The examples of the page for integrators are what the description of the interface says.

An example of an answer belongs to the request that the page names last before it. It has no field
that the description does not know, and lacks none that is always there.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from app.main import make_app
from app.settings import Settings
from app.work import make_ground
from tests.support.documents.schemas import wrong_by

pytestmark = pytest.mark.whole

PAGE = Path(__file__).parents[2] / "docs" / "integrators.md"
# What we send to an agency's own server is no route of ours.
NOT_OURS = "referral.offered"
# What is signed is read as it came, so the description has no schema of it.
SIGNED = "/api/v1/agencies/safe-house/events"
BLOCK = re.compile(r"^```(text|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`?\b(GET|POST|PUT|PATCH|DELETE) (/[^\s`]*)")


class Example(NamedTuple):
    """A JSON text of the page, the line where it stands, and the request it belongs to."""

    line: int
    method: str
    target: str
    is_answer: bool
    text: str


def examples() -> Iterator[Example]:
    page = PAGE.read_text(encoding="utf-8")
    for block in BLOCK.finditer(page):
        line = page[: block.start()].count("\n") + 1
        if block[1] == "json":
            method, target = NAMED.findall(page[: block.start()])[-1]
            yield Example(line, method, target, True, block[2])
        elif asked := NAMED.match(block[2]):
            body = block[2].partition("\n\n")[2]
            yield Example(line, asked[1], asked[2], False, body)


EXAMPLES = [one for one in examples() if NOT_OURS not in one.text]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    settings = Settings(
        # Nothing is asked of a database.
        database_url="postgresql://nowhere/none",
        public_url="https://helpline.example.org",
        secret_key="practice-secret-key-practice-secret-key",
        field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
    )
    found: dict[str, Any] = make_app(make_ground(settings), with_worker=False).openapi()
    return {**found, "components": strict(found["components"])}


def strict(schema: Any) -> Any:
    """Return a schema by which no object has fields that it does not name."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(one) for name, one in schema.items()}
    if isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def route_of(described: dict[str, Any], example: Example) -> dict[str, Any]:
    """Return what the description says of the route of an example."""
    path = urlsplit(example.target).path
    path = path if path.startswith("/api/v1") else f"/api/v1{path}"
    paths = sorted(described["paths"], key=lambda one: one.count("{"))
    for known in paths:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(known))
        if re.fullmatch(pattern, path) and example.method.lower() in described["paths"][known]:
            found: dict[str, Any] = described["paths"][known][example.method.lower()]
            return found
    raise AssertionError(f"the page names {example.method} {path}, which is no route")


def wrong_in(described: dict[str, Any], schema: dict[str, Any], text: str) -> list[str]:
    """Return what is wrong with a JSON text by a schema of the description."""
    whole = {**strict(schema), "components": described["components"]}
    return [f"{one.json_path}: {one.message}" for one in wrong_by(whole, json.loads(text))]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: f"line-{one.line}")
def test_an_example_is_what_the_description_says(
    described: dict[str, Any], example: Example
) -> None:
    route = route_of(described, example)
    known = {one["name"] for one in route.get("parameters", []) if one["in"] == "query"}
    assert {name for name, _ in parse_qsl(urlsplit(example.target).query)} <= known
    if not example.text.strip() or (example.target == SIGNED and not example.is_answer):
        return
    if not example.is_answer:
        schemas = [route["requestBody"]["content"]["application/json"]["schema"]]
    elif '"error"' in example.text:
        schemas = [
            one["content"]["application/json"]["schema"]
            for status, one in route["responses"].items()
            if status.startswith("4") and "application/json" in one.get("content", {})
        ]
    else:
        schemas = [
            one["content"]["application/json"]["schema"]
            for status, one in route["responses"].items()
            if status.startswith("2") and "application/json" in one.get("content", {})
        ]
    assert schemas
    found = [wrong_in(described, schema, example.text) for schema in schemas]
    assert [] in found, found[0]


def test_a_field_that_was_renamed_would_be_found(described: dict[str, Any]) -> None:
    (example,) = (one for one in EXAMPLES if one.is_answer and one.target.endswith("/queue"))
    route = route_of(described, example)
    schema = route["responses"]["200"]["content"]["application/json"]["schema"]
    assert wrong_in(described, schema, example.text) == []
    renamed = example.text.replace('"waiting_seconds"', '"waits_seconds"')
    assert len(wrong_in(described, schema, renamed)) == 2
