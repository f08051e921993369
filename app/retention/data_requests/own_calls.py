"""In which calls another than the child rang or wrote, as their contacts say.

A household shares a number. Only the contact of a call says who it was: its form asks for that, and
the answers among which one chooses say which of them is the child. That it was another is sure only
if one of the others was chosen, and it says what they are to the child, too. Which other person it
was, and whether it is the one who asks, it does not say: that the officer makes sure of.

An erased contact counts on: what of it is still there may say that it was the child. Otherwise
nothing is known, and nothing is shown.
"""

from uuid import UUID

from sqlalchemy import select

from app.contacts.models import Contact
from app.contacts.records import Opened
from app.contacts.registry import sheet_of
from app.contacts.sealed_answers import present
from app.definitions.answers import Answers, Sheet
from app.definitions.forms import OF_CALLER, Form, Meaning
from app.errors import UnknownDefinition
from app.retention.data_requests.kinds import READ_BECAUSE
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.work import Work

# What a caller is to the child. A name or number may be asked of a child that rings, too.
_SAYS_ANOTHER: frozenset[Meaning] = frozenset({"caller_relationship", "reporter_role"})


def by_child(work: Work, contact: Contact) -> bool | None:
    """Return whether the child itself rang or wrote, as a contact says; None if it does not say it.

    Nothing is opened: the answer is a code, and that something about another caller was answered is
    enough. Nothing is known from a form that this server has not read, from one that does not ask,
    from a draft in which nothing was chosen, or from what a rule has erased.
    """
    sheet = _sheet_of(work, contact)
    return None if sheet is None else _says_child(sheet, present(contact))


async def by_another_than_child(work: Work, call_id: UUID) -> bool:
    """Return whether each contact of a call says what the one who rang or wrote is to the child.

    No default is assumed: what a child wrote is read by no other person. An erased contact does
    not say it.
    """
    contacts = await _contacts_of(work, call_id)
    return bool(contacts) and all(_is_of_another(work, contact) for contact in contacts)


async def by_hidden_reporter(work: Work, call_id: UUID) -> bool:
    """Return whether another than the child may have rung or written, and is not to be named.

    Whether they agreed is not known any more for an erased contact. Each contact that is opened
    for it is logged first.
    """
    for contact in await _contacts_of(work, call_id):
        if contact.erased_at is not None:
            if not _was_child(work, contact):
                return True
        elif by_child(work, contact) is not True:
            form, answers = await _open(work, contact)
            if answers.get(form.path_of("reporter_agrees") or "") != "yes":
                return True
    return False


def _is_of_another(work: Work, contact: Contact) -> bool:
    sheet, answers = _sheet_of(work, contact), present(contact)
    if sheet is None or sheet.form.by_child(answers) is not False:
        return False
    return _says(sheet, answers, _SAYS_ANOTHER)


def _was_child(work: Work, contact: Contact) -> bool:
    """Return whether what is left of an erased contact says that the child rang or wrote."""
    sheet = _known(work, contact)
    return sheet is not None and _says_child(sheet, present(contact)) is True


def _says_child(sheet: Sheet, answers: Answers) -> bool | None:
    return False if _says(sheet, answers, OF_CALLER) else sheet.form.by_child(answers)


def _sheet_of(work: Work, contact: Contact) -> Sheet | None:
    """Return the form of a contact; None if this server has not read it, or it is erased."""
    return _known(work, contact) if contact.erased_at is None else None


def _known(work: Work, contact: Contact) -> Sheet | None:
    try:
        return sheet_of(work, contact)
    except UnknownDefinition:
        return None


def _says(sheet: Sheet, answers: Answers, meanings: frozenset[Meaning]) -> bool:
    """Return whether a question with one of the meanings is asked and answered."""
    paths = [one.path for one in sheet.asked(answers) if one.field.means in meanings]
    return any(answers.get(path) not in (None, "") for path in paths)


async def _contacts_of(work: Work, call_id: UUID) -> list[Contact]:
    contacts = await work.session.scalars(select(Contact).where(Contact.call_id == call_id))
    return list(contacts)


async def _open(work: Work, contact: Contact) -> tuple[Form, dict[str, object]]:
    await write_reading(work, AuditLog.CONTACT_READ, f"contact:{contact.id}", reason=READ_BECAUSE)
    return sheet_of(work, contact).form, dict(Opened(work, contact).answers())
