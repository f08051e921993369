"""What is done in a talk: ask somebody in, hand it over, drop somebody, listen, whisper, barge.

The call is locked by whoever asks; the rows are committed before the provider is told. Nothing
that fails here leaves the caller alone: a colleague who cannot be reached changes nothing, and a
caller who was held for them is resumed.
"""

from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.calls import lines, record
from app.calls.models import Call, Leg
from app.calls.states import CallState
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.privacy.numbers import e164
from app.routing import company, leaving, offers, roster
from app.routing.company import LIVE, ROLES, Mode, Party, PartyState, Purpose
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.routing.people import check_skills
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

_MOST = 6


class NotInTheTalk(Conflict):
    default = "They are not in the talk yet, or not any more."


class Busy(Conflict):
    default = "They are not free: in a talk, away, or off duty."


async def talk_of(work: Work, call: Call) -> Offer:
    """The offer by which a call is talked. Raises Conflict where nobody talks."""
    offer = await offers.live_offer_of_call(work, call.id)
    connected = CallState(call.state) is CallState.CONNECTED
    if offer is None or not connected or offer.state != OfferState.CONNECTED:
        raise Conflict("Only a call that is connected can be changed like that.")
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
        raise Conflict(f"At most {_MOST} others are in a talk.")
    party_id = uuid4()
    sealed = None
    if number is not None:
        if await lines.line_of_number(work, number) is not None:
            raise Invalid("That is a number of ours.")
        sealed = work.keys.seal(
            number.encode(), table="parties", column="number_sealed", row=party_id
        )
    party = Party(
        id=party_id, call_id=call.id, room_id=talk.room, purpose=purpose.value, mode=mode.value,
        state=PartyState.RINGING.value, staff_id=staff.id if staff else None,
        number_sealed=sealed, role=role, asked_by=by.id if by else None, wanted_at=work.now,
    )  # fmt: skip
    work.session.add(party)
    try:
        await work.session.flush()
    except IntegrityError:
        raise Busy("They are asked into a talk already.") from None
    if staff is not None:
        presence = await company.engage(work, staff.id)
        if presence.state in (PresenceState.OFFERED, PresenceState.ON_CALL):
            # A call came between our look and our lock.
            raise Busy()
    leg = Leg(
        id=uuid4(), call_id=call.id, offer_id=talk.room, party_id=party.id, created_at=work.now
    )
    work.session.add(leg)
    await record.record(
        work, call, "party_asked", party_id=str(party.id), purpose=purpose.value, mode=mode.value,
        role=role, counsellor_id=str(staff.id) if staff else None,
    )  # fmt: skip
    work.defer("telephony:ring_party", leg_id=str(leg.id))
    work.announce("calls", "talks")
    return party


async def _colleague(work: Work, talk: Offer, staff_id: UUID) -> Staff:
    """Somebody who can take a talk over. Raises NotFound, Busy."""
    staff = await work.session.get(Staff, staff_id)
    if staff is None or not staff.active or not may(staff.role, Permission.TAKE_CALLS):
        raise NotFound("There is no such colleague.")
    presence = await work.session.get(Presence, staff_id, populate_existing=True)
    if staff_id == talk.counsellor_id or presence is None:
        raise Busy()
    if not work.settings.has_conferences:
        # They get the call from the queue: only whoever is on shift does.
        if not work.settings.can_ring(staff.endpoint_kind):
            raise Busy("No call can be brought to a browser here.")
        if staff_id not in await roster.on_shift(work):
            raise Busy("They are not on shift.")
    if presence.state not in (PresenceState.AVAILABLE, PresenceState.WRAP_UP):
        raise Busy()
    return staff


def read_number(number: str) -> str:
    """A number of somebody outside. Raises Invalid."""
    valid = e164(number.strip())
    if valid is None:
        raise Invalid("That is not a phone number with + and country code.")
    return valid


async def consult(
    work: Work, by: Staff, call: Call, *, staff_id: UUID | None = None, number: str | None = None
) -> Party:
    """Warm transfer: the caller is held while the colleague hears what it is about."""
    party = await _ask(work, by, call, Purpose.CONSULT, staff_id, number)
    await offers.set_hold(work, call, True)
    return party


async def transfer(
    work: Work, by: Staff, call: Call, *, staff_id: UUID | None = None, number: str | None = None
) -> Party | None:
    """Cold transfer: the talk goes on until the other is in, and then is theirs.

    Without conferences the caller goes to the front of the queue, for them first; then there
    is no party.
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
        raise Invalid("Choose a colleague, or write a number; one of the two.")
    if staff_id is not None:
        staff = await _colleague(work, talk, staff_id)
        return await _invite(work, by, call, purpose, staff=staff)
    return await _invite(work, by, call, purpose, number=read_number(number or ""), role="other")


async def to_skill(work: Work, by: Staff, call: Call, skills: list[str]) -> None:
    """Cold transfer to whoever has a skill: back to the front of the queue, for them."""
    wanted = check_skills(skills)
    if not wanted:
        raise Invalid("Say which skill.")
    talk = await talk_of(work, call)
    call.wanted_skills = [f"{name}:{level}" for name, level in wanted.items()]
    call.wanted_skills_at = work.now
    await offers.send_back(work, call, talk, "transferred to a skill")


async def add_third_party(work: Work, by: Staff, call: Call, number: str, role: str) -> Party:
    """Police, outreach, an interpreter: they press 1 and are in. Raises Invalid."""
    if role not in ROLES:
        raise Invalid(f"Say who it is: {', '.join(ROLES)}.")
    return await _invite(work, by, call, Purpose.THIRD_PARTY, number=read_number(number), role=role)


async def supervise(work: Work, by: Staff, call: Call, mode: Mode) -> Party:
    """Listen in, whisper to the counsellor, or join. Who is in changes the mode."""
    talk = await talk_of(work, call)
    if talk.counsellor_id == by.id:
        raise Conflict("It is your own talk.")
    for party in await company.live_parties(work, call.id):
        if party.staff_id == by.id:
            await _set_mode(work, call, party, mode)
            return party
    presence = await work.session.get(Presence, by.id, populate_existing=True)
    if presence is not None and presence.state in (PresenceState.ON_CALL, PresenceState.OFFERED):
        raise Busy("You hold a call yourself.")
    return await _invite(work, by, call, Purpose.SUPERVISE, staff=by, mode=mode)


async def _set_mode(work: Work, call: Call, party: Party, mode: Mode) -> None:
    if party.mode != mode.value:
        party.mode = mode.value
        await record.record(work, call, "party_mode", party_id=str(party.id), mode=mode.value)
        work.announce("talks")
    # Also where the row says so already: whether the provider knows is not certain.
    work.defer("telephony:set_party_mode", party_id=str(party.id))


async def panic(work: Work, by: Staff, call: Call) -> bool:
    """The counsellor needs a supervisor now: the next who is there is rung into the talk.

    The answer is whether there is one; where there is none, all who supervise see it.
    """
    await talk_of(work, call)
    await record.record(work, call, "panic")
    work.announce("talks")
    return await _ring_next_supervisor(work, by, call)


async def _ring_next_supervisor(work: Work, by: Staff | None, call: Call) -> bool:
    """Never raises: whoever cannot be asked is passed over."""
    talk = await offers.live_offer_of_call(work, call.id)
    if talk is None or talk.state != OfferState.CONNECTED:
        return False
    for party in await company.live_parties(work, call.id):
        if party.purpose == Purpose.SUPERVISE and party.staff_id is not None:
            # One is here already: now they are heard.
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


# -- what becomes of it ------------------------------------------------------------------


async def lock_party(work: Work, party_id: UUID) -> tuple[Call, Party]:
    """A party with its call, the call locked first. Raises NotFound."""
    call_id = await work.session.scalar(select(Party.call_id).where(Party.id == party_id))
    if call_id is None:
        raise NotFound("There is nobody of that kind in the talk.")
    call = await record.lock_call(work, call_id)
    party = await work.session.get(Party, party_id, with_for_update=True, populate_existing=True)
    assert party is not None
    return call, party


async def joined(work: Work, call: Call, party: Party) -> None:
    """They are in the conference. A cold transfer is done with it."""
    if party.state != PartyState.RINGING:
        return
    party.state, party.joined_at = PartyState.IN.value, work.now
    await record.record(work, call, "party_joined", party_id=str(party.id), purpose=party.purpose)
    work.announce("calls", "talks")
    if CallState(call.state) is not CallState.CONNECTED:
        await company.end_party(work, call, party, "the talk is over")
        return
    if party.staff_id is not None:
        # How they take part may have been changed while they were rung.
        work.defer("telephony:set_party_mode", party_id=str(party.id))
    if party.purpose != Purpose.TRANSFER:
        return
    talk = await offers.live_offer_of_call(work, call.id)
    if talk is None or talk.counsellor_id != party.asked_by or await _holds_another(work, party):
        await company.end_party(work, call, party, "the talk is somebody else's by now")
    else:
        await _hand_over(work, call, party)


async def _holds_another(work: Work, party: Party) -> bool:
    """Whether somebody has taken another call, and cannot have this one, too."""
    if party.staff_id is None:
        return False
    return await offers.held_offer(work, party.staff_id) is not None


async def gone(work: Work, call: Call, party: Party, cause: str) -> None:
    """They left, or could not be reached: the caller is not left in silence for it."""
    if party.owner_offer_id is not None or party.state not in LIVE:
        return
    await company.end_party(work, call, party, cause)
    await leaving.leave_empty_room(work, call)
    if CallState(call.state) is not CallState.CONNECTED:
        return
    if call.handed_to == party.id:
        # The caller was with them alone: back to us, and first.
        await offers.come_back(work, call, "the other side left")
        return
    if party.purpose == Purpose.CONSULT and call.held_at is not None:
        others = await company.live_parties(work, call.id)
        if not any(other.purpose == Purpose.CONSULT for other in others):
            await offers.set_hold(work, call, False)
    if party.purpose == Purpose.PANIC and party.joined_at is None:
        await _ring_next_supervisor(work, None, call)


async def complete(work: Work, by: Staff, call: Call, party_id: UUID) -> None:
    """The counsellor leaves, and the talk is the other's. Raises NotFound, NotInTheTalk."""
    party = await _party_in(work, call, party_id)
    if party.purpose not in (Purpose.CONSULT, Purpose.TRANSFER, Purpose.PANIC, Purpose.SUPERVISE):
        raise Conflict("A third party stays beside us: the talk is not handed over to them.")
    await _hand_over(work, call, party)


async def _hand_over(work: Work, call: Call, party: Party) -> None:
    talk = await talk_of(work, call)
    if await _holds_another(work, party):
        raise Busy("They hold another call.")
    if party.staff_id is not None:
        await offers.hand_over(work, call, talk, party)
    else:
        await offers.hand_outside(work, call, talk, party)


async def together(work: Work, call: Call) -> None:
    """Three-way: the caller hears and is heard again."""
    await talk_of(work, call)
    await offers.set_hold(work, call, False)


async def drop(work: Work, by: Staff, call: Call, party_id: UUID) -> None:
    """One leg ends, the others go on. Raises NotFound, NotAllowed."""
    party = await _party(work, call, party_id)
    talk = await offers.live_offer_of_call(work, call.id)
    owner = talk is not None and talk.counsellor_id == by.id
    if party.purpose == Purpose.SUPERVISE and party.staff_id != by.id:
        raise NotAllowed("A supervisor leaves by their own choice.")
    if not owner and party.staff_id != by.id and not may(by.role, Permission.SUPERVISE):
        raise NotAllowed("Only whoever has the talk drops somebody from it.")
    await gone(work, call, party, "dropped")


async def _party(work: Work, call: Call, party_id: UUID) -> Party:
    party = await work.session.get(Party, party_id, with_for_update=True, populate_existing=True)
    if party is None or party.call_id != call.id or party.state not in LIVE:
        raise NotFound("There is nobody of that kind in the talk.")
    return party


async def _party_in(work: Work, call: Call, party_id: UUID) -> Party:
    party = await _party(work, call, party_id)
    if party.state != PartyState.IN:
        raise NotInTheTalk()
    return party
