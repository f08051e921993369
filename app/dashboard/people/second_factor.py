"""The pages of the second factor: a code at sign-in, setting one up, and the recovery codes."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import segno
from fastapi import APIRouter, Depends, Form, Request, Response
from markupsafe import Markup
from starlette.responses import RedirectResponse

from app.dashboard.people.own import SignedIn, show_account
from app.dashboard.people.signing_in import lead_to_factor, safe_next
from app.dashboard.templating import templates
from app.errors import NotSignedIn, Refusal
from app.staff import second_factor
from app.staff.models import Awaits, Staff
from app.staff.second_factor import Setup
from app.staff.sessions import browser_of
from app.web.access import InWork, Public, set_cookie
from app.web.sign_in.guesses import check_own_attempts
from app.web.sign_in.known_browsers import remember_browser
from app.web.sign_in.proving import confirm_own_factor, prove
from app.web.sign_in.signing_in import SignIn, begun, sign_in_by_code, sign_in_by_setting_up
from app.words import pages
from app.words.pages import _, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
_BEGUN = [Depends(Public("the password was right: a session that opens nothing else yet"))]
_CONFIRM = "/account/second-factor/confirm"
_Code = Annotated[str, Form(max_length=100)]
_Next = Annotated[str, Form(max_length=1000)]
_Proof = Annotated[str, Form(max_length=1000)]


def _page(request: Request, template: str, /, status: int = 200, **values: Any) -> Response:
    answer = templates.TemplateResponse(request, template, values, status_code=status)
    # It may show a secret.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def finish(request: Request, work: Work, signed_in: SignIn, answer: Response) -> Response:
    """Let a response sign its reader in."""
    set_cookie(answer, work.ground, signed_in.token)
    remember_browser(request, answer, signed_in.staff)
    return answer


# -- at sign-in --------------------------------------------------------------------------


@router.get("/login/code", dependencies=_BEGUN)
async def code_page(request: Request, work: InWork, next: str = "/") -> Response:
    """Ask for a code, after the right password."""
    person, _session = await begun(request, work, Awaits.CODE)
    pages.speak(person.page_language)
    return await show_code(request, work, next)


async def show_code(
    request: Request, work: Work, wanted: str, refusal: Refusal | None = None
) -> Response:
    """Render the page that asks for a code or a passkey."""
    person, _session = await begun(request, work, Awaits.CODE)
    problem = refusal_words(refusal) if refusal else ""
    status = refusal.status if refusal else 200
    values = {
        "staff": None,
        "next": safe_next(wanted),
        "problem": problem,
        "factor": await second_factor.state_of(work, person),
    }
    return _page(request, "second_factor/code.html", status, **values)


@router.post("/login/code", dependencies=_BEGUN)
async def give_code(
    request: Request, work: InWork, code: _Code = "", next: _Next = "/"
) -> Response:
    """Sign in with a code of the phone, or a recovery code."""
    return await give(request, work, next, sign_in_by_code, code)


async def give(
    request: Request,
    work: Work,
    wanted: str,
    sign_in: Callable[[Request, Work, str], Awaitable[SignIn]],
    given: str,
) -> Response:
    """Sign in with what was given after the right password, or ask for it again."""
    person, _session = await begun(request, work, Awaits.CODE)
    pages.speak(person.page_language)
    try:
        signed_in = await sign_in(request, work, given)
    except Refusal as refusal:
        await work.undo()
        return await show_code(request, work, wanted, refusal)
    if signed_in.awaits is not None:
        return lead_to_factor(work, signed_in, safe_next(wanted))
    return finish(request, work, signed_in, RedirectResponse(safe_next(wanted), status_code=303))


@router.get("/login/set-up", dependencies=_BEGUN)
async def set_up_page(request: Request, work: InWork, next: str = "/") -> Response:
    """Lead a person whose role needs a second factor through setting it up."""
    person, _session = await begun(request, work, Awaits.SETTING_UP)
    pages.speak(person.page_language)
    return await show_set_up(request, work, next)


async def show_set_up(
    request: Request,
    work: Work,
    wanted: str,
    refusal: Refusal | None = None,
    *,
    next_code: bool = False,
) -> Response:
    """Render the page on which a person whose role needs a second factor sets one up."""
    person, _session = await begun(request, work, Awaits.SETTING_UP)
    only_passkey = (await second_factor.state_of(work, person)).passkey_needed
    setup = None if only_passkey else await second_factor.shown_setup(work, person)
    return _set_up(
        request, None, setup, "/login/set-up", wanted, refusal=refusal, next_code=next_code
    )


def _set_up(
    request: Request,
    staff: Staff | None,
    setup: Setup | None,
    action: str,
    wanted: str = "/",
    *,
    refusal: Refusal | None = None,
    next_code: bool = False,
) -> Response:
    """Render the page of the set-up; without a `setup` of codes, that of a passkey alone."""
    return _page(
        request,
        "second_factor/set_up.html",
        refusal.status if refusal else 200,
        staff=staff,
        **(_shown(setup) if setup is not None else {}),
        action=action,
        next=safe_next(wanted),
        browser=browser_of(request.headers.get("user-agent", "")),
        passkeys_possible=request.app.state.ground.settings.has_name,
        problem=refusal_words(refusal) if refusal else "",
        next_code=next_code,
    )


def _shown(setup: Setup) -> dict[str, Any]:
    """Return what the page shows of a secret: drawn, as letters, and as an address."""
    drawn = segno.make(setup.uri, error="m").svg_inline(
        omitsize=True, dark="#000", light="#fff", title=_("Code for the app of your phone")
    )
    groups = [setup.secret[at : at + 4] for at in range(0, len(setup.secret), 4)]
    return {
        # Drawn here, from letters and a quoted name.
        "drawn": Markup(drawn),  # noqa: S704
        "letters": " ".join(groups),
        "uri": setup.uri,
    }


def show_codes(
    request: Request, staff: Staff | None, codes: list[str], wanted: str, *, renewed: bool = False
) -> Response:
    """Render the recovery codes, which are shown only now."""
    told = _("The earlier codes have ended.") if renewed else _("The second factor is set up.")
    values: dict[str, Any] = {"staff": staff, "codes": codes, "next": wanted, "told": told}
    return _page(request, "second_factor/codes.html", **values)


@router.post("/login/set-up", dependencies=_BEGUN)
async def finish_set_up(
    request: Request, work: InWork, code: _Code = "", next: _Next = "/"
) -> Response:
    """Set the second factor with a first code, sign in, and show the recovery codes."""
    person, _session = await begun(request, work, Awaits.SETTING_UP)
    pages.speak(person.page_language)
    try:
        done = await sign_in_by_setting_up(request, work, code)
    except Refusal as refusal:
        await work.undo()
        return await show_set_up(request, work, next, refusal)
    if done is None:
        return await show_set_up(request, work, next, next_code=True)
    signed_in, codes = done
    shown = show_codes(request, None, codes, safe_next(next))
    return finish(request, work, signed_in, shown)


# -- on the account page -----------------------------------------------------------------


@router.post("/account/second-factor")
async def change_factor(
    request: Request,
    work: InWork,
    staff: SignedIn,
    act: Annotated[Literal["set", "codes", "remove"], Form()],
    proof: _Proof = "",
    credential: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    """Set up a second factor, make new recovery codes, or take it away where the role needs none.

    The person proves first who they are.
    """
    try:
        token = await prove(request, work, staff, proof, credential or None)
        answer = await _changed(request, work, staff, act)
    except Refusal as refusal:
        await work.undo()
        return await show_account(request, work, staff, problem=refusal_words(refusal))
    set_cookie(answer, work.ground, token)
    return answer


async def _changed(
    request: Request, work: Work, staff: Staff, act: Literal["set", "codes", "remove"]
) -> Response:
    """Do what was chosen, after the proof."""
    match act:
        case "set":
            setup = await second_factor.begin(work, staff)
            return _set_up(request, staff, setup, _CONFIRM, "/account")
        case "codes":
            codes = await second_factor.renew_codes(work, staff)
            return show_codes(request, staff, codes, "/account", renewed=True)
        case "remove":
            await second_factor.remove_own(work, staff)
    left = (await second_factor.state_of(work, staff)).since is not None
    told = _("Your second factor is removed. From now on the password is enough.")
    if left:
        told = _("The codes of your phone are removed. Your passkeys stay.")
    return await show_account(request, work, staff, told=told)


@router.post(_CONFIRM)
async def confirm(request: Request, work: InWork, staff: SignedIn, code: _Code = "") -> Response:
    """Set the second factor with a first code of the phone."""
    await check_own_attempts(request, work, staff)
    try:
        done = await confirm_own_factor(request, work, staff, code)
    except NotSignedIn as refusal:
        await work.undo()
        setup = await second_factor.shown_setup(work, staff)
        return _set_up(request, staff, setup, _CONFIRM, "/account", refusal=refusal)
    if done is None:
        setup = await second_factor.shown_setup(work, staff)
        return _set_up(request, staff, setup, _CONFIRM, "/account", next_code=True)
    codes, token = done
    answer = show_codes(request, staff, codes, "/account")
    set_cookie(answer, work.ground, token)
    return answer
