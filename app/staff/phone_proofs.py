"""How a person proves by phone who they are: a PIN, or a single-use code.

The number that a call or a text shows proves nothing, because networks let it be forged. A person
proves once at the number of their account that it is theirs (it is *paired*). Wrong entries lock
the way by phone for a while, and never the pages.

Where no code goes by phone (`codes_by_telephone` of the settings), nothing counts but a PIN
that was chosen on a page, with a second factor.
"""

import secrets
from datetime import datetime, timedelta
from enum import StrEnum, auto
from itertools import pairwise
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.abilities import EndpointKind
from app.errors import Conflict, Invalid
from app.staff import session_tokens
from app.staff.audit import write_entry
from app.staff.hashing import hash_password, is_of, password_is_right
from app.staff.log_kinds import AuditLog
from app.staff.models import CodeKind, PhoneProof, Staff
from app.staff.passwords import WrongPresentPassword
from app.staff.second_factor import state_of
from app.staff.telling import Told, tell_owner
from app.words.without_codes import ONLY_A_PIN
from app.work import Work

# PINs and codes have this many digits.
DIGITS = 6
# Wrong entries in a row that are allowed; then each one locks for longer.
_MOST_WRONG = 5
_LOCKED_FOR = timedelta(minutes=15)
_LONGEST_LOCK = timedelta(hours=12)
TEXTED_LIVES = timedelta(minutes=10)
_TEXTED_EVERY = timedelta(minutes=2)
HANDED_LIVES = timedelta(days=3)


class OnlyAPin(Conflict):
    default = ONLY_A_PIN


class EntryResult(StrEnum):
    """What an entry proves."""

    RIGHT = auto()
    # The single-use code that an administrator handed over: the person chooses a PIN now.
    HANDED = auto()
    WRONG = auto()
    LOCKED = auto()


async def proof_of(work: Work, staff_id: UUID) -> PhoneProof | None:
    """Return what is known of a person's proofs; None if there is nothing."""
    found: PhoneProof | None = await work.session.get(PhoneProof, staff_id, populate_existing=True)
    return found


async def _lock(work: Work, staff_id: UUID) -> PhoneProof:
    await work.session.execute(
        pg_insert(PhoneProof).values(staff_id=staff_id).on_conflict_do_nothing()
    )
    return await work.session.get_one(
        PhoneProof, staff_id, with_for_update=True, populate_existing=True
    )


async def is_paired(work: Work, staff: Staff) -> bool:
    """Return whether the phone at which calls ring was proven; other endpoints need no proof."""
    return staff.endpoint_kind != EndpointKind.PHONE or await is_proven(work, staff)


async def is_proven(work: Work, staff: Staff) -> bool:
    """Return whether the phone of an account was proven: where its calls ring, or what rings if
    the browser does not answer."""
    paired = select(PhoneProof.paired_at).where(PhoneProof.staff_id == staff.id)
    return await work.session.scalar(paired) is not None


async def whose_unproven(work: Work, number: str) -> Staff | None:
    """Return the person whose phone a number is by their account, if they never proved that.

    None for a proven phone, and for one of no account: two people have approved that one. So it is
    for the second phone of an account: its person chooses it alone, and by the number of a
    colleague on call they could let no key there acknowledge any more.
    """
    rows = await work.session.execute(
        select(Staff, PhoneProof.paired_at)
        .outerjoin(PhoneProof, PhoneProof.staff_id == Staff.id)
        .where(Staff.active, Staff.endpoint_kind == EndpointKind.PHONE, Staff.endpoint == number)
        .order_by(Staff.created_at, Staff.id)
    )
    found = rows.all()
    if not found or any(paired_at is not None for _, paired_at in found):
        return None
    return found[0][0]


async def is_proven_by_any(work: Work, number: str, *, but: Staff | None = None) -> bool:
    """Return whether a person has proven that this is the phone at which their calls ring, or which
    rings if their browser does not answer. `but` is left out."""
    proven = (
        select(PhoneProof.staff_id)
        .join(Staff, Staff.id == PhoneProof.staff_id)
        .where(
            Staff.active,
            or_(Staff.endpoint == number, Staff.second_phone == number),
            PhoneProof.paired_at.is_not(None),
        )
    )
    if but is not None:
        proven = proven.where(Staff.id != but.id)
    return await work.session.scalar(proven.limit(1)) is not None


async def prove_phone(work: Work, staff: Staff, entered: str, *, shown: bool = False) -> bool:
    """Prove a phone that the program rang by the PIN of its person. Return whether it is proven.

    `shown`: a page shows its person the code that is to be entered.
    """
    if await prove(work, staff, entered, shown=shown) not in (
        EntryResult.RIGHT,
        EntryResult.HANDED,
    ):
        return False
    await pair(work, staff)
    return True


async def forget_pairing(work: Work, staff: Staff) -> None:
    """Forget that a phone was proven: another number stands in the account."""
    proof = await proof_of(work, staff.id)
    if proof is not None:
        proof.paired_at = proof.code_hash = proof.code_kind = proof.code_until = None


async def forget(work: Work, staff: Staff) -> None:
    """Forget all that proves a person by phone: their PIN, too."""
    await forget_pairing(work, staff)
    proof = await proof_of(work, staff.id)
    if proof is not None:
        proof.pin_hash = proof.chosen_hash = None
        proof.pin_by_factor = False


async def pair(work: Work, staff: Staff) -> None:
    """Note that the phone of the account was proven."""
    proof = await _lock(work, staff.id)
    if proof.paired_at is None:
        proof.paired_at = work.now
        write_entry(work, AuditLog.PHONE_PAIRED, str(staff.id))


def is_locked(proof: PhoneProof | None, now: datetime) -> bool:
    """Return whether nothing is accepted by phone now."""
    return proof is not None and proof.locked_until is not None and proof.locked_until > now


def counting_pin(work: Work, proof: PhoneProof | None) -> str | None:
    """Return the hash of the PIN if it counts, else None."""
    if proof is None or not (work.settings.codes_by_telephone or proof.pin_by_factor):
        return None
    return proof.pin_hash


async def pins(work: Work) -> dict[UUID, str]:
    """Return who has a PIN, and whether it counts where no code goes by phone (`page-pin`)."""
    rows = await work.session.execute(
        select(PhoneProof.staff_id, PhoneProof.pin_by_factor).where(
            PhoneProof.pin_hash.is_not(None)
        )
    )
    return {staff_id: "page-pin" if by_factor else "other-pin" for staff_id, by_factor in rows}


async def only_a_pin(work: Work, staff: Staff) -> bool:
    """Return whether no code counts by phone, and a person has no PIN that does."""
    if work.settings.codes_by_telephone:
        return False
    return counting_pin(work, await proof_of(work, staff.id)) is None


async def prove(work: Work, staff: Staff, entered: str, *, shown: bool = False) -> EntryResult:
    """Compare what was entered with the PIN and the open code. Wrong entries count, and lock.

    `shown`: the code came by a page, not by phone.
    """
    proof = await _lock(work, staff.id)
    if is_locked(proof, work.now):
        return EntryResult.LOCKED
    code = proof.code_hash if proof.code_until and proof.code_until > work.now else None
    if not work.settings.codes_by_telephone and not (shown and proof.code_kind == CodeKind.HANDED):
        code = None
    pin = counting_pin(work, proof)
    if pin is None and code is None and not work.settings.codes_by_telephone:
        # Nothing that could be guessed: it must not lock the way by which a PIN counts later.
        return EntryResult.WRONG
    if pin is not None and await is_of(entered, pin):
        proof.failures, proof.locked_until = 0, None
        return EntryResult.RIGHT
    if code is not None and await is_of(entered, code):
        handed = proof.code_kind == CodeKind.HANDED
        proof.code_hash = proof.code_kind = proof.code_until = None
        proof.failures, proof.locked_until = 0, None
        return EntryResult.HANDED if handed else EntryResult.RIGHT
    if len(entered) != DIGITS:
        # Too short to be a guess: a key pressed out of habit.
        return EntryResult.WRONG
    proof.failures += 1
    if proof.failures >= _MOST_WRONG:
        longer: timedelta = _LOCKED_FOR * 2 ** min(proof.failures - _MOST_WRONG, 6)
        proof.locked_until = work.now + min(longer, _LONGEST_LOCK)
        write_entry(work, AuditLog.PHONE_LOCKED, str(staff.id), failures=proof.failures)
        return EntryResult.LOCKED
    return EntryResult.WRONG


def check_pin(pin: str) -> None:
    """Check that a PIN has six digits, and is none that is tried first. Raises Invalid."""
    if len(pin) != DIGITS or not (pin.isascii() and pin.isdigit()):
        raise Invalid("A PIN has %(digits)s digits.", digits=DIGITS)
    steps = {(int(b) - int(a)) % 10 for a, b in pairwise(pin)}
    if len(set(pin)) < 3 or steps in ({1}, {9}) or pin[:3] == pin[3:] or pin[:2] * 3 == pin:
        raise Invalid("This PIN is easy to guess. Choose one without a row or a repetition.")


async def set_pin(work: Work, staff: Staff, pin: str, *, by_factor: bool = False) -> None:
    """Give a person a PIN; `by_factor`: on a page, with a second factor. Raises Invalid."""
    check_pin(pin)
    proof = await _lock(work, staff.id)
    proof.pin_hash, proof.chosen_hash = await hash_password(pin), None
    proof.pin_by_factor = by_factor
    proof.failures, proof.locked_until = 0, None
    proof.code_hash = proof.code_kind = proof.code_until = None
    write_entry(work, AuditLog.PHONE_PIN_SET, str(staff.id))
    tell_owner(work, staff, Told.PHONE_PIN_SET)


async def set_own_pin(work: Work, person: Staff, present: str, pin: str, token: str) -> None:
    """Choose the own PIN on a page. Raises WrongPresentPassword, Invalid; OnlyAPin for a person
    without a second factor, or a session that has not seen it, if no code counts by phone."""
    staff = await work.session.get(Staff, person.id, populate_existing=True)
    if not await password_is_right(staff, present[:1000]) or staff is None:
        raise WrongPresentPassword()
    # A session that began by the password alone has not seen the factor that was set up since.
    since, proved = (await state_of(work, staff)).since, await session_tokens.proved_at(work, token)
    by_factor = since is not None and proved is not None and proved >= since
    if not (by_factor or work.settings.codes_by_telephone):
        raise OnlyAPin()
    await set_pin(work, staff, pin, by_factor=by_factor)


async def choose(work: Work, staff: Staff, pin: str) -> bool:
    """Note a PIN that is being chosen by key; the second, equal entry sets it. Return whether it is
    set. Raises Invalid for a PIN that is easy to guess, or if the two differ."""
    check_pin(pin)
    proof = await _lock(work, staff.id)
    if proof.chosen_hash is None:
        proof.chosen_hash = await hash_password(pin)
        return False
    same = await is_of(pin, proof.chosen_hash)
    proof.chosen_hash = None
    if not same:
        raise Invalid("The two PINs are not the same. Enter both again.")
    await set_pin(work, staff, pin)
    return True


async def make_code(work: Work, staff: Staff) -> str:
    """Make a single-use code for a person, which is shown only now. Raises Conflict.

    They enter it at their phone in place of a PIN, and then choose a PIN.
    """
    code, hashed = await new_code(staff)
    await hand_code(work, staff, hashed)
    return code


async def new_code(staff: Staff) -> tuple[str, str]:
    """Return a code for the phone of a person, and what is stored of it. Raises Conflict."""
    has_phone = staff.endpoint_kind == EndpointKind.PHONE or staff.second_phone is not None
    if not has_phone or not staff.active:
        raise Conflict("Calls of this account do not ring at a phone. Enter its number first.")
    code = _random()
    return code, await hash_password(code)


async def hand_code(work: Work, staff: Staff, code_hash: str) -> None:
    """Let a code prove the phone of a person from now on."""
    proof = await _lock(work, staff.id)
    proof.code_hash, proof.code_kind = code_hash, CodeKind.HANDED.value
    proof.code_until = work.now + HANDED_LIVES
    proof.failures, proof.locked_until = 0, None
    write_entry(work, AuditLog.PHONE_CODE_MADE, str(staff.id))


async def text_code(work: Work, staff: Staff, wants: str | None) -> str | None:
    """Make a single-use code that is texted to a person's phone; None if that must not be.

    None while the way is locked, a code was texted a moment ago, or one was handed over; always if
    no code counts by phone.
    """
    if not work.settings.codes_by_telephone:
        return None
    proof = await _lock(work, staff.id)
    until = proof.code_until
    if is_locked(proof, work.now):
        return None
    if until is not None and until > work.now:
        if proof.code_kind == CodeKind.HANDED:
            return None
        if until - TEXTED_LIVES > work.now - _TEXTED_EVERY:
            return None
    code = _random()
    proof.code_hash, proof.code_kind = await hash_password(code), CodeKind.TEXTED.value
    proof.code_until, proof.wants = work.now + TEXTED_LIVES, wants
    return code


async def code_until(work: Work, staff_id: UUID) -> datetime:
    """Return until when the code that was just made lives; it is known by that."""
    proof = await _lock(work, staff_id)
    assert proof.code_until is not None
    return proof.code_until


async def take_back_code(work: Work, staff_id: UUID, until: datetime) -> None:
    """Forget a code that was certainly not texted, so that another may be texted at once; not one
    that was made since."""
    proof = await _lock(work, staff_id)
    if proof.code_kind == CodeKind.TEXTED and proof.code_until == until:
        proof.code_hash = proof.code_kind = proof.code_until = None


def _random() -> str:
    return f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
