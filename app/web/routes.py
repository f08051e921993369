"""The routes of a router become the application's own, as they are.

The framework's own way works out each route anew for every application that includes it: its
parameters, what it needs and what it answers. That takes a second of each start, and a request is
held against a route three times. Here all applications of a process have the same routes.
"""

from copy import copy

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi.utils import generate_unique_id
from starlette.routing import compile_path

# By a router and a prefix: its routes under the prefix. The router is kept, so that its id is.
_UNDER: dict[tuple[int, str], tuple[APIRouter, list[APIRoute]]] = {}


def include(app: FastAPI, router: APIRouter, prefix: str = "") -> None:
    """Add the routes of a router to the application, under a prefix."""
    if not prefix:
        app.router.routes += router.routes
        return
    key = (id(router), prefix)
    if key not in _UNDER:
        routes = [one for one in router.routes if isinstance(one, APIRoute)]
        _UNDER[key] = (router, [_under(prefix, one) for one in routes])
    app.router.routes += _UNDER[key][1]


def _under(prefix: str, route: APIRoute) -> APIRoute:
    """Return a route that is the same but for its path."""
    made = copy(route)
    made.path = prefix + route.path
    made.path_regex, made.path_format, made.param_convertors = compile_path(made.path)
    made.unique_id = route.operation_id or generate_unique_id(made)
    return made
