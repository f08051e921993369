"""Participants in a talk: colleagues, third parties by phone, supervisors who listen."""

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    Uuid,
    bindparam,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.calls import record
from app.calls.labels import OtherLabel, participant_label
from app.calls.log_kinds import IN_AND_OUT, AnyCause, CallLog, Cause, ConferenceEvent
from app.calls.models import Call, Leg, RecordedEvent
from app.database.base import Base, Identifier, Sealed, one_of
from app.database.quick import is_one_of
from app.database.topics import Topic
from app.jobs.names import Task
from app.routing import offers_held
from app.routing import presence as presences
from app.routing.models import Presence, PresenceState
from app.work import Work


class ParticipantPurpose(StrEnum):
    CONSULT = "consult"  # the caller is held, then joins; then the talk may be handed over
    TRANSFER = "transfer"  # the talk is handed over as soon as they are in
    THIRD_PARTY = "third_party"  # police, outreach, an interpreter: joins the counsellor
    SUPERVISE = "supervise"  # listens, whispers or joins
    CALL_FOR_HELP = "call_for_help"  # a supervisor whom the counsellor called in


class Mode(StrEnum):
    TALK = "talk"
    LISTEN = "listen"  # hears both, is not heard
    WHISPER = "whisper"  # is heard by the counsellor only


class ParticipantState(StrEnum):
    RINGING = "ringing"
    IN = "in"
    LEFT = "left"
    FAILED = "failed"


LIVE = (ParticipantState.RINGING, ParticipantState.IN)
# The role of a third party: the only thing about them that a log may contain.
ROLES = ("police", "mobile_outreach", "interpreter", "social_welfare", "medical", "other")
# A person who is asked into a talk is rung for this long.
RINGS = timedelta(seconds=30)
# The cause of the break of a colleague while they help in a talk.
HELPING = Cause.HELPS


class Participant(Base):
    """A participant besides caller and counsellor, in the conference of the offer `room_id`."""

    __tablename__ = "participants"
    __table_args__ = (
        one_of("purpose", ParticipantPurpose),
        one_of("mode", Mode),
        one_of("state", ParticipantState),
        CheckConstraint(
            "role IS NULL OR role IN (" + ", ".join(f"'{r}'" for r in ROLES) + ")", name="role"
        ),
        CheckConstraint("(staff_id IS NULL) = (number_sealed IS NOT NULL)", name="who"),
        Index("ix_participants_call_id", "call_id"),
        Index(
            "uq_participants_staff_live",
            "staff_id",
            unique=True,
            postgresql_where=text("state IN ('ringing', 'in')"),
        ),
    )

    id: Mapped[Identifier]
    call_id: Mapped[UUID] = mapped_column(ForeignKey("calls.id"))
    room_id: Mapped[UUID] = mapped_column(ForeignKey("offers.id"))
    purpose: Mapped[str]
    mode: Mapped[str] = mapped_column(server_default="talk")
    state: Mapped[str] = mapped_column(server_default="ringing")
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    number_sealed: Mapped[Sealed | None]
    role: Mapped[str | None]
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff.id"))
    wanted_at: Mapped[datetime]
    joined_at: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    # The offer by which this participant has taken the talk over.
    owner_offer_id: Mapped[UUID | None] = mapped_column(ForeignKey("offers.id"))
    # When a colleague's second phone is due to ring because the browser has not answered, and
    # since when it rings or is in the talk. See `participant_second_phone.py`.
    second_due_at: Mapped[datetime | None]
    second_at: Mapped[datetime | None]


def label_of(participant: Participant, *, second: bool | None = None) -> OtherLabel:
    """Return the label of a participant in the provider's conference.

    `second`: of a colleague's second phone; by default the way that they take now.
    """
    at_telephone = participant.second_at is not None if second is None else second
    return participant_label(participant.id, at_telephone=at_telephone)


# Built once: every end of a talk asks for them.
_LIVE = (
    select(Participant)
    .where(
        Participant.call_id == bindparam("call_id", type_=Uuid()),
        is_one_of(Participant.state, LIVE),
    )
    .order_by(Participant.wanted_at, Participant.id)
)


async def live_participants(work: Work, call_id: UUID) -> list[Participant]:
    """Return the participants who are ringing or in the talk."""
    return list(await work.session.scalars(_LIVE, {"call_id": call_id}))


async def inside_by_events(work: Work, call_id: UUID, *which: ColumnElement[bool]) -> set[str]:
    """Return the labels of those who are in a conference now, by its events; `which` narrows."""
    events = await work.session.scalars(
        select(RecordedEvent).where(
            RecordedEvent.call_id == call_id,
            RecordedEvent.kind.in_(IN_AND_OUT),
            *which,
        )
    )
    last: dict[str, str] = {}
    for event in sorted(events, key=lambda e: int(e.detail.get("sequence", 0))):
        last[event.detail["participant"]] = event.kind
    return {label for label, kind in last.items() if kind == ConferenceEvent.JOIN}


async def own_in(work: Work, staff_id: UUID, calls: list[UUID]) -> dict[UUID, Participant]:
    """Return how a person takes part in each of these talks of others, by the talk."""
    rows = await work.session.scalars(
        select(Participant)
        .where(
            Participant.call_id.in_(calls),
            Participant.state.in_(LIVE),
            Participant.staff_id == staff_id,
            Participant.owner_offer_id.is_(None),
        )
        .order_by(Participant.wanted_at, Participant.id)
    )
    return {row.call_id: row for row in rows}


async def staff_in(work: Work, calls: list[UUID]) -> dict[tuple[UUID, UUID], Participant]:
    """Return how people take part in these talks of others, by the person and the talk."""
    rows = await work.session.scalars(
        select(Participant)
        .where(
            Participant.call_id.in_(calls),
            Participant.state.in_(LIVE),
            Participant.staff_id.is_not(None),
            Participant.owner_offer_id.is_(None),
        )
        .order_by(Participant.wanted_at, Participant.id)
    )
    return {(row.staff_id, row.call_id): row for row in rows if row.staff_id}


async def send_away(work: Work, call: Call, cause: AnyCause) -> None:
    """End all participants when the talk is over or the conference is left; no phone rings on."""
    for participant in await live_participants(work, call.id):
        await end_participant(work, call, participant, cause)


async def end_participant(
    work: Work, call: Call, participant: Participant, cause: AnyCause
) -> None:
    """End a participant: ask for the end of their legs, and free a colleague for calls."""
    if participant.state not in LIVE:
        return
    was_in = participant.state == ParticipantState.IN
    participant.state = (ParticipantState.LEFT if was_in else ParticipantState.FAILED).value
    participant.left_at = work.now
    legs = await work.session.scalars(
        select(Leg).where(Leg.participant_id == participant.id, Leg.ended_at.is_(None))
    )
    for leg in legs.all():
        leg.end_wanted = True
        work.defer(Task.END_LEG, leg_id=str(leg.id))
    await record.record(
        work,
        call,
        CallLog.PARTICIPANT_LEFT if was_in else CallLog.PARTICIPANT_FAILED,
        participant_id=str(participant.id),
        purpose=participant.purpose,
        cause=cause,
    )
    await release(work, participant)
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.TALKS)


async def release(work: Work, participant: Participant) -> None:
    """Free a colleague who helped, unless they took the talk over or chose another state."""
    if participant.staff_id is None or participant.owner_offer_id is not None:
        return
    presence = await presences.lock_presence(work, participant.staff_id)
    if presence.state == PresenceState.BREAK and presence.cause == HELPING:
        await presences.set_free(work, presence, Cause.HELPED, rested=True)


async def engage(work: Work, staff_id: UUID) -> Presence:
    """Lock a colleague's presence and offer them no calls while they help in a talk."""
    presence = await presences.lock_presence(work, staff_id)
    if presence.state in (PresenceState.OFF_DUTY, PresenceState.AWAY):
        # An on-call phone would ring otherwise. Afterwards they are off duty again.
        presence.after_call = PresenceState.OFF_DUTY.value
    own_break = presence.state == PresenceState.BREAK and presence.cause != HELPING
    if own_break:
        # To help is work. Afterwards they are on their break again.
        presence.after_call = PresenceState.BREAK.value
    busy = (*offers_held.BUSY, PresenceState.BREAK)
    if own_break or presence.state not in busy:
        await presences.set_presence(work, presence, PresenceState.BREAK, HELPING)
    return presence


async def helps(work: Work, staff_id: UUID) -> bool:
    """Return whether a colleague is ringing for, or in, a talk that is not theirs."""
    found = await work.session.scalar(
        select(Participant.id).where(
            Participant.staff_id == staff_id,
            Participant.state.in_(LIVE),
            Participant.owner_offer_id.is_(None),
        )
    )
    return found is not None
