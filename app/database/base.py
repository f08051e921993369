"""The declarative base, the naming convention and the column kinds of all tables."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, MetaData, Text, func
from sqlalchemy.dialects.postgresql import BYTEA, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, mapped_column

CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Instant = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True))]
Identifier = Annotated[UUID, mapped_column(primary_key=True, default=uuid4)]
# In the `info` of a column: it holds sealed values, in this shape (see `app/sealing/places.py`).
SEALED = "sealed"
# In the `info` of a column: its keyed hashes are carried over when their key is rotated, together
# with those of the same kind in other columns.
CARRIED = "carried"
Sealed = Annotated[bytes, mapped_column(BYTEA, info={SEALED: "bytes"})]
# Hashes of a chain, and of tokens of sessions: they come from no key that is rotated here.
KeyedHash = Annotated[bytes, mapped_column(BYTEA)]
# Hashes of what people told us, made with `Keys.match_key`.
MatchHash = Annotated[bytes, mapped_column(BYTEA, info={CARRIED: ""})]
CallerHash = Annotated[bytes, mapped_column(BYTEA, info={CARRIED: "caller"})]


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: TIMESTAMP(timezone=True),
        bytes: BYTEA(),
    }


def one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    """Return the CHECK of a text column that holds one of a few words."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


__all__ = [
    "CARRIED",
    "SEALED",
    "Base",
    "CallerHash",
    "Identifier",
    "Instant",
    "KeyedHash",
    "MatchHash",
    "Sealed",
    "func",
    "one_of",
]
