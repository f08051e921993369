"""The JSON interface of passkeys: the browser's own, at sign-in, as a proof, and on the account.

What a browser needs is the JSON that `PublicKeyCredential.parseCreationOptionsFromJSON` and
`parseRequestOptionsFromJSON` read; what it answers is that of `toJSON()`.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from app.staff import passkeys
from app.staff.passkey_rows import ChallengePurpose, Passkey
from app.web.access import InWork, Public, SignedIn, set_cookie
from app.web.bodies import LONGEST_OF_STRANGERS
from app.web.sign_in.guesses import count_options
from app.web.sign_in.signing_in import add_passkey, passkey_options_at_once
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["session"], route_class=StrictRoute)
_SIGN_IN = [Depends(Public("name and password are checked, as by the sign-in"))]


class NameAndPassword(BaseModel):
    username: str
    password: str


class PasskeyView(BaseModel):
    """A passkey of yours; `stopped_at` if its counter went back, and it opens nothing any more."""

    id: UUID
    name: str
    made_at: datetime
    used_at: datetime | None
    stopped_at: datetime | None


class PasskeyIn(BaseModel):
    """A passkey that the browser has made, and how you call it."""

    name: Annotated[str, Field(max_length=200)]
    credential: dict[str, Any]


class AddedPasskey(PasskeyView):
    """The passkey, and the recovery codes if it is your first second factor: shown only now."""

    recovery_codes: list[str] | None


class Challenge(BaseModel):
    """What the browser needs."""

    publicKey: dict[str, Any]


def _as_json(options: str) -> Response:
    return Response(f'{{"publicKey": {options}}}', media_type="application/json")


@router.post(
    "/session/passkey",
    dependencies=_SIGN_IN,
    response_model=Challenge,
    max_body_size=LONGEST_OF_STRANGERS,
)
async def passkey_for_sign_in(request: Request, work: InWork, given: NameAndPassword) -> Response:
    """Return the challenge for a passkey; its answer goes to `POST /session` within 5 minutes."""
    return _as_json(await passkey_options_at_once(request, work, given.username, given.password))


@router.post("/me/proof/passkey", response_model=Challenge)
async def passkey_for_proof(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Return the challenge for a passkey; its answer goes to `POST /me/proof` within 5 minutes."""
    await count_options(request, staff)
    return _as_json(await passkeys.begin_using(work, staff, ChallengePurpose.PROOF))


@router.get("/me/passkeys")
async def own_passkeys(work: InWork, staff: SignedIn) -> list[PasskeyView]:
    """List your passkeys."""
    return [_view(one) for one in await passkeys.passkeys_of(work, staff)]


def _view(passkey: Passkey) -> PasskeyView:
    return PasskeyView.model_validate(passkey, from_attributes=True)


@router.post("/me/passkeys/options", response_model=Challenge)
async def begin_passkey(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Return the challenge for a new passkey; its answer goes to `POST /me/passkeys` within
    5 minutes."""
    await count_options(request, staff)
    return _as_json(await passkeys.begin_adding(work, staff))


@router.post("/me/passkeys", status_code=201)
async def add_own_passkey(
    request: Request, response: Response, work: InWork, staff: SignedIn, sent: PasskeyIn
) -> AddedPasskey:
    """Add a passkey that the browser has made. The response sets a new cookie."""
    added, token = await add_passkey(request, work, staff, sent.name, sent.credential)
    set_cookie(response, work.ground, token)
    return AddedPasskey(**_view(added.passkey).model_dump(), recovery_codes=added.codes)


@router.delete("/me/passkeys/{passkey_id}", status_code=204)
async def remove_own_passkey(work: InWork, staff: SignedIn, passkey_id: UUID) -> None:
    """Remove a passkey of yours."""
    await passkeys.remove_own(work, staff, passkey_id)
