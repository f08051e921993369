"""Contacts, cases, profiles, and the rows that belong to them.

Answers to a form are kept per question: coded answers in `answers`; in `sealed` personal ones and
special codes (health, sexual life, origin, belief: see `app/definitions/special.py`), each sealed
by itself, bound to its row and question. `versions` holds the revision of the record at which each
question was last changed.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from app.contacts.log_kinds import ReadsBecause
from app.contacts.states import (
    CHANNELS,
    NON_COUNSELLING,
    ContactState,
    KeyKind,
    SeparationOutcome,
    Source,
    Subject,
)
from app.database.base import (
    SEALED,
    Base,
    CallerHash,
    Identifier,
    KeyedHash,
    MatchHash,
    Sealed,
    one_of,
)
from app.definitions.risk import Risk, Urgency


class Definition(Base):
    """The register of definitions: the text of a name and version never changes."""

    __tablename__ = "definitions"

    kind: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[bytes]
    text: Mapped[str]


class Filled:
    """A filled form: what contacts, cases and referrals have in common."""

    if TYPE_CHECKING:
        __tablename__: str

    id: Mapped[Identifier]
    # The code that people say to one another: "K-7F3-9QD-2XC".
    code: Mapped[str] = mapped_column(unique=True)
    form: Mapped[str]
    form_version: Mapped[int]
    categories: Mapped[str]
    categories_version: Mapped[int]
    places: Mapped[str]
    places_version: Mapped[int]
    team: Mapped[str]
    opened_at: Mapped[datetime]
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    sealed: Mapped[dict[str, str]] = mapped_column(
        JSONB, server_default="{}", info={SEALED: "answers"}
    )
    versions: Mapped[dict[str, int]] = mapped_column(JSONB, server_default="{}")
    revision: Mapped[int] = mapped_column(server_default="0")
    # The current stretch of writing: its writer, the last save, and the revision it began at.
    edited_by: Mapped[UUID | None]
    edited_at: Mapped[datetime | None]
    edited_from: Mapped[int] = mapped_column(server_default="0")
    # Copied from the answers, for searching.
    headline: Mapped[str | None]
    headline_words: Mapped[str] = mapped_column(server_default="")
    # The categories with those above them, as lists show them.
    categories_sealed: Mapped[Sealed | None]
    place: Mapped[str | None]
    place_path: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    # When its time was over and names and texts were erased; what is counted stays.
    erased_at: Mapped[datetime | None]

    @declared_attr
    def owner_id(cls) -> Mapped[UUID]:
        return mapped_column(ForeignKey("staff.id"))


def found_by(table: str) -> tuple[Index, ...]:
    return (
        Index(f"ix_{table}_owner_id", "owner_id", "opened_at"),
        Index(f"ix_{table}_team", "team", "opened_at"),
        Index(f"ix_{table}_opened_at", "opened_at"),
        Index(f"ix_{table}_place_path", "place_path", postgresql_using="gin"),
        Index(
            f"ix_{table}_headline",
            text("to_tsvector('simple'::regconfig, headline_words)"),
            postgresql_using="gin",
        ),
    )


class Contact(Filled, Base):
    """The record of one call, letter or visit: a draft until it is complete."""

    __tablename__ = "contacts"
    __table_args__ = (
        one_of("state", ContactState),
        one_of("closed_as", NON_COUNSELLING),
        one_of("channel", CHANNELS),
        one_of("source", Source),
        one_of("urgency", Urgency),
        one_of("urgency_suggested", Urgency),
        CheckConstraint("state <> 'complete' OR completed_at IS NOT NULL", name="completed_at"),
        Index("ix_contacts_profile_id", "profile_id"),
        Index("ix_contacts_taken_at", "taken_at"),
        Index("ix_contacts_open", "owner_id", postgresql_where=text("state <> 'complete'")),
        Index(
            "ix_contacts_not_erased",
            "completed_at",
            postgresql_where=text("erased_at IS NULL"),
        ),
        Index("ix_contacts_danger_at", "danger_at", postgresql_where=text("danger_at IS NOT NULL")),
        *found_by("contacts"),
    )

    # One record for one call: the record follows the call when it changes hands.
    call_id: Mapped[UUID | None] = mapped_column(ForeignKey("calls.id"), unique=True)
    profile_id: Mapped[UUID | None] = mapped_column(ForeignKey("profiles.id"))
    state: Mapped[str] = mapped_column(server_default="draft")
    # Set if it was not counselling: silent, a test, a wrong number.
    closed_as: Mapped[str | None]
    kind: Mapped[str | None]
    channel: Mapped[str]
    source: Mapped[str]
    on_behalf_of: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    # When the contact took place: after an outage, before it was written down.
    taken_at: Mapped[datetime]
    urgency: Mapped[str | None]
    # What the signs suggested when the urgency was last decided.
    urgency_suggested: Mapped[str | None]
    completed_at: Mapped[datetime | None]
    # Kept as evidence of who completed it last.
    completed_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    completions: Mapped[int] = mapped_column(server_default="0")
    # When it was completed with immediate danger, or with a sign that has to be referred.
    danger_at: Mapped[datetime | None]


class Case(Filled, Base):
    """Several contacts about the same children, with people, a plan and dates."""

    __tablename__ = "cases"
    __table_args__ = (
        one_of("separation_outcome", SeparationOutcome),
        one_of("risk", Risk),
        Index("ix_cases_status", "status", "opened_at"),
        Index("ix_cases_not_erased", "closed_at", postgresql_where=text("erased_at IS NULL")),
        Index(
            "ix_cases_risk_rose_at",
            "risk_rose_at",
            postgresql_where=text("risk_rose_at IS NOT NULL AND closed_at IS NULL"),
        ),
        *found_by("cases"),
    )

    workflow: Mapped[str]
    workflow_version: Mapped[int]
    status: Mapped[str]
    closed_at: Mapped[datetime | None]
    separation_risk: Mapped[bool] = mapped_column(server_default="false")
    separation_outcome: Mapped[str | None]
    # How great the risk to the children is; its history is in the log.
    risk: Mapped[str | None]
    risk_rose_at: Mapped[datetime | None]


class ContactReader(Base):
    """Who may read a contact, besides the team's supervisors: its owner, earlier owners, and
    colleagues who work on a case with it. `opened_at` is the contact's, so that the newest of
    a reader's thousands are found at once. `cause` is a `ReadsBecause`: two of them end.
    """

    __tablename__ = "contact_readers"
    __table_args__ = (
        one_of("cause", ReadsBecause),
        Index("ix_contact_readers_newest", "staff_id", "opened_at", "contact_id"),
        Index("ix_contact_readers_contact_id", "contact_id"),
    )

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"), primary_key=True)
    opened_at: Mapped[datetime]
    since: Mapped[datetime]
    cause: Mapped[str]


class Opening(Base):
    """Earlier contacts that were opened for a reason, by whom, in which contact, and until when."""

    __tablename__ = "openings"
    __table_args__ = (
        Index("ix_openings_contact_id", "contact_id"),
        Index("ix_openings_staff_id", "staff_id", "until"),
        Index("ix_openings_at", "at"),
        Index("ix_openings_to_review", "team", postgresql_where=text("reviewed_at IS NULL")),
    )

    id: Mapped[Identifier]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    # The contact during which they were opened, and the contacts that were opened.
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    team: Mapped[str]
    contacts: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    at: Mapped[datetime]
    until: Mapped[datetime]
    # Opened by two people (`app/people/emergency/emergencies.py`), which ends it.
    in_emergency: Mapped[bool] = mapped_column(server_default="false")
    reason_sealed: Mapped[Sealed]
    reviewed_at: Mapped[datetime | None]
    reviewed_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    fitting: Mapped[bool | None]


class RecordEvent(Base):
    """What happened to a contact, case or profile. Append-only, chained per subject.

    `detail` holds codes and ids; what a person wrote (a reason, a note) is sealed.
    """

    __tablename__ = "record_events"
    __table_args__ = (
        one_of("subject_kind", Subject),
        Index("ix_record_events_subject_id", "subject_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    kind: Mapped[str]
    at: Mapped[datetime]
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB)
    words_sealed: Mapped[Sealed | None] = mapped_column(info={SEALED: "bytes", "row": "words_id"})
    # SHA-256 of the words as they were sealed at first: the chain holds it, and keys may change.
    words_digest: Mapped[bytes | None]
    words_id: Mapped[UUID | None]
    # The checksum of the words, which never changes, and the salt of it, which goes with them.
    words_sum: Mapped[bytes | None]
    salt_sealed: Mapped[Sealed | None] = mapped_column(info={SEALED: "bytes", "row": "words_id"})
    previous: Mapped[KeyedHash]
    hash: Mapped[KeyedHash]


class UrgencyDecision(Base):
    """The urgency that a counsellor set, beside what the program suggested and why."""

    __tablename__ = "urgency_decisions"
    __table_args__ = (
        one_of("urgency", Urgency),
        one_of("suggested", Urgency),
        Index("ix_urgency_decisions_contact_id", "contact_id", "at"),
    )

    id: Mapped[Identifier]
    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"))
    at: Mapped[datetime]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    urgency: Mapped[str]
    suggested: Mapped[str | None]
    # Why: the signs of danger, and the counsellor's own words.
    reason_sealed: Mapped[Sealed | None]
    # The checksum of the words, which never changes, and the salt of it, which goes with them.
    words_sum: Mapped[bytes | None]
    salt_sealed: Mapped[Sealed | None]


class CompletedVersion(Base):
    """A contact as it was when it was completed; reopening the contact does not change this."""

    __tablename__ = "completed_versions"

    contact_id: Mapped[UUID] = mapped_column(ForeignKey("contacts.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff.id"))
    answers: Mapped[dict[str, Any]] = mapped_column(JSONB)
    sealed: Mapped[dict[str, str]] = mapped_column(
        JSONB, info={SEALED: "answers", "row": "contact_id"}
    )
    # The checksum of each sealed answer in hexadecimal, which never changes, and the salt of them.
    words_sums: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    salt_sealed: Mapped[Sealed | None] = mapped_column(info={SEALED: "bytes", "row": "contact_id"})


class EarlierAnswer(Base):
    """An answer that was overwritten, in a later stretch of writing or by another person."""

    __tablename__ = "earlier_answers"
    __table_args__ = (
        one_of("subject_kind", ("contact", "case", "referral")),
        Index("ix_earlier_answers_subject_id", "subject_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    path: Mapped[str]
    answer: Mapped[Any | None] = mapped_column(JSONB)
    sealed: Mapped[str | None] = mapped_column(info={SEALED: "answer", "row": "subject_id"})
    # The checksum of the words, which never changes, and the salt of it, which goes with them.
    words_sum: Mapped[bytes | None]
    salt_sealed: Mapped[Sealed | None] = mapped_column(info={SEALED: "bytes", "row": "subject_id"})
    revision: Mapped[int]
    replaced_at: Mapped[datetime]
    replaced_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))


class MatchKey(Base):
    """Keyed hashes of the names and numbers in a record, by which it is found."""

    __tablename__ = "match_keys"
    __table_args__ = (
        one_of("kind", KeyKind),
        one_of("subject_kind", ("contact", "case")),
        # All columns that a search needs, so that it reads only the index.
        Index("ix_match_keys_key", "key", "subject_kind", "subject_id"),
        Index("ix_match_keys_subject_id", "subject_id", "path"),
        Index("ix_match_keys_earlier", "subject_id", postgresql_where=text("kind = 'sound'")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    path: Mapped[str]
    kind: Mapped[str]
    key: Mapped[MatchHash]


class Profile(Base):
    """A person with one or more contacts, as far as the counsellors can tell."""

    __tablename__ = "profiles"

    id: Mapped[Identifier]
    code: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("profiles.id"))
    # When its person asked for it to be taken apart: its numbers, contacts and words are gone.
    erased_at: Mapped[datetime | None]


class ProfileNumber(Base):
    """A number that the person of a profile rings from; two profiles may share one."""

    __tablename__ = "profile_numbers"
    __table_args__ = (Index("ix_profile_numbers_caller_key", "caller_key"),)

    profile_id: Mapped[UUID] = mapped_column(ForeignKey("profiles.id"), primary_key=True)
    caller_key: Mapped[CallerHash] = mapped_column(primary_key=True)
