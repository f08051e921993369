"""One child in several records: which child of a case is which child of its contacts.

The program knows it where it copied the child itself. Elsewhere a colleague who works on the case
decides it, because two children of one age are easily confused. What is recorded about consent
for a child counts in each of its records.
"""

from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Text, Uuid, and_, case, cast, literal, or_, select
from sqlalchemy.dialects.postgresql import insert

from app.contacts.cases.models import SameChild
from app.contacts.models import Case, Contact
from app.work import Work


class ChildOf(NamedTuple):
    """A child as one entry of the form of a contact or case."""

    model: type[Contact] | type[Case]
    record_id: UUID
    entry: str


async def records_of_child(work: Work, record_id: UUID, entry: str) -> list[ChildOf]:
    """Return the other entries about the child of an entry, by record."""
    start = select(
        cast(literal(record_id), Uuid).label("record_id"),
        cast(literal(entry), Text).label("entry"),
        literal(False).label("is_case"),
    ).cte("children", recursive=True)
    here_is_case = and_(
        SameChild.case_id == start.c.record_id, SameChild.case_entry == start.c.entry
    )
    here_is_contact = and_(
        SameChild.contact_id == start.c.record_id, SameChild.contact_entry == start.c.entry
    )
    found = start.union(
        select(
            case((here_is_case, SameChild.contact_id), else_=SameChild.case_id),
            case((here_is_case, SameChild.contact_entry), else_=SameChild.case_entry),
            ~here_is_case,
        )
        .join(start, or_(here_is_case, here_is_contact))
        .where(SameChild.case_entry.is_not(None))
    )
    rows = await work.session.execute(
        select(found)
        .where(or_(found.c.record_id != record_id, found.c.entry != entry))
        .distinct()
        .order_by(found.c.record_id, found.c.entry)
    )
    return [ChildOf(Case if is_case else Contact, there, name) for there, name, is_case in rows]


async def link_child(
    work: Work, case_id: UUID, case_entry: str | None, contact_id: UUID, contact_entry: str
) -> None:
    """Record that two entries are one child; `case_entry` None: a child that the case is not about.
    The latest statement counts.
    """
    values: dict[str, Any] = {
        "case_id": case_id,
        "contact_id": contact_id,
        "contact_entry": contact_entry,
        "case_entry": case_entry,
        "said_at": work.now,
        "said_by": work.actor.staff_id,
    }
    statement = insert(SameChild).values(**values)
    await work.session.execute(
        statement.on_conflict_do_update(
            index_elements=["case_id", "contact_id", "contact_entry"],
            set_={name: values[name] for name in ("case_entry", "said_at", "said_by")},
        )
    )
