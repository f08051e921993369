"""The JSON interface of sign-in, and of the user's own account and presence."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from app.api.views import Credentials, Me, PresenceChoice, PresenceView
from app.people import leaked, second_phone
from app.routing import in_hand, own_presence
from app.routing.models import PresenceState
from app.staff import accounts, passwords, phone_proofs, second_factor, sessions
from app.staff.models import Staff
from app.staff.roles import PERMISSIONS, Permission, Role, may
from app.web.access import (
    InWork,
    Public,
    SignedIn,
    TakesCalls,
    forget_cookie,
    set_cookie,
    token_of,
)
from app.web.bodies import LONGEST_OF_STRANGERS
from app.web.signing_in import (
    Proof,
    check_own_attempts,
    proof_of,
    prove,
    remember_browser,
    sign_in_at_once,
)
from app.web.step_up import is_fresh
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["session"], route_class=StrictRoute)


@router.post(
    "/session",
    dependencies=[Depends(Public("this is where an account gets its cookie"))],
    max_body_size=LONGEST_OF_STRANGERS,
)
async def open_session(
    request: Request, response: Response, work: InWork, credentials: Credentials
) -> Me:
    """Sign in. The response sets the cookie. An account with a second factor needs `code`, too, or
    `passkey`."""
    given = credentials
    signed_in = await sign_in_at_once(
        request, work, given.username, given.password, given.code or "", given.passkey
    )
    set_cookie(response, work.ground, signed_in.token)
    remember_browser(request, response, signed_in.staff)
    return await me_of(work, signed_in.staff)


@router.delete("/session", status_code=204)
async def close_session(
    request: Request, response: Response, work: InWork, staff: SignedIn
) -> None:
    """Sign out. A counsellor who is free goes off duty."""
    await own_presence.sign_out(work, staff, token_of(request))
    forget_cookie(response, work.ground)


async def me_of(work: Work, staff: Staff) -> Me:
    presence = await presence_view(work, staff) if may(staff.role, Permission.TAKE_CALLS) else None
    return Me(
        id=staff.id,
        name=staff.name,
        role=staff.role,
        endpoint=staff.endpoint_kind,
        languages=staff.languages,
        permissions=sorted(PERMISSIONS[Role(staff.role)]),
        presence=presence,
    )


async def presence_view(work: Work, staff: Staff) -> PresenceView:
    """Return a counsellor's presence. If they never signed in for duty, they are off duty."""
    found = await in_hand.read_in_hand(work, staff)
    presence = found.presence
    return PresenceView(
        state=presence.state if presence else PresenceState.OFF_DUTY,
        since=presence.since if presence else work.now,
        until=presence.until_at if presence else None,
        after_call=presence.after_call if presence else None,
        cause=presence.cause if presence else "",
        on_shift=found.shift_ends_at is not None,
        shift_ends_at=found.shift_ends_at,
    )


@router.get("/me")
async def me(work: InWork, staff: SignedIn) -> Me:
    """Return your account, permissions and presence."""
    return await me_of(work, staff)


@router.put("/me/presence")
async def choose_presence(work: InWork, staff: TakesCalls, choice: PresenceChoice) -> PresenceView:
    """Set your own presence: available, break or off_duty."""
    await own_presence.choose_presence_by_name(work, staff, choice.state)
    return await presence_view(work, staff)


class PageLanguage(BaseModel):
    language: str = Field(max_length=20)


@router.put("/me/page-language", status_code=204)
async def choose_page_language(work: InWork, staff: SignedIn, chosen: PageLanguage) -> None:
    """Choose the language of your own pages and letters."""
    await accounts.choose_page_language(work, staff, chosen.language)


class SessionView(BaseModel):
    """One of your own sessions: when it began, when it was last used, the browser's family."""

    id: UUID
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime
    browser: str
    this_one: bool


class PasswordIn(BaseModel):
    present: str = Field(max_length=1000)
    new: str = Field(max_length=1000)


@router.get("/me/sessions")
async def own_sessions(request: Request, work: InWork, staff: SignedIn) -> list[SessionView]:
    """List where you are signed in."""
    mine = work.keys.session_key(token_of(request))
    return [
        SessionView(
            id=one.id,
            created_at=one.created_at,
            used_at=one.used_at,
            expires_at=one.expires_at,
            browser=one.browser,
            this_one=one.token_key == mine,
        )
        for one in await sessions.sessions_of(work, staff)
    ]


@router.delete("/me/sessions/{session_id}", status_code=204)
async def end_own_session(work: InWork, staff: SignedIn, session_id: UUID) -> None:
    """Sign out in one of your browsers."""
    await sessions.end_one(work, staff, session_id)


class PinIn(BaseModel):
    present: str = Field(max_length=1000)
    pin: str = Field(max_length=20)


@router.put("/me/phone-pin", status_code=204)
async def set_own_pin(request: Request, work: InWork, staff: SignedIn, wanted: PinIn) -> None:
    """Choose the PIN by which you prove by telephone who you are; `present` is your password."""
    await check_own_attempts(request, staff)
    await phone_proofs.set_own_pin(work, staff, wanted.present, wanted.pin)


class NumberIn(BaseModel):
    number: str = Field(max_length=40)


class SecondPhone(BaseModel):
    """The telephone that rings if your browser does not answer. It rings once it is proven."""

    number: str | None
    proven: bool


class SecondPhoneRung(BaseModel):
    """The code that proves your telephone, which rings now. It is shown only in this answer."""

    code: str


@router.get("/me/second-phone")
async def second_phone_of(work: InWork, staff: TakesCalls) -> SecondPhone:
    """Return the telephone that rings if your browser does not answer."""
    number = staff.second_phone
    proven = number is not None and await phone_proofs.is_proven(work, staff)
    return SecondPhone(number=number, proven=proven)


@router.put("/me/second-phone")
async def choose_second_phone(work: InWork, staff: TakesCalls, wanted: NumberIn) -> SecondPhoneRung:
    """Choose the telephone that rings if your browser does not answer. It is rung now: enter the
    `code` there, which proves it."""
    return SecondPhoneRung(code=await second_phone.choose(work, staff, wanted.number))


@router.delete("/me/second-phone", status_code=204)
async def give_second_phone_up(work: InWork, staff: TakesCalls) -> None:
    """Let only the browser ring."""
    await second_phone.give_up(work, staff)


@router.put("/me/password", status_code=204)
async def change_own_password(
    request: Request, work: InWork, staff: SignedIn, wanted: PasswordIn
) -> None:
    """Change your password. Your other sessions end."""
    await check_own_attempts(request, staff)
    await leaked.ask(work, wanted.new)
    token = token_of(request)
    await passwords.change_own(work, staff, wanted.present, wanted.new, token)


class FactorView(BaseModel):
    """Your second factor: since when there is one, how many recovery codes are left, and how many
    passkeys can be used."""

    since: datetime | None
    app_since: datetime | None
    passkeys: int
    codes_left: int
    needed: bool


class ProofIn(BaseModel):
    """A code of your second factor, or your password if there is none; or what your passkey
    answered to the challenge of `POST /me/proof/passkey`."""

    proof: str = Field(default="", max_length=1000)
    passkey: dict[str, Any] | None = None


class ProofView(BaseModel):
    """By what you prove again who you are, whether a passkey does, too, and whether your last proof
    still counts."""

    by: Proof
    passkey: bool
    fresh: bool


class SetupView(BaseModel):
    """The secret for an app for one-time codes, and the address that such an app reads."""

    secret: str
    uri: str


class CodeIn(BaseModel):
    code: str = Field(max_length=100)


class RecoveryCodes(BaseModel):
    """Each replaces the telephone once. They are shown only now."""

    recovery_codes: list[str]


class FactorSet(RecoveryCodes):
    """What became of a first code. `next_code`: nothing is set yet, and there are no recovery
    codes; send the next code of the telephone as well, because its clock is wrong or the code came
    late."""

    next_code: bool


@router.get("/me/proof")
async def own_proof(request: Request, work: InWork, staff: SignedIn) -> ProofView:
    """Say by what you prove again who you are before numbers, files and keys."""
    fresh = await is_fresh(work, token_of(request))
    state = await second_factor.state_of(work, staff)
    return ProofView(by=await proof_of(work, staff), passkey=state.passkeys > 0, fresh=fresh)


@router.post("/me/proof", status_code=204)
async def prove_again(request: Request, work: InWork, staff: SignedIn, sent: ProofIn) -> None:
    """Prove again who you are. Then send the request again that was answered with ProofNeeded."""
    await prove(request, work, staff, sent.proof, sent.passkey)


@router.get("/me/second-factor")
async def own_factor(work: InWork, staff: SignedIn) -> FactorView:
    """Return the state of your second factor."""
    state = await second_factor.state_of(work, staff)
    return FactorView.model_validate(state, from_attributes=True)


@router.post("/me/second-factor", status_code=201)
async def begin_factor(
    request: Request, work: InWork, staff: SignedIn, asked: ProofIn
) -> SetupView:
    """Begin to set up a second factor, or another one. It counts once a code of it was sent."""
    await prove(request, work, staff, asked.proof, asked.passkey)
    setup = await second_factor.begin(work, staff)
    return SetupView(secret=setup.secret, uri=setup.uri)


@router.post("/me/second-factor/confirm", status_code=201)
async def confirm_factor(
    request: Request, work: InWork, staff: SignedIn, sent: CodeIn
) -> FactorSet:
    """Set the second factor with a code of it. The answer has the recovery codes."""
    await check_own_attempts(request, staff)
    codes = await second_factor.confirm(work, staff, sent.code)
    return FactorSet(recovery_codes=codes or [], next_code=codes is None)


@router.post("/me/recovery-codes", status_code=201)
async def renew_recovery_codes(
    request: Request, work: InWork, staff: SignedIn, asked: ProofIn
) -> RecoveryCodes:
    """Make new recovery codes; the earlier ones end."""
    await prove(request, work, staff, asked.proof, asked.passkey)
    return RecoveryCodes(recovery_codes=await second_factor.renew_codes(work, staff))


@router.post("/me/second-factor/remove", status_code=204)
async def remove_factor(request: Request, work: InWork, staff: SignedIn, asked: ProofIn) -> None:
    """Take your second factor away, where your role needs none."""
    await prove(request, work, staff, asked.proof, asked.passkey)
    await second_factor.remove_own(work, staff)
