"""The team of a supervisor: what its people do now, and setting the state of one of them.

A supervisor sees and sets the people of the own team; a helpline without teams is one team.
"""

from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, DateTime, Select, Text, bindparam, func, select

from app.calls import record
from app.calls.lines.line_rows import Line
from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.database.quick import Question, is_one_of
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotFound
from app.jobs.transaction import rows_of
from app.routing import in_hand, offers, offers_held, telephone_state
from app.routing import presence as presences
from app.routing.models import (
    CHOICES,
    Offer,
    OfferState,
    Presence,
    PresenceState,
    TelephoneState,
)
from app.routing.participants import participants
from app.routing.participants.participants import LIVE, Participant
from app.routing.rota import takers
from app.routing.supervision import supervised
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work


class StateReason(StrEnum):
    """Why a supervisor set the state of another person. The log holds the code, never words."""

    SHIFT_OVER = "shift_over"
    LEFT_SIGNED_IN = "left_signed_in"
    DOES_NOT_ANSWER = "does_not_answer"
    TELEPHONE_FAULT = "telephone_fault"
    NEEDS_REST = "needs_rest"
    NEEDED_NOW = "needed_now"
    AGREED = "agreed"


class PersonInTalk(Conflict):
    default = (
        "This person is in a talk. Choose “after this call”, and the state follows when it ends."
    )


class OfferRinging(Conflict):
    default = "A call is ringing at this person now. Try again in a moment."


class CannotBeRung(Conflict):
    default = (
        "The page of this person is not open, or the telephone in it is not ready. "
        "Calls would ring unheard, so the state was not set."
    )


def of_team(staff: Staff) -> ColumnElement[bool]:
    """Return the condition for the people whom a supervisor sees: those of the own team."""
    return Staff.team == staff.team


class TeamMember(NamedTuple):
    """One person of a team who takes calls, and what they do now."""

    staff: Staff
    presence: Presence | None
    # The state of the telephone in their page; unset if they have never been here.
    telephone: TelephoneState | None
    # The line of the call that they hold, and whether it is a practice call.
    line: str | None
    practice: bool
    # How many written conversations they have.
    conversations: int
    # They are in the talk of a colleague.
    helps: bool
    missed: int


async def people(work: Work, team: str, since: datetime) -> list[TeamMember]:
    """Return the people of a team by name. `since`: missed offers count from then."""
    rows = await work.session.execute(_people(), {"team": team, "since": since})
    return [
        TeamMember(
            one,
            presence,
            TelephoneState(telephone) if telephone else None,
            line,
            practice,
            conversations,
            helping is not None,
            number,
        )
        for one, presence, telephone, line, practice, conversations, helping, number in rows
    ]


@cache
def _people() -> Select[Any]:
    """Select the people of a team, with what a `Person` says of them."""
    missed = (
        select(Offer.counsellor_id, func.count().label("number"))
        .join(Call, Call.id == Offer.call_id)
        .join(Line, Line.id == Call.line_id)
        .where(
            Offer.opened_at >= bindparam("since", type_=DateTime(timezone=True)),
            Offer.state == OfferState.MISSED,
            Line.practice.is_(False),
        )
        .group_by(Offer.counsellor_id)
        .subquery()
    )
    writing = (
        select(func.count())
        .where(
            Offer.counsellor_id == Staff.id,
            Offer.released_at.is_(None),
            Offer.slot.is_not(None),
            Offer.state == OfferState.CONNECTED,
        )
        .correlate(Staff)
        .scalar_subquery()
    )
    return (
        select(
            Staff,
            Presence,
            telephone_state.state_now(),
            Line.name,
            func.coalesce(Line.practice, False),
            writing,
            Participant.id,
            func.coalesce(missed.c.number, 0),
        )
        .join(Presence, Presence.counsellor_id == Staff.id, isouter=True)
        .join(
            Offer,
            (Offer.counsellor_id == Staff.id) & Offer.released_at.is_(None) & Offer.slot.is_(None),
            isouter=True,
        )
        .join(Call, Call.id == Offer.call_id, isouter=True)
        .join(Line, Line.id == Call.line_id, isouter=True)
        .join(
            Participant,
            (Participant.staff_id == Staff.id)
            & Participant.state.in_(LIVE)
            & Participant.owner_offer_id.is_(None),
            isouter=True,
        )
        .join(missed, missed.c.counsellor_id == Staff.id, isouter=True)
        .where(Staff.active, Staff.role.in_(takers.TAKERS), Staff.team == _TEAM)
        .order_by(Staff.name)
    )


_TEAM: BindParameter[str] = bindparam("team", type_=Text())
_STATES = Question(
    select(Staff.id, Presence.state)
    .join(Presence, Presence.counsellor_id == Staff.id, isouter=True)
    .where(Staff.active, is_one_of(Staff.role, takers.TAKERS), Staff.team == _TEAM)
)


async def states(work: Work, team: str) -> dict[UUID, PresenceState]:
    """Return the states of the people of a team."""
    rows = await rows_of(work, _STATES, team=team)
    return {row["id"]: PresenceState(row["state"] or PresenceState.OFF_DUTY) for row in rows}


async def member(work: Work, by: Staff, person_id: UUID) -> Staff:
    """Return a person of a supervisor's team who takes calls. Raises NotFound."""
    found: Staff | None = await work.session.scalar(
        select(Staff).where(
            Staff.id == person_id, Staff.active, Staff.role.in_(takers.TAKERS), of_team(by)
        )
    )
    if found is None:
        raise NotFound("Not found, or not in your team.")
    return found


async def set_state(
    work: Work,
    by: Staff,
    person_id: UUID,
    choice: PresenceState,
    reason: StateReason,
    *,
    after_call: bool = False,
) -> None:
    """Set the state of another person, with a reason that the log keeps.

    A talk is never cut: `after_call` sets what follows it. Raises NotFound, Invalid,
    PersonInTalk, OfferRinging, CannotBeRung.
    """
    person = await member(work, by, person_id)
    if person.id == by.id:
        raise Invalid("Choose your own state at the top of the page.")
    if choice not in CHOICES:
        raise Invalid("A supervisor can set a person available, on a break, or off duty.")
    await _take_offer_back(work, person, choice)
    presence = await presences.lock_presence(work, person.id)
    talks = presence.state in (PresenceState.ON_CALL, PresenceState.WRITING) or (
        presence.cause == participants.HELPING and await participants.helps(work, person.id)
    )
    if talks and not after_call:
        raise PersonInTalk()
    if presence.state == PresenceState.OFFERED:
        raise OfferRinging()
    follows = talks or (after_call and presence.state == PresenceState.WRAP_UP)
    if follows:
        presence.after_call = None if choice is PresenceState.AVAILABLE else choice.value
        work.announce(Topic.PRESENCE, Topic.PRESENCE.of(person.id))
    else:
        if choice is PresenceState.AVAILABLE and not await can_be_rung(work, person, presence):
            raise CannotBeRung()
        await presences.choose(work, presence, choice, cause=Cause.SUPERVISOR_CHOICE)
    write_entry(
        work,
        AuditLog.STATE_SET_BY_SUPERVISOR,
        str(person.id),
        state=choice.value,
        reason=reason.value,
        after_call=follows,
    )


async def _take_offer_back(work: Work, person: Staff, choice: PresenceState) -> None:
    """Decline what rings at a person who is to get no calls: the caller goes to the next one."""
    if choice is PresenceState.AVAILABLE:
        return
    held = await offers.offer_in_hand(work, person.id)
    found = [held.id] if held is not None and held.state == OfferState.OPEN else []
    found += await offers_held.conversations(work, person.id)
    # The calls are locked before the presence, as everywhere.
    for call, offer in [await offers.lock_offer(work, offer_id) for offer_id in found]:
        if offer.state == OfferState.OPEN:
            await offers.decline_offer(work, call, offer, by=Cause.SUPERVISOR_CHOICE)


async def can_be_rung(work: Work, person: Staff, presence: Presence | None) -> bool:
    """Return whether a call would be heard: the telephone is ready, and a browser is alive; or a
    page is open in which children write."""
    if person.chats_at_once and presence is not None:
        age = (work.now - presence.heartbeat_at).total_seconds()
        if age < work.settings.heartbeat_seconds:
            return True
    if not await telephone_state.is_ready(work, person, presence):
        return False
    if person.endpoint is not None or presence is None:
        return person.endpoint is not None
    age = (work.now - presence.heartbeat_at).total_seconds()
    return age < work.settings.heartbeat_seconds


async def end_talk(work: Work, by: Staff, call_id: UUID) -> None:
    """End a talk of the own team for its counsellor. The log records it. Raises NotFound."""
    # Locked first, so that of two clicks one ends the talk and is logged.
    await record.lock_call(work, call_id)
    await supervised.check_supervises(work, by, call_id)
    await in_hand.end_talk(work, by, call_id)
    write_entry(work, AuditLog.TALK_ENDED_BY_SUPERVISOR, str(call_id))
