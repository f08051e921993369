"""The page `/setup`, which makes the first administrator."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from limits import RateLimitItemPerMinute
from starlette.responses import RedirectResponse

from app.dashboard.templating import page
from app.errors import Refusal, TooMany
from app.people.setting_up import first_administrator
from app.web import decisions
from app.web.access import InWork, Public
from app.web.decisions import Right
from app.web.limits import Limiter, client_of
from app.words.pages import refusal_words

router = APIRouter(include_in_schema=False)
_NO_ACCOUNT = [Depends(Public("while there is no account, a code of the program gives access"))]
_ATTEMPTS = RateLimitItemPerMinute(10)


@router.get("/setup", dependencies=_NO_ACCOUNT)
async def set_up_page(request: Request, work: InWork) -> Response:
    """Show the form for the first administrator, while there is no account."""
    if await first_administrator.has_accounts(work):
        return RedirectResponse("/login", 303)
    return _form(request)


def _form(request: Request, *, problem: str = "", name: str = "", email: str = "") -> Response:
    values = {"problem": problem, "name": name, "email": email}
    return page(request, "first_administrator.html", staff=None, **values)


@router.post("/setup", dependencies=_NO_ACCOUNT)
async def set_up(
    request: Request,
    work: InWork,
    code: Annotated[str, Form(max_length=100)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
    email: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Make the first administrator, and lead on to the choice of a password."""
    limiter: Limiter = request.app.state.limiter
    if not await limiter.hit(_ATTEMPTS, "setup", client_of(request)):
        raise TooMany
    try:
        link = await first_administrator.make_first(work, code, name, email)
    except first_administrator.HasAccounts:
        return RedirectResponse("/login", 303)
    except Refusal as refusal:
        await work.undo()
        decisions.deny(request, refusal, Right.FIRST_CODE)
        return _form(request, problem=refusal_words(refusal), name=name, email=email)
    decisions.grant(request, Right.FIRST_CODE)
    return RedirectResponse(link, 303)
