"""The tables of dialling: the rules, and what was dialled when."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of
from app.dialling.rules import Why


class DialWay(StrEnum):
    """How a number was dialled. An agreed call-back counts for the person who agreed it."""

    CALL = "call"
    SMS = "sms"
    AGREED = "agreed"


class DialledFor(StrEnum):
    """What a number was dialled for."""

    COUNSELLOR = "counsellor"
    PARTICIPANT = "participant"
    CALLBACK = "callback"
    DUTY_PHONE = "duty_phone"
    ALARM = "alarm"
    PARTNER = "partner"
    NOTICE = "notice"
    TEST = "test"
    CONVERSATION = "conversation"


class AnsweredBy(StrEnum):
    """Whether a person or the program answers a message to us. No country is asked for then, but
    there is a limit on what the program answers to other countries."""

    PROGRAM = "program"
    PERSON = "person"


class DiallingRules(Base):
    """What may be dialled, as an administrator keeps it. One row."""

    __tablename__ = "dialling_rules"
    __table_args__ = (
        CheckConstraint("id = 1", name="one_row"),
        CheckConstraint(
            "person_hour >= 1 AND person_day >= 1 AND alarm_hour >= 1 AND alarm_day >= 1",
            name="limits",
        ),
        CheckConstraint("minutes_hour >= 1 AND minutes_day >= 1", name="minutes"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, server_default="1")
    # Besides those of the lines.
    countries: Mapped[list[str]] = mapped_column(ARRAY(Text))
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    person_hour: Mapped[int]
    person_day: Mapped[int]
    alarm_hour: Mapped[int]
    alarm_day: Mapped[int]
    minutes_hour: Mapped[int]
    minutes_day: Mapped[int]
    # Grows with each change, so that of two at once the second is told.
    revision: Mapped[int] = mapped_column(server_default="0")


class Dial(Base):
    """A number was dialled or texted, or was refused. The number itself is not kept here."""

    __tablename__ = "dials"
    __table_args__ = (
        one_of("way", DialWay),
        one_of("purpose", DialledFor),
        one_of("refused", Why),
        Index("ix_dials_at", "at"),
        Index("ix_dials_staff_id", "staff_id", "at", postgresql_where=text("staff_id IS NOT NULL")),
    )

    # The leg, message or participant, so that a job that runs twice counts once.
    id: Mapped[Identifier]
    at: Mapped[datetime]
    way: Mapped[str]
    purpose: Mapped[str]
    # The person who wanted it; NULL: the program itself.
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    country: Mapped[str]
    refused: Mapped[str | None]
