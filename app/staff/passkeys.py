"""Passkeys (WebAuthn): a key in a person's device, which asks for a finger, a face or a PIN.

They are a second factor beside the phone, and prove again who a person is. The protocol is the
library's (`webauthn`); ours is that a challenge counts once and soon ends, what a passkey is for,
and that one whose counter goes back is stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import webauthn
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from webauthn.helpers import generate_challenge, parse_client_data_json
from webauthn.helpers import parse_authentication_credential_json as read_answer
from webauthn.helpers import parse_registration_credential_json as read_new
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    RegistrationCredential,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.errors import Conflict, Invalid, NotFound, NotSignedIn
from app.log import log
from app.privacy.keys import CannotOpen
from app.staff import second_factor
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.passkey_rows import ChallengePurpose, Passkey, PasskeyChallenge
from app.staff.sign_in_rules import NoName
from app.staff.telling import Told, tell_owner
from app.work import Work

MOST = 20
# How long a browser has for the answer to a challenge.
_LASTS = timedelta(minutes=5)
_LONGEST_NAME = 60
# What a browser sends: JSON, or JSON that was read already.
Sent = str | dict[str, Any]


class WrongPasskey(NotSignedIn):
    default = (
        "This passkey was not accepted, or it took too long. Try again, or use a code of your "
        "phone or a recovery code."
    )


class PasskeyStopped(NotSignedIn):
    default = (
        "This passkey is stopped: it was used somewhere else in a way that a copy of it would be. "
        "Use another passkey, a code or a recovery code, then remove it on your account."
    )


class NoPasskey(Conflict):
    default = "This account has no passkey. Use a code of your phone, or a recovery code."


class CounterWentBack(Exception):
    """A right signature with a counter that is not above the one before."""

    def __init__(self, passkey_id: UUID) -> None:
        super().__init__("the counter of a passkey went back")
        self.passkey_id = passkey_id


@dataclass(frozen=True)
class Added:
    """A passkey that was added, and the recovery codes if it is the first factor."""

    passkey: Passkey
    codes: list[str] | None


def _site(work: Work) -> str:
    """Return the name for which browsers keep passkeys. Raises NoName."""
    if not work.settings.has_name:
        raise NoName()
    return urlsplit(work.settings.public_url).hostname or ""


async def passkeys_of(work: Work, staff: Staff) -> list[Passkey]:
    """Return the passkeys of a person, the oldest first."""
    rows = await work.session.scalars(
        select(Passkey).where(Passkey.staff_id == staff.id).order_by(Passkey.made_at, Passkey.name)
    )
    return list(rows)


# -- challenges --------------------------------------------------------------------------


async def _new_challenge(work: Work, staff: Staff, purpose: ChallengePurpose) -> bytes:
    challenge = generate_challenge()
    await work.session.execute(
        delete(PasskeyChallenge).where(PasskeyChallenge.expires_at <= work.now)
    )
    work.session.add(
        PasskeyChallenge(
            challenge_key=_key(work, challenge),
            staff_id=staff.id,
            purpose=purpose.value,
            expires_at=work.now + _LASTS,
        )
    )
    await work.session.flush()
    return challenge


def _key(work: Work, challenge: bytes) -> bytes:
    return work.keys.text_key(f"passkey challenge {challenge.hex()}")


async def take_challenge(work: Work, staff: Staff, purpose: ChallengePurpose, sent: Sent) -> bytes:
    """Use up the challenge to which a browser answers, and return it. Raises WrongPasskey.

    Call it in a transaction that stays when the answer is refused: it counts once, right or wrong.
    """
    try:
        read: Any = read_new(sent) if purpose is ChallengePurpose.ADDING else read_answer(sent)
        challenge = parse_client_data_json(read.response.client_data_json).challenge
    except Exception as error:
        # The library raises many kinds for bytes that are no answer of a browser.
        raise WrongPasskey() from error
    found = await work.session.scalar(
        delete(PasskeyChallenge)
        .where(
            PasskeyChallenge.challenge_key == _key(work, challenge),
            PasskeyChallenge.staff_id == staff.id,
            PasskeyChallenge.purpose == purpose.value,
            PasskeyChallenge.expires_at > work.now,
        )
        .returning(PasskeyChallenge.challenge_key)
    )
    if found is None:
        raise WrongPasskey()
    return challenge


# -- adding one --------------------------------------------------------------------------


async def begin_adding(work: Work, staff: Staff) -> str:
    """Return what a browser needs to make a passkey, as JSON. Raises NoName, Conflict."""
    site = _site(work)
    known = await passkeys_of(work, staff)
    _check_room(known)
    options = webauthn.generate_registration_options(
        rp_id=site,
        rp_name=site,
        user_id=staff.id.bytes,
        user_name=staff.name,
        challenge=await _new_challenge(work, staff, ChallengePurpose.ADDING),
        timeout=int(_LASTS.total_seconds() * 1000),
        # The device of a stopped one may make another, which replaces it there.
        exclude_credentials=_described(_usable(known)),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return webauthn.options_to_json(options)


def _usable(known: Sequence[Passkey]) -> list[Passkey]:
    return [one for one in known if one.stopped_at is None]


def _check_room(known: Sequence[Passkey]) -> None:
    """Raise Conflict if a person has as many passkeys as can be used."""
    if len(_usable(known)) >= MOST:
        raise Conflict("There are %(number)s passkeys. Remove one first.", number=MOST)


def _described(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    ways = {one.value for one in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id,
            transports=[AuthenticatorTransport(way) for way in one.transports if way in ways],
        )
        for one in known
    ]


async def add(work: Work, staff: Staff, name: str, sent: Sent, challenge: bytes) -> Added:
    """Add a passkey that a browser has made. Raises Invalid, Conflict, WrongPasskey, NoName."""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Invalid("A passkey has a name of 1 to 60 characters, such as that of the device.")
    site = _site(work)
    try:
        read: RegistrationCredential = read_new(sent)
        made = webauthn.verify_registration_response(
            credential=read,
            expected_challenge=challenge,
            expected_rp_id=site,
            expected_origin=work.settings.public_origin,
            require_user_verification=True,
        )
    except Exception as error:
        raise WrongPasskey() from error
    before = await _lock(work, staff)
    _check_room(before)
    if any(one.name == name for one in before):
        raise Conflict("You have a passkey with this name. Choose another name.")
    had_none = (await second_factor.state_of(work, staff)).since is None
    passkey_id = uuid4()
    passkey = Passkey(
        id=passkey_id,
        staff_id=staff.id,
        name=name,
        credential_id=made.credential_id,
        public_key_sealed=work.keys.seal(
            passkey_id.bytes + made.credential_public_key,
            table="passkeys",
            column="public_key_sealed",
            row=staff.id,
        ),
        sign_count=made.sign_count,
        transports=sorted({one.value for one in read.response.transports or ()}),
        made_at=work.now,
    )
    try:
        async with work.session.begin_nested():
            work.session.add(passkey)
    except IntegrityError:
        raise Conflict("This passkey is added already.") from None
    write_entry(
        work,
        AuditLog.PASSKEY_ADDED,
        str(staff.id),
        passkey=str(passkey.id),
        before=len(before),
        after=len(before) + 1,
    )
    tell_owner(work, staff, Told.PASSKEY_ADDED)
    await second_factor.end_set_ups(work, staff)
    codes = await second_factor.first_codes(work, staff) if had_none else None
    return Added(passkey, codes)


async def _lock(work: Work, staff: Staff) -> list[Passkey]:
    """Return the passkeys of a person; of two changes at once the second waits."""
    await second_factor.lock(work, staff)
    return await passkeys_of(work, staff)


# -- using one ---------------------------------------------------------------------------


async def begin_using(work: Work, staff: Staff, purpose: ChallengePurpose) -> str:
    """Return what a browser needs to use a passkey, as JSON. Raises NoName, NoPasskey."""
    site = _site(work)
    known = _usable(await passkeys_of(work, staff))
    if not known:
        raise NoPasskey()
    options = webauthn.generate_authentication_options(
        rp_id=site,
        challenge=await _new_challenge(work, staff, purpose),
        timeout=int(_LASTS.total_seconds() * 1000),
        allow_credentials=_described(known),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


async def use(work: Work, staff: Staff, sent: Sent, challenge: bytes) -> Passkey:
    """Check the answer of a passkey. Raises WrongPasskey, PasskeyStopped, CounterWentBack."""
    site = _site(work)
    try:
        read: AuthenticationCredential = read_answer(sent)
    except Exception as error:
        raise WrongPasskey() from error
    passkey: Passkey | None = await work.session.scalar(
        select(Passkey).where(Passkey.staff_id == staff.id, Passkey.credential_id == read.raw_id)
    )
    if passkey is None:
        raise WrongPasskey()
    public_key = _public_key(work, passkey)
    try:
        used = webauthn.verify_authentication_response(
            credential=read,
            expected_challenge=challenge,
            expected_rp_id=site,
            expected_origin=work.settings.public_origin,
            credential_public_key=public_key,
            # The signature is checked before the counter, which is ours to compare: a counter that
            # any program could write would stop the passkey of another person.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except Exception as error:
        raise WrongPasskey() from error
    if passkey.stopped_at is not None:
        raise PasskeyStopped()
    counter = used.new_sign_count
    await second_factor.lock(work, staff)
    # Of two uses at once the database lets the higher one through last, or one of two equal ones.
    above = Passkey.sign_count < counter if counter else Passkey.sign_count == 0
    counted = await work.session.scalar(
        update(Passkey)
        .where(Passkey.id == passkey.id, above)
        .values(sign_count=counter, used_at=work.now)
        .returning(Passkey.id)
    )
    if counted is None:
        raise CounterWentBack(passkey.id)
    return passkey


def _public_key(work: Work, passkey: Passkey) -> bytes:
    """Return the public key, if it is the one that was added here by this person.

    Raises WrongPasskey: a key that was changed or moved in the database opens nothing.
    """
    try:
        held = work.keys.open(
            passkey.public_key_sealed,
            table="passkeys",
            column="public_key_sealed",
            row=passkey.staff_id,
        )
    except CannotOpen:
        held = b""
    if not held.startswith(passkey.id.bytes):
        log().error("a stored passkey was changed", area="staff", staff_id=str(passkey.staff_id))
        raise WrongPasskey()
    return held[len(passkey.id.bytes) :]


async def stop(work: Work, staff: Staff, passkey_id: UUID) -> None:
    """Stop a passkey whose counter went back, and tell its owner. A second time changes nothing."""
    stopped = await work.session.scalar(
        update(Passkey)
        .where(Passkey.id == passkey_id, Passkey.staff_id == staff.id, Passkey.stopped_at.is_(None))
        .values(stopped_at=work.now)
        .returning(Passkey.id)
    )
    if stopped is not None:
        write_entry(
            work,
            AuditLog.PASSKEY_STOPPED,
            str(staff.id),
            passkey=str(passkey_id),
            before={"active": True},
            after={"active": False},
        )
        tell_owner(work, staff, Told.PASSKEY_STOPPED)


# -- removing one ------------------------------------------------------------------------


async def remove_own(work: Work, staff: Staff, passkey_id: UUID) -> None:
    """Remove a passkey of a person. Raises NotFound, Conflict if the role needs a factor, or a
    passkey, and this is the last one."""
    before = await _lock(work, staff)
    gone = next((one for one in before if one.id == passkey_id), None)
    if gone is None:
        raise NotFound("This passkey is removed already.")
    state = await second_factor.state_of(work, staff)
    passkeys_left = any(one.stopped_at is None for one in before if one.id != passkey_id)
    if state.passkey_needed and not passkeys_left:
        raise Conflict("Your role needs a passkey. Add another one first.")
    if state.needed and not passkeys_left and state.app_since is None:
        raise Conflict("Your role needs a second factor. Set up another one first.")
    await work.session.delete(gone)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.PASSKEY_REMOVED,
        str(staff.id),
        passkey=str(passkey_id),
        before=len(before),
        after=len(before) - 1,
    )
    tell_owner(work, staff, Told.PASSKEY_REMOVED)
    await second_factor.end_codes_if_last(work, staff)
