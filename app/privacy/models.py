"""What the database knows of the keys: enough to notice a wrong one, and never a field key."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Sealed


class FieldKey(Base):
    """A field key by its number; its check value tells a wrong key from the right one."""

    __tablename__ = "field_keys"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    check_value: Mapped[bytes]
    added_at: Mapped[datetime]
    # The newest key whose moment has come seals. Empty: it has never sealed.
    seals_from: Mapped[datetime | None]
    # Nothing is sealed with it any more, and it opens nothing.
    retired_at: Mapped[datetime | None]


class SealedCount(Base):
    """How many values a key has sealed, as they were counted last: to count takes seconds."""

    __tablename__ = "sealed_counts"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    values: Mapped[int] = mapped_column(BigInteger)
    counted_at: Mapped[datetime]


class HashKey(Base):
    """The secret of one generation of keyed hashes, sealed with the field keys."""

    __tablename__ = "hash_keys"

    generation: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[UUID] = mapped_column(unique=True)
    secret_sealed: Mapped[Sealed]
    added_at: Mapped[datetime]
    # From then on new hashes are of this generation.
    used_from: Mapped[datetime]
    # Since then no hash of an earlier generation is stored.
    complete_at: Mapped[datetime | None]
