"""The letters by which the owner of an account is told what happened to it."""

from datetime import datetime
from uuid import UUID

from app.staff.accounts import names_of
from app.staff.emergency_rows import Emergency, EmergencyKind, EmergencyState
from app.staff.models import Staff
from app.staff.telling import Told
from app.words.pages import _, date_words, spoken_in
from app.work import Work


async def letter_to_owner(
    work: Work,
    staff_id: UUID,
    what: Told,
    at: datetime,
    browser: str,
    former: str | None = None,
) -> tuple[str, str, str] | None:
    """Return address, subject and body of a letter; None if there is no address any more.

    What was changed together with the address, and that it was, goes to the `former` one.
    """
    staff = await work.session.get(Staff, staff_id)
    if staff is None:
        return None
    to = former
    if to is None and what is not Told.EMAIL_CHANGED:
        to = staff.email if staff.active else None
    if to is None:
        return None
    if what is Told.WORK_LEFT:
        return to, *_of_work_left(work, staff.page_language)
    with spoken_in(staff.page_language):
        moment = f"{date_words(at, 'd MMM y, HH:mm')} UTC"
        said = _sentence(what, browser or _("another program"))
        address = f"{work.settings.public_url.rstrip('/')}/account"
        body = f"{said}\n{moment}\n\n{_what_to_do(staff, what)}\n{address}\n"
        return to, _("Your account at the helpline"), body


def _what_to_do(staff: Staff, what: Told) -> str:
    signs_in_by_name = staff.password_hash is not None or not staff.by_provider
    if what is Told.NAME_CHANGED and signs_in_by_name:
        # Another person changed it, and the former one opens no page.
        return _("Sign in with the new name; ask an administrator for it.")
    return _("If this was not you, change your password at once and tell an administrator:")


def _of_work_left(work: Work, language: str) -> tuple[str, str]:
    with spoken_in(language):
        said = _(
            "A person has left by the directory or the provider, or has another role, and "
            "something of theirs is left or has stopped: work that no colleague may take over, a "
            "phone or address where we still reach them, a token or a wallboard. The page says "
            "what:"
        )
        address = f"{work.settings.public_url.rstrip('/')}/admin/people"
        return _("Helpline: what a person has left behind"), f"{said}\n{address}\n"


async def emergency_letter(
    work: Work, emergency_id: UUID, staff_id: UUID, state: str
) -> tuple[str, str, str] | None:
    """Return address, subject and body of a letter about an emergency access: nothing of a record
    is in it."""
    staff = await work.session.get(Staff, staff_id)
    row = await work.session.get(Emergency, emergency_id)
    if staff is None or row is None or staff.email is None or not staff.active:
        return None
    names = await names_of(work, {one for one in (row.asked_by, row.decided_by) if one})
    asked = names.get(row.asked_by, "")
    decided = names.get(row.decided_by, "") if row.decided_by else ""
    with spoken_in(staff.page_language):
        kind = EmergencyKind(row.kind)
        what = _("the accounts") if kind is EmergencyKind.ACCOUNTS else _("a record")
        until = f"{date_words(row.until, 'd MMM y, HH:mm')} UTC" if row.until else ""
        said = {
            EmergencyState.ASKED: _(
                "%(name)s has asked for emergency access: %(what)s.", name=asked, what=what
            ),
            EmergencyState.OPEN: _(
                "Emergency access is open until %(until)s: %(what)s. %(name)s asked for it, "
                "%(second)s confirmed it.",
                until=until,
                what=what,
                name=asked,
                second=decided,
            ),
            EmergencyState.REFUSED: _(
                "%(second)s refused the emergency access for which %(name)s had asked.",
                second=decided,
                name=asked,
            ),
            EmergencyState.LAPSED: _(
                "The emergency access for which %(name)s had asked was not confirmed.", name=asked
            ),
            EmergencyState.ENDED: _(
                "The emergency access of %(name)s is over. It has to be reviewed.", name=asked
            ),
        }[EmergencyState(state)]
        address = f"{work.settings.public_url.rstrip('/')}/emergency"
        return staff.email, _("Emergency access at the helpline"), f"{said}\n\n{address}\n"


def _sentence(what: Told, browser: str) -> str:
    match what:
        case Told.WORK_LEFT:
            raise ValueError(what)
        case Told.NEW_BROWSER:
            return _("Your account was signed in to in a new browser: %(name)s.", name=browser)
        case Told.PASSWORD_CHANGED:
            return _("The password of your account was changed.")
        case Told.SECOND_FACTOR_SET:
            return _("A second factor was set up for your account.")
        case Told.SECOND_FACTOR_REMOVED:
            return _("The second factor of your account was removed.")
        case Told.SECOND_FACTOR_RESET:
            return _("An administrator reset the second factor of your account.")
        case Told.RECOVERY_CODE_USED:
            return _("A recovery code of your account was used.")
        case Told.RECOVERY_CODES_MADE:
            return _("New recovery codes were made for your account.")
        case Told.NAME_CHANGED:
            return _("The name of your account was changed.")
        case Told.PASSKEY_ADDED:
            return _("A passkey was added to your account.")
        case Told.PASSKEY_REMOVED:
            return _("A passkey of your account was removed.")
        case Told.PASSKEY_STOPPED:
            return _(
                "A passkey of your account was stopped: it was used as a copy of it would be. "
                "Remove it on your account, and add another one."
            )
        case Told.PHONE_CHANGED:
            return _(
                "An administrator changed where your calls ring, or made a code for your phone."
            )
        case Told.PHONE_PIN_SET:
            return f"{_('PIN for the phone')}: {_('Your PIN is set.')}"
        case Told.EMAIL_CHANGED:
            return _(
                "The e-mail address of your account was changed. Letters about it no longer come "
                "to this one."
            )
        case Told.IDENTITY_LINKED:
            return _("Your account was linked with the organisation's own sign-in.")
        case Told.IDENTITY_UNLINKED:
            return _("Your account was unlinked from the organisation's own sign-in.")
