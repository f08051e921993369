"""Choosing the language of the forms, and that of the pages; and languages that a page offers."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Form, Request, Response
from starlette.responses import RedirectResponse
from starlette.routing import Match

from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, cookie_name, reader_with
from app.web.form_language import COOKIE, form_languages
from app.words import pages
from app.work import Work

router = APIRouter(include_in_schema=False)
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
Text = Annotated[str, Form(max_length=300)]


class Choices(NamedTuple):
    """Languages to choose from, each as its code and its name in the language of the reader.

    `near`: those that the program or the helpline has words in.
    """

    near: list[tuple[str, str]]
    others: list[tuple[str, str]]


def language_choices(near: Iterable[str]) -> Choices:
    """Return these languages, and every other one that has a name in the reader's language."""
    first = set(near)
    others = set(pages.known_languages()) - first
    return Choices(named(first), named(others))


def named(codes: Iterable[str]) -> list[tuple[str, str]]:
    """Return languages by their names. The browser puts them in the order of its reader."""
    found = [(one, pages.language_name(one)) for one in codes]
    return sorted(found, key=lambda one: one[1].casefold())


@router.post("/language")
async def choose_language(
    request: Request, work: InWork, _staff: SignedIn, language: Text = ""
) -> Response:
    """Choose the language of the forms, and return to the page of the request."""
    answer = _back(request, work)
    if language in form_languages(work):
        answer.set_cookie(
            cookie_name(work.settings, COOKIE),
            language,
            max_age=31536000,
            samesite="lax",
            httponly=True,
            secure=work.settings.has_tls,
        )
    return answer


def _back(request: Request, work: Work) -> RedirectResponse:
    """Return to the page of the request, if it is one of ours.

    What a form was answered with has the address of the form: then to the page above it.
    """
    back = request.headers.get("referer", "/").removeprefix(work.settings.public_url)
    path, _, query = back.partition("?")
    if not path.startswith("/") or path.startswith("//"):
        return RedirectResponse("/", status_code=303)
    if _is_page(request, path):
        return RedirectResponse(f"{path}?{query}" if query else path, status_code=303)
    while path and not _is_page(request, path):
        path = path.rpartition("/")[0]
    return RedirectResponse(path or "/", status_code=303)


def _is_page(request: Request, path: str) -> bool:
    """Return whether an address can be opened, and not only sent to."""
    asked = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)


@router.post("/page-language")
async def choose_page_language(
    request: Request, work: InWork, staff: SignedIn, language: Text = ""
) -> Response:
    """Choose the language of the pages for this account, and return to the page."""
    await accounts.choose_page_language(work, staff, language)
    return _back(request, work)
