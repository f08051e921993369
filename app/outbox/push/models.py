"""The browsers that may be woken, what is sent to them, and the key that signs it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, MatchHash, Sealed, one_of
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS


class PushKey(Base):
    """The key pair by which push services know this helpline; there is one row."""

    __tablename__ = "push_keys"

    id: Mapped[Identifier]
    private_sealed: Mapped[Sealed]
    # As a browser takes it: an uncompressed point in URL-safe base64 without padding.
    public: Mapped[str]
    created_at: Mapped[datetime]


class PushSubscription(Base):
    """A browser of one person. Its address is a secret: with it, this browser could be reached."""

    __tablename__ = "push_subscriptions"

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id", ondelete="CASCADE"), index=True)
    # Address and keys of the browser, as JSON.
    endpoint_sealed: Mapped[Sealed]
    endpoint_key: Mapped[MatchHash] = mapped_column(unique=True)
    # What its owner calls it: "Firefox on Linux".
    label: Mapped[str]
    created_at: Mapped[datetime]
    # When the push service last took a message.
    used_at: Mapped[datetime | None]


class PushMessage(SentOnce, Base):
    """One message to one browser. It has no words of its own: every one says the same."""

    __tablename__ = "push_messages"
    __table_args__ = (
        one_of("sending", OF_REQUESTS),
        Index("ix_push_messages_wanted_at", "wanted_at"),
    )

    id: Mapped[Identifier]
    subscription_id: Mapped[UUID] = mapped_column(
        ForeignKey("push_subscriptions.id", ondelete="CASCADE"), index=True
    )
    wanted_at: Mapped[datetime]
    # After this it would come too late, and is not delivered.
    expires_at: Mapped[datetime]
