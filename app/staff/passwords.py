"""Passwords of accounts: a new one ends the sessions that the old one opened."""

from app.errors import Conflict, Invalid
from app.staff.accounts import hash_password, password_is_right
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.sessions import end_sessions
from app.work import Work


class WrongPresentPassword(Invalid):
    default = "The present password is wrong. Nothing was changed."


async def set_password(work: Work, staff: Staff, password: str) -> None:
    """Give an account a new password; all its sessions end. Raises Invalid, Conflict."""
    if not staff.active:
        raise Conflict("This account is inactive. Reactivate it first.")
    staff.password_hash = await hash_password(password)
    await work.session.flush()
    write_entry(work, AuditLog.PASSWORD_CHOSEN, str(staff.id))
    await end_sessions(work, staff.id)


async def change_own(work: Work, person: Staff, present: str, new: str, token: str) -> int:
    """Change a person's own password; all their sessions end except the one of this token.

    Return how many ended. Raises WrongPresentPassword, Invalid.
    """
    staff = await work.session.get(Staff, person.id, populate_existing=True)
    if not await password_is_right(staff, present[:1000]) or staff is None:
        raise WrongPresentPassword()
    staff.password_hash = await hash_password(new)
    await work.session.flush()
    ended = await end_sessions(work, staff.id, but=work.keys.session_key(token))
    write_entry(work, AuditLog.PASSWORD_CHANGED, str(staff.id), sessions_ended=ended)
    return ended
