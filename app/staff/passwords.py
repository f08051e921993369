"""Passwords of accounts: a new one ends the sessions that the old one opened."""

from uuid import uuid4

from sqlalchemy import delete, select

from app.errors import Conflict, Invalid
from app.staff.audit import write_entry
from app.staff.hashing import hash_password, password_is_right
from app.staff.log_kinds import AuditLog
from app.staff.models import EarlierPassword, Staff
from app.staff.password_rules import REMEMBERED, check_password
from app.staff.second_person import note_could_approve
from app.staff.sessions import end_sessions
from app.staff.telling import Told, tell_owner
from app.work import Work


class WrongPresentPassword(Invalid):
    default = "The present password is wrong. Nothing was changed."


async def give_password(work: Work, staff: Staff, password: str) -> None:
    """Give an account a password that was checked by the rules. Raises Invalid."""
    await check_password(work, staff, password)
    await forget_password(work, staff)
    staff.password_hash = await hash_password(password)
    note_could_approve(staff)
    await work.session.flush()


async def forget_password(work: Work, staff: Staff) -> None:
    """Take the password of an account away. It cannot be chosen again for a while."""
    if staff.password_hash is None:
        return
    work.session.add(
        EarlierPassword(
            id=uuid4(), staff_id=staff.id, password_hash=staff.password_hash, until_at=work.now
        )
    )
    staff.password_hash = None
    await work.session.flush()
    kept = (
        select(EarlierPassword.id)
        .where(EarlierPassword.staff_id == staff.id)
        .order_by(EarlierPassword.until_at.desc())
        .limit(REMEMBERED)
    )
    await work.session.execute(
        delete(EarlierPassword)
        .where(EarlierPassword.staff_id == staff.id, EarlierPassword.id.not_in(kept))
        .execution_options(synchronize_session=False)
    )


async def set_password(work: Work, staff: Staff, password: str) -> None:
    """Give an account a new password; all its sessions end. Raises Invalid, Conflict."""
    if not staff.active:
        raise Conflict("This account is inactive. Reactivate it first.")
    had_one = staff.password_hash is not None
    await give_password(work, staff, password)
    write_entry(work, AuditLog.PASSWORD_CHOSEN, str(staff.id))
    if had_one:
        tell_owner(work, staff, Told.PASSWORD_CHANGED)
    await end_sessions(work, staff.id)


async def change_own(work: Work, person: Staff, present: str, new: str, token: str) -> int:
    """Change a person's own password; all their sessions end except the one of this token.

    Return how many ended. Raises WrongPresentPassword, Invalid.
    """
    staff = await work.session.get(Staff, person.id, populate_existing=True)
    if not await password_is_right(staff, present[:1000]) or staff is None:
        raise WrongPresentPassword()
    await give_password(work, staff, new)
    ended = await end_sessions(work, staff.id, but=work.keys.session_key(token))
    write_entry(work, AuditLog.PASSWORD_CHANGED, str(staff.id), sessions_ended=ended)
    tell_owner(work, staff, Told.PASSWORD_CHANGED)
    return ended
