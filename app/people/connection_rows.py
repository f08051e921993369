"""The table of tests of connections, and what a test can find."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS


class Means(StrEnum):
    """What the program is connected to."""

    TELEPHONY = "telephony"
    SMS = "sms"
    MAIL = "mail"
    PUSH = "push"
    WEBHOOKS = "webhooks"
    CASE_SYSTEMS = "case_systems"
    # The provider of identities.
    SIGN_IN = "sign_in"


class Found(StrEnum):
    """What a test of a connection found. Stored."""

    # The other side took it.
    ACCEPTED = "accepted"
    # The phone has the text, or was answered and heard the words.
    DELIVERED = "delivered"
    NO_CONNECTION = "no_connection"
    NO_ANSWER = "no_answer"
    REDIRECTED = "redirected"
    NOT_LET_IN = "not_let_in"
    NOT_THERE = "not_there"
    TOO_BUSY = "too_busy"
    THEIR_FAULT = "their_fault"
    REFUSED = "refused"
    NOT_ITS_API = "not_its_api"
    # Their forms lack fields that our mapping fills.
    MISFITS = "misfits"
    # The provider took the text, and the phone did not get it; or the phone rang in vain.
    UNDELIVERED = "undelivered"
    # The rules of dialling have changed since it was asked for.
    NOT_DIALLED = "not_dialled"
    NOT_IN_TIME = "not_in_time"


WORKED = frozenset({Found.ACCEPTED, Found.DELIVERED})
# A call that was busy or not answered says nothing about telephony.
RANG_IN_VAIN = frozenset({Found.TOO_BUSY, Found.UNDELIVERED})


class ConnectionTest(SentOnce, Base):
    """One test of a connection. It holds nothing about a child, and no secret."""

    __tablename__ = "connection_tests"
    __table_args__ = (
        one_of("means", Means),
        one_of("sending", OF_REQUESTS),
        one_of("result", Found),
        CheckConstraint("(ended_at IS NULL) = (result IS NULL)", name="ended"),
        CheckConstraint("(line_id IS NULL) = (key IS NULL)", name="prompt"),
        Index("ix_connection_tests_means", "means", "wanted_at"),
    )

    id: Mapped[Identifier]
    means: Mapped[str]
    agency_id: Mapped[UUID | None] = mapped_column(ForeignKey("agencies.id"))
    # Who asked for it, or to whom it goes; NULL: a command.
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # The number of a text or a call, until the test is over.
    target: Mapped[str | None]
    # The prompt that a call says, in `language`; NULL: that it is a test.
    line_id: Mapped[UUID | None] = mapped_column(ForeignKey("lines.id"))
    key: Mapped[str | None]
    language: Mapped[str] = mapped_column(server_default="en")
    # The phone asks for a code, which proves that it is the phone of `staff_id`.
    proves: Mapped[bool] = mapped_column(server_default="false")
    wanted_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None]
    # The status of HTTP, or the provider's code.
    status: Mapped[int | None]
    # Names of fields that do not fit.
    details: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")

    @property
    def worked(self) -> bool:
        return self.result in WORKED
