"""The people of the helpline: who there is, and what an administrator sees of an account."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import array

from app.abilities import EndpointKind
from app.contacts.finding.words import normal_words
from app.errors import NotFound
from app.routing.plan import read_skills
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry, Staff
from app.staff.roles import Role
from app.work import Work

# How many changes of an account its page shows.
_SHOWN = 20


class PersonState(StrEnum):
    """Whether a person works here."""

    ACTIVE = "active"
    # The account is active, and no password was chosen yet.
    INVITED = "invited"
    INACTIVE = "inactive"


def state_of(staff: Staff) -> PersonState:
    if not staff.active:
        return PersonState.INACTIVE
    can = staff.password_hash is not None or staff.by_provider
    return PersonState.ACTIVE if can else PersonState.INVITED


def endpoint_of(staff: Staff) -> str:
    """Return where a person's calls ring, as it is written: `browser`, `+NUMBER`, `sip:URI`."""
    return (
        EndpointKind.BROWSER.value
        if staff.endpoint_kind == EndpointKind.BROWSER
        else staff.endpoint or ""
    )


@dataclass(frozen=True)
class PeopleWanted:
    """Which people are looked for; what is empty does not limit."""

    words: str = ""
    role: Role | None = None
    team: str | None = None
    state: PersonState | None = None


async def find_people(work: Work, wanted: PeopleWanted | None = None) -> list[Staff]:
    """Return the people who are looked for, by name; those who left come last.

    A name is found by the beginnings of its words, in either script and without marks.
    """
    wanted = wanted or PeopleWanted()
    statement = select(Staff).order_by(Staff.active.desc(), Staff.name)
    if wanted.role is not None:
        statement = statement.where(Staff.role == wanted.role)
    if wanted.team is not None:
        statement = statement.where(Staff.team == wanted.team)
    rows = await work.session.scalars(statement)
    asked = normal_words(wanted.words)
    return [
        staff
        for staff in rows
        if (wanted.state is None or state_of(staff) is wanted.state) and _called(staff, asked)
    ]


def _called(staff: Staff, asked: list[str]) -> bool:
    names = normal_words(staff.name)
    return all(any(name.startswith(word) for name in names) for word in asked)


async def person(work: Work, person_id: UUID) -> Staff:
    """Return an account. Raises NotFound."""
    found = await work.session.get(Staff, person_id)
    if found is None:
        raise NotFound("There is no such account.")
    return found


async def person_named(work: Work, name: str) -> Staff:
    """Return an account by its name, for the command line. Raises NotFound."""
    found = await work.session.scalar(select(Staff).where(Staff.name == name.strip()))
    if found is None:
        raise NotFound("There is no account '%(name)s'.", name=name)
    return found


async def all_teams(work: Work) -> list[str]:
    """Return the teams of all accounts, also of those who left; without the empty one."""
    rows = await work.session.scalars(select(Staff.team).distinct().order_by(Staff.team))
    return [team for team in rows if team]


async def known_skills(work: Work, more: Iterable[str] = ()) -> list[str]:
    """Return the names of the skills that people have, and of `more`, by name."""
    rows = await work.session.scalars(select(Staff.skills))
    found = {word for words in rows for word in words} | set(more)
    return sorted(read_skills(sorted(found)))


# What the owner of an account is shown of it: they see whether it was they.
_OF_ACCOUNT = (
    AuditLog.IDENTITY_LINKED,
    AuditLog.IDENTITY_UNLINKED,
    AuditLog.NEW_BROWSER,
    AuditLog.PASSKEY_ADDED,
    AuditLog.PASSKEY_REMOVED,
    AuditLog.PASSKEY_STOPPED,
    AuditLog.PASSWORD_CHANGED,
    AuditLog.PASSWORD_CHOSEN,
    AuditLog.PASSWORD_LINK_MADE,
    AuditLog.RECOVERY_CODE_USED,
    AuditLog.RECOVERY_CODES_MADE,
    AuditLog.SECOND_FACTOR_REMOVED,
    AuditLog.SECOND_FACTOR_RESET,
    AuditLog.SECOND_FACTOR_SET,
    AuditLog.SECOND_PHONE_SET,
    AuditLog.PHONE_CODE_MADE,
    AuditLog.PHONE_PAIRED,
    AuditLog.PHONE_PIN_SET,
    AuditLog.SIGN_IN_FAILED,
    AuditLog.TELEPHONE_CLOCK_LEARNED,
)


async def events_of(work: Work, staff: Staff) -> list[AuditEntry]:
    """Return what happened to the sign-in of an account, newest first: for its owner."""
    rows = await work.session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.subject == str(staff.id),
            AuditEntry.action.in_([act.value for act in _OF_ACCOUNT])
            | (
                (AuditEntry.action == AuditLog.STAFF_CHANGED.value)
                & AuditEntry.detail["after"].has_any(array(["name", "email", "endpoint"]))
            ),
        )
        .order_by(AuditEntry.id.desc())
        .limit(_SHOWN)
    )
    return list(rows)


async def changes_of(work: Work, staff: Staff) -> list[AuditEntry]:
    """Return the latest changes of an account, newest first: what was done to it, by whom."""
    rows = await work.session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.subject == str(staff.id),
            AuditEntry.action.like("staff%")
            | AuditEntry.action.like("password%")
            | AuditEntry.action.like("passkey%")
            | AuditEntry.action.like("access%")
            | AuditEntry.action.like("identity%")
            | AuditEntry.action.in_(
                [
                    AuditLog.LEFT_BY_DIRECTORY.value,
                    AuditLog.SECOND_PHONE_SET.value,
                ]
            )
            | AuditEntry.action.like("second_factor%"),
        )
        .order_by(AuditEntry.id.desc())
        .limit(_SHOWN)
    )
    return list(rows)
