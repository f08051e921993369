"""The table of call-backs, and what a call-back can be."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, CallerHash, Identifier, Sealed, one_of
from app.routing.callbacks.choices import Who


class CallbackState(StrEnum):
    AGREED = "agreed"
    TRYING = "trying"
    SPOKEN = "spoken"  # answered: the counsellor has yet to say who it was
    REACHED = "reached"
    GIVEN_UP = "given_up"  # three failed attempts: a person decides
    CANCELLED = "cancelled"


class Callback(Base):
    """An agreed call-back. The number is deleted when it is closed."""

    __tablename__ = "callbacks"
    __table_args__ = (
        one_of("state", CallbackState),
        one_of("who", Who),
        one_of("slot", ("soon", "chosen")),
        CheckConstraint("window_from < window_until", name="window"),
        Index("ix_callbacks_next_at", "next_at", postgresql_where=text("state = 'agreed'")),
        Index("ix_callbacks_caller_key", "caller_key"),
        Index(
            "ix_callbacks_not_made",
            "first_due_until",
            postgresql_where=text("attempts = 0 AND done_by IS NULL"),
        ),
        Index(
            "uq_callbacks_caller_key_open",
            "caller_key",
            unique=True,
            postgresql_where=text("state IN ('agreed', 'trying')"),
        ),
    )

    id: Mapped[Identifier]
    # The call in which the caller asked for it.
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"), index=True)
    caller_key: Mapped[CallerHash]
    number_sealed: Mapped[Sealed | None]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"))
    language: Mapped[str]
    who: Mapped[str]
    window_from: Mapped[datetime]
    window_until: Mapped[datetime]
    # The end of the first window. The window may move; this value does not, unless a person starts
    # the call-back again.
    first_due_until: Mapped[datetime]
    state: Mapped[str] = mapped_column(server_default="agreed")
    attempts: Mapped[int] = mapped_column(server_default="0")
    # `soon` follows the rota; a time that the child chose does not.
    slot: Mapped[str] = mapped_column(server_default="chosen")
    # How many windows passed without a counsellor on duty.
    passes: Mapped[int] = mapped_column(server_default="0")
    # The counsellor who talked, and who has to say whether it was the child.
    talked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # The provider detected an answering machine, which does not count as reached.
    machine: Mapped[bool] = mapped_column(server_default="false")
    next_at: Mapped[datetime]
    agreed_at: Mapped[datetime]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    done_at: Mapped[datetime | None]
    done_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


OPEN = (CallbackState.AGREED, CallbackState.TRYING)
