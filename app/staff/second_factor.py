"""The second factor: six digits that a person's phone makes from a secret, every 30 seconds.

TOTP is RFC 6238; the codes are made and compared by pyotp, where the secret is held
(`app/privacy/secret_uses.py`). A code counts once, and only in the step in which the phone
shows it (`telephone_clock.py`). Passkeys count beside the phone, or in its place
(`passkeys.py`). Recovery codes replace either, each once; only their hashes are stored.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pyotp
from sqlalchemy import cast, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB

from app.errors import Conflict, NotAllowed, NotSignedIn
from app.jobs.transaction import transaction
from app.log import log
from app.privacy import codes
from app.privacy.keys import CannotOpen
from app.privacy.secret_uses import OF_CODES
from app.staff import telephone_clock
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Awaits, RecoveryCode, SecondFactor, Staff, StaffSession
from app.staff.passkey_rows import Passkey
from app.staff.sign_in_rules import Demand, sign_in_rules
from app.staff.telling import Told, tell_owner
from app.work import PROGRAM, Work

RECOVERY_CODES = 10
# How long a secret that was shown can be confirmed.
_SHOWN = timedelta(hours=1)
# Where the seed lies by which codes are checked.
_PLACE = dict(zip(("table", "column"), OF_CODES, strict=True))


class CodeNeeded(NotSignedIn):
    default = "This account has a second factor. Send the code that the phone shows, too."


class WrongCode(NotSignedIn):
    default = (
        "This code is wrong, too old, or was used already. A code counts for 30 seconds: wait for "
        "the next one on your phone, or use a recovery code."
    )


class FactorNeeded(NotAllowed):
    default = (
        "People of this role need a second factor. Sign in on the pages: they lead through it."
    )


class PasskeyNeeded(NotSignedIn):
    default = (
        "Your role needs a passkey: use yours. If you have none, sign in on the pages: they lead "
        "through setting one up."
    )


@dataclass(frozen=True)
class Setup:
    """A secret that is being set up: as letters, and as the address that a phone reads."""

    secret: str
    uri: str


@dataclass(frozen=True)
class FactorState:
    """Whether an account has a second factor, since when, and how many recovery codes are left."""

    # When the oldest was set up: the app of the phone, or a passkey.
    since: datetime | None
    codes_left: int
    needed: bool
    # When the app was set up, and how many passkeys can be used.
    app_since: datetime | None = None
    passkeys: int = 0
    # Whether it has to be a passkey, and whether a code of the phone counts at sign-in: also
    # where it has to be one, until the first passkey is set up.
    passkey_needed: bool = False
    codes_count: bool = True


async def state_of(work: Work, staff: Staff) -> FactorState:
    """Return the state of a person's second factor."""
    app_since = await work.session.scalar(
        select(SecondFactor.confirmed_at).where(
            SecondFactor.staff_id == staff.id, SecondFactor.confirmed_at.is_not(None)
        )
    )
    # One that is stopped still stands for a second factor: the password alone is not enough.
    first, number = (
        await work.session.execute(
            select(
                func.min(Passkey.made_at), func.count().filter(Passkey.stopped_at.is_(None))
            ).where(Passkey.staff_id == staff.id)
        )
    ).one()
    demand = (await sign_in_rules(work)).demand_of(staff.role)
    return FactorState(
        since=min((at for at in (app_since, first) if at is not None), default=None),
        codes_left=await _codes_left(work, staff),
        needed=demand is not Demand.NOTHING,
        app_since=app_since,
        passkeys=number,
        passkey_needed=demand is Demand.PASSKEY,
        codes_count=demand is not Demand.PASSKEY or first is None,
    )


async def missing_of(work: Work, staff: Staff) -> Awaits | None:
    """Return what is missing after the right password."""
    state = await state_of(work, staff)
    if state.since is not None:
        return Awaits.CODE
    return Awaits.SETTING_UP if state.needed else None


async def _codes_left(work: Work, staff: Staff) -> int:
    left = await work.session.scalar(
        select(func.count())
        .select_from(RecoveryCode)
        .where(RecoveryCode.staff_id == staff.id, RecoveryCode.used_at.is_(None))
    )
    return left or 0


# -- setting it up -----------------------------------------------------------------------


async def _being_set_up(work: Work, staff: Staff) -> SecondFactor | None:
    found: SecondFactor | None = await work.session.scalar(
        select(SecondFactor).where(
            SecondFactor.staff_id == staff.id,
            SecondFactor.confirmed_at.is_(None),
            SecondFactor.made_at > work.now - _SHOWN,
        )
    )
    return found


async def lock(work: Work, staff: Staff) -> None:
    """Let the second of two changes or uses of a person's factors at once wait.

    Call it before a row of a factor or a code is locked: each in this order, and no two wait for
    each other.
    """
    row = select(Staff.id).where(Staff.id == staff.id).with_for_update(key_share=True)
    await work.session.execute(row)


async def end_set_ups(work: Work, staff: Staff) -> None:
    """End every sign-in of a person that leads to setting a factor up. They have set one up: the
    next sign-in asks for it."""
    await work.session.execute(
        delete(StaffSession).where(
            StaffSession.staff_id == staff.id, StaffSession.awaits == Awaits.SETTING_UP.value
        )
    )


async def begin(work: Work, staff: Staff) -> Setup:
    """Make a secret for a person, or return the one that is being set up."""
    # Of two pages at once the second shows the same secret.
    await lock(work, staff)
    factor = await _being_set_up(work, staff)
    if factor is None or _secret(work, factor) is None:
        await work.session.execute(
            delete(SecondFactor).where(
                SecondFactor.staff_id == staff.id, SecondFactor.confirmed_at.is_(None)
            )
        )
        seed = pyotp.random_base32().encode()
        factor = SecondFactor(
            id=uuid4(),
            staff_id=staff.id,
            seed_sealed=work.keys.seal(seed, row=staff.id, **_PLACE),
            # To be shown, until it is confirmed.
            secret_sealed=work.keys.seal(
                seed, table="second_factors", column="secret_sealed", row=staff.id
            ),
            made_at=work.now,
        )
        work.session.add(factor)
        await work.session.flush()
    return _setup(work, staff, factor)


async def shown_setup(work: Work, staff: Staff) -> Setup:
    """Return the secret that is being set up. Raises Conflict if there is none any more."""
    factor = await _being_set_up(work, staff)
    if factor is None:
        raise _late()
    return _setup(work, staff, factor)


def _late() -> Conflict:
    return Conflict("This took too long. Begin again.")


def _setup(work: Work, staff: Staff, factor: SecondFactor) -> Setup:
    secret = _secret(work, factor)
    if secret is None:
        raise _late()
    issuer = urlsplit(work.settings.public_url).hostname
    return Setup(secret, pyotp.TOTP(secret).provisioning_uri(name=staff.name, issuer_name=issuer))


def _secret(work: Work, factor: SecondFactor) -> str | None:
    """Return the secret that is being set up; None if it was not sealed for this person.

    A row was moved from another person or damaged. One that is sealed for the row is not accepted
    either: moved to another person, it would open that account.
    """
    if factor.secret_sealed is None:
        return None
    try:
        return work.keys.open(
            factor.secret_sealed,
            table="second_factors",
            column="secret_sealed",
            row=factor.staff_id,
        ).decode()
    except CannotOpen:
        _log_changed(factor)
        return None


def _is_intact(work: Work, factor: SecondFactor) -> bool:
    try:
        work.keys.check_opens(factor.seed_sealed, row=factor.staff_id, **_PLACE)
    except CannotOpen:
        _log_changed(factor)
        return False
    return True


def _log_changed(factor: SecondFactor) -> None:
    staff_id = str(factor.staff_id)
    log().error("a stored second factor was changed", area="staff", staff_id=staff_id)


def _find(work: Work, factor: SecondFactor, code: str) -> telephone_clock.Find:
    """Return what finds the step in which a phone shows a code; none with a changed secret."""

    def find(steps: Sequence[int]) -> int | None:
        try:
            sealed, row = factor.seed_sealed, factor.staff_id
            return work.keys.step_of(sealed, code, steps, row=row, **_PLACE)
        except CannotOpen:
            _log_changed(factor)
            return None

    return find


async def confirm(work: Work, staff: Staff, typed: str) -> list[str] | None:
    """Set the second factor that is being set up, with a code of the phone.

    It replaces an earlier one. Return the recovery codes, which are shown only now; None if the
    next code of the phone is needed as well, because its clock is wrong or the code was late.
    Raises Conflict, WrongCode.
    """
    await lock(work, staff)
    factor = await _being_set_up(work, staff)
    if factor is None or not _is_intact(work, factor):
        raise _late()
    found = telephone_clock.shown(_find(work, factor, codes.plain(typed)), work.now)
    if found is None or (factor.last_step is not None and found.step <= factor.last_step):
        raise WrongCode()
    drift = telephone_clock.agreed(factor.seen_drift, found.drift)
    factor.last_step = found.step
    if drift is None:
        factor.seen_drift = found.drift
        await work.session.flush()
        return None
    await work.session.execute(
        delete(SecondFactor).where(
            SecondFactor.staff_id == staff.id, SecondFactor.confirmed_at.is_not(None)
        )
    )
    factor.confirmed_at, factor.drift, factor.seen_drift = work.now, drift, None
    # From now on it is used where the keys are held, and never opened again.
    factor.secret_sealed = None
    await work.session.flush()
    await end_set_ups(work, staff)
    write_entry(work, AuditLog.SECOND_FACTOR_SET, str(staff.id))
    tell_owner(work, staff, Told.SECOND_FACTOR_SET)
    return await _new_codes(work, staff)


async def renew_codes(work: Work, staff: Staff) -> list[str]:
    """Give a person new recovery codes; the earlier ones end. Raises Conflict."""
    await lock(work, staff)
    if (await state_of(work, staff)).since is None:
        raise Conflict("There is no second factor. Set one up first.")
    write_entry(work, AuditLog.RECOVERY_CODES_MADE, str(staff.id))
    tell_owner(work, staff, Told.RECOVERY_CODES_MADE)
    return await _new_codes(work, staff)


async def first_codes(work: Work, staff: Staff) -> list[str]:
    """Return the recovery codes that come with a person's first factor."""
    return await _new_codes(work, staff)


async def _new_codes(work: Work, staff: Staff) -> list[str]:
    await work.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    made = [codes.new_code() for _ in range(RECOVERY_CODES)]
    work.session.add_all(
        RecoveryCode(
            code_key=_code_key(work, staff, codes.plain(code)),
            staff_id=staff.id,
            made_at=work.now,
        )
        for code in made
    )
    await work.session.flush()
    return made


def _code_key(work: Work, staff: Staff, code: str) -> bytes:
    return work.keys.text_key(f"recovery code {staff.id} {code}")


# -- using it ----------------------------------------------------------------------------


async def use_code(work: Work, staff: Staff, typed: str) -> bool:
    """Use up a code of the phone, or a recovery code. Return whether it was the phone's.

    Raises WrongCode, PasskeyNeeded.
    """
    code = codes.plain(typed)
    of_telephone = _is_of_telephone(code)
    if of_telephone and not (await state_of(work, staff)).codes_count:
        raise PasskeyNeeded()
    await lock(work, staff)
    used = _use_step if of_telephone else _use_recovery
    if not await used(work, staff, code):
        raise WrongCode()
    return of_telephone


def _is_of_telephone(code: str) -> bool:
    return re.fullmatch(r"[0-9]{6}", code) is not None


async def _confirmed(work: Work, staff: Staff) -> SecondFactor | None:
    found: SecondFactor | None = await work.session.scalar(
        select(SecondFactor).where(
            SecondFactor.staff_id == staff.id, SecondFactor.confirmed_at.is_not(None)
        )
    )
    return found


async def _use_step(work: Work, staff: Staff, code: str) -> bool:
    factor = await _confirmed(work, staff)
    if factor is None:
        return False
    step = telephone_clock.is_current(_find(work, factor, code), work.now, factor.drift)
    if step is None:
        return False
    # Of two uses of a code at once, the database lets one through; nor does an earlier one count.
    used = await work.session.scalar(
        update(SecondFactor)
        .where(
            SecondFactor.id == factor.id,
            or_(SecondFactor.last_step.is_(None), SecondFactor.last_step < step),
        )
        .values(last_step=step)
        .returning(SecondFactor.id)
    )
    return used is not None


async def note_refused(work: Work, staff: Staff, begun: StaffSession, typed: str) -> None:
    """Note how far a refused code was from the phone's clock as we know it.

    It is written though the sign-in is refused. It changes nothing until its person has proven by
    other means who they are, in the same browser; see `learn_clock`.
    """
    code, factor = codes.plain(typed), await _confirmed(work, staff)
    if factor is None or not _is_of_telephone(code):
        return
    found = telephone_clock.shown(_find(work, factor, code), work.now)
    if found is None:
        return
    async with transaction(work.ground, PROGRAM, aside=True) as own:
        await own.session.execute(
            update(StaffSession)
            .where(StaffSession.token_key == begun.token_key)
            .values(
                refused_steps=StaffSession.refused_steps.concat(
                    cast({str(found.step): found.drift}, JSONB)
                )
            )
            .execution_options(synchronize_session=False)
        )


async def learn_clock(work: Work, staff: Staff, begun: StaffSession) -> None:
    """Learn how far the clock of a phone is from ours now, from the codes that were refused in
    a sign-in which its person has then proven by a recovery code or a passkey."""
    drift, factor = telephone_clock.agreed_of(begun.refused_steps), await _confirmed(work, staff)
    if drift is None or factor is None or drift == factor.drift:
        return
    before, factor.drift = factor.drift, drift
    # What was refused does not count later.
    newest = max(int(step) for step in begun.refused_steps)
    factor.last_step = max(newest, factor.last_step or 0)
    await work.session.flush()
    seconds = {"before": before * 30, "after": drift * 30}
    write_entry(work, AuditLog.TELEPHONE_CLOCK_LEARNED, str(staff.id), **seconds)


async def _use_recovery(work: Work, staff: Staff, code: str) -> bool:
    used = await work.session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.code_key == _code_key(work, staff, code),
            RecoveryCode.staff_id == staff.id,
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=work.now)
        .returning(RecoveryCode.code_key)
    )
    if used is None:
        return False
    left = await _codes_left(work, staff)
    write_entry(work, AuditLog.RECOVERY_CODE_USED, str(staff.id), left=left)
    tell_owner(work, staff, Told.RECOVERY_CODE_USED)
    return True


# -- taking it away ----------------------------------------------------------------------


async def remove_own(work: Work, staff: Staff) -> None:
    """Take the app of a person's phone away. Raises Conflict if their role needs a second
    factor and there is no other."""
    await lock(work, staff)
    state = await state_of(work, staff)
    if state.needed and not state.passkeys:
        raise Conflict("Your role needs a second factor. Replace it by another one instead.")
    if await _delete_app(work, staff):
        write_entry(work, AuditLog.SECOND_FACTOR_REMOVED, str(staff.id))
        tell_owner(work, staff, Told.SECOND_FACTOR_REMOVED)
        await end_codes_if_last(work, staff)


async def _delete_app(work: Work, staff: Staff) -> bool:
    gone = await work.session.execute(
        delete(SecondFactor).where(SecondFactor.staff_id == staff.id).returning(SecondFactor.id)
    )
    return bool(gone.all())


async def end_codes_if_last(work: Work, staff: Staff) -> None:
    """Delete the recovery codes of a person who has no second factor any more."""
    if (await state_of(work, staff)).since is None:
        await work.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))


async def take_away(work: Work, staff: Staff) -> bool:
    """Delete every second factor and the recovery codes of a person. Return whether there was
    one."""
    await work.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == staff.id))
    gone = await work.session.execute(
        delete(Passkey).where(Passkey.staff_id == staff.id).returning(Passkey.id)
    )
    had_passkeys = bool(gone.all())
    return await _delete_app(work, staff) or had_passkeys
