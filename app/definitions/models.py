"""Sets of definitions that were uploaded, and when each is in force.

A set never changes. Which one is in force at an instant follows from the rows of orders: the one
with the latest beginning that had not been taken back by then. Before the first, the files of the
program and of its folder are in force.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base


class DefinitionSet(Base):
    """The files of a country's definitions, as they were uploaded."""

    __tablename__ = "definition_sets"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    # The text of each file, by its name.
    files: Mapped[dict[str, str]] = mapped_column(JSONB)
    uploaded_at: Mapped[datetime]
    uploaded_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class DefinitionOrder(Base):
    """That a set is in force from an instant on, until the order is taken back."""

    __tablename__ = "definition_orders"
    __table_args__ = (
        CheckConstraint("taken_back_at >= ordered_at", name="taken_back"),
        Index("ix_definition_orders_from_at", "from_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    set_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("definition_sets.id"))
    from_at: Mapped[datetime]
    ordered_at: Mapped[datetime]
    ordered_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    taken_back_at: Mapped[datetime | None]
    taken_back_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
