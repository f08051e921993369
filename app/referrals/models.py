"""Referrals, and what is recorded of each: consent, deadlines, recipients, disclosures, notices.

A referral is a duty towards a child. It stays one row, with its deadlines and its owner, while it
is offered to one agency after the other. Each agency that is asked is a `Recipient`; each time by
which something is due is a `Deadline`. What is sent to an agency is in `channels/models.py`, the
agencies themselves in `directory/models.py`.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.contacts.models import Filled, found_by
from app.database.base import Base, Identifier, Sealed, one_of
from app.definitions.risk import Urgency
from app.referrals.consent.grounds import Basis
from app.referrals.consent.rules import ConsentKind
from app.referrals.states import (
    DeadlineKind,
    DispatchState,
    ForWhom,
    NoticeKind,
    OpenedHow,
    RecipientState,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
)


class Referral(Filled, Base):
    """A duty towards a child, from the moment it is opened until a person closes it."""

    __tablename__ = "referrals"
    __table_args__ = (
        one_of("state", ReferralState),
        one_of("urgency", Urgency),
        one_of("opened_how", OpenedHow),
        one_of("outcome", ReferralOutcome),
        # One referral for a call whose danger key went unanswered, however often the job runs.
        Index(
            "uq_referrals_danger_key",
            "call_id",
            unique=True,
            postgresql_where=text("opened_how = 'danger_key'"),
        ),
        Index(
            "ix_referrals_escalating",
            "escalates_at",
            postgresql_where=text("escalates_at IS NOT NULL"),
        ),
        Index(
            "ix_referrals_withdrawal_at",
            "withdrawal_at",
            postgresql_where=text("withdrawal_at IS NOT NULL"),
        ),
        Index("ix_referrals_state", "state", "opened_at"),
        Index("ix_referrals_contact_id", "contact_id"),
        Index("ix_referrals_call_id", "call_id"),
        *found_by("referrals"),
    )

    contact_id: Mapped[UUID | None] = mapped_column(ForeignKey("contacts.id"))
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))
    call_id: Mapped[UUID | None] = mapped_column(ForeignKey("calls.id"))
    # The same for all referrals that were opened at once for one need.
    opened_together: Mapped[UUID]
    # Equal for those of them that are for the same service, such as brothers' and sisters'.
    opened_alike: Mapped[UUID]
    opened_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    opened_how: Mapped[str]
    urgency: Mapped[str]
    # The service, and those that are asked before it so that the child can stay with its family:
    # see `services.py`.
    services_sealed: Mapped[Sealed]
    protocol: Mapped[str]
    protocol_version: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="draft")
    # The child's entry in the contact; NULL if the contact names no child.
    child_entry: Mapped[str | None]
    # Answers that only come close to what is asked; not told to an agency until confirmed.
    to_confirm: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # The child's age, as far as it is known, to find the right agency.
    child_age: Mapped[int | None]
    separation_risk: Mapped[bool] = mapped_column(server_default="false")
    # The agency that has the referral, or to which it is being offered.
    recipient_id: Mapped[UUID | None]
    agency_id: Mapped[UUID | None] = mapped_column(ForeignKey("agencies.id"), index=True)
    # The position of the escalation, and the time of its next turn; NULL while it rests.
    escalation_round: Mapped[int] = mapped_column(server_default="0")
    escalation_step: Mapped[int] = mapped_column(server_default="0")
    escalation_phone: Mapped[int] = mapped_column(server_default="-1")
    escalates_at: Mapped[datetime | None]
    # Each turn of the escalation has a number, so that the timer of an earlier turn does nothing.
    turn: Mapped[int] = mapped_column(server_default="0")
    # The duty phone that acknowledges is added to the live call.
    warm: Mapped[bool] = mapped_column(server_default="false")
    # When the urgency was last raised or lowered.
    urgency_at: Mapped[datetime | None]
    # Consent to an immediate referral was withdrawn, and a supervisor has yet to decide.
    withdrawal_at: Mapped[datetime | None]
    # The member of staff who asked to recall an immediate referral; a second one confirms it.
    recall_wanted_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    sent_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    # Our own supervisor or director has the referral, and no agency has it yet.
    held_by_staff: Mapped[bool] = mapped_column(server_default="false")
    accepted_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    written_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    # When the agency that holds the referral is told of new answers next, and was told last.
    update_due_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    wants_feedback: Mapped[bool] = mapped_column(server_default="false")
    feedback_at: Mapped[datetime | None]


class Consent(Base):
    """Consent, an override or a withdrawal, one row each; the last row counts. Append-only."""

    __tablename__ = "consents"
    __table_args__ = (
        one_of("kind", ConsentKind),
        one_of("basis", Basis),
        CheckConstraint("(kind = 'override') = (basis IS NOT NULL)", name="basis_of_override"),
        CheckConstraint("kind <> 'override' OR words_sealed IS NOT NULL", name="reason"),
        Index("ix_consents_referral_id", "referral_id", "number"),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    id: Mapped[UUID]
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    at: Mapped[datetime]
    # NULL: the program, by the protocol's rule for the danger key.
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    kind: Mapped[str]
    given_by: Mapped[str | None]
    how: Mapped[str | None]
    scope: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    withheld_from: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # The services for which it was given, and the checksum of them, which never changes; NULL: the
    # service of this referral.
    for_what_sealed: Mapped[Sealed | None]
    for_what_sum: Mapped[bytes | None]
    basis: Mapped[str | None]
    child_told: Mapped[bool | None]
    # Sectors or codes that an override names although the consent excludes them.
    despite: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    words_sealed: Mapped[Sealed | None]
    # The checksum of the words, which never changes, and the salt of it, which goes with them.
    words_sum: Mapped[bytes | None]
    salt_sealed: Mapped[Sealed | None]


class Deadline(Base):
    """A deadline of a referral. A breach is recorded when the deadline passes."""

    __tablename__ = "deadlines"
    __table_args__ = (
        one_of("kind", DeadlineKind),
        UniqueConstraint("referral_id", "kind"),
        Index("ix_deadlines_running", "due_at", postgresql_where=text("stopped_at IS NULL")),
        Index(
            "ix_deadlines_unbreached",
            "due_at",
            postgresql_where=text("stopped_at IS NULL AND breached_at IS NULL"),
        ),
    )

    id: Mapped[Identifier]
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    kind: Mapped[str]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    # The recipient that had the referral, or was being asked, at that moment.
    breached_by: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"), index=True)


class DeadlineBreach(Base):
    """A missed deadline. The deadline may be set again; this row stays for the figures."""

    __tablename__ = "deadline_breaches"
    __table_args__ = (
        Index("ix_deadline_breaches_deadline_id", "deadline_id"),
        Index("ix_deadline_breaches_recipient_id", "recipient_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    deadline_id: Mapped[UUID] = mapped_column(ForeignKey("deadlines.id"))
    # The recipient that had the referral, or was being asked; NULL: our own staff.
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"))
    due_at: Mapped[datetime]
    at: Mapped[datetime]


class Recipient(Base):
    """A recipient: one agency that was asked to take a referral."""

    __tablename__ = "recipients"
    __table_args__ = (
        one_of("state", RecipientState),
        one_of("reason", RejectionReason),
        UniqueConstraint("referral_id", "number"),
        Index("ix_recipients_agency_id", "agency_id", "offered_at"),
        Index("ix_recipients_offered_at", "offered_at"),
    )

    id: Mapped[Identifier]
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    number: Mapped[int]
    round: Mapped[int]
    state: Mapped[str]
    why: Mapped[list[str]] = mapped_column(ARRAY(Text))
    offered_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    # When the agency first had the details, when it last read them and in which revision of the
    # form, and when it was last told that more was written.
    details_at: Mapped[datetime | None]
    read_at: Mapped[datetime | None]
    read_revision: Mapped[int | None]
    announced_at: Mapped[datetime | None]


class Disclosure(Base):
    """What an agency was told, when, how and on which ground, field by field. Append-only."""

    __tablename__ = "disclosures"
    __table_args__ = (Index("ix_disclosures_referral_id", "referral_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"))
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    at: Mapped[datetime]
    how: Mapped[str]
    ground: Mapped[str]
    fields: Mapped[list[str]] = mapped_column(ARRAY(Text))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class Notice(Base):
    """A notice for the owner or the supervisors, with the member of staff who has seen it."""

    __tablename__ = "notices"
    __table_args__ = (
        one_of("kind", NoticeKind),
        one_of("for_whom", ForWhom),
        Index("ix_notices_unseen", "at", postgresql_where=text("seen_at IS NULL")),
        Index("ix_notices_referral_id", "referral_id"),
    )

    id: Mapped[Identifier]
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    kind: Mapped[str]
    for_whom: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    # The author of an override cannot be the second person who sees it.
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    seen_at: Mapped[datetime | None]
    seen_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class Dispatch(Base):
    """A mobile outreach team sent to a child."""

    __tablename__ = "dispatches"
    __table_args__ = (
        one_of("state", DispatchState),
        Index("ix_dispatches_referral_id", "referral_id"),
    )

    id: Mapped[Identifier]
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"))
    place_sealed: Mapped[Sealed]
    wanted_at: Mapped[datetime]
    team: Mapped[str]
    state: Mapped[str]
    asked_at: Mapped[datetime]
    on_the_way_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None]
    words_sealed: Mapped[Sealed | None]
