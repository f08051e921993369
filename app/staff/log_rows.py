"""The tables of a log whose oldest part was erased: where it begins now, and what still decides.

Their rows are written by the owner's function alone (`erase_log`, see the migration
`0092_where_a_log_begins.py`); the program's role reads them.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, select, union_all
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.database.base import Base, KeyedHash
from app.staff.models import AuditEntry


class LogBeginning(Base):
    """One part of a log that was erased by its rule. The log begins after the newest of these."""

    __tablename__ = "log_beginnings"
    __table_args__ = (CheckConstraint("rows > 0 AND days >= 1095", name="rule"),)

    log: Mapped[str] = mapped_column(primary_key=True)
    # The last entry that was erased; the next one is chained to its hash.
    last_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    hash: Mapped[KeyedHash]
    # How many entries this part had, and from when the last one was.
    rows: Mapped[int] = mapped_column(BigInteger)
    last_at: Mapped[datetime]
    # By the clock of the database.
    at: Mapped[datetime]
    # The rule, and the run of retention.
    days: Mapped[int]
    run_id: Mapped[UUID]


class KeptEntry(Base):
    """An entry that still decides about an account, such as who made it, from an erased part."""

    __tablename__ = "kept_entries"
    __table_args__ = (Index("ix_kept_entries_subject", "subject", "id"),)

    # Its number in the log.
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    previous: Mapped[KeyedHash]
    hash: Mapped[KeyedHash]


def every_entry() -> type[AuditEntry]:
    """Return the log together with what was kept of its erased part, for what an entry decides."""
    rows = union_all(select(AuditEntry.__table__), select(KeptEntry.__table__))
    return aliased(AuditEntry, rows.subquery(), adapt_on_names=True)
