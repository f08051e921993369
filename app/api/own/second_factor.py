"""The JSON interface of the user's own second factor, and of proving again who they are."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.staff import second_factor
from app.staff.models import Staff
from app.web.access import InWork, SignedIn, set_cookie, token_of
from app.web.sign_in.guesses import check_own_attempts
from app.web.sign_in.proving import Proof, confirm_own_factor, proof_of, prove
from app.web.step_up import is_fresh
from app.web.strict_bodies import StrictRoute
from app.work import Work

router = APIRouter(tags=["session"], route_class=StrictRoute)


class FactorView(BaseModel):
    """Your second factor: since when there is one, how many recovery codes are left, and how many
    passkeys can be used. `passkey_needed`: your role needs a passkey."""

    since: datetime | None
    app_since: datetime | None
    passkeys: int
    codes_left: int
    needed: bool
    passkey_needed: bool


class ProofIn(BaseModel):
    """A code of your second factor, or your password if there is none; or what your passkey
    answered to the challenge of `POST /me/proof/passkey`, which alone counts if your role needs a
    passkey."""

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
    """Each replaces the phone once. They are shown only now."""

    recovery_codes: list[str]


class FactorSet(RecoveryCodes):
    """What became of a first code. `next_code`: nothing is set yet, and there are no recovery
    codes; send the next code of the phone as well, because its clock is wrong or the code came
    late."""

    next_code: bool


@router.get("/me/proof")
async def own_proof(request: Request, work: InWork, staff: SignedIn) -> ProofView:
    """Say by what you prove again who you are before numbers, files and keys."""
    fresh = await is_fresh(work, staff, token_of(request))
    state = await second_factor.state_of(work, staff)
    return ProofView(by=await proof_of(work, staff), passkey=state.passkeys > 0, fresh=fresh)


@router.post("/me/proof", status_code=204)
async def prove_again(
    request: Request, response: Response, work: InWork, staff: SignedIn, sent: ProofIn
) -> None:
    """Prove again who you are. The response sets a new cookie. Then send the request again that was
    answered with ProofNeeded."""
    await _prove(request, response, work, staff, sent)


async def _prove(
    request: Request, response: Response, work: Work, staff: Staff, sent: ProofIn
) -> None:
    token = await prove(request, work, staff, sent.proof, sent.passkey)
    set_cookie(response, work.ground, token)


@router.get("/me/second-factor")
async def own_factor(work: InWork, staff: SignedIn) -> FactorView:
    """Return the state of your second factor."""
    state = await second_factor.state_of(work, staff)
    return FactorView.model_validate(state, from_attributes=True)


@router.post("/me/second-factor", status_code=201)
async def begin_factor(
    request: Request, response: Response, work: InWork, staff: SignedIn, asked: ProofIn
) -> SetupView:
    """Begin to set up a second factor, or another one. It counts once a code of it was sent."""
    await _prove(request, response, work, staff, asked)
    setup = await second_factor.begin(work, staff)
    return SetupView(secret=setup.secret, uri=setup.uri)


@router.post("/me/second-factor/confirm", status_code=201)
async def confirm_factor(
    request: Request, response: Response, work: InWork, staff: SignedIn, sent: CodeIn
) -> FactorSet:
    """Set the second factor with a code of it. The answer has the recovery codes."""
    await check_own_attempts(request, work, staff)
    done = await confirm_own_factor(request, work, staff, sent.code)
    if done is None:
        return FactorSet(recovery_codes=[], next_code=True)
    codes, token = done
    set_cookie(response, work.ground, token)
    return FactorSet(recovery_codes=codes, next_code=False)


@router.post("/me/recovery-codes", status_code=201)
async def renew_recovery_codes(
    request: Request, response: Response, work: InWork, staff: SignedIn, asked: ProofIn
) -> RecoveryCodes:
    """Make new recovery codes; the earlier ones end."""
    await _prove(request, response, work, staff, asked)
    return RecoveryCodes(recovery_codes=await second_factor.renew_codes(work, staff))


@router.post("/me/second-factor/remove", status_code=204)
async def remove_factor(
    request: Request, response: Response, work: InWork, staff: SignedIn, asked: ProofIn
) -> None:
    """Take your second factor away, where your role needs none."""
    await _prove(request, response, work, staff, asked)
    await second_factor.remove_own(work, staff)
