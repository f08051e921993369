"""The secret addresses of wallboards: screens in a room that show figures of now.

An address is shown once; only its keyed hash is stored. It ends with the account of who made it,
and with their role if the new one may make none.
"""

import secrets
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, exists, select, update
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.database.base import Base, Identifier, KeyedHash
from app.errors import Invalid, NotFound
from app.staff import receiving
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission
from app.staff.tokens import NAMED
from app.work import ActorKind, Work

_LONGEST_NAME = 60


class Wallboard(Base):
    """A secret address at which a screen in the helpline's room shows figures of now."""

    __tablename__ = "wallboards"

    id: Mapped[Identifier]
    # Where the screen hangs, and the language in which it speaks.
    name: Mapped[str]
    language: Mapped[str]
    token_key: Mapped[KeyedHash] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    made_by: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    withdrawn_at: Mapped[datetime | None]
    # Who made it, if it stopped because they left or lost the role by which they made it.
    withdrawn_with: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


def address_of(work: Work, token: str) -> str:
    """Return the secret address of a wallboard."""
    return f"{work.settings.public_url.rstrip('/')}/wall/{token}"


async def make(work: Work, by: Staff, name: str) -> str:
    """Make a wallboard and return its secret, which is shown only now.

    The operator makes one for any account that is active. Raises Invalid, NotAllowed.
    """
    needs = Permission.KEEP_WALLBOARDS if work.actor.kind is ActorKind.PERSON else None
    await receiving.check_still_may(work, by.id, needs)
    name = name.strip()
    if not name or len(name) > _LONGEST_NAME:
        raise Invalid("Say in a few words where the screen hangs.")
    token = secrets.token_urlsafe(32)
    made = Wallboard(
        id=uuid4(),
        name=name,
        language=by.page_language,
        token_key=work.keys.session_key(token),
        made_at=work.now,
        made_by=by.id,
    )
    work.session.add(made)
    await work.session.flush()
    write_entry(work, AuditLog.WALLBOARD_MADE, str(made.id), before=None, after=_for_log(made))
    return token


def _for_log(row: Wallboard) -> dict[str, str]:
    return {"name": row.name, "language": row.language}


async def withdraw(work: Work, wallboard_id: UUID, made_by: Staff | None = None) -> None:
    """Withdraw the address of a wallboard: its screen goes dark. May run twice. `made_by`: it stops
    with this person. Raises NotFound."""
    found = await work.session.get(Wallboard, wallboard_id)
    if found is None:
        raise NotFound("There is no such wallboard.")
    gone = await work.session.scalar(
        update(Wallboard)
        .where(Wallboard.id == wallboard_id, Wallboard.withdrawn_at.is_(None))
        .values(withdrawn_at=work.now, withdrawn_with=made_by.id if made_by else None)
        .returning(Wallboard.id)
    )
    if gone is not None:
        before = _for_log(found)
        write_entry(
            work, AuditLog.WALLBOARD_WITHDRAWN, str(wallboard_id), before=before, after=None
        )


async def in_use(work: Work) -> list[Wallboard]:
    """Return the wallboards whose address works, by name."""
    rows = await work.session.scalars(
        select(Wallboard).where(Wallboard.withdrawn_at.is_(None)).order_by(Wallboard.name)
    )
    return list(rows)


async def made_by(work: Work, staff: Staff) -> list[Wallboard]:
    """Return the wallboards that a person made and whose address works, by name."""
    return [one for one in await in_use(work) if one.made_by == staff.id]


async def end_made_by(work: Work, staff: Staff) -> int:
    """Withdraw the wallboards of a person who leaves, or may make none any more: they know the
    addresses. Return how many."""
    found = await made_by(work, staff)
    for one in found:
        await withdraw(work, one.id, staff)
    return len(found)


async def stopped_of(work: Work, staff: Staff) -> list[Wallboard]:
    """Return the wallboards that stopped lately with a person's account or role, while none was
    made since. One that was withdrawn by hand is none of them."""
    newer = aliased(Wallboard)
    rows = await work.session.scalars(
        select(Wallboard)
        .where(
            Wallboard.withdrawn_with == staff.id,
            Wallboard.withdrawn_at > work.now - NAMED,
            ~exists().where(newer.made_at > Wallboard.withdrawn_at),
        )
        .order_by(Wallboard.name)
    )
    return list(rows)


async def find(work: Work, token: str) -> Wallboard:
    """Return the wallboard of a secret address. Raises NotFound, also if it was withdrawn."""
    found: Wallboard | None = await work.session.scalar(
        select(Wallboard).where(
            Wallboard.token_key == work.keys.session_key(token), Wallboard.withdrawn_at.is_(None)
        )
    )
    if found is None:
        raise NotFound("There is no such wallboard. Ask an administrator for a new address.")
    work.keys.keep_session_key(token)
    return found
