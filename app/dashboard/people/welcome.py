"""The page of a link by which a person chooses a password. It needs no sign-in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from limits import RateLimitItemPerMinute

from app.dashboard.templating import templates
from app.errors import Invalid, Refusal, TooMany
from app.people import leaked, links
from app.staff import second_factor
from app.staff.models import Awaits, Staff
from app.web import decisions
from app.web.access import InWork, Public
from app.web.decisions import Right
from app.web.limits import Limiter, client_of
from app.words import pages
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
_LINK = [Depends(Public("the secret of the link gives access, and only to choosing a password"))]
_PER_ADDRESS = RateLimitItemPerMinute(30)
_PER_LINK = RateLimitItemPerMinute(30)
_Token = Annotated[str, Form(max_length=200)]


async def _check_attempts(request: Request, work: Work, token: str) -> None:
    """Limit guesses of secrets. Raises TooMany.

    A link that exists is counted by itself: what others do from the same address does not count.
    """
    limiter: Limiter = request.app.state.limiter
    link_id = await links.id_of(work, token)
    if link_id is not None:
        within = await limiter.hit(_PER_LINK, "welcome", str(link_id))
    else:
        within = await limiter.hit(_PER_ADDRESS, "welcome", client_of(request))
    if not within:
        raise TooMany()


@router.get("/welcome", dependencies=_LINK)
async def welcome_page(request: Request) -> Response:
    """Show the page; its script takes the secret from behind the # of the address."""
    return templates.TemplateResponse(request, "welcome.html", {"staff": None})


def _form(
    request: Request, token: str, person: Staff, language: str, problem: str = ""
) -> Response:
    values = {"token": token, "person": person, "language": language, "problem": problem}
    return templates.TemplateResponse(request, "fragments/people/welcome.html", values)


def _refused(request: Request, refusal: Refusal) -> Response:
    decisions.deny(request, refusal, Right.PASSWORD_LINK)
    values = {"refused": refusal_words(refusal)}
    return templates.TemplateResponse(request, "fragments/people/welcome.html", values)


@router.post("/welcome/open", dependencies=_LINK)
async def open_link(request: Request, work: InWork, token: _Token = "") -> Response:
    """Show the form of a link, or say what to do if it cannot be used. Opening uses nothing up."""
    await _check_attempts(request, work, token)
    try:
        _, person = await links.find(work, token)
    except Refusal as refusal:
        return _refused(request, refusal)
    decisions.grant(request, Right.PASSWORD_LINK)
    pages.speak(person.page_language)
    return _form(request, token, person, person.page_language)


@router.post("/welcome/choose", dependencies=_LINK)
async def choose(
    request: Request,
    work: InWork,
    token: _Token = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    again: Annotated[str, Form(max_length=1000)] = "",
    language: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Choose a password, which uses the link up. A refusal keeps the form."""
    await _check_attempts(request, work, token)
    try:
        person = await _choose(work, token, password, again, language)
        decisions.grant(request, Right.PASSWORD_LINK)
    except Invalid as refusal:
        await work.undo()
        _, person = await links.find(work, token)
        pages.speak(person.page_language)
        return _form(request, token, person, language, refusal_words(refusal))
    except Refusal as refusal:
        await work.undo()
        return _refused(request, refusal)
    pages.speak(language)
    awaits = await second_factor.missing_of(work, person)
    values = {"person": person, "done": True, "needs_factor": awaits is Awaits.SETTING_UP}
    return templates.TemplateResponse(request, "fragments/people/welcome.html", values)


async def _choose(work: Work, token: str, password: str, again: str, language: str) -> Staff:
    if password != again:
        raise Invalid("The two passwords are not the same. Type both again.")
    # No service is asked for a reader without a link.
    await links.find(work, token)
    await leaked.ask(work, password)
    return await links.choose_password(work, token, password, language)
