"""Actions in a talk: add a participant, hand over, drop a participant, listen, whisper, barge.

The calling function has locked the call; the rows are committed before the provider is told. No
failure here leaves the caller alone: if a colleague cannot be reached, nothing changes, and a
caller who was on hold for them is resumed.
"""

from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.calls import lines, record
from app.calls.models import Call, Leg
from app.calls.states import CallState
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.privacy.numbers import e164
from app.routing import offers
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.routing.participants import company, leaving
from app.routing.participants.company import LIVE, ROLES, Mode, Party, PartyState, Purpose
from app.routing.people import check_skills
from app.routing.rota import roster
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

_MOST = 6


class NotInTheTalk(Conflict):
    default = "This participant is not in the talk yet, or has left it."


class Busy(Conflict):
    default = "This colleague is not free: in a talk, away, or off duty."


async def talk_of(work: Work, call: Call) -> Offer:
    """Return the offer of a connected call. Raises Conflict if the call is not connected."""
    offer = await offers.live_offer_of_call(work, call.id)
    connected = CallState(call.state) is CallState.CONNECTED
    if offer is None or not connected or offer.state != OfferState.CONNECTED:
        raise Conflict("This can only be done while the call is connected.")
    return offer


async def _invite(
    work: Work,
    by: Staff | None,
    call: Call,
    purpose: Purpose,
    *,
    staff: Staff | None = None,
    number: str | None = None,
    role: str | None = None,
    mode: Mode = Mode.TALK,
) -> Party:
    talk = await talk_of(work, call)
    offers.needs_conference(work)
    if len(await company.live_parties(work, call.id)) >= _MOST:
        raise Conflict(f"A talk can have at most {_MOST} other participants.")
    party_id = uuid4()
    sealed = None
    if number is not None:
        if await lines.line_of_number(work, number) is not None:
            raise Invalid("That number belongs to one of our own lines. Choose another number.")
        sealed = work.keys.seal(
            number.encode(), table="parties", column="number_sealed", row=party_id
        )
    party = Party(
        id=party_id,
        call_id=call.id,
        room_id=talk.room,
        purpose=purpose.value,
        mode=mode.value,
        state=PartyState.RINGING.value,
        staff_id=staff.id if staff else None,
        number_sealed=sealed,
        role=role,
        asked_by=by.id if by else None,
        wanted_at=work.now,
    )
    work.session.add(party)
    try:
        await work.session.flush()
    except IntegrityError:
        raise Busy("This colleague has already been asked into a talk.") from None
    if staff is not None:
        presence = await company.engage(work, staff.id)
        if presence.state in (PresenceState.OFFERED, PresenceState.ON_CALL):
            # A call came after we looked and before we locked.
            raise Busy()
    leg = Leg(
        id=uuid4(), call_id=call.id, offer_id=talk.room, party_id=party.id, created_at=work.now
    )
    work.session.add(leg)
    await record.record(
        work,
        call,
        "party_asked",
        party_id=str(party.id),
        purpose=purpose.value,
        mode=mode.value,
        role=role,
        counsellor_id=str(staff.id) if staff else None,
    )
    work.defer("telephony:ring_party", leg_id=str(leg.id))
    work.announce("calls", "talks")
    return party


async def _colleague(work: Work, talk: Offer, staff_id: UUID) -> Staff:
    """Return a colleague who can take a talk over. Raises NotFound, Busy."""
    staff = await work.session.get(Staff, staff_id)
    if staff is None or not staff.active or not may(staff.role, Permission.TAKE_CALLS):
        raise NotFound("There is no such colleague.")
    presence = await work.session.get(Presence, staff_id, populate_existing=True)
    if staff_id == talk.counsellor_id or presence is None:
        raise Busy()
    if not work.settings.has_conferences:
        # The colleague gets the call from the queue, so they must be on shift.
        if not work.settings.can_ring(staff.endpoint_kind):
            raise Busy("A browser cannot be rung here. Choose a colleague with a phone.")
        if staff_id not in await roster.on_shift(work):
            raise Busy("This colleague is not on shift.")
    if presence.state not in (PresenceState.AVAILABLE, PresenceState.WRAP_UP):
        raise Busy()
    return staff


def read_number(number: str) -> str:
    """Return the phone number of a participant from outside. Raises Invalid."""
    valid = e164(number.strip())
    if valid is None:
        raise Invalid("That is not a phone number. Write it with + and the country code.")
    return valid


async def consult(
    work: Work, by: Staff, call: Call, *, staff_id: UUID | None = None, number: str | None = None
) -> Party:
    """Start a warm transfer: the caller is held while the colleague hears about the call."""
    party = await _ask(work, by, call, Purpose.CONSULT, staff_id, number)
    await offers.set_hold(work, call, True)
    return party


async def transfer(
    work: Work, by: Staff, call: Call, *, staff_id: UUID | None = None, number: str | None = None
) -> Party | None:
    """Start a cold transfer: the talk goes on until the colleague is in, and then is theirs.

    Without conferences the caller goes to the front of the queue, for that colleague first, and
    the result is None.
    """
    if not work.settings.has_conferences and staff_id is not None and number is None:
        talk = await talk_of(work, call)
        call.preferred_id = (await _colleague(work, talk, staff_id)).id
        call.preferred_at = work.now
        await offers.send_back(work, call, talk, "transferred to a colleague")
        return None
    return await _ask(work, by, call, Purpose.TRANSFER, staff_id, number)


async def _ask(
    work: Work, by: Staff, call: Call, purpose: Purpose, staff_id: UUID | None, number: str | None
) -> Party:
    talk = await talk_of(work, call)
    if (staff_id is None) == (number is None):
        raise Invalid("Choose a colleague or write a number, but not both.")
    if staff_id is not None:
        staff = await _colleague(work, talk, staff_id)
        return await _invite(work, by, call, purpose, staff=staff)
    return await _invite(work, by, call, purpose, number=read_number(number or ""), role="other")


async def to_skill(work: Work, by: Staff, call: Call, skills: list[str]) -> None:
    """Transfer to a skill: the caller goes to the front of the queue, for counsellors with it."""
    wanted = check_skills(skills)
    if not wanted:
        raise Invalid("Choose at least one skill.")
    talk = await talk_of(work, call)
    call.wanted_skills = [f"{name}:{level}" for name, level in wanted.items()]
    call.wanted_skills_at = work.now
    await offers.send_back(work, call, talk, "transferred to a skill")


async def add_third_party(work: Work, by: Staff, call: Call, number: str, role: str) -> Party:
    """Add police, outreach or an interpreter: they press 1 and are in. Raises Invalid."""
    if role not in ROLES:
        raise Invalid(f"Choose who this is: {', '.join(ROLES)}.")
    return await _invite(work, by, call, Purpose.THIRD_PARTY, number=read_number(number), role=role)


async def supervise(work: Work, by: Staff, call: Call, mode: Mode) -> Party:
    """Listen in, whisper to the counsellor, or join. If already in, change the mode."""
    talk = await talk_of(work, call)
    if talk.counsellor_id == by.id:
        raise Conflict("This is your own talk. You cannot supervise it.")
    for party in await company.live_parties(work, call.id):
        if party.staff_id == by.id:
            await _set_mode(work, call, party, mode)
            return party
    presence = await work.session.get(Presence, by.id, populate_existing=True)
    if presence is not None and presence.state in (PresenceState.ON_CALL, PresenceState.OFFERED):
        raise Busy("You have a call of your own. End it first.")
    return await _invite(work, by, call, Purpose.SUPERVISE, staff=by, mode=mode)


async def _set_mode(work: Work, call: Call, party: Party, mode: Mode) -> None:
    if party.mode != mode.value:
        party.mode = mode.value
        await record.record(work, call, "party_mode", party_id=str(party.id), mode=mode.value)
        work.announce("talks")
    # Tell the provider even if the row has this mode already: the provider may not know it.
    work.defer("telephony:set_party_mode", party_id=str(party.id))


async def panic(work: Work, by: Staff, call: Call) -> bool:
    """Ring the next supervisor into the talk, because the counsellor needs help now.

    Return whether one is there; if not, all supervisors see it on the board.
    """
    await talk_of(work, call)
    await record.record(work, call, "panic")
    work.announce("talks")
    return await _ring_next_supervisor(work, by, call)


async def _ring_next_supervisor(work: Work, by: Staff | None, call: Call) -> bool:
    """Ring the next supervisor and return whether one is there. A busy one is skipped."""
    talk = await offers.live_offer_of_call(work, call.id)
    if talk is None or talk.state != OfferState.CONNECTED:
        return False
    for party in await company.live_parties(work, call.id):
        if party.purpose == Purpose.SUPERVISE and party.staff_id is not None:
            # One is here already: let them be heard.
            await _set_mode(work, call, party, Mode.TALK)
            return True
    tried = select(Party.staff_id).where(
        Party.call_id == call.id, Party.purpose == Purpose.PANIC, Party.staff_id.is_not(None)
    )
    engaged = select(Party.staff_id).where(Party.state.in_(LIVE), Party.staff_id.is_not(None))
    present = await roster.on_shift(work)
    rows = await work.session.execute(
        select(Staff, Presence.state)
        .join(Presence, Presence.counsellor_id == Staff.id)
        .where(
            Staff.active,
            Staff.id != talk.counsellor_id,
            Staff.id.not_in(tried),
            Staff.id.not_in(engaged),
            Presence.state.in_(
                (PresenceState.AVAILABLE, PresenceState.WRAP_UP, PresenceState.BREAK)
            ),
        )
    )
    able = [
        (state != PresenceState.AVAILABLE, staff.id not in present, staff.name, staff)
        for staff, state in rows
        if may(staff.role, Permission.SUPERVISE)
    ]
    for _, _, _, staff in sorted(able, key=lambda one: one[:3]):
        try:
            async with work.session.begin_nested():
                await _invite(work, by, call, Purpose.PANIC, staff=staff)
        except Conflict:
            continue
        return True
    await record.record(work, call, "panic_unanswered")
    return False


# -- after the invitation ----------------------------------------------------------------


async def lock_party(work: Work, party_id: UUID) -> tuple[Call, Party]:
    """Lock a participant and its call, the call first. Raises NotFound."""
    call_id = await work.session.scalar(select(Party.call_id).where(Party.id == party_id))
    if call_id is None:
        raise NotFound("There is no such participant in the talk.")
    call = await record.lock_call(work, call_id)
    party = await work.session.get(Party, party_id, with_for_update=True, populate_existing=True)
    assert party is not None
    return call, party


async def joined(work: Work, call: Call, party: Party) -> None:
    """Record that a participant is in the conference. This completes a cold transfer."""
    if party.state != PartyState.RINGING:
        return
    party.state, party.joined_at = PartyState.IN.value, work.now
    await record.record(work, call, "party_joined", party_id=str(party.id), purpose=party.purpose)
    work.announce("calls", "talks")
    if CallState(call.state) is not CallState.CONNECTED:
        await company.end_party(work, call, party, "the talk is over")
        return
    if party.staff_id is not None:
        # Their mode may have changed while their phone rang.
        work.defer("telephony:set_party_mode", party_id=str(party.id))
    if party.purpose != Purpose.TRANSFER:
        return
    talk = await offers.live_offer_of_call(work, call.id)
    if talk is None or talk.counsellor_id != party.asked_by or await _holds_another(work, party):
        await company.end_party(work, call, party, "the talk is somebody else's by now")
    else:
        await _hand_over(work, call, party)


async def _holds_another(work: Work, party: Party) -> bool:
    """Return whether a participant holds another call, and so cannot take this one too."""
    if party.staff_id is None:
        return False
    return await offers.held_offer(work, party.staff_id) is not None


async def gone(work: Work, call: Call, party: Party, cause: str) -> None:
    """End a participant who left or was not reached. The caller is not left in silence."""
    if party.owner_offer_id is not None or party.state not in LIVE:
        return
    await company.end_party(work, call, party, cause)
    await leaving.leave_empty_room(work, call)
    if CallState(call.state) is not CallState.CONNECTED:
        return
    if call.handed_to == party.id:
        # The caller was alone with them: back to us, to the front of the queue.
        await offers.come_back(work, call, "the other side left")
        return
    if party.purpose == Purpose.CONSULT and call.held_at is not None:
        others = await company.live_parties(work, call.id)
        if not any(other.purpose == Purpose.CONSULT for other in others):
            await offers.set_hold(work, call, False)
    if party.purpose == Purpose.PANIC and party.joined_at is None:
        await _ring_next_supervisor(work, None, call)


async def complete(work: Work, by: Staff, call: Call, party_id: UUID) -> None:
    """Hand the talk over; the counsellor leaves. Raises NotFound, Conflict, NotInTheTalk."""
    party = await _party_in(work, call, party_id)
    if party.purpose not in (Purpose.CONSULT, Purpose.TRANSFER, Purpose.PANIC, Purpose.SUPERVISE):
        raise Conflict("A talk cannot be handed over to a third party. Transfer the call instead.")
    await _hand_over(work, call, party)


async def _hand_over(work: Work, call: Call, party: Party) -> None:
    talk = await talk_of(work, call)
    if await _holds_another(work, party):
        raise Busy("This colleague has another call.")
    if party.staff_id is not None:
        await offers.hand_over(work, call, talk, party)
    else:
        await offers.hand_outside(work, call, talk, party)


async def together(work: Work, call: Call) -> None:
    """Resume the caller for a three-way talk. Raises Conflict."""
    await talk_of(work, call)
    await offers.set_hold(work, call, False)


async def drop(work: Work, by: Staff, call: Call, party_id: UUID) -> None:
    """Drop one participant; the others go on. Raises NotFound, NotAllowed."""
    party = await _party(work, call, party_id)
    talk = await offers.live_offer_of_call(work, call.id)
    owner = talk is not None and talk.counsellor_id == by.id
    if party.purpose == Purpose.SUPERVISE and party.staff_id != by.id:
        raise NotAllowed("You cannot drop a supervisor. They leave by their own choice.")
    if not owner and party.staff_id != by.id and not may(by.role, Permission.SUPERVISE):
        raise NotAllowed("Only the counsellor who has the talk can drop a participant from it.")
    await gone(work, call, party, "dropped")


async def _party(work: Work, call: Call, party_id: UUID) -> Party:
    party = await work.session.get(Party, party_id, with_for_update=True, populate_existing=True)
    if party is None or party.call_id != call.id or party.state not in LIVE:
        raise NotFound("There is no such participant in the talk.")
    return party


async def _party_in(work: Work, call: Call, party_id: UUID) -> Party:
    party = await _party(work, call, party_id)
    if party.state != PartyState.IN:
        raise NotInTheTalk()
    return party
