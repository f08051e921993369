"""The tables of requests about a person's data: the request, what was found, its files, and the
copies at the telephony provider."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, Sealed, one_of
from app.retention.data_requests.kinds import (
    AskingPerson,
    Because,
    CopyKind,
    CopyState,
    ExtensionReason,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
    RequestState,
)


class DataRequest(Base):
    """A person's request to see or to erase what is held about them.

    When it is over, counts are left: neither whom it was about, nor which rows.
    """

    __tablename__ = "data_requests"
    __table_args__ = (
        one_of("kind", RequestKind),
        one_of("person", AskingPerson),
        one_of("state", RequestState),
        one_of("basis", RequestBasis),
        one_of("identity", IdentityCheck),
        one_of("extension_because", ExtensionReason),
        CheckConstraint("extension_months BETWEEN 1 AND 2", name="extension_months"),
        CheckConstraint(
            "(extended_at IS NULL) = (extension_months IS NULL)"
            " AND (extended_at IS NULL) = (extension_because IS NULL)"
            " AND (extended_at IS NOT NULL OR told_on IS NULL)",
            name="extended",
        ),
        CheckConstraint("decided_by <> asked_by", name="second_person"),
        CheckConstraint("decided_by <> taken_by", name="taken_by_another"),
        CheckConstraint("taken_at IS NOT NULL OR taken_by IS NULL", name="taken"),
        CheckConstraint(
            "kind <> 'erasure' OR decided_role IS NULL OR decided_role <> asked_role",
            name="second_role",
        ),
        CheckConstraint(
            "state NOT IN ('approved', 'done', 'expired') OR decided_at IS NOT NULL",
            name="decided",
        ),
        Index("ix_data_requests_began_at", "began_at"),
    )

    id: Mapped[Identifier]
    # To say aloud, and to print on the report: "D-7F3-9QD-2XC".
    code: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    person: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="found")
    # The numbers and codes that were looked for, as JSON; NULL when it is over.
    sought_sealed: Mapped[Sealed | None]
    basis: Mapped[str | None]
    identity: Mapped[str | None]
    # What the officer wrote about the ground and the check; erased by a rule.
    words_sealed: Mapped[Sealed | None]
    began_at: Mapped[datetime]
    # When the person asked; NULL: on the day on which it was begun.
    asked_on: Mapped[date | None]
    # NULL: the command line, whose role is `operator`.
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    asked_role: Mapped[str]
    asked_at: Mapped[datetime | None]
    # How many months were added to the first one; why, and by whom (NULL: the command line).
    extension_months: Mapped[int | None]
    extension_because: Mapped[str | None]
    # What the officer wrote to the person about it; erased by a rule.
    extension_sealed: Mapped[Sealed | None]
    extended_at: Mapped[datetime | None]
    extended_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # When the person was told of it, as an officer has noted; without that it does not count.
    told_on: Mapped[date | None]
    # When who can go on with it was last reminded, in the state in which it is.
    reminded_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    decided_role: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    # When another officer took it over, whose report it is since, and who (NULL: the command line).
    taken_at: Mapped[datetime | None]
    taken_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # When the report was opened first; until then the person is not answered.
    opened_at: Mapped[datetime | None]
    # The request with which it was begun again when it had ended.
    replaced_by: Mapped[UUID | None] = mapped_column(ForeignKey("data_requests.id"))
    # The receipt: how many rows of each kind were erased or shown, and how many were kept why.
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    kept: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))

    @property
    def holder(self) -> UUID | None:
        """Whose report it is: who asked for it, or has taken it over (None: the command line)."""
        return self.taken_by if self.taken_at is not None else self.asked_by


class RequestItem(Base):
    """A row that was found about the person. It is deleted when the request is over."""

    __tablename__ = "data_request_items"
    __table_args__ = (
        one_of("kind", ItemKind),
        one_of("because", Because),
        one_of("keep", Keep),
    )

    request_id: Mapped[UUID] = mapped_column(
        ForeignKey("data_requests.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(primary_key=True)
    because: Mapped[str]
    # The code of a record; empty for what has none.
    label: Mapped[str] = mapped_column(server_default="")
    at: Mapped[datetime]
    # How many children a record tells of; NULL: it is no record, or was found before that was kept.
    children: Mapped[int | None]
    # Why it is kept; NULL: it is erased, or shown in the report.
    keep: Mapped[str | None]
    erased_at: Mapped[datetime | None]


class RequestFile(Base):
    """The report of a request, as a sealed file that is soon deleted."""

    __tablename__ = "data_request_files"
    __table_args__ = (
        one_of("format", ("pdf", "json")),
        UniqueConstraint("request_id", "format"),
    )

    id: Mapped[Identifier]
    request_id: Mapped[UUID] = mapped_column(ForeignKey("data_requests.id", ondelete="CASCADE"))
    format: Mapped[str]
    content_sealed: Mapped[Sealed]
    made_at: Mapped[datetime]


class ProviderCopy(Base):
    """A copy at the telephony provider that is deleted there."""

    __tablename__ = "provider_copies"
    __table_args__ = (
        one_of("kind", CopyKind),
        one_of("state", CopyState),
        UniqueConstraint("request_id", "kind", "sid"),
        # An id is needed until the copy is gone.
        CheckConstraint("state <> 'waiting' OR sid IS NOT NULL", name="sid"),
    )

    id: Mapped[Identifier]
    request_id: Mapped[UUID] = mapped_column(ForeignKey("data_requests.id", ondelete="CASCADE"))
    kind: Mapped[str]
    sid: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="waiting")
    wanted_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default="0")
    # The status of HTTP with which the provider answered last.
    status: Mapped[int | None]
    ended_at: Mapped[datetime | None]
