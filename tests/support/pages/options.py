"""Options of commands, the fields of the pages and the parameters of the API, as the program has
them."""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

import app
from app.referrals.directory.directory_csv import COLUMNS

_TEMPLATES = Path(app.__file__).parent / "dashboard/templates"
# What a page says of its fields, and where the buttons of its templates send what.
_NAME = re.compile(r'\bname="([^"{]+)"')
_TEMPLATE = re.compile(r'"([\w/-]+\.html)"')
_SENDS = re.compile(r'(?:data-post|data-json|data-csv|action|href)="(/[^"]*)"')
_BODY = re.compile(r'data-body="{{ {(.*?)}\|')
_IN_PATH = re.compile(r"{(\w+)(?::\w+)?}")


def options_of(command: Any, words: tuple[str, ...] = ()) -> dict[str, dict[str, str]]:
    """Return the options and arguments of each command below one: name, and as it is typed."""
    if not hasattr(command, "commands"):
        named = {
            one.name: one.opts[0] if one.param_type_name == "option" else one.name.upper()
            for one in command.params
            if one.name != "help"
        }
        return {" ".join(words): named}
    found: dict[str, dict[str, str]] = {}
    for name, one in command.commands.items():
        found |= options_of(one, (*words, name))
    return found


def fields_in(html: str) -> set[str]:
    """Return the names of the fields of a page or a template, without those of the frame; for a
    name with parts, also its parts."""
    _before, main, rest = html.partition("<main")
    html = rest.partition("</main>")[0] if main else html
    found = set(_NAME.findall(html))
    return found | {part for name in found for part in name.split(".")}


def fields_written(module: str, programs: Iterable[str]) -> set[str]:
    """Return the fields in the templates of a module, and what their buttons send to these routes
    of the API."""
    source = inspect.getsource(importlib.import_module(module))
    found: set[str] = set()
    for text in _texts(_TEMPLATE.findall(source), set()):
        found |= fields_in(text)
        sent = [re.sub(r"{{.*?}}", "*", one) for one in _SENDS.findall(text)]
        for program in programs:
            path = program.split(" ", 1)[1]
            address = re.compile(re.sub(r"{\w+}", "[^/]+", f"/api/v1{path}") + r"(?:\?.*)?")
            if any(address.fullmatch(one) for one in sent):
                found |= set(_IN_PATH.findall(path))
                found |= set(re.findall(r'"(\w+)":', " ".join(_BODY.findall(text))))
    return found


def _texts(names: Iterable[str], seen: set[str]) -> Iterator[str]:
    """Yield templates, and those that they include; the frame around a page is none of them."""
    for name in names:
        path = _TEMPLATES / name
        if name not in seen and path.exists():
            seen.add(name)
            text = re.sub(r"{% extends .*? %}", "", path.read_text())
            yield text
            yield from _texts(_TEMPLATE.findall(text), seen)


def fields_sent(route: APIRoute) -> set[str]:
    """Return what a route of a page takes: from its address, its query and its form."""
    taken = [*route.dependant.query_params, *route.dependant.body_params]
    return {one.alias for one in taken} | set(_IN_PATH.findall(route.path))


def parameters_of(description: dict[str, Any], operation: str) -> set[str]:
    """Return what a route of the API takes, by the description of the interface."""
    if operation == "POST /agencies":
        # Its body is a row of the file, whose columns are its parameters.
        return set(COLUMNS)
    method, path = operation.split(" ", 1)
    about = description["paths"]["/api/v1" + path][method.lower()]
    found = {one["name"] for one in about.get("parameters", [])}
    for content in about.get("requestBody", {}).get("content", {}).values():
        found |= _properties(description, content["schema"], 0)
    return found


def _properties(description: dict[str, Any], schema: dict[str, Any], depth: int) -> set[str]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = description["components"]["schemas"][name]
    found: set[str] = set()
    if depth > 3:
        return found
    for one in (*schema.get("anyOf", ()), *schema.get("allOf", ()), schema.get("items", {})):
        found |= _properties(description, one, depth + 1) if one else set()
    for name, inner in schema.get("properties", {}).items():
        found |= {name} | _properties(description, inner, depth + 1)
    return found
