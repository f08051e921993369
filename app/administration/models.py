"""What a helpline has made its own: catalogues that were imported, and settings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base


class OwnCatalogue(Base):
    """A translation of pages, of definitions, of prompts and letters, or of practice calls. For
    each language and kind, the newest that was not taken back counts."""

    __tablename__ = "own_catalogues"
    __table_args__ = (
        CheckConstraint("taken_back_at >= imported_at", name="taken_back"),
        Index("ix_own_catalogues_language", "language", "kind"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    language: Mapped[str]
    kind: Mapped[str]
    # The file, as a translator sent it.
    text: Mapped[str]
    translated: Mapped[int]
    # A native speaker who works with children has read it.
    reviewed: Mapped[bool]
    imported_at: Mapped[datetime]
    imported_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    taken_back_at: Mapped[datetime | None]
    taken_back_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class OwnSettings(Base):
    """What a helpline has decided in place of its server's settings. Without a row: nothing."""

    __tablename__ = "own_settings"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    # By name, as in `app/settings.py`.
    decided: Mapped[dict[str, Any]] = mapped_column(JSONB)
    revision: Mapped[int]
