"""`/login` and `/logout`: where the sign-in leads."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.templating import templates
from app.errors import Refusal
from app.people.provider import keeping
from app.people.setting_up import first_administrator
from app.routing import own_presence
from app.staff.models import Awaits, Staff
from app.staff.roles import Permission
from app.web.access import InWork, Public, forget_cookie, reader_with, set_cookie, token_of
from app.web.sign_in.known_browsers import remember_browser
from app.web.sign_in.signing_in import SignIn, sign_in
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)

SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
_SIGN_IN = [Depends(Public("this is the sign-in"))]


@router.get("/login", dependencies=_SIGN_IN)
async def login_page(request: Request, work: InWork, next: str = "/") -> Response:
    """Show the sign-in form. Signing in leads on to the page that was wanted."""
    if not await first_administrator.has_accounts(work):
        return RedirectResponse("/setup", status_code=303)
    return await show_login(request, work, next)


async def show_login(
    request: Request, work: Work, wanted: str, refusal: Refusal | None = None, name: str = ""
) -> Response:
    """Render the page of the sign-in, with the button of the provider if there is one."""
    values = {
        "staff": None,
        "name": name,
        "problem": refusal_words(refusal) if refusal else "",
        "next": safe_next(wanted),
        "provider": await keeping.provider(work),
    }
    status = refusal.status if refusal else 200
    return templates.TemplateResponse(request, "login.html", values, status_code=status)


def safe_next(path: str) -> str:
    """Return the path of a page of ours, or that of the desk: never an address elsewhere."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\", "/login", "/logout"))
    return path if ours and path.isprintable() and len(path) <= 200 else "/"


@router.post("/login", dependencies=_SIGN_IN)
async def login(
    request: Request,
    work: InWork,
    username: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=1000)] = "/",
) -> Response:
    """Sign in, or lead on to the second factor. A refusal keeps the name in the form."""
    try:
        signed_in = await sign_in(request, work, username, password)
    except Refusal as refusal:
        return await show_login(request, work, next, refusal, username)
    wanted = safe_next(next)
    if signed_in.awaits is not None:
        return lead_to_factor(work, signed_in, wanted)
    answer = RedirectResponse(wanted, status_code=303)
    set_cookie(answer, work.ground, signed_in.token)
    remember_browser(request, answer, signed_in.staff)
    return answer


def lead_to_factor(work: Work, begun: SignIn, wanted: str) -> Response:
    """Lead a person who has proven who they are on to their second factor."""
    step = "code" if begun.awaits is Awaits.CODE else "set-up"
    query = f"?next={quote(wanted)}" if wanted != "/" else ""
    answer = RedirectResponse(f"/login/{step}{query}", status_code=303)
    set_cookie(answer, work.ground, begun.token)
    return answer


@router.post("/logout")
async def logout(
    request: Request, work: InWork, staff: SignedIn, me: Annotated[UUID | None, Form()] = None
) -> Response:
    """Sign out. A counsellor also goes off duty.

    `me`: whose page it is. It signs no other person out who has signed in meanwhile, and gives way.
    """
    if me not in (None, staff.id):
        return RedirectResponse("/", status_code=303)
    await own_presence.sign_out(work, staff, token_of(request))
    answer = RedirectResponse("/login", status_code=303)
    forget_cookie(answer, work.ground)
    return answer
