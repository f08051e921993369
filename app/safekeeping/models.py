"""The tables of anchors, of back-ups, and of what administrators were told of them."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of


class Way(StrEnum):
    """How an anchor leaves the database."""

    FILE = "file"
    MAIL = "mail"
    TIME_STAMP = "time_stamp"


class BackupKind(StrEnum):
    """What was made, or tried."""

    # The whole server, from which a restore begins.
    BASE = "base"
    # What was written since then, segment by segment.
    LOG = "log"
    # A restore that was tried.
    DRILL = "drill"


class AdministratorNoticeKind(StrEnum):
    """What administrators are told."""

    ANCHOR_LATE = "anchor_late"
    BACKUP_LATE = "backup_late"
    BACKUP_LOG_LATE = "backup_log_late"
    # A request about a person's data that was approved is not carried out.
    REQUEST_LATE = "request_late"
    # The person was not answered by the day of the law.
    REQUEST_OVERDUE = "request_overdue"


class Anchor(Base):
    """The heads of all chains of one day. The document holds numbers and hashes only."""

    __tablename__ = "anchors"

    id: Mapped[Identifier]
    # The helpline's day: at most one a day.
    made_on: Mapped[date] = mapped_column(Date, unique=True)
    made_at: Mapped[datetime]
    document: Mapped[str]
    # SHA-256 of the document, in hexadecimal.
    digest: Mapped[str]


class AnchorDelivery(Base):
    """One way by which an anchor goes out."""

    __tablename__ = "anchor_deliveries"
    __table_args__ = (
        one_of("way", Way),
        CheckConstraint("(way = 'time_stamp') OR proof IS NULL", name="proof"),
        Index("ix_anchor_deliveries_way", "way", "done_at"),
    )

    anchor_id: Mapped[UUID] = mapped_column(ForeignKey("anchors.id"), primary_key=True)
    way: Mapped[str] = mapped_column(primary_key=True)
    done_at: Mapped[datetime | None]
    # Why the last try failed, as the name of an error: no address and no path.
    problem: Mapped[str | None]
    # The response of the time stamp authority.
    proof: Mapped[bytes | None]


class Backup(Base):
    """A back-up or a drill that ended. The kind `log` has one row: the last segment."""

    __tablename__ = "backups"
    __table_args__ = (
        one_of("kind", BackupKind),
        Index("uq_backups_log", "kind", unique=True, postgresql_where=text("kind = 'log'")),
        Index("ix_backups_kind", "kind", "ended_at"),
    )

    id: Mapped[Identifier]
    kind: Mapped[str]
    name: Mapped[str]
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime]
    size: Mapped[int] = mapped_column(BigInteger)
    # Why it failed, as a sentence of ours; NULL: it did not.
    problem: Mapped[str | None]


class ErasureFolder(Base):
    """The folder with the lists of what was erased, as it was prepared. Without a row: not yet."""

    __tablename__ = "erasure_folders"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # What the marker in the folder says.
    marker: Mapped[UUID]
    # How many lists left rows when they were last erased again after a restore.
    lists_waiting: Mapped[int] = mapped_column(server_default="0")


class SafekeepingNotice(Base):
    """Something of this is late; administrators are told once a day as long as it is."""

    __tablename__ = "safekeeping_notices"
    __table_args__ = (
        one_of("kind", AdministratorNoticeKind),
        Index(
            "uq_safekeeping_notices_open",
            "kind",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[Identifier]
    kind: Mapped[str]
    begun_at: Mapped[datetime]
    told_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
