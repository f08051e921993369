"""The pages of passkeys: at sign-in, setting a first one up, and the list of the own account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from app.dashboard.people.own import SignedIn, show_account
from app.dashboard.people.second_factor import finish, give, show_codes, show_set_up
from app.dashboard.people.signing_in import safe_next
from app.errors import Refusal
from app.staff import passkeys
from app.staff.models import Awaits
from app.web.access import InWork, Public, set_cookie
from app.web.sign_in.signing_in import (
    add_passkey,
    begun,
    passkey_options,
    sign_in_by_adding_passkey,
    sign_in_by_passkey,
)
from app.words import pages
from app.words.pages import _, refusal_words

router = APIRouter(include_in_schema=False)
_BEGUN = [Depends(Public("the password was right: a session that opens nothing else yet"))]
# What the browser's passkey answered, as JSON.
_Answer = Annotated[str, Form(max_length=20_000)]
_Next = Annotated[str, Form(max_length=1000)]
_Name = Annotated[str, Form(max_length=200)]


@router.post("/login/passkey/options", dependencies=_BEGUN)
async def options(request: Request, work: InWork) -> Response:
    """Give the browser a challenge: for one of the passkeys, or for making the first one."""
    made = await passkey_options(request, work)
    return Response(f'{{"publicKey": {made}}}', media_type="application/json")


@router.post("/login/passkey", dependencies=_BEGUN)
async def give_passkey(
    request: Request, work: InWork, credential: _Answer = "", next: _Next = "/"
) -> Response:
    """Sign in with a passkey, after the right password."""
    return await give(request, work, next, sign_in_by_passkey, credential)


@router.post("/login/set-up/passkey", dependencies=_BEGUN)
async def set_up_passkey(
    request: Request,
    work: InWork,
    name: _Name = "",
    credential: _Answer = "",
    next: _Next = "/",
) -> Response:
    """Add the first passkey where the role needs a second factor, or a new one where it needs a
    passkey, sign in, and show the recovery codes if they are new."""
    person, _session = await begun(request, work, Awaits.SETTING_UP)
    pages.speak(person.page_language)
    try:
        signed_in, codes = await sign_in_by_adding_passkey(request, work, name, credential)
    except Refusal as refusal:
        await work.undo()
        return await show_set_up(request, work, next, refusal)
    wanted = safe_next(next)
    shown: Response = RedirectResponse(wanted, status_code=303)
    if codes:
        shown = show_codes(request, None, codes, wanted)
    return finish(request, work, signed_in, shown)


# -- on the own account ------------------------------------------------------------------


@router.post("/account/passkeys")
async def add(
    request: Request, work: InWork, staff: SignedIn, name: _Name = "", credential: _Answer = ""
) -> Response:
    """Add a passkey that the browser has made. If it is the first factor, the recovery codes are
    shown."""
    try:
        added, token = await add_passkey(request, work, staff, name, credential)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    if added.codes is not None:
        answer = show_codes(request, staff, added.codes, "/account")
    else:
        told = _("The passkey %(name)s is added.", name=added.passkey.name)
        answer = await show_account(request, work, staff, told=told)
    set_cookie(answer, work.ground, token)
    return answer


@router.post("/account/passkeys/{passkey_id}/remove")
async def remove(request: Request, work: InWork, staff: SignedIn, passkey_id: UUID) -> Response:
    """Remove a passkey of the reader."""
    try:
        await passkeys.remove_own(work, staff, passkey_id)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    return await show_account(request, work, staff, told=_("The passkey is removed."))
