"""What a directory of people (SCIM) does with accounts: it adds them, renames them, and ends them.

A person who leaves there has left here in the same step, also in the night, whatever else the
directory says of them: what they hold goes to colleagues of their team, chosen here, and what no
colleague may hold stays with the account and alarms. A directory gives no role that keeps accounts
or reads the log, and does not touch emergency accounts. An account that it adds or brings back with
a role that reads children's records waits for a second person, and so does a role that reads more
of them.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.database.topics import Topic
from app.errors import Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.log import log
from app.people import changing, holding, leaving, links, work_left
from app.people.approval import asking
from app.people.approval.asking import AccessWanted, hold_back
from app.people.changing import Changes, LastAdministrator
from app.people.directory_rows import DirectoryAccount
from app.people.holding import WorkKind
from app.people.leaving import Plan
from app.staff import accounts
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AccessKind, Staff
from app.staff.roles import Role
from app.staff.second_person import Outside
from app.words.pages import SOURCE, page_language_of
from app.work import Work

# Only an administrator gives these, or takes them away.
KEPT_ROLES = frozenset({Role.ADMINISTRATOR, Role.AUDITOR})
_LONGEST_ID = 200


class NotTheDirectorys(NotAllowed):
    default = (
        "A directory does not give or change the roles administrator and auditor, nor emergency "
        "accounts. An administrator does."
    )


@dataclass(frozen=True)
class PersonEntry:
    """What a directory says of a person. None: it does not say, and what is there stays."""

    name: str
    active: bool | None = None
    role: str | None = None
    email: str = ""
    external_id: str | None = None
    # The language of the pages, as a tag of BCP 47. It counts for a new account: people choose it
    # themselves.
    language: str | None = None


@dataclass(frozen=True)
class ProvisionedAccount:
    """An account, and what the directory says of it besides."""

    staff: Staff
    external_id: str | None
    changed_at: datetime


async def all_accounts(work: Work) -> list[ProvisionedAccount]:
    """Return the accounts that a directory finds, by name."""
    rows = await work.session.execute(
        select(Staff, DirectoryAccount)
        .outerjoin(DirectoryAccount, DirectoryAccount.staff_id == Staff.id)
        .where(DirectoryAccount.deleted_at.is_(None))
        .order_by(Staff.name)
    )
    return [_known(staff, kept) for staff, kept in rows]


def _known(staff: Staff, kept: DirectoryAccount | None) -> ProvisionedAccount:
    if kept is None:
        return ProvisionedAccount(staff, None, staff.created_at)
    return ProvisionedAccount(staff, kept.external_id, kept.changed_at)


async def one(work: Work, person_id: UUID) -> ProvisionedAccount:
    """Return an account that a directory finds. Raises NotFound."""
    staff = await work.session.get(Staff, person_id, populate_existing=True)
    kept = await work.session.get(DirectoryAccount, person_id, populate_existing=True)
    if staff is None or (kept is not None and kept.deleted_at is not None):
        raise NotFound("There is no such account.")
    return _known(staff, kept)


async def add(work: Work, entry: PersonEntry) -> ProvisionedAccount:
    """Add an account without a password. Raises Invalid, NameTaken, NotTheDirectorys.

    One that the directory has deleted comes back by its name, without anything that opened it.
    """
    role = _role(entry.role or Role.COUNSELLOR.value)
    if role in KEPT_ROLES:
        raise NotTheDirectorys()
    found = await accounts.find_by_name(work.session, entry.name)
    kept = await work.session.get(DirectoryAccount, found.id) if found else None
    if found is not None and kept is not None and kept.deleted_at is not None:
        kept.deleted_at = None
        await work.session.flush()
        return await change(work, found.id, _asks_active(entry))
    staff = await accounts.add_staff(
        work,
        name=entry.name,
        role=role,
        email=entry.email or None,
        page_language=page_language_of(entry.language) or SOURCE,
    )
    await _keep(work, staff, entry)
    if entry.active is False:
        await leaving.deactivate(work, staff.id, by=None)
    elif await hold_back(work, staff, AccessWanted(AccessKind.ACCOUNT), by=Outside.DIRECTORY):
        staff.active = False
        await work.session.flush()
    return await one(work, staff.id)


def _asks_active(entry: PersonEntry) -> PersonEntry:
    return PersonEntry(
        entry.name, entry.active is not False, entry.role, entry.email, entry.external_id
    )


def _role(name: str) -> Role:
    known = next((role for role in Role if role.value == name), None)
    if known is None:
        raise Invalid("There is no role %(name)s.", name=name[:80])
    return known


async def _keep(work: Work, staff: Staff, entry: PersonEntry, *, deleted: bool = False) -> None:
    if entry.external_id is not None and len(entry.external_id) > _LONGEST_ID:
        raise Invalid("An externalId has at most %(number)s characters.", number=_LONGEST_ID)
    kept = await work.session.get(DirectoryAccount, staff.id)
    if kept is None:
        kept = DirectoryAccount(staff_id=staff.id)
        work.session.add(kept)
    kept.external_id, kept.changed_at = entry.external_id, work.now
    kept.deleted_at = work.now if deleted else None
    await work.session.flush()


def _check_ordinary(staff: Staff, changes: Changes) -> None:
    kept = staff.role in KEPT_ROLES or changes.role in KEPT_ROLES
    if changes != Changes() and (kept or staff.emergency):
        raise NotTheDirectorys()


async def change(
    work: Work, person_id: UUID, entry: PersonEntry, *, revision: int | None = None
) -> ProvisionedAccount:
    """Let an account say what the directory says. A person who is not active there leaves here, and
    nothing else of the entry counts.

    Raises NotFound, Invalid, NotTheDirectorys, LastAdministrator, ChangedMeanwhile, and what a
    change of role raises.
    """
    known = await one(work, person_id)
    if entry.active is False and known.staff.active:
        return await leave(work, person_id)
    staff = await changing.lock_person(work, person_id, revision)
    if entry.active is False:
        await _stays_out(work, staff)
    before = changing.values_of(staff)
    role = _role(entry.role) if entry.role is not None else None
    changes = Changes(
        name=entry.name if entry.name.strip() != staff.name else None,
        role=role if role is not None and role != staff.role else None,
        email=entry.email if entry.email.strip() != before["email"] else None,
    )
    _check_ordinary(staff, changes)
    if changes != Changes():
        await changing.change(work, staff.id, changes, by=Outside.DIRECTORY)
    if entry.active is True and not staff.active:
        if staff.role in KEPT_ROLES or staff.emergency:
            raise NotTheDirectorys()
        await leaving.reactivate(work, staff.id, by=Outside.DIRECTORY)
    await _keep(work, staff, entry)
    return await one(work, person_id)


async def leave(work: Work, person_id: UUID) -> ProvisionedAccount:
    """Let a person leave at once. One who has left, or was not let in yet, also does not come in by
    what still waits for a second person.

    Raises NotFound, NotTheDirectorys, LastAdministrator.
    """
    known = await one(work, person_id)
    staff = await changing.lock_person(work, person_id)
    if staff.active:
        await _end(work, staff)
        await _keep(work, staff, PersonEntry(staff.name, external_id=known.external_id))
    else:
        await _stays_out(work, staff)
    return await one(work, person_id)


async def _stays_out(work: Work, staff: Staff) -> None:
    """Withdraw what would open an inactive account later: its link, and what waits for a second
    person. Without either, nothing is changed."""
    if staff.active or staff.emergency:
        return
    await links.withdraw(work, staff.id)
    waits = await asking.waiting_of(work, staff)
    if waits is None:
        return
    before = asking.for_log(staff, asking.asked_of(waits))
    await asking.withdraw(work, staff)
    write_entry(work, AuditLog.LEFT_BY_DIRECTORY, str(staff.id), before=before, after=None)
    work.announce(Topic.STAFF)


async def could_come_in(work: Work, staff: Staff) -> bool:
    """Return whether a person is in, or would be as soon as a second person approves.

    The account is locked: an approval at the same time has come through, or comes too late.
    """
    staff = await changing.lock_person(work, staff.id)
    if await links.has_open(work, staff):
        return True
    return staff.active or await asking.waiting_of(work, staff) is not None


async def _end(work: Work, staff: Staff) -> None:
    """End all access of a person; what they hold goes to colleagues, or stays with the account."""
    if staff.emergency:
        raise NotTheDirectorys()
    plan = await _plan_for(work, staff)
    try:
        handed = await leaving.deactivate(work, staff.id, plan, by=None, leaves_rest=True)
    except LastAdministrator:
        # They are refused, and stay: the operator sees that a leaver keeps the accounts.
        log().error("the last administrator has left by the directory, and stays", area="people")
        raise
    if handed.left:
        await work_left.note(work, staff)
    work.defer(Task.WATCH_LEAVER, staff_id=str(staff.id))
    write_entry(
        work,
        AuditLog.LEFT_BY_DIRECTORY,
        str(staff.id),
        before=True,
        after=False,
        given={kind.value: number for kind, number in handed.given.items()},
        left={kind.value: number for kind, number in handed.left},
    )


async def _plan_for(work: Work, staff: Staff) -> Plan:
    """Return who takes over what a person holds: a supervisor of the team if there is one, then
    another of the team, then any person who may. Among several, it is the one who holds least.

    Shifts are left uncovered, which alarms. A kind that no account may hold is not in it.
    """
    # Shifts also if there are none yet: they may be planned at the same time.
    plan: dict[WorkKind, UUID | None] = {WorkKind.SHIFTS: None}
    counted = await holding.count(work, staff)
    held = [kind for kind, number in counted.items() if number and kind not in plan]
    if not held:
        return plan
    receivers = await leaving.possible_receivers(work, staff)
    busy = {}
    for colleague in {one.id: one for kind in held for one in receivers[kind]}.values():
        busy[colleague.id] = sum((await holding.count(work, colleague)).values())
    for kind in held:
        fit = [one for one in receivers[kind] if not one.training] or receivers[kind]
        if not fit:
            continue
        plan[kind] = min(
            fit,
            key=lambda one: (
                one.team != staff.team,
                one.role != Role.SUPERVISOR,
                busy[one.id],
                one.name,
            ),
        ).id
    return plan


async def delete(work: Work, person_id: UUID) -> None:
    """Let a person leave whom the directory deletes; it does not find them any more. What they did
    stays.

    Raises what `leave` raises.
    """
    known = await leave(work, person_id)
    staff = known.staff
    await _keep(work, staff, PersonEntry(staff.name, external_id=known.external_id), deleted=True)
