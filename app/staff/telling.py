"""The owner of an account is told by mail what happened to it; the page of the account says it,
too."""

from enum import StrEnum
from uuid import uuid4

from app.jobs.names import Task
from app.staff.models import Staff
from app.work import Work


class Told(StrEnum):
    """What the owner of an account is told."""

    NEW_BROWSER = "new_browser"
    PASSWORD_CHANGED = "password_changed"
    SECOND_FACTOR_SET = "second_factor_set"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    SECOND_FACTOR_RESET = "second_factor_reset"
    RECOVERY_CODE_USED = "recovery_code_used"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    PASSKEY_STOPPED = "passkey_stopped"
    PHONE_CHANGED = "phone_changed"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"


def tell_owner(work: Work, staff: Staff, what: Told, browser: str = "") -> None:
    """Write to the owner of an account, if they have an address and there is a mail server."""
    if staff.email is None or work.settings.smtp_url is None:
        return
    work.defer(
        Task.TELL_OWNER,
        letter_id=str(uuid4()),
        staff_id=str(staff.id),
        what=what.value,
        at=work.now.isoformat(),
        browser=browser,
    )
