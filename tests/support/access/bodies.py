"""A body that a route can read: the smallest that its model accepts."""

import functools
import json
from typing import Any
from urllib.parse import urlencode

from fastapi import params
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

# What a field is called, and what fits there; the rest is made up by its type.
_BY_NAME: dict[str, Any] = {
    "name": "clara",
    "agency": "house",
    "key": "0123456789abcdef0123456789abcdef",
    "words": "Agreed.",
    "reason": "Agreed by phone.",
    "text": "Hello",
    "client_key": "0123456789abcdef0123456789abcdef",
    "email": "a@house.example",
}
_BY_FORMAT = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date": "2030-01-15",
    "date-time": "2030-01-15T09:00:00+00:00",
    "time": "09:00:00",
}


def body_of(route: APIRoute, known: dict[str, Any]) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a request to a route; `known` says values of fields."""
    fields = route.dependant.body_params
    forms = any(isinstance(one.field_info, params.Form) for one in fields)
    values = {
        one.alias: known.get(one.alias, _of(one.field_info.annotation, known, one.alias))
        for one in fields
        if one.field_info.is_required() or one.alias in known or one.alias in _BY_NAME
    }
    if forms or not (fields or _wants_json(route)):
        values = values if forms else known
        plain = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in values.items()}
        kind = "application/x-www-form-urlencoded"
        return {"content-type": kind}, urlencode(plain, doseq=True).encode()
    whole = len(fields) == 1 and not getattr(fields[0].field_info, "embed", False)
    sent = values.get(fields[0].alias, known) if whole else values or known
    if isinstance(sent, dict):
        sent = sent | {k: v for k, v in known.items() if k not in sent} if known else sent
    return {"content-type": "application/json"}, json.dumps(sent).encode()


def _wants_json(route: APIRoute) -> bool:
    calls = [one.call for one in route.dependant.dependencies]
    return any(getattr(call, "json_only", False) for call in calls)


def _of(annotation: Any, known: dict[str, Any], name: str) -> Any:
    schema = _schema(annotation)
    return _example(schema, schema.get("$defs", {}), known, name)


@functools.cache
def _schema(annotation: Any) -> dict[str, Any]:
    """Return the description of a type: each role is sent the same body, and some rows twice."""
    return TypeAdapter(annotation).json_schema()


def _example(schema: Any, defs: Any, known: dict[str, Any], name: str) -> Any:
    if "$ref" in schema:
        return _example(defs[schema["$ref"].rpartition("/")[2]], defs, known, name)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _example(schema[several][0], defs, known, name)
    if name in known and schema.get("type") != "object":
        return known[name]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            inner = schema.get("properties", {})
            wanted = [
                one for one in inner if one in {*schema.get("required", ()), *known, *_BY_NAME}
            ]
            return {one: _example(inner[one], defs, known, one) for one in wanted}
        case "array":
            number = max(1, schema.get("minItems", 1))
            return [_example(schema.get("items", {}), defs, known, "") for _ in range(number)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string":
            plain = _BY_NAME.get(name, "x" * schema.get("minLength", 1))
            return _BY_FORMAT.get(schema.get("format", ""), plain)
    return {}
