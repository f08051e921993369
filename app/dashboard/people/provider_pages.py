"""The pages of the sign-in by the provider of identities: sending a browser there, and back; and
the link of the own account."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from starlette.responses import JSONResponse, RedirectResponse

from app.dashboard.people.own import SignedIn, show_account
from app.dashboard.people.second_factor import finish
from app.dashboard.people.signing_in import lead_to_factor, safe_next, show_login
from app.dashboard.templating import templates
from app.errors import Invalid, Refusal, TooMany
from app.log import log
from app.people.provider import access
from app.people.provider.rows import Errand
from app.web import decisions
from app.web.access import InWork, Public, set_cookie
from app.web.decisions import Right
from app.web.sign_in.provider_sign_in import (
    Back,
    InWriting,
    begin,
    begin_linking,
    begin_proving,
    come_back,
    mark_browser,
)
from app.web.sign_in.provider_sign_out import signed_out_there
from app.words.pages import _, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
_SIGN_IN = [Depends(Public("this is the sign-in, by the organisation's own provider"))]
_LOGOUT = [Depends(Public("the provider proves itself by the signature of its token"))]
_NOT_KEPT = {"cache-control": "no-store"}
_LONGEST_TOKEN = 16_000
_Said = Annotated[str, Query(max_length=4000)]


@router.get("/login/provider", dependencies=_SIGN_IN)
async def go(request: Request, work: InWriting, next: str = "/") -> Response:
    """Send the browser to the provider to sign in."""
    try:
        sent = await begin(request, work, Errand.SIGN_IN, safe_next(next))
    except Refusal as refusal:
        await work.undo()
        return await show_login(request, work, next, refusal)
    answer = RedirectResponse(sent.address, status_code=303)
    mark_browser(answer, work.ground, sent)
    return answer


@router.get("/login/provider/back", dependencies=_SIGN_IN)
async def back(
    request: Request,
    work: InWriting,
    state: _Said = "",
    code: _Said = "",
    error: _Said = "",
    iss: _Said = "",
) -> Response:
    """Go on with what the provider says of the person."""
    try:
        found = await come_back(request, work, state=state, code=code, error=error, issuer=iss)
    except Refusal as refusal:
        await work.undo()
        return await show_login(request, work, "/", refusal)
    return _go_on(request, work, found)


def _go_on(request: Request, work: Work, found: Back) -> Response:
    wanted = safe_next(found.wanted)
    if found.signed_in is None:
        answer = RedirectResponse(wanted, status_code=303)
        if found.token is not None:
            set_cookie(answer, work.ground, found.token)
        return answer
    if found.signed_in.awaits is not None:
        return lead_to_factor(work, found.signed_in, wanted)
    return finish(request, work, found.signed_in, RedirectResponse(wanted, status_code=303))


@router.post("/login/provider/logout", dependencies=_LOGOUT)
async def log_out(
    request: Request, work: InWriting, logout_token: Annotated[str, Form()] = ""
) -> Response:
    """End the sessions of a person who has signed out at the provider (back-channel logout)."""
    try:
        if not 0 < len(logout_token) <= _LONGEST_TOKEN:
            raise Invalid("Send a logout token, as `logout_token` of a form.")
        await signed_out_there(request, work, logout_token)
    except Refusal as refusal:
        await work.undo()
        log().warning(
            "a logout of the provider was refused", area="web", kind=type(refusal).__name__
        )
        # As the specification has it (section 2.8), whatever was wrong.
        said = {"error": "invalid_request", "error_description": refusal.detail}
        status = 429 if isinstance(refusal, TooMany) else 400
        return JSONResponse(said, status_code=status, headers=_NOT_KEPT)
    decisions.grant(request, Right.SIGN_OUT_TOKEN)
    return Response(status_code=200, headers=_NOT_KEPT)


@router.get("/login/provider/proof")
async def go_to_prove(request: Request, work: InWriting, staff: SignedIn) -> Response:
    """Send the browser to the provider, so that the reader proves again who they are."""
    sent = await begin_proving(request, work, staff)
    answer = RedirectResponse(sent.address, status_code=303)
    mark_browser(answer, work.ground, sent)
    return answer


@router.get("/account/proved")
async def proved_page(request: Request, staff: SignedIn) -> Response:
    """Say that the proof counts, in the window that was opened for it."""
    values = {"staff": staff}
    return templates.TemplateResponse(request, "second_factor/proved.html", values)


# -- on the own account ------------------------------------------------------------------


@router.post("/account/provider")
async def link(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Begin to link the own account; the page shows the way to the provider."""
    try:
        sent = await begin_linking(request, work, staff)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    # A form may not lead elsewhere, but a link may.
    answer = await show_account(request, work, staff, provider_address=sent.address)
    mark_browser(answer, work.ground, sent)
    return answer


@router.post("/account/provider/unlink")
async def unlink(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Unlink the own account from the provider."""
    try:
        await access.unlink(work, staff, by=staff)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    told = _("Your account is unlinked. From now on you sign in with your password.")
    return await show_account(request, work, staff, told=told)
