"""The owner of an account is told by mail what happened to it; the page of the account says it,
too."""

from base64 import b64decode, b64encode
from enum import StrEnum
from uuid import UUID, uuid4

from app.jobs.names import Task
from app.privacy.keys import CannotOpen
from app.staff.models import Staff
from app.work import Work

_FORMER = {"table": "staff", "column": "former_email"}


class Told(StrEnum):
    """What the owner of an account is told."""

    NEW_BROWSER = "new_browser"
    PASSWORD_CHANGED = "password_changed"
    SECOND_FACTOR_SET = "second_factor_set"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    SECOND_FACTOR_RESET = "second_factor_reset"
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    PASSKEY_STOPPED = "passkey_stopped"
    PHONE_CHANGED = "phone_changed"
    PHONE_PIN_SET = "phone_pin_set"
    # By another person.
    NAME_CHANGED = "name_changed"
    # Told at the address from before.
    EMAIL_CHANGED = "email_changed"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    # Told to administrators, of another person.
    WORK_LEFT = "work_left"


def tell_owner(work: Work, staff: Staff, what: Told, browser: str = "") -> None:
    """Write to the owner of an account, if they have an address and there is a mail server."""
    if staff.email is not None:
        _tell(work, staff, what, browser=browser)


def tell_former_address(work: Work, staff: Staff, what: Told, address: str) -> None:
    """Write to the address that an account had before: an intruder who changed it may have the new
    one.

    The address is sealed in the job, which can wait for hours and is named in log lines.
    """
    _tell(work, staff, what, address=address)


def _tell(
    work: Work, staff: Staff, what: Told, *, browser: str = "", address: str | None = None
) -> None:
    if work.settings.smtp_url is None:
        return
    letter_id = uuid4()
    work.defer(
        Task.TELL_OWNER,
        letter_id=str(letter_id),
        staff_id=str(staff.id),
        what=what.value,
        at=work.now.isoformat(),
        browser=browser,
        former=None if address is None else _seal(work, letter_id, address),
    )


def _seal(work: Work, letter_id: UUID, address: str) -> str:
    return b64encode(work.keys.seal(address.encode(), row=letter_id, **_FORMER)).decode()


def former_address(work: Work, letter_id: UUID, sealed: str) -> str | None:
    """Return the address from before to which a letter goes; None if its key is gone."""
    try:
        return work.keys.open(b64decode(sealed), row=letter_id, **_FORMER).decode()
    except CannotOpen:
        return None
