"""The tables of what belongs to a case: its contacts, people, links, flags, requests, documents."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.contacts.states import (
    CaseTie,
    FlagAbout,
    FollowUpAbout,
)
from app.database.base import Base, Identifier, Sealed, one_of


class CaseContact(Base):
    __tablename__ = "case_contacts"
    __table_args__ = (Index("ix_case_contacts_contact_id", "contact_id"),)

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"), primary_key=True)
    linked_at: Mapped[datetime]


class SameChild(Base):
    """An entry of a contact and an entry of a case that are about the same child."""

    __tablename__ = "same_children"
    __table_args__ = (
        ForeignKeyConstraint(
            ["case_id", "contact_id"],
            ["case_contacts.case_id", "case_contacts.contact_id"],
            ondelete="CASCADE",
        ),
        Index("ix_same_children_contact_id", "contact_id", "contact_entry"),
    )

    case_id: Mapped[UUID] = mapped_column(primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(primary_key=True)
    contact_entry: Mapped[str] = mapped_column(primary_key=True)
    # None: a person has said that the case is not about this child.
    case_entry: Mapped[str | None]
    # Kept as evidence of who said so, and when. None: the program copied the child itself.
    said_at: Mapped[datetime]
    said_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class CaseMember(Base):
    """Who works on a case: its owner, earlier owners, and colleagues who were added."""

    __tablename__ = "case_members"
    __table_args__ = (
        Index("ix_case_members_newest", "staff_id", "opened_at", "case_id"),
        Index("ix_case_members_case_id", "case_id"),
    )

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    opened_at: Mapped[datetime]
    since: Mapped[datetime]


class CaseLink(Base):
    """Two cases that belong together; the one with the lower id comes first."""

    __tablename__ = "case_links"
    __table_args__ = (
        one_of("tie", CaseTie),
        CheckConstraint("case_id < other_id", name="in_order"),
        Index("ix_case_links_other_id", "other_id"),
    )

    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    other_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    tie: Mapped[str]
    linked_at: Mapped[datetime]
    # Kept as evidence of who linked them last.
    linked_by: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))


class CaseFlag(Base):
    """A notice shown first in a case, until a colleague lowers it or its last day is over."""

    __tablename__ = "case_flags"
    __table_args__ = (
        one_of("about", FlagAbout),
        Index("ix_case_flags_case_id", "case_id", postgresql_where=text("lowered_at IS NULL")),
    )

    id: Mapped[Identifier]
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    about: Mapped[str]
    words_sealed: Mapped[Sealed]
    # The last day on which it is shown; none: until it is lowered.
    last_on: Mapped[date | None] = mapped_column(Date)
    raised_at: Mapped[datetime]
    raised_by: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    lowered_at: Mapped[datetime | None]
    # Kept as evidence of who lowered it.
    lowered_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class CaseRequest(Base):
    """A request that another person decides: to move a case on, or to take it over."""

    __tablename__ = "case_requests"
    __table_args__ = (
        CheckConstraint("(to_status IS NULL) <> (to_team IS NULL)", name="one_thing"),
        CheckConstraint("(decided_at IS NULL) = (approved IS NULL)", name="decided_at"),
        # One open request of each kind in a case.
        Index(
            "ix_case_requests_open",
            "case_id",
            text("(to_status IS NULL)"),
            unique=True,
            postgresql_where=text("decided_at IS NULL"),
        ),
        Index("ix_case_requests_to_id", "to_id", postgresql_where=text("decided_at IS NULL")),
    )

    id: Mapped[Identifier]
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    # The status that is asked for; or the team, and perhaps the colleague, to take it over.
    to_status: Mapped[str | None]
    to_team: Mapped[str | None]
    to_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    reason_sealed: Mapped[Sealed]
    asked_at: Mapped[datetime]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    approved: Mapped[bool | None]


class CaseDocument(Base):
    """A document of a case: name and content are sealed."""

    __tablename__ = "case_documents"
    __table_args__ = (
        one_of("scan", ("clean", "not_scanned")),
        one_of("details", ("removed", "kept")),
        Index("ix_case_documents_case_id", "case_id"),
        # What a person added today.
        Index("ix_case_documents_staff_id_at", "staff_id", "at"),
    )

    id: Mapped[Identifier]
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    at: Mapped[datetime]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    name_sealed: Mapped[Sealed]
    content_sealed: Mapped[Sealed]
    media_type: Mapped[str]
    size: Mapped[int]
    scan: Mapped[str]
    # What a camera or program wrote into it: removed, or kept as evidence by the person who added
    # it. Empty: not known.
    details: Mapped[str | None]
    # Warnings for its readers: macros, scripts, files inside.
    flags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # Removed as misfiled: name and content are gone, the row stays.
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class FollowUp(Base):
    """Something to do by a date: it reminds that morning, and is overdue the day after."""

    __tablename__ = "follow_ups"
    __table_args__ = (
        one_of("about", FollowUpAbout),
        Index("ix_follow_ups_case_id", "case_id"),
        Index("ix_follow_ups_owner_id", "owner_id", postgresql_where=text("done_at IS NULL")),
    )

    id: Mapped[Identifier]
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    about: Mapped[str]
    due_on: Mapped[date] = mapped_column(Date)
    words_sealed: Mapped[Sealed | None]
    # For an intervention: the goal of the plan that it serves, and who does it.
    goal: Mapped[str | None]
    provider_sealed: Mapped[Sealed | None]
    created_at: Mapped[datetime]
    reminded_at: Mapped[datetime | None]
    overdue_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    result: Mapped[str | None]
    result_sealed: Mapped[Sealed | None]
