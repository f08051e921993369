"""The directory of agencies, and the referrals to them.

A referral is a duty towards a child. It stays one row, with its deadlines and its owner, while it
is offered to one agency after the other. Each agency that is asked is a `Recipient`; each try to
reach a person is an `Attempt`; each time by which something is due is a `Deadline`.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
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
from app.database.base import Base, Identifier, MatchHash, Sealed, one_of
from app.definitions.risk import Urgency
from app.outbox.rows import SentOnce
from app.outbox.states import OF_REQUESTS
from app.referrals.consent.rules import Basis
from app.referrals.states import (
    MESSAGES,
    AgencyCaseState,
    AttemptResult,
    DeadlineKind,
    DeliveryState,
    DispatchState,
    NoticeKind,
    OpenedHow,
    Purpose,
    RecipientState,
    ReferralOutcome,
    ReferralState,
    RejectionReason,
    Sector,
    Service,
)

# -- the directory -----------------------------------------------------------------------------


class Agency(Base):
    """An agency that can be asked to help a child. Its staff are not kept, only duty phones."""

    __tablename__ = "agencies"
    __table_args__ = (
        one_of("sector", Sector),
        CheckConstraint("age_from IS NULL OR age_to IS NULL OR age_from <= age_to", name="ages"),
        CheckConstraint(
            "valid_from IS NULL OR valid_until IS NULL OR valid_from < valid_until", name="valid"
        ),
        Index("ix_agencies_services", "services", postgresql_using="gin"),
    )

    id: Mapped[Identifier]
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    sector: Mapped[str]
    services: Mapped[list[str]] = mapped_column(ARRAY(Text))
    # Codes of the place tree; empty means everywhere.
    areas: Mapped[list[str]] = mapped_column(ARRAY(Text))
    age_from: Mapped[int | None]
    age_to: Mapped[int | None]
    # An expression like `Mo-Fr 08:00-16:00; PH off`; empty means always.
    hours: Mapped[str] = mapped_column(server_default="")
    timezone: Mapped[str]
    country: Mapped[str | None]
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text))
    email: Mapped[str | None]
    sms: Mapped[str | None]
    deputy: Mapped[str | None]
    valid_from: Mapped[date | None] = mapped_column(Date)
    # Exclusive.
    valid_until: Mapped[date | None] = mapped_column(Date)
    verified_on: Mapped[date | None] = mapped_column(Date)
    verified_by: Mapped[str] = mapped_column(server_default="")
    # When the agency said that it is the wrong service; its entry has to be verified again.
    doubted_at: Mapped[datetime | None]
    webhook_url: Mapped[str | None]
    webhook_secret_sealed: Mapped[Sealed | None]
    # Another case management system: its address, account, recipient and mapping.
    primero: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    primero_password_sealed: Mapped[Sealed | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class DutyPhone(Base):
    """A phone of an agency that is answered on duty; phones are rung in order of `position`."""

    __tablename__ = "duty_phones"
    __table_args__ = (UniqueConstraint("agency_id", "position"),)

    id: Mapped[Identifier]
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    position: Mapped[int]
    number: Mapped[str]
    hours: Mapped[str] = mapped_column(server_default="")
    # A person who answered said that it is a wrong number; the phone is rung after the others until
    # the directory is verified again.
    doubted_at: Mapped[datetime | None]
    # Phones that left the directory are kept for the attempts that were made on them.
    gone_at: Mapped[datetime | None]


class Mandate(Base):
    """The agency that by law or protocol receives a service for a place (`*`: everywhere)."""

    __tablename__ = "mandates"

    service: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"), index=True)


# -- a referral --------------------------------------------------------------------------------


class Referral(Filled, Base):
    """A duty towards a child, from the moment it is opened until a person closes it."""

    __tablename__ = "referrals"
    __table_args__ = (
        one_of("state", ReferralState),
        one_of("urgency", Urgency),
        one_of("service", Service),
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
    opened_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    opened_how: Mapped[str]
    urgency: Mapped[str]
    service: Mapped[str]
    protocol: Mapped[str]
    protocol_version: Mapped[int]
    state: Mapped[str] = mapped_column(server_default="draft")
    # The child's entry in the contact; NULL if the contact names no child.
    child_entry: Mapped[str | None]
    # Answers that only come close to what is asked; not told to an agency until confirmed.
    to_confirm: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # The child's age, as far as it is known, to find the right agency.
    child_age: Mapped[int | None]
    # Services asked before the service itself, so that the child can stay with its family.
    family_first: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
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
    house_has_it: Mapped[bool] = mapped_column(server_default="false")
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
        one_of("kind", ("consent", "override", "withdrawn")),
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
    # The services for which it was given; empty: the service of this referral.
    for_what: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    basis: Mapped[str | None]
    child_told: Mapped[bool | None]
    # Sectors or codes that an override names although the consent excludes them.
    despite: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    words_sealed: Mapped[Sealed | None]


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


class Attempt(SentOnce, Base):
    """One attempt to reach a person."""

    __tablename__ = "attempts"
    __table_args__ = (
        one_of("kind", MESSAGES),
        one_of("purpose", Purpose),
        one_of("sending", OF_REQUESTS),
        one_of("result", AttemptResult),
        UniqueConstraint("referral_id", "number"),
        Index("ix_attempts_open", "wanted_at", postgresql_where=text("ended_at IS NULL")),
        Index("ix_attempts_target", "referral_id", "target"),
    )

    id: Mapped[Identifier]
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    # NULL if it goes to our own people on call.
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"))
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    number: Mapped[int]
    turn: Mapped[int]
    round: Mapped[int] = mapped_column(server_default="0")
    purpose: Mapped[str] = mapped_column(server_default="escalation")
    kind: Mapped[str]
    # What only the message itself may hold: a link's token, a code. Deleted once it is sent.
    payload_sealed: Mapped[Sealed | None]
    # The number or address at the time of the attempt.
    target: Mapped[str]
    language: Mapped[str]
    seconds: Mapped[int] = mapped_column(server_default="30")
    # How many children the attempt asks about.
    children: Mapped[int] = mapped_column(server_default="1")
    wanted_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[str | None]
    tries: Mapped[int] = mapped_column(server_default="0")


class Link(Base):
    """A single-use link for one step, with an expiry time; only its hash is kept."""

    __tablename__ = "links"
    __table_args__ = (Index("ix_links_recipient_id", "recipient_id"),)

    token_key: Mapped[MatchHash] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True)
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    recipient_id: Mapped[UUID | None] = mapped_column(ForeignKey("recipients.id"))
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    # The channel by which the link was sent; its code goes by another.
    channel: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_for: Mapped[str | None]
    # The id of the link with which the code is hashed: this link, or the one before it.
    code_of: Mapped[UUID]
    code_key: Mapped[MatchHash | None]
    code_channel: Mapped[str | None]
    code_tries: Mapped[int] = mapped_column(server_default="0")
    # Until then the browser in which the code was entered shows the child's details.
    proven_until: Mapped[datetime | None]
    proof_key: Mapped[MatchHash | None]


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
        one_of("for_whom", ("owner", "supervisors")),
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


# -- a mobile outreach team --------------------------------------------------------------------


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


# -- agencies' own systems ---------------------------------------------------------------------


class Delivery(Base):
    """An event on its way to an agency's own system; in order per referral, until it arrives."""

    __tablename__ = "deliveries"
    __table_args__ = (
        one_of("state", DeliveryState),
        UniqueConstraint("agency_id", "referral_id", "sequence"),
        Index("ix_deliveries_state", "state", "created_at"),
    )

    id: Mapped[Identifier]
    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"))
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    sequence: Mapped[int]
    kind: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="waiting")
    created_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(server_default="0")
    last_try_at: Mapped[datetime | None]
    last_answer: Mapped[str] = mapped_column(server_default="")
    ended_at: Mapped[datetime | None]


class ReceivedEvent(Base):
    """An event that an agency's system sent us; a repeat finds this row and changes nothing."""

    __tablename__ = "received_events"

    agency_id: Mapped[UUID] = mapped_column(ForeignKey("agencies.id"), primary_key=True)
    event_id: Mapped[str] = mapped_column(primary_key=True)
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referrals.id"))
    at: Mapped[datetime]
    sequence: Mapped[int]
    kind: Mapped[str]
    answer: Mapped[dict[str, Any]] = mapped_column(JSONB)


class AgencyCase(Base):
    """The case and referral in another case management system that stand for a recipient."""

    __tablename__ = "agency_cases"
    __table_args__ = (one_of("state", AgencyCaseState),)

    recipient_id: Mapped[UUID] = mapped_column(ForeignKey("recipients.id"), primary_key=True)
    # An id of ours, used as the id of their case, so that a repeat is recognised.
    case_id: Mapped[UUID] = mapped_column(unique=True)
    service_id: Mapped[UUID]
    their_referral: Mapped[str | None]
    state: Mapped[str] = mapped_column(server_default="wanted")
    their_status: Mapped[str | None]
    mapping: Mapped[str]
    mapping_version: Mapped[int]
    problem: Mapped[str] = mapped_column(server_default="")
    # Answers for which the other system has no term: questions, or a question and its code.
    left_out: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    asked_at: Mapped[datetime | None]
