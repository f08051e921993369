"""Participants in a talk: colleagues, third parties by phone, supervisors who listen."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.calls import record
from app.calls.models import Call, Leg
from app.database.base import Base, Identifier, Sealed, one_of
from app.routing import presence as presences
from app.routing.models import Presence, PresenceState
from app.work import Work


class Purpose(StrEnum):
    CONSULT = "consult"  # the caller is held, then joins; then the talk may be handed over
    TRANSFER = "transfer"  # the talk is handed over as soon as they are in
    THIRD_PARTY = "third_party"  # police, outreach, an interpreter: joins the counsellor
    SUPERVISE = "supervise"  # listens, whispers or joins
    PANIC = "panic"  # a supervisor whom the counsellor called in


class Mode(StrEnum):
    TALK = "talk"
    LISTEN = "listen"  # hears both, is not heard
    WHISPER = "whisper"  # is heard by the counsellor only


class PartyState(StrEnum):
    RINGING = "ringing"
    IN = "in"
    LEFT = "left"
    FAILED = "failed"


LIVE = (PartyState.RINGING, PartyState.IN)
# The role of a third party: the only thing about them that a log may contain.
ROLES = ("police", "mobile_outreach", "interpreter", "social_welfare", "medical", "other")
# The cause of the break of a colleague while they help in a talk.
HELPING = "helps in a talk"


class Party(Base):
    """A participant besides caller and counsellor, in the conference of the offer `room_id`."""

    __tablename__ = "parties"
    __table_args__ = (
        one_of("purpose", Purpose),
        one_of("mode", Mode),
        one_of("state", PartyState),
        CheckConstraint(
            "role IS NULL OR role IN (" + ", ".join(f"'{r}'" for r in ROLES) + ")", name="role"
        ),
        CheckConstraint("(staff_id IS NULL) = (number_sealed IS NOT NULL)", name="who"),
        Index("ix_parties_call_id", "call_id"),
        Index(
            "uq_parties_staff_live",
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


def label_of(party: Party) -> str:
    """Return the opaque label of a participant in the provider's conference."""
    return f"party-{party.id}"


async def live_parties(work: Work, call_id: UUID) -> list[Party]:
    """Return the participants who are ringing or in the talk."""
    rows = await work.session.scalars(
        select(Party)
        .where(Party.call_id == call_id, Party.state.in_(LIVE))
        .order_by(Party.wanted_at, Party.id)
    )
    return list(rows)


async def send_away(work: Work, call: Call, cause: str) -> None:
    """End all participants when the talk is over or the conference is left; no phone rings on."""
    for party in await live_parties(work, call.id):
        await end_party(work, call, party, cause)


async def end_party(work: Work, call: Call, party: Party, cause: str) -> None:
    """End a participant: ask for the end of their legs, and free a colleague for calls."""
    if party.state not in LIVE:
        return
    was_in = party.state == PartyState.IN
    party.state = (PartyState.LEFT if was_in else PartyState.FAILED).value
    party.left_at = work.now
    legs = await work.session.scalars(
        select(Leg).where(Leg.party_id == party.id, Leg.ended_at.is_(None))
    )
    for leg in legs.all():
        leg.end_wanted = True
        work.defer("telephony:end_leg", leg_id=str(leg.id))
    await record.record(
        work,
        call,
        "party_left" if was_in else "party_failed",
        party_id=str(party.id),
        purpose=party.purpose,
        cause=cause,
    )
    await release(work, party)
    work.announce("calls", "talks")


async def release(work: Work, party: Party) -> None:
    """Free a colleague who helped, unless they took the talk over or chose another state."""
    if party.staff_id is None or party.owner_offer_id is not None:
        return
    presence = await presences.lock_presence(work, party.staff_id)
    if presence.state == PresenceState.BREAK and presence.cause == HELPING:
        await presences.set_free(work, presence, "helped in a talk", rested=True)


async def engage(work: Work, staff_id: UUID) -> Presence:
    """Lock a colleague's presence and offer them no calls while they help in a talk."""
    presence = await presences.lock_presence(work, staff_id)
    if presence.state in (PresenceState.OFF_DUTY, PresenceState.AWAY):
        # An on-call phone would ring otherwise. Afterwards they are off duty again.
        presence.after_call = PresenceState.OFF_DUTY.value
    if presence.state not in (PresenceState.OFFERED, PresenceState.ON_CALL, PresenceState.BREAK):
        await presences.set_presence(work, presence, PresenceState.BREAK, HELPING)
    return presence


async def helps(work: Work, staff_id: UUID) -> bool:
    """Return whether a colleague is ringing for, or in, a talk that is not theirs."""
    found = await work.session.scalar(
        select(Party.id).where(
            Party.staff_id == staff_id, Party.state.in_(LIVE), Party.owner_offer_id.is_(None)
        )
    )
    return found is not None
