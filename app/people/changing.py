"""Change an account: one verb for the page, the interface for programs and the command line.

Of two people who change an account at once, the second is told. The log holds the values before and
after; for a name, a number or an e-mail address, only enough to recognise a change.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select

from app.abilities import EndpointKind
from app.calls.chat_rules import MOST_AT_ONCE
from app.calls.lines import finding_lines, lines
from app.database.topics import Topic
from app.dialling import outward
from app.errors import ChangedMeanwhile, Conflict, Invalid, NotAllowed, NotFound
from app.people import ending, finding
from app.people.approval.asking import AccessWanted, ask_anew, hold_back, waiting_of
from app.privacy import ends
from app.routing import offers
from app.routing.models import Offer
from app.routing.plan import check_skills
from app.staff import accounts, former_addresses, phone_proofs, receiving
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.log_rows import every_entry
from app.staff.models import AccessKind, EarlierPassword, Staff
from app.staff.roles import Role, gives_sight, may_give, reads_others, reads_records
from app.staff.second_person import By, Outside, note_could_approve
from app.staff.sessions import accounts_changed
from app.staff.telling import Told, tell_former_address, tell_owner
from app.work import Work

_LONGEST_TEAM = 60


class LastAdministrator(Conflict):
    default = (
        "This is the last administrator who can sign in. Make another person an administrator "
        "first."
    )


class OwnAccount(NotAllowed):
    default = "Only another administrator can change your role or deactivate your account."


class InACall(Conflict):
    default = "This person has a call now. Change where calls ring after it."


@dataclass(frozen=True)
class Changes:
    """What an account is to say; None leaves a value as it is, an empty value clears it."""

    name: str | None = None
    role: Role | None = None
    team: str | None = None
    email: str | None = None
    endpoint: str | None = None
    languages: list[str] | None = None
    lines: list[str] | None = None
    skills: list[str] | None = None
    training: bool | None = None
    emergency: bool | None = None
    chats_at_once: int | None = None
    page_language: str | None = None


def values_of(staff: Staff) -> dict[str, Any]:
    """Return what can be changed of an account, as it is now."""
    return {
        "name": staff.name,
        "role": staff.role,
        "team": staff.team,
        "email": staff.email or "",
        "endpoint": finding.endpoint_of(staff),
        "languages": list(staff.languages),
        "lines": list(staff.lines),
        "skills": list(staff.skills),
        "training": staff.training,
        "emergency": staff.emergency,
        "chats_at_once": staff.chats_at_once,
        "page_language": staff.page_language,
    }


async def lock_person(
    work: Work,
    person_id: UUID,
    revision: int | None = None,
    *,
    receivers: Collection[UUID] = (),
) -> Staff:
    """Lock an account; `revision` is that of the reader's page. Raises NotFound, ChangedMeanwhile.

    The accounts of administrators are locked first: of two who take each other's role away, the
    second sees what the first has done. Locks are taken in this order: accounts, the rota, calls.
    `receivers` get work of this person: their accounts stay as they are, and are locked in one
    order with the others, so that two people can leave into each other at once.
    """
    await lock_people(work, [person_id], receivers)
    staff = await work.session.get(Staff, person_id, populate_existing=True)
    if staff is None:
        raise NotFound("There is no such account.")
    if revision is not None and staff.revision != revision:
        raise ChangedMeanwhile()
    return staff


async def lock_people(
    work: Work, people: Collection[UUID], receivers: Collection[UUID] = ()
) -> None:
    """Lock accounts and those of all administrators, and share the lock of those that only receive
    work: a verb of such a colleague does not wait for this transaction. Work that comes to the
    people meanwhile is refused, or seen by what is counted after this."""
    changed = (Staff.role == Role.ADMINISTRATOR) | Staff.id.in_(people)
    if not receivers:
        await work.session.scalars(
            select(Staff.id).where(changed).order_by(Staff.id).with_for_update(key_share=True)
        )
        await receiving.lock_out_givers(work, people)
        return
    rows = await work.session.execute(
        select(Staff.id, changed).where(changed | Staff.id.in_(receivers)).order_by(Staff.id)
    )
    for staff_id, is_changed in rows.all():
        one = select(Staff.id).where(Staff.id == staff_id)
        await work.session.execute(one.with_for_update(read=not is_changed, key_share=is_changed))
    await receiving.lock_out_givers(work, people)


def check_gives(by: By, staff: Staff | None, role: Role) -> None:
    """Check that `by` may give a role, and take the present one away; None is the operator.

    What comes from outside is checked where it comes in. Raises NotAllowed.
    """
    if by is None or isinstance(by, Outside):
        return
    if staff is not None and by.id == staff.id:
        raise OwnAccount()
    if not may_give(by.role, role) or (staff and not may_give(by.role, Role(staff.role))):
        raise NotAllowed("You cannot give this role.")


async def check_not_last(work: Work, staff: Staff) -> None:
    """Check that an administrator who can sign in stays without this one.

    The administrators are locked. Raises LastAdministrator.
    """
    if staff.role != Role.ADMINISTRATOR or not staff.active or staff.password_hash is None:
        return
    other = select(Staff.id).where(
        Staff.role == Role.ADMINISTRATOR,
        Staff.active,
        Staff.password_hash.is_not(None),
        Staff.id != staff.id,
    )
    if await work.session.scalar(other.limit(1)) is None:
        raise LastAdministrator()


async def checked(work: Work, changes: Changes, of: UUID | None = None) -> Changes:
    """Return the changes as they are stored. Raises Invalid, NotFound, NameTaken."""
    if changes.name is not None:
        changes = replace(changes, name=await accounts.check_name(work, changes.name, of))
    if changes.email is not None:
        changes = replace(changes, email=accounts.check_email(changes.email) or "")
    if changes.team is not None:
        team = " ".join(changes.team.split())
        if len(team) > _LONGEST_TEAM or not team.isprintable():
            raise Invalid("A team has a name of at most 60 characters, or none.")
        changes = replace(changes, team=team)
    if changes.endpoint is not None:
        changes = replace(changes, endpoint=await outward.read_endpoint(work, changes.endpoint))
    if changes.chats_at_once is not None and not 0 <= changes.chats_at_once <= MOST_AT_ONCE:
        raise Invalid(
            "A person can have 0 to %(most)s written conversations at once.", most=MOST_AT_ONCE
        )
    if changes.page_language is not None:
        accounts.check_page_language(changes.page_language)
    if changes.skills is not None:
        skills = check_skills(changes.skills)
        words = [name if level == 1 else f"{name}:{level}" for name, level in skills.items()]
        changes = replace(changes, skills=words)
    if changes.languages is not None:
        for language in changes.languages:
            lines.check_language(language)
        changes = replace(changes, languages=sorted(set(changes.languages)))
    if changes.lines is not None:
        numbers = {await _number_of(work, number) for number in changes.lines}
        changes = replace(changes, lines=sorted(numbers))
    return changes


async def _number_of(work: Work, number: str) -> str:
    """Return the number by which matching knows a line. Raises NotFound."""
    line = await finding_lines.line_of_number(work, number)
    if line is None:
        raise NotFound("There is no line %(number)s.", number=number)
    return line.number


async def change(
    work: Work,
    person_id: UUID,
    changes: Changes,
    *,
    by: By,
    revision: int | None = None,
) -> Staff:
    """Change an account. `by` is None for the operator at the command line.

    Another team, a role that reads the records of others, and the address and phone of a person
    who has one, may wait for a second person; what else was changed is stored at once. Raises
    NotFound, Invalid, NotAllowed, ChangedMeanwhile, LastAdministrator, and what `ending` raises if
    the person holds what the new role may not hold.
    """
    staff = await lock_person(work, person_id, revision)
    before = values_of(staff)
    wanted = await checked(work, changes, of=staff.id)
    after = before | {
        field.name: value
        for field in fields(wanted)
        if (value := getattr(wanted, field.name)) is not None
    }
    different = {name for name in after if after[name] != before[name]}
    if not different:
        return staff
    await _check(work, staff, different, after, by)
    waits = await _second_person(work, staff, different, after, by)
    after |= {name: before[name] for name in waits}
    different -= waits
    if different:
        await _carry_out(work, staff, before, after, [one for one in after if one in different])
    if not staff.active:
        await ask_anew(work, staff, by=by)
    return staff


async def _check(
    work: Work, staff: Staff, different: set[str], after: dict[str, Any], by: By
) -> None:
    if "role" in different:
        await _check_role(work, staff, Role(after["role"]), by)
    if after["emergency"] and staff.by_provider:
        raise Conflict(
            "This account signs in by the provider. Unlink it from the provider first: an "
            "emergency account is for the day on which the provider is away."
        )
    if "endpoint" in different and await offers.offer_in_hand(work, staff.id) is not None:
        raise InACall()


async def _second_person(
    work: Work, staff: Staff, different: set[str], after: dict[str, Any], by: By
) -> set[str]:
    """Hold back the fields that need a second person, and return them. Counts the revision up.

    A provider can find an account by its address, and a link goes there: a new address of a person
    who reads the records of others is as good as a new account. A role that takes this reading away
    is stored at once, and the address with it. At another phone children reach a stranger in
    the place of the person: it waits for every role that takes calls or reads records. With such a
    role the second person sees the phone that would ring, also one that was entered before.

    Another team waits whatever the role is, so that no change of role goes around it: it opens the
    records of other colleagues to the person, and what the person took, agreed and says in talks to
    the supervisors there.
    """
    role = after["role"] if gives_sight(staff.role, after["role"]) else None
    role = role if "role" in different else None
    owned = staff.active and reads_others(staff.role) and reads_others(after["role"])
    waits: dict[str, Any] = {"role": role}
    rings = "endpoint" in different and reads_records(after["role"])
    waits["endpoint"] = after["endpoint"] if staff.active and (rings or role is not None) else None
    moves = "team" in different and await _moves_by_two(work, staff)
    waits["team"] = after["team"] if moves else None
    if waits["endpoint"] == EndpointKind.BROWSER:
        # It rings where the person is signed in.
        waits["endpoint"] = None
    # The address waits with a phone, whatever the role, so that the former one is told of both.
    owned = owned or ("endpoint" in different and waits["endpoint"] is not None)
    waits["email"] = after["email"] if "email" in different and owned else None
    held = {name for name, value in waits.items() if value is not None}
    await _replace_what_waits(work, staff, different - held)
    if different - held:
        # What waits begins from the account as the rest of the change leaves it.
        staff.revision += 1
    asked = AccessWanted(AccessKind.CHANGE, **waits)
    if held and await hold_back(work, staff, asked, by=by):
        return held
    staff.revision += not different - held
    return set()


async def _replace_what_waits(work: Work, staff: Staff, stored: set[str]) -> None:
    """Take an address or a phone out of what waits if another one is stored in its place."""
    if replaced := stored & {"email", "endpoint"}:
        waits = await waiting_of(work, staff, AccessKind.CHANGE)
        for name in replaced if waits is not None else ():
            setattr(waits, name, None)


async def _moves_by_two(work: Work, staff: Staff) -> bool:
    """Return whether a change of the team waits for a second person.

    It does not if the account learns of no children and was never used, nor if the whole account
    waits already.
    """
    if not staff.active and await waiting_of(work, staff, AccessKind.ACCOUNT) is not None:
        return False
    if staff.password_hash is not None or staff.by_provider or reads_records(staff.role):
        return True
    # A counsellor with only a phone takes calls without signing in. A leaver has no password.
    took = exists().where(Offer.counsellor_id == staff.id)
    entry = every_entry()
    left = exists().where(
        entry.subject == str(staff.id), entry.action == AuditLog.STAFF_DEACTIVATED
    )
    return bool(await work.session.scalar(select(or_(took, left))))


async def _carry_out(
    work: Work,
    staff: Staff,
    before: dict[str, Any],
    after: dict[str, Any],
    different: list[str],
) -> None:
    if "endpoint" in different or "email" in different:
        await former_addresses.note_all(work, staff)
    _store(staff, after)
    note_could_approve(staff)
    await work.session.flush()
    write_entry(
        work,
        AuditLog.STAFF_CHANGED,
        str(staff.id),
        before={name: for_log(name, before[name]) for name in different},
        after={name: for_log(name, after[name]) for name in different},
    )
    if "endpoint" in different:
        await phone_proofs.forget_pairing(work, staff)
    await _tell(work, staff, before["email"], different)
    if "role" in different:
        await ending.role_changed(work, staff, Role(before["role"]))
    accounts_changed(work)
    work.announce(Topic.ROSTER, Topic.PRESENCE, Topic.QUEUE)


async def _tell(work: Work, staff: Staff, former_email: str, different: Collection[str]) -> None:
    """Tell the owner of an account what another person changed, and that there is another e-mail
    address: at the former address all of it."""
    told = []
    if work.actor.staff_id != staff.id:
        if "endpoint" in different:
            told.append(Told.PHONE_CHANGED)
        if "name" in different and await _could_sign_in(work, staff):
            told.append(Told.NAME_CHANGED)
    for what in told:
        tell_owner(work, staff, what)
    if "email" in different and former_email and staff.active:
        for what in (*told, Told.EMAIL_CHANGED):
            tell_former_address(work, staff, what, former_email)


async def _could_sign_in(work: Work, staff: Staff) -> bool:
    """Return whether a person could sign in at any time; one who was only invited could not."""
    if staff.password_hash is not None or staff.by_provider:
        return True
    earlier = select(exists().where(EarlierPassword.staff_id == staff.id))
    return bool(await work.session.scalar(earlier))


async def _check_role(work: Work, staff: Staff, role: Role, by: By) -> None:
    check_gives(by, staff, role)
    if staff.role == Role.ADMINISTRATOR:
        await check_not_last(work, staff)
    await ending.check_can_hold(work, staff, role)


def _store(staff: Staff, values: dict[str, Any]) -> None:
    kind, address = accounts.read_endpoint(values["endpoint"])
    staff.name, staff.role, staff.team = values["name"], values["role"], values["team"]
    staff.email = values["email"] or None
    staff.endpoint_kind, staff.endpoint = kind, address
    if kind != EndpointKind.BROWSER:
        staff.second_phone = None
    staff.languages, staff.lines = values["languages"], values["lines"]
    staff.emergency = values["emergency"]
    staff.skills, staff.training = values["skills"], values["training"]
    staff.chats_at_once = values["chats_at_once"]
    staff.page_language = values["page_language"]


def for_log(name: str, value: Any) -> Any:
    """Return a value as the log may hold it for ever: only the ends of a person's own data."""
    if name == "name":
        return ends.of_name(value)
    if name == "email":
        return ends.of_email(value)
    if name == "endpoint" and value != EndpointKind.BROWSER and not value.startswith("client:"):
        return ends.of_number(value)
    return value
