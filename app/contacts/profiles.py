"""Profiles: contacts of one person, by the number they ring from or by a counsellor's choice.

A profile holds no name. Two people who share a number are told apart by a second profile for it;
from then on a counsellor chooses which of them it is. Every change is logged.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, LargeBinary, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.calls.models import Call
from app.contacts.events import events_of, note_event
from app.contacts.log_kinds import ProfileCause, RecordLog
from app.contacts.models import Contact, Profile, ProfileNumber, RecordEvent
from app.contacts.records import Opened
from app.contacts.registry import new_code
from app.contacts.scopes import lock_writable, reads_contact, writes_contact
from app.contacts.states import Subject
from app.database.quick import Command, Question
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.transaction import rows_of, write_now
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

_PROFILE = Command(Profile.__table__, "id", "code", "created_at")
_NUMBER = Command(ProfileNumber.__table__, "profile_id", "caller_key")


async def _make(work: Work, caller_key: bytes | None, cause: ProfileCause) -> UUID:
    profile_id = uuid4()
    values = {"id": profile_id, "code": new_code("P"), "created_at": work.now}
    await write_now(work, _PROFILE, values)
    if caller_key is not None:
        await write_now(work, _NUMBER, {"profile_id": profile_id, "caller_key": caller_key})
    note_event(work, Subject.PROFILE, profile_id, RecordLog.PROFILE_MADE, cause=cause)
    return profile_id


_BEHIND = Question(
    select(Profile.id)
    .join(ProfileNumber, ProfileNumber.profile_id == Profile.id)
    .where(
        ProfileNumber.caller_key == bindparam("key", type_=LargeBinary()),
        Profile.merged_into.is_(None),
    )
    .order_by(Profile.created_at)
)
_LOCK = Question(select(func.pg_advisory_xact_lock(bindparam("lock", type_=BigInteger()))))


async def _behind(work: Work, caller_key: bytes) -> list[UUID]:
    return [row["id"] for row in await rows_of(work, _BEHIND, key=caller_key)]


async def profile_of_caller(work: Work, caller_key: bytes | None) -> UUID | None:
    """Return the profile of a number: the existing one, or a new one.

    None for a withheld number, and where several profiles share it: a counsellor chooses then.
    """
    if caller_key is None:
        return None
    # Two first calls of one number at once must not make two profiles.
    lock = int.from_bytes(caller_key[:8], "big", signed=True)
    await rows_of(work, _LOCK, lock=lock)
    found = await _behind(work, caller_key)
    if not found:
        return await _make(work, caller_key, ProfileCause.FIRST_CALL)
    return found[0] if len(found) == 1 else None


async def candidates(work: Work, contact: Contact) -> list[Profile]:
    """Return the profiles that share the number that a contact came from."""
    key = await _caller_key(work, contact)
    if key is None:
        return []
    ids = await _behind(work, key)
    return list(
        await work.session.scalars(
            select(Profile).where(Profile.id.in_(ids)).order_by(Profile.created_at)
        )
    )


async def _caller_key(work: Work, contact: Contact) -> bytes | None:
    if contact.call_id is None:
        return None
    key: bytes | None = await work.session.scalar(
        select(Call.caller_key).where(Call.id == contact.call_id)
    )
    return key


async def _one_at_a_time(work: Work) -> None:
    """Lock changes of profiles: they are rare, and each touches several rows."""
    await work.session.execute(select(func.pg_advisory_xact_lock(116_114)))


async def _lock_profile(work: Work, staff: Staff, profile_id: UUID) -> Profile:
    """Lock a profile of which the person may read at least one contact. Raises NotFound."""
    profile = await work.session.scalar(
        select(Profile).where(Profile.id == profile_id).with_for_update()
    )
    mine = select(Contact.id).where(Contact.profile_id == profile_id, reads_contact(staff)).limit(1)
    if profile is None or await work.session.scalar(mine) is None:
        raise NotFound("Not found, or you do not have access.")
    return profile


async def link(work: Work, staff: Staff, contact_id: UUID, profile_id: UUID) -> None:
    """Assign a contact to a profile. Raises NotFound, Conflict."""
    await _one_at_a_time(work)
    contact = await lock_writable(work, staff, Contact, contact_id)
    offered = {profile.id for profile in await candidates(work, contact)}
    if profile_id in offered:
        profile = await work.session.get(
            Profile, profile_id, with_for_update=True, populate_existing=True
        )
        assert profile is not None
    else:
        profile = await _lock_profile(work, staff, profile_id)
    if profile.merged_into is not None:
        raise Conflict("That profile was merged into another one. Choose that one.")
    await _set(work, contact, profile.id, ProfileCause.LINKED)


async def link_to_contact(work: Work, staff: Staff, contact_id: UUID, code: str) -> UUID:
    """Assign a contact to the same profile as another contact, given by its code.

    Raises NotFound, Invalid.
    """
    await _one_at_a_time(work)
    contact = await lock_writable(work, staff, Contact, contact_id)
    other = await work.session.scalar(
        select(Contact).where(Contact.code == code.strip().upper(), reads_contact(staff))
    )
    if other is None:
        raise NotFound("Not found, or you do not have access: check the code of the contact.")
    if other.id == contact.id:
        raise Invalid("That is the code of this contact. Write the code of the other one.")
    if other.profile_id is None:
        # This changes the other contact, too.
        other = await lock_writable(work, staff, Contact, other.id)
        other.profile_id = await _make(work, None, ProfileCause.LINKED)
        note_event(
            work,
            Subject.PROFILE,
            other.profile_id,
            RecordLog.CONTACT_LINKED,
            contact_id=str(other.id),
            cause=ProfileCause.LINKED,
        )
    await _set(work, contact, other.profile_id, ProfileCause.LINKED)
    return other.profile_id


async def open_profile(
    work: Work, staff: Staff, profile_id: UUID
) -> tuple[Profile, list[Contact], list[tuple[RecordEvent, str]]]:
    """Open a profile, with those of its contacts that the person may read, and its log.

    The reading is logged first. Raises NotFound.
    """
    profile = await work.session.get(Profile, profile_id)
    rows = await work.session.scalars(
        select(Contact)
        .where(Contact.profile_id == profile_id, reads_contact(staff))
        .order_by(Contact.taken_at.desc())
    )
    contacts = list(rows)
    if profile is None or not contacts:
        raise NotFound("Not found, or you do not have access.")
    await write_reading(work, AuditLog.PROFILE_READ, f"profile:{profile_id}")
    opened: Any = profile
    trail = await events_of(Opened(work, opened))
    total = select(func.count()).where(Contact.profile_id == profile_id)
    if await work.session.scalar(total) != len(contacts):
        # The words may be about contacts that this person may not read.
        trail = [(event, "") for event, _ in trail]
    return profile, contacts, trail


async def _set(work: Work, contact: Contact, profile_id: UUID | None, cause: ProfileCause) -> None:
    before, contact.profile_id = contact.profile_id, profile_id
    if before == profile_id:
        return
    detail = {"contact_id": str(contact.id), "cause": cause}
    if before is not None:
        note_event(work, Subject.PROFILE, before, RecordLog.CONTACT_UNLINKED, **detail)
    if profile_id is not None:
        note_event(work, Subject.PROFILE, profile_id, RecordLog.CONTACT_LINKED, **detail)


async def tell_apart(work: Work, staff: Staff, contact_id: UUID) -> UUID:
    """Give a contact a profile of its own: another person shares the number. Raises NotFound."""
    await _one_at_a_time(work)
    contact = await lock_writable(work, staff, Contact, contact_id)
    key = await _caller_key(work, contact)
    if contact.profile_id is not None:
        same = select(Contact.id).where(
            Contact.profile_id == contact.profile_id, Contact.id != contact.id
        )
        if (
            await work.session.scalar(same.limit(1)) is None
            and len(await candidates(work, contact)) > 1
        ):
            # It was told apart already; the request came twice.
            return contact.profile_id
    profile_id = await _make(work, key, ProfileCause.TOLD_APART)
    await work.session.flush()
    await _set(work, contact, profile_id, ProfileCause.TOLD_APART)
    return profile_id


async def merge(work: Work, staff: Staff, from_id: UUID, into_id: UUID, reason: str) -> None:
    """Merge two profiles of one person: the contacts of the first go to the second.

    The log keeps which contacts moved, so that a split can undo it. Raises Invalid,
    NotFound, Conflict.
    """
    if not reason.strip():
        raise Invalid("Write how you know that they are the same person.")
    await _one_at_a_time(work)
    if from_id == into_id:
        raise Invalid("A profile cannot be merged into itself.")
    # In the order of their ids, so that two merges cannot deadlock.
    locked = {p: await _lock_profile(work, staff, p) for p in sorted((from_id, into_id))}
    gone, kept = locked[from_id], locked[into_id]
    if gone.merged_into is not None or kept.merged_into is not None:
        raise Conflict("One of the two profiles was merged already.")
    moved = list(
        await work.session.scalars(select(Contact.id).where(Contact.profile_id == gone.id))
    )
    known = select(func.count()).where(Contact.profile_id == gone.id, reads_contact(staff))
    if await work.session.scalar(known) != len(moved):
        raise NotAllowed("You cannot move some contacts of that profile. Ask a supervisor.")
    await work.session.execute(
        update(Contact).where(Contact.profile_id == gone.id).values(profile_id=kept.id)
    )
    for key in await work.session.scalars(
        select(ProfileNumber.caller_key).where(ProfileNumber.profile_id == gone.id)
    ):
        await work.session.execute(
            pg_insert(ProfileNumber)
            .values(profile_id=kept.id, caller_key=key)
            .on_conflict_do_nothing()
        )
    gone.merged_into = kept.id
    contacts = [str(contact) for contact in moved]
    words = reason.strip()[:2000]
    note_event(
        work, Subject.PROFILE, gone.id, RecordLog.MERGED_INTO, into=str(kept.id), contacts=contacts
    )
    note_event(
        work,
        Subject.PROFILE,
        kept.id,
        RecordLog.MERGED,
        words=words,
        other=str(gone.id),
        contacts=contacts,
    )


async def merged_from(work: Work, ids: Iterable[UUID]) -> set[UUID]:
    """Return the profiles that were merged into these, or into one that was."""
    first = set(ids)
    found, last = set(first), first
    while last:
        rows = await work.session.scalars(select(Profile.id).where(Profile.merged_into.in_(last)))
        last = set(rows) - found
        found |= last
    return found - first


async def merged_to(work: Work, ids: Iterable[UUID]) -> set[UUID]:
    """Return the profiles into which these were merged, up to those that are in use."""
    first = set(ids)
    found, last = set(first), first
    while last:
        rows = await work.session.scalars(
            select(Profile.merged_into).where(
                Profile.id.in_(last), Profile.merged_into.is_not(None)
            )
        )
        last = {one for one in rows if one is not None} - found
        found |= last
    return found - first


async def profile_by_contact(work: Work, staff: Staff, code: str) -> UUID:
    """Return the profile of a contact, by the contact's code. Raises NotFound."""
    found: UUID | None = await work.session.scalar(
        select(Contact.profile_id).where(Contact.code == code.strip().upper(), reads_contact(staff))
    )
    if found is None:
        raise NotFound("No contact of that code has a profile that you can read. Check the code.")
    return found


async def split(
    work: Work, staff: Staff, profile_id: UUID, contact_ids: list[UUID], reason: str
) -> UUID:
    """Move some contacts of a profile to a new one, because they are of another person.

    Raises Invalid, NotFound.
    """
    if not reason.strip():
        raise Invalid("Write how you know that it is another person.")
    await _one_at_a_time(work)
    profile = await _lock_profile(work, staff, profile_id)
    chosen = list(
        await work.session.scalars(
            select(Contact.id).where(
                Contact.id.in_(contact_ids), Contact.profile_id == profile.id, writes_contact(staff)
            )
        )
    )
    if not chosen or set(chosen) != set(contact_ids):
        raise Invalid("Choose contacts of this profile that are yours, or your team's.")
    keys = list(
        await work.session.scalars(
            select(ProfileNumber.caller_key).where(ProfileNumber.profile_id == profile.id)
        )
    )
    new_id = await _make(work, None, ProfileCause.SPLIT)
    for key in keys:
        await work.session.execute(insert(ProfileNumber).values(profile_id=new_id, caller_key=key))
    await work.session.execute(
        update(Contact).where(Contact.id.in_(chosen)).values(profile_id=new_id)
    )
    contacts = [str(contact) for contact in chosen]
    words = reason.strip()[:2000]
    note_event(
        work, Subject.PROFILE, profile.id, RecordLog.SPLIT, other=str(new_id), contacts=contacts
    )
    note_event(
        work,
        Subject.PROFILE,
        new_id,
        RecordLog.SPLIT_FROM,
        words=words,
        other=str(profile.id),
        contacts=contacts,
    )
    return new_id


async def others_of(work: Work, staff: Staff, contact: Contact) -> tuple[list[Contact], int]:
    """Return the other contacts of the person that the reader may read, and the total number."""
    if contact.profile_id is None:
        return [], 0
    same = (Contact.profile_id == contact.profile_id, Contact.id != contact.id)
    total = await work.session.scalar(select(func.count()).select_from(Contact).where(*same))
    rows: Any = await work.session.scalars(
        select(Contact)
        .where(*same, reads_contact(staff))
        .order_by(Contact.taken_at.desc())
        .limit(20)
    )
    return list(rows), total or 0
