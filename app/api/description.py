"""The description of the interface (`/openapi.json`), with the errors as they are sent."""

from typing import Any

from fastapi import FastAPI, Response

# Every error of the interface: a name that programs compare, and a sentence for people.
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "required": ["error", "detail"],
    "additionalProperties": False,
    "properties": {"error": {"type": "string"}, "detail": {"type": "string"}},
}
_STATUSES = {
    "401": "Not signed in, or the token is not valid",
    "403": "Not allowed",
    "404": "Not found, or you do not have access",
    "409": "Another state or another change is in the way",
    "410": "No longer there",
    "413": "The body is too long",
    "415": "This kind of content is not taken",
    "422": "The input is not valid",
    "429": "Too many attempts",
    "503": "Not available now; try again",
}
_MADE_BY_THE_LIBRARY = ("HTTPValidationError", "ValidationError")


def files(*kinds: str, of_parts: bool = False) -> dict[str, Any]:
    """Return how a route that sends a file is described, by the media types of the file.

    `of_parts`: a part of it can be asked for with the header `Range`.
    """
    named = [kind.partition(";")[0] for kind in kinds]
    binary = {"schema": {"type": "string", "format": "binary"}}
    # What is read as JSON is no text.
    content = {one: {} if one == "application/json" else binary for one in named}
    described: dict[int | str, dict[str, Any]] = {200: {"description": "File", "content": content}}
    if of_parts:
        described[206] = {"description": "The part that was asked for", "content": content}
        described[416] = {"description": "The part begins after the end of the file"}
    return {"response_class": Response, "responses": described}


def describe(app: FastAPI, prefix: str) -> None:
    """Let the description name the errors of every route of the interface."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(made(), prefix)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _with_problems(schema: dict[str, Any], prefix: str) -> dict[str, Any]:
    kinds = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in _MADE_BY_THE_LIBRARY:
        kinds.pop(name, None)
    kinds["Problem"] = _PROBLEM
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems = {
        status: {"description": words, "content": content} for status, words in _STATUSES.items()
    }
    for path, operations in schema["paths"].items():
        if not path.startswith(prefix):
            continue
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)
            operation["responses"] = {**problems, **responses}
    return schema
