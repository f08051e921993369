"""Accounts of staff: adding them, and what their names, addresses and languages may be."""

import re
import secrets
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.abilities import EndpointKind
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotSignedIn
from app.privacy.numbers import e164
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.passwords import give_password
from app.staff.roles import Role
from app.words import pages
from app.work import Actor, ActorKind, Work


class NameTaken(Conflict):
    default = "There is already an account with that name. Choose another name."


class WrongPassword(NotSignedIn):
    default = "The name or the password is wrong. Check both and try again."


def read_endpoint(text: str) -> tuple[str, str | None]:
    """Read where a counsellor's calls ring: `browser`, `client:ID`, `+NUMBER` or `sip:URI`.

    Return its kind and its address. Raises Invalid.
    """
    if text == EndpointKind.BROWSER:
        return EndpointKind.BROWSER.value, None
    if re.fullmatch(r"client:[A-Za-z0-9_]{1,121}", text):
        return "client", text
    if re.fullmatch(r"sips?:[^\s@]+@[^\s@]+", text):
        return "sip", text
    number = e164(text) if text.startswith("+") else None
    if number:
        return "phone", number
    raise Invalid(
        "An endpoint is `browser`, `client:ID` (letters, digits, underscore), `sip:user@host`, or "
        "a phone number: as it is dialled in the country of the lines, or with + and country code."
    )


async def check_name(work: Work, name: str, of: UUID | None = None) -> str:
    """Return the name as it is stored, if no other account than `of` has it.

    Raises NameTaken, Invalid.
    """
    name = name.strip()
    if not re.fullmatch(r"[^\s][^\n\r\t]{0,79}", name) or not name.isprintable():
        raise Invalid("A name has 1 to 80 characters and no line breaks.")
    found = await work.session.scalar(select(Staff.id).where(Staff.name == name))
    if found is not None and found != of:
        raise NameTaken()
    return name


def check_email(email: str | None) -> str | None:
    """Return an e-mail address as it is stored; None for none. Raises Invalid."""
    email = (email or "").strip() or None
    if email is not None and not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", email):
        raise Invalid("That is not an e-mail address. Write one like ana@example.org.")
    return email


async def add_staff(
    work: Work,
    *,
    name: str,
    role: Role,
    endpoint: str = EndpointKind.BROWSER.value,
    languages: list[str] | None = None,
    lines: list[str] | None = None,
    skills: list[str] | None = None,
    training: bool = False,
    chats_at_once: int = 0,
    team: str = "",
    email: str | None = None,
    page_language: str = pages.SOURCE,
    password: str | None = None,
) -> Staff:
    """Add an account. Raises NameTaken, Invalid."""
    name = await check_name(work, name)
    page_language = check_page_language(page_language)
    email = check_email(email)
    kind, address = read_endpoint(endpoint)
    staff = Staff(
        id=uuid4(),
        name=name,
        role=role.value,
        endpoint_kind=kind,
        endpoint=address,
        identity="c_" + secrets.token_hex(12),
        languages=languages or [],
        lines=lines or [],
        skills=skills or [],
        training=training,
        chats_at_once=chats_at_once,
        team=team.strip(),
        email=email,
        page_language=page_language,
        created_at=work.now,
    )
    work.session.add(staff)
    await work.session.flush()
    if password is not None:
        await give_password(work, staff, password)
    after = {
        "role": role.value,
        "endpoint": kind,
        "team": staff.team,
        "training": training,
        "page_language": page_language,
    }
    write_entry(work, AuditLog.STAFF_ADDED, str(staff.id), before=None, after=after)
    work.announce(Topic.ROSTER)
    return staff


def check_page_language(language: str) -> str:
    """Return a language of the pages. Raises Invalid."""
    if language not in pages.page_languages():
        raise Invalid("The pages are not translated into this language. Choose one from the list.")
    return language


async def choose_page_language(work: Work, staff: Staff, language: str) -> None:
    """Set the language in which a person reads the pages. Raises Invalid."""
    check_page_language(language)
    before = await work.session.scalar(
        select(Staff.page_language).where(Staff.id == staff.id).with_for_update()
    )
    if before == language:
        return
    await work.session.execute(
        update(Staff).where(Staff.id == staff.id).values(page_language=language)
    )
    write_entry(
        work,
        AuditLog.STAFF_CHANGED,
        str(staff.id),
        before={"page_language": before},
        after={"page_language": language},
    )
    work.ground.memory.forget("staff")
    work.announce(Topic.STAFF)


async def find_by_name(session: AsyncSession, name: str) -> Staff | None:
    return (await session.scalars(select(Staff).where(Staff.name == name.strip()))).one_or_none()


def actor_of(staff: Staff) -> Actor:
    return Actor(ActorKind.PERSON, staff.id, staff.name, staff.role, staff.under_emergency)


async def colleagues(work: Work, staff: Staff) -> list[Staff]:
    """Return the other counsellors and supervisors, by name."""
    rows = await work.session.scalars(
        select(Staff)
        .where(Staff.active, Staff.id != staff.id, Staff.role.in_(("counsellor", "supervisor")))
        .order_by(Staff.name)
    )
    return list(rows)


async def teams(work: Work) -> list[str]:
    """Return the teams of active staff, by name."""
    return list(
        await work.session.scalars(
            select(Staff.team).where(Staff.active).distinct().order_by(Staff.team)
        )
    )


async def names_of(work: Work, ids: set[UUID]) -> dict[UUID, str]:
    """Return the names of these accounts by their ids."""
    if not ids:
        return {}
    rows = await work.session.execute(select(Staff.id, Staff.name).where(Staff.id.in_(ids)))
    return {key: value for key, value in rows}  # noqa: C416
