"""A signed-in person proves again who they are; before which acts is in `app/web/step_up.py`."""

from enum import StrEnum

from fastapi import Request

from app.errors import Invalid, NotSignedIn
from app.routing import telephones
from app.staff import passkeys, second_factor, session_tokens
from app.staff.audit import write_reading
from app.staff.hashing import password_is_right
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.passkey_rows import ChallengePurpose
from app.staff.passkeys import Sent
from app.staff.session_tokens import Renewed
from app.web.access import token_of
from app.web.sign_in import guesses, passkey_answers
from app.web.step_up import ProofNeeded
from app.work import Work


class WrongProof(Invalid):
    default = "The password is wrong. Nothing was changed."


class WrongOwnCode(Invalid):
    default = second_factor.WrongCode.default


class WrongOwnPasskey(Invalid):
    default = passkeys.WrongPasskey.default


class OwnPasskeyNeeded(Invalid):
    default = second_factor.PasskeyNeeded.default


class Proof(StrEnum):
    """By what a signed-in person proves again who they are."""

    CODE = "code"
    PASSWORD = "password"
    PASSKEY = "passkey"
    # By signing in again at the provider, for people who have neither password nor factor here.
    PROVIDER = "provider"


async def prove(
    request: Request, work: Work, staff: Staff, typed: str, passkey: Sent | None = None
) -> str:
    """Check again that a signed-in person is there: by a passkey or a code, or by the password
    where there is no second factor; by a passkey alone where the role needs one. For a while no
    other proof is asked for; see `app/web/step_up.py`. Return the new token for the cookie.

    Raises WrongProof, WrongOwnCode, WrongOwnPasskey, OwnPasskeyNeeded, TooMany.
    """
    await guesses.check_own_attempts(request, work, staff)
    how = await proof_of(work, staff) if passkey is None else Proof.PASSKEY
    if passkey is not None:
        try:
            await passkey_answers.use(work, staff, ChallengePurpose.PROOF, passkey)
        except NotSignedIn as refusal:
            await write_reading(work, AuditLog.PROOF_FAILED, str(staff.id), wrong=how.value)
            # The session stays: only the proof is refused.
            raise WrongOwnPasskey(refusal.message) from None
    elif how is Proof.PASSKEY:
        raise OwnPasskeyNeeded()
    elif how is Proof.CODE:
        await work.let_go()
        await guesses.count_code(request, "own", str(staff.id))
        try:
            await second_factor.use_code(work, staff, typed)
        except second_factor.WrongCode:
            await write_reading(work, AuditLog.PROOF_FAILED, str(staff.id), wrong=how.value)
            raise WrongOwnCode() from None
    else:
        account = await work.session.get(Staff, staff.id, populate_existing=True)
        await work.let_go()
        is_right = await password_is_right(account, typed[:1000])
        if how is Proof.PROVIDER or not is_right:
            await write_reading(work, AuditLog.PROOF_FAILED, str(staff.id), wrong=how.value)
            raise WrongProof()
    return await note_proof(request, work, staff, how)


async def note_proof(request: Request, work: Work, staff: Staff, how: Proof) -> str:
    """Note that a signed-in person has proved again who they are. Return the new token for the
    cookie. Raises NotSignedIn if the session has ended meanwhile."""
    renewed = await session_tokens.note_proof(work, staff, token_of(request), how.value)
    return await _pass_on(work, staff, renewed)


async def renew_token(
    request: Request, work: Work, staff: Staff, *, ends_soon: bool = False
) -> str:
    """Give the session a new token after its person has typed their password for one change: that
    opens nothing else. Return it for the cookie. `ends_soon`: see `session_tokens.renew`. Raises
    NotSignedIn as `note_proof` does."""
    renewed = await session_tokens.renew(work, token_of(request), ends_soon=ends_soon)
    return await _pass_on(work, staff, renewed)


async def _pass_on(work: Work, staff: Staff, renewed: Renewed) -> str:
    """Let the page go on by the new token, and so its telephone."""
    key = work.keys.session_key(renewed.token)
    await telephones.pass_on(work, staff.id, renewed.former, key)
    return renewed.token


async def confirm_own_factor(
    request: Request, work: Work, staff: Staff, code: str
) -> tuple[list[str], str] | None:
    """Set the second factor of a signed-in person, who so proves again who they are. Return the
    recovery codes and the new token for the cookie; see `second_factor.confirm`."""
    codes = await second_factor.confirm(work, staff, code)
    if codes is None:
        return None
    return codes, await note_proof(request, work, staff, Proof.CODE)


async def proof_of(work: Work, staff: Staff) -> Proof:
    """Return by what a person proves again who they are."""
    state = await second_factor.state_of(work, staff)
    if state.passkey_needed:
        # For a person with none here, the provider has decided what was needed.
        return Proof.PROVIDER if staff.by_provider and state.codes_count else Proof.PASSKEY
    if state.since is not None:
        return Proof.CODE
    return Proof.PROVIDER if staff.by_provider and staff.password_hash is None else Proof.PASSWORD


async def check_provider_proves(work: Work, staff: Staff) -> None:
    """Check that a person proves who they are by signing in again at the provider, and by nothing
    more here. Raises OwnPasskeyNeeded, ProofNeeded."""
    how = await proof_of(work, staff)
    if how is Proof.PASSKEY:
        raise OwnPasskeyNeeded()
    if how is not Proof.PROVIDER:
        raise ProofNeeded()
