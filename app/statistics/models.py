"""Database rows: kept facts, exports, scheduled reports, public releases."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, KeyedHash, Sealed, one_of
from app.statistics.periods import REPORTED


class StatisticDay(Base):
    """A day (in UTC) whose facts are kept. A change to what it counts deletes it."""

    __tablename__ = "statistic_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    made_at: Mapped[datetime]
    records: Mapped[int]
    # The version of the derivation; a day with another version is made again.
    version: Mapped[int]


class ServiceTarget(Base):
    """The number of seconds within which a call is answered in time, from an instant on."""

    __tablename__ = "service_targets"

    since: Mapped[datetime] = mapped_column(primary_key=True)
    seconds: Mapped[int]


class ShortAbandonLimit(Base):
    """The number of seconds of waiting before which a caller who hangs up is a short abandon, from
    an instant on."""

    __tablename__ = "short_abandon_limits"

    since: Mapped[datetime] = mapped_column(primary_key=True)
    seconds: Mapped[int]


class StatisticColumn(Base):
    """One column of a day's facts: numbers, codes of words, or lists of codes."""

    __tablename__ = "statistic_columns"

    day: Mapped[date] = mapped_column(
        Date, ForeignKey("statistic_days.day", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    words: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    offsets: Mapped[bytes | None] = mapped_column(BYTEA)
    data: Mapped[bytes] = mapped_column(BYTEA)
    # The words, offsets and data of what a child told are in here: the other columns of the day
    # name the call at the same place.
    id: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    data_sealed: Mapped[Sealed | None]


class ExportState(StrEnum):
    ASKED = "asked"
    APPROVED = "approved"
    REFUSED = "refused"
    IN_PROGRESS = "in_progress"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


class Export(Base):
    """A requested file. One about single persons needs the approval of a second person."""

    __tablename__ = "exports"
    __table_args__ = (
        one_of("state", ExportState),
        CheckConstraint(
            "NOT personal OR state IN ('asked', 'refused') OR decided_by IS NOT NULL",
            name="approved",
        ),
        CheckConstraint("decided_by <> asked_by", name="second_person"),
        CheckConstraint("NOT personal OR reason_sealed IS NOT NULL", name="reason"),
        CheckConstraint("NOT personal OR asked_role IS NOT NULL", name="asked_role"),
        Index("ix_exports_asked_at", "asked_at"),
    )

    id: Mapped[Identifier]
    what: Mapped[str]
    format: Mapped[str]
    begins: Mapped[str]
    ends: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="asked")
    personal: Mapped[bool]
    # Empty: requested by a program, or a scheduled report for all of `role`.
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # The role in which a person asked for single records: the second person has another one.
    asked_role: Mapped[str | None]
    # The token of the program that requested it.
    token_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_tokens.id"))
    asked_at: Mapped[datetime]
    reason_sealed: Mapped[Sealed | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]
    as_of: Mapped[datetime | None]
    # Days of facts written so far, and how many there will be.
    done: Mapped[int] = mapped_column(server_default="0")
    of: Mapped[int] = mapped_column(server_default="0")
    size: Mapped[int | None] = mapped_column(BigInteger)
    digest: Mapped[bytes | None] = mapped_column(BYTEA)
    problem: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    role: Mapped[str | None]


class ExportPart(Base):
    """A sealed piece of a requested file; a download may begin at any byte."""

    __tablename__ = "export_parts"

    export_id: Mapped[UUID] = mapped_column(
        ForeignKey("exports.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    begins_at: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int]
    id: Mapped[UUID]
    data_sealed: Mapped[Sealed]


class AskedTable(Base):
    """How often a token has requested a table about contents on a day (UTC)."""

    __tablename__ = "asked_tables"

    token_id: Mapped[UUID] = mapped_column(
        ForeignKey("api_tokens.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    question: Mapped[KeyedHash] = mapped_column(primary_key=True)
    times: Mapped[int]


class AskedByPerson(Base):
    """A table about contents that a person has requested, and the day (UTC) of the first time."""

    __tablename__ = "asked_by_persons"

    staff_id: Mapped[UUID] = mapped_column(
        ForeignKey("staff.id", ondelete="CASCADE"), primary_key=True
    )
    question: Mapped[KeyedHash] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date, index=True)


class ReportSchedule(Base):
    """A report that is made when its period is over, and announced to a role by e-mail."""

    __tablename__ = "report_schedules"
    __table_args__ = (one_of("every", REPORTED),)

    id: Mapped[Identifier]
    report: Mapped[str]
    every: Mapped[str]
    role: Mapped[str]
    # None: a file for each language in which its readers read the pages.
    language: Mapped[str | None]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    created_at: Mapped[datetime]
    next_on: Mapped[date] = mapped_column(Date)
    ended_at: Mapped[datetime | None]


class PublicRelease(Base):
    """The published figures of a period. They never change: the difference between two versions
    would show what each of them hides."""

    __tablename__ = "public_releases"
    __table_args__ = (
        # The difference between overlapping periods would show what each of them hides.
        ExcludeConstraint(
            (text("daterange(begins_on, ends_on)"), "&&"), name="ex_public_releases_period"
        ),
    )

    period: Mapped[str] = mapped_column(primary_key=True)
    begins_on: Mapped[date] = mapped_column(Date)
    # Exclusive.
    ends_on: Mapped[date] = mapped_column(Date)
    made_at: Mapped[datetime]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    tables: Mapped[Any] = mapped_column(JSONB)
