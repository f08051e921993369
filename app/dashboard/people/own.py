"""A person's own account: password, language, colours, sounds, and where they are signed in."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from app.abilities import EndpointKind
from app.dashboard.sounds import sounds_values
from app.dashboard.templating import templates
from app.errors import Invalid, Refusal
from app.people import finding, leaked, second_phone
from app.people.provider import access, keeping
from app.staff import passkeys, passwords, phone_proofs, second_factor, sessions
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with, set_cookie, token_of
from app.web.sign_in.guesses import check_own_attempts
from app.web.sign_in.proving import renew_token
from app.words.pages import _, refusal_words
from app.words.pages import said as said_in
from app.words.without_codes import ONLY_A_PIN
from app.work import Work

router = APIRouter(include_in_schema=False)
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
_Password = Annotated[str, Form(max_length=1000)]


@router.get("/account")
async def account_page(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show the reader's own account."""
    return await show_account(request, work, staff)


async def show_account(request: Request, work: Work, staff: Staff, **said: Any) -> Response:
    """Render the page of the own account."""
    # The request knows its reader as they were before it.
    staff = await work.session.get_one(Staff, staff.id)
    proof = await phone_proofs.proof_of(work, staff.id)
    only = await phone_proofs.only_a_pin(work, staff)
    mine = await sessions.current_key(work, work.keys.session_key(token_of(request)))
    values = {
        "staff": staff,
        "sessions": await sessions.sessions_of(work, staff),
        "mine": mine,
        "events": await finding.events_of(work, staff),
        "factor": await second_factor.state_of(work, staff),
        "passkeys": await passkeys.passkeys_of(work, staff),
        "passkeys_possible": work.settings.has_name,
        "provider": await keeping.provider(work),
        "identity": await access.identity_of(work, staff),
        "proof": proof,
        "only_a_pin": said_in(ONLY_A_PIN) if only else "",
        "now": work.now,
        "rings_in_page": staff.endpoint_kind == EndpointKind.BROWSER
        and may(staff.role, Permission.TAKE_CALLS),
        **await sounds_values(work, staff),
        **said,
    }
    return templates.TemplateResponse(request, "account.html", values)


@router.post("/account/password")
async def change_password(
    request: Request,
    work: InWork,
    staff: SignedIn,
    present: _Password = "",
    new: _Password = "",
    again: _Password = "",
) -> Response:
    """Change the own password. The other sessions end; this page stays signed in."""
    await check_own_attempts(request, work, staff)
    try:
        if new != again:
            raise Invalid("The two passwords are not the same. Type both again.")
        await leaked.ask(work, new)
        token = token_of(request)
        ended = await passwords.change_own(work, staff, present, new, token)
        renewed = await renew_token(request, work, staff, ends_soon=True)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    told = _("Your password is changed. Other sessions that ended: %(number)s.", number=ended)
    answer = await show_account(request, work, staff, told=told)
    set_cookie(answer, work.ground, renewed)
    return answer


@router.post("/account/phone-pin")
async def set_phone_pin(
    request: Request,
    work: InWork,
    staff: SignedIn,
    present: _Password = "",
    pin: _Password = "",
    again: _Password = "",
) -> Response:
    """Choose the PIN by which the reader proves by phone who they are."""
    await check_own_attempts(request, work, staff)
    try:
        if pin != again:
            raise Invalid("The two PINs are not the same. Enter both again.")
        await phone_proofs.set_own_pin(work, staff, present, pin, token_of(request))
        renewed = await renew_token(request, work, staff)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    answer = await show_account(request, work, staff, told=_("Your PIN is set."))
    set_cookie(answer, work.ground, renewed)
    return answer


@router.post("/account/second-phone")
async def choose_second_phone(
    request: Request, work: InWork, staff: TakesCalls, number: Annotated[str, Form()] = ""
) -> Response:
    """Choose the phone that rings if the browser does not answer, and let it be rung."""
    try:
        code = await second_phone.choose(work, staff, number[:40])
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    return await show_account(request, work, staff, phone_code=code)


@router.post("/account/second-phone/give-up")
async def give_second_phone_up(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """Let only the browser ring."""
    try:
        await second_phone.give_up(work, staff)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    return await show_account(request, work, staff, told=_("Only your browser rings now."))


@router.post("/account/sessions/{session_id}/end")
async def end_session(
    request: Request, work: InWork, staff: SignedIn, session_id: UUID
) -> Response:
    """Sign out in another browser."""
    try:
        await sessions.end_one(work, staff, session_id)
    except Refusal as refusal:
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    return await show_account(request, work, staff, told=_("Signed out there."))


@router.post("/account/sessions/end")
async def end_other_sessions(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Sign out everywhere but here."""
    await sessions.end_others(work, staff, token_of(request))
    return await show_account(request, work, staff, told=_("Signed out there."))
