"""What the database knows of the keys: enough to notice a wrong one, and never a field key."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Sealed


class FieldKey(Base):
    """A field key by its number; its check value tells a wrong key from the right one."""

    __tablename__ = "field_keys"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    check_value: Mapped[bytes]
    added_at: Mapped[datetime]
    # The key with the newest moment that has come seals. Empty: it has never sealed.
    seals_from: Mapped[datetime | None]
    # Nothing is sealed with it any more, and it opens nothing.
    retired_at: Mapped[datetime | None]


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
