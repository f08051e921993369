"""The table of counts. Programs without a web server read it too, so it imports none."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Instant, KeyedHash


class RateLimit(Base):
    """The moments at which one address, name or link was used; kept as long as its window.

    Keys are hashed: they hold names, addresses and the tokens of links. The table is not written
    to the log of the database (`UNLOGGED`): after a crash all counts begin again.
    """

    __tablename__ = "rate_limits"
    __table_args__ = (
        Index("ix_rate_limits_expires_at", "expires_at"),
        {"prefixes": ["UNLOGGED"]},
    )
    key_hash: Mapped[KeyedHash] = mapped_column(primary_key=True)
    hits: Mapped[list[datetime]] = mapped_column(ARRAY(TIMESTAMP(timezone=True)))
    expires_at: Mapped[Instant]
