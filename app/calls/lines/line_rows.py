"""The tables of lines: numbers, languages, and what callers hear."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base, Identifier, one_of
from app.staff.second_person import ChangeState


class Line(Base):
    """A number that children ring."""

    __tablename__ = "lines"
    __table_args__ = (
        Index("uq_lines_chat_slug", text("(chat ->> 'slug')"), unique=True),
        CheckConstraint("retired_at IS NULL OR NOT active", name="retired_line_is_not_in_use"),
        CheckConstraint(
            "partner_lost_at IS NULL OR plan ->> 'partner_number' IS NULL",
            name="lost_partner_is_none",
        ),
    )

    id: Mapped[Identifier]
    number: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    country: Mapped[str]
    timezone: Mapped[str]
    danger_digit: Mapped[str] = mapped_column(server_default="9")
    # When the line should be staffed, as OpenStreetMap writes opening hours.
    opening_hours: Mapped[str] = mapped_column(server_default="24/7")
    active: Mapped[bool] = mapped_column(server_default="true")
    # From then on it is not in use; see `line_use.py`.
    retired_at: Mapped[datetime | None]
    # Who else is offered a call as it waits, and what a call needs; see `app/routing/plan.py`.
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    # Since when the number of its partner is in doubt; see `partner_doubts.py`.
    partner_doubted_at: Mapped[datetime | None]
    # Whether it is still to be looked at whether a person who left earlier puts it in doubt.
    partner_to_look_at: Mapped[bool] = mapped_column(server_default="false")
    # Since when it is without the partner that it had, whose number was that of a person who has
    # left, and of whom; null: a second person refused it. See `lost_partners.py`.
    partner_lost_at: Mapped[datetime | None]
    partner_lost_of: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # Whether and how children write to the line; see `app/calls/chat_rules.py`.
    chat: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    # Questions to a caller who cannot speak, by code and in order; null for all of them. See
    # `app/calls/key_questions.py`.
    key_questions: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    # For training: its calls are in no statistic.
    practice: Mapped[bool] = mapped_column(server_default="false")
    # The number that the phones of counsellors and agencies show, if not one of the line's own.
    shown_number: Mapped[str | None]
    created_at: Mapped[datetime]


class LineNumber(Base):
    """A number at the provider that leads to a line: the provider reports it as dialled.

    Children dial a short number such as 116 111, and the operators map it to ordinary numbers;
    the line is known by the short one.
    """

    __tablename__ = "line_numbers"

    number: Mapped[str] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"), index=True)


class LineLanguage(Base):
    """A language of a line, the digit that chooses it, and the voice that speaks it."""

    __tablename__ = "line_languages"
    __table_args__ = (
        Index(
            "uq_line_languages_line_id_digit",
            "line_id",
            "digit",
            unique=True,
            postgresql_where="removed_at IS NULL",
        ),
    )

    line_id: Mapped[UUID] = mapped_column(
        ForeignKey("lines.id", ondelete="CASCADE"), primary_key=True
    )
    language: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int]
    digit: Mapped[str]
    locale: Mapped[str]
    voice: Mapped[str | None]
    # From then on no caller is offered it; see `line_languages.py`.
    removed_at: Mapped[datetime | None]


class Prompt(Base):
    """What a line says: text to be spoken, or a recorded file. Without a line: the default."""

    __tablename__ = "prompts"
    __table_args__ = (
        Index(
            "uq_prompts_line_id_language_key",
            "line_id",
            "language",
            "key",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        CheckConstraint("(text IS NULL) <> (audio IS NULL)", name="text_or_audio"),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID | None] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"))
    language: Mapped[str]
    key: Mapped[str]
    text: Mapped[str | None]
    audio: Mapped[bytes | None]
    audio_type: Mapped[str | None]


class EarlierPrompt(Base):
    """What a prompt of a line, or of every line, said before a change: text or file, or neither for
    the words that come with the program. The highest number is the latest."""

    __tablename__ = "earlier_prompts"
    __table_args__ = (
        Index(
            "uq_earlier_prompts",
            "line_id",
            "language",
            "key",
            "number",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID | None] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"))
    language: Mapped[str]
    key: Mapped[str]
    number: Mapped[int]
    text: Mapped[str | None]
    audio: Mapped[bytes | None]
    audio_type: Mapped[str | None]


class EarlierNumbers(Base):
    """The numbers of a line before and after a change, by the names of the verb that set them.

    The log holds only their ends, and names this row by its id; with it the change can be taken
    back.
    """

    __tablename__ = "earlier_numbers"
    __table_args__ = (Index("ix_earlier_numbers_line_id", "line_id", "at"),)

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PartnerRequest(Base):
    """The number at which a line's callers are to reach its partner; for each line at most one
    waits."""

    __tablename__ = "partner_requests"
    __table_args__ = (
        one_of("state", ChangeState),
        CheckConstraint(
            "state <> 'in_force' OR decided_by IS NULL OR asked_by IS NULL"
            " OR decided_by <> asked_by",
            name="two_people",
        ),
        Index(
            "uq_partner_requests_waits",
            "line_id",
            unique=True,
            postgresql_where=text("state = 'waits'"),
        ),
    )

    id: Mapped[Identifier]
    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"))
    number: Mapped[str]
    # The number that is rung until then.
    before: Mapped[str | None]
    state: Mapped[str]
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    asked_role: Mapped[str]
    asked_at: Mapped[datetime]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    decided_at: Mapped[datetime | None]
