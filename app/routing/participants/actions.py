"""Actions in a talk: add a participant, hand over, drop a participant, listen, whisper, barge.

The calling function has locked the call; the rows are committed before the provider is told. No
failure here leaves the caller alone: if a colleague cannot be reached, nothing changes, and a
caller who was on hold for them is resumed.
"""

from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.abilities import Ability
from app.calls import lines, record
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState
from app.database.topics import Topic
from app.errors import Conflict, Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.privacy.numbers import e164
from app.routing import desk, handing_over, offers, telephones, waking
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.routing.participants import leaving, participants
from app.routing.participants.participants import (
    LIVE,
    ROLES,
    Mode,
    Participant,
    ParticipantState,
    Purpose,
)
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


class PanicTaken(Conflict):
    default = "A colleague has taken this call for help already."


class TelephoneNotReady(Busy):
    default = "The telephone in that browser is not ready, so it cannot ring."


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
) -> Participant:
    talk = await talk_of(work, call)
    offers.need(work, Ability.SUPERVISE if purpose is Purpose.SUPERVISE else Ability.ADD)
    if len(await participants.live_participants(work, call.id)) >= _MOST:
        raise Conflict("A talk can have at most %(most)s other participants.", most=_MOST)
    participant_id = uuid4()
    participant = Participant(
        id=participant_id,
        call_id=call.id,
        room_id=talk.room,
        purpose=purpose.value,
        mode=mode.value,
        state=ParticipantState.RINGING.value,
        staff_id=staff.id if staff else None,
        number_sealed=await _sealed(work, call, number, participant_id) if number else None,
        role=role,
        asked_by=by.id if by else None,
        wanted_at=work.now,
    )
    work.session.add(participant)
    try:
        await work.session.flush()
    except IntegrityError:
        raise Busy("This colleague has already been asked into a talk.") from None
    if staff is not None:
        await _engage(work, staff)
    await _ring(work, call, talk, participant)
    return participant


class NotInPracticeCall(Conflict):
    default = (
        "This is a practice call: no number outside is rung. Say aloud whom you would bring in."
    )


async def _sealed(work: Work, call: Call, number: str, participant_id: UUID) -> bytes:
    """Return the sealed number of a participant. Raises Invalid for a number of our own."""
    if await lines.is_practice(work, call.line_id):
        raise NotInPracticeCall()
    if await lines.line_of_number(work, number) is not None:
        raise Invalid("That number belongs to one of our own lines. Choose another number.")
    return work.keys.seal(
        number.encode(), table="participants", column="number_sealed", row=participant_id
    )


async def _engage(work: Work, staff: Staff) -> None:
    """Keep a colleague free of calls while they help. Raises Busy, TelephoneNotReady."""
    now = await work.session.get(Presence, staff.id, populate_existing=True)
    if not telephones.is_ready(staff, now):
        raise TelephoneNotReady()
    presence = await participants.engage(work, staff.id)
    if presence.state in (PresenceState.OFFERED, PresenceState.ON_CALL):
        # A call came after we looked and before we locked.
        raise Busy()


async def _ring(work: Work, call: Call, talk: Offer, participant: Participant) -> None:
    """Add the leg of a participant, and ask for its ring."""
    leg = Leg(
        id=uuid4(),
        call_id=call.id,
        offer_id=talk.room,
        participant_id=participant.id,
        created_at=work.now,
    )
    work.session.add(leg)
    await record.record(
        work,
        call,
        CallLog.PARTICIPANT_ASKED,
        participant_id=str(participant.id),
        purpose=participant.purpose,
        mode=participant.mode,
        role=participant.role,
        counsellor_id=str(participant.staff_id) if participant.staff_id else None,
    )
    work.defer(Task.RING_PARTICIPANT, leg_id=str(leg.id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.TALKS)


async def _colleague(work: Work, talk: Offer, staff_id: UUID) -> Staff:
    """Return a colleague who can take a talk over. Raises NotFound, Busy."""
    staff = await work.session.get(Staff, staff_id)
    if staff is None or not staff.active or not may(staff.role, Permission.TAKE_CALLS):
        raise NotFound("There is no such colleague.")
    presence = await work.session.get(Presence, staff_id, populate_existing=True)
    if staff_id == talk.counsellor_id or presence is None:
        raise Busy()
    if not work.settings.abilities.can(Ability.ADD):
        # The colleague gets the call from the queue, so they must be on shift.
        if staff.endpoint_kind not in work.settings.abilities.rings:
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
) -> Participant:
    """Start a warm transfer: the caller is held while the colleague hears about the call."""
    participant = await _ask(work, by, call, Purpose.CONSULT, staff_id, number)
    await offers.set_hold(work, call, True)
    return participant


async def transfer(
    work: Work, by: Staff, call: Call, *, staff_id: UUID | None = None, number: str | None = None
) -> Participant | None:
    """Start a cold transfer: the talk goes on until the colleague is in, and then is theirs.

    If the platform cannot add a colleague, the caller goes to the front of the queue, for that
    colleague first, and the result is None.
    """
    can_add = work.settings.abilities.can(Ability.ADD)
    if not can_add and staff_id is not None and number is None:
        talk = await talk_of(work, call)
        call.preferred_id = (await _colleague(work, talk, staff_id)).id
        call.preferred_at = work.now
        await handing_over.send_back(work, call, talk, Cause.TRANSFERRED_TO_COLLEAGUE)
        return None
    return await _ask(work, by, call, Purpose.TRANSFER, staff_id, number)


async def _ask(
    work: Work, by: Staff, call: Call, purpose: Purpose, staff_id: UUID | None, number: str | None
) -> Participant:
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
    await handing_over.send_back(work, call, talk, Cause.TRANSFERRED_TO_SKILL)


async def add_third_party(work: Work, by: Staff, call: Call, number: str, role: str) -> Participant:
    """Add police, outreach or an interpreter: they press 1 and are in. Raises Invalid."""
    if role not in ROLES:
        raise Invalid("Choose who this is: %(roles)s.", roles=list(ROLES))
    return await _invite(work, by, call, Purpose.THIRD_PARTY, number=read_number(number), role=role)


async def supervise(work: Work, by: Staff, call: Call, mode: Mode) -> Participant:
    """Listen in, whisper to the counsellor, or join. If already in, change the mode."""
    talk = await talk_of(work, call)
    if talk.counsellor_id == by.id:
        raise Conflict("This is your own talk. You cannot supervise it.")
    await desk.check_supervises(work, by, call.id)
    for participant in await participants.live_participants(work, call.id):
        if participant.staff_id == by.id:
            await _set_mode(work, call, participant, mode)
            return participant
    presence = await work.session.get(Presence, by.id, populate_existing=True)
    if presence is not None and presence.state in (PresenceState.ON_CALL, PresenceState.OFFERED):
        raise Busy("You have a call of your own. End it first.")
    return await _invite(work, by, call, Purpose.SUPERVISE, staff=by, mode=mode)


async def _set_mode(work: Work, call: Call, participant: Participant, mode: Mode) -> None:
    if participant.mode != mode.value:
        participant.mode = mode.value
        await record.record(
            work,
            call,
            CallLog.PARTICIPANT_MODE,
            participant_id=str(participant.id),
            mode=mode.value,
        )
        work.announce(Topic.TALKS)
    # Tell the provider even if the row has this mode already: the provider may not know it.
    work.defer(Task.SET_PARTICIPANT_MODE, participant_id=str(participant.id))


async def panic(work: Work, by: Staff, call: Call) -> bool:
    """Ring the next supervisor into the talk, because the counsellor needs help now.

    Return whether one is there; if not, all supervisors see it on the board.
    """
    await talk_of(work, call)
    await record.record(work, call, CallLog.PANIC)
    work.announce(Topic.TALKS)
    await waking.wake_supervisors(work)
    return await _ring_next_supervisor(work, by, call)


async def _note_taken(work: Work, call: Call, staff_id: UUID) -> None:
    await record.record(work, call, CallLog.PANIC_TAKEN, taken_by=str(staff_id))
    work.announce(Topic.TALKS)


async def take_panic(work: Work, by: Staff, call: Call) -> bool:
    """Take a call for help: it disappears for the other supervisors, whose phones stop ringing.

    Return whether the supervisor comes into the talk, too: not without a telephone that can ring.
    Raises Conflict if a colleague has taken it, or if the supervisor has a call of their own.
    """
    talk = await talk_of(work, call)
    if talk.counsellor_id == by.id:
        raise Conflict("This is your own call for help.")
    if not await desk.calls_for_help(work, call.id):
        if await desk.help_taken_by(work, call.id) != by.id:
            raise PanicTaken()
        # The answer to the first click was lost, or the telephone was quicker.
        there = await participants.live_participants(work, call.id)
        return by.id in {participant.staff_id for participant in there}
    own = await offers.held_offer(work, by.id)
    if own is not None:
        raise Busy("You have a call of your own. End it first.")
    try:
        async with work.session.begin_nested():
            await supervise(work, by, call, Mode.TALK)
            comes = True
    except Conflict:
        comes = False
    await _note_taken(work, call, by.id)
    for participant in await participants.live_participants(work, call.id):
        rings = participant.state == ParticipantState.RINGING
        if rings and participant.purpose == Purpose.PANIC and participant.staff_id != by.id:
            await participants.end_participant(work, call, participant, Cause.TAKEN_BY_ANOTHER)
    return comes


async def _ring_next_supervisor(work: Work, by: Staff | None, call: Call) -> bool:
    """Ring the next supervisor and return whether one is there. A busy one is skipped."""
    talk = await offers.live_offer_of_call(work, call.id)
    if talk is None or talk.state != OfferState.CONNECTED:
        return False
    for participant in await participants.live_participants(work, call.id):
        if participant.purpose == Purpose.SUPERVISE and participant.staff_id is not None:
            # One is here already: let them be heard.
            await _set_mode(work, call, participant, Mode.TALK)
            if participant.state == ParticipantState.IN:
                await _note_taken(work, call, participant.staff_id)
            return True
    tried = select(Participant.staff_id).where(
        Participant.call_id == call.id,
        Participant.purpose == Purpose.PANIC,
        Participant.staff_id.is_not(None),
    )
    engaged = select(Participant.staff_id).where(
        Participant.state.in_(LIVE), Participant.staff_id.is_not(None)
    )
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
    await record.record(work, call, CallLog.PANIC_UNANSWERED)
    return False


# -- after the invitation ----------------------------------------------------------------


async def lock_participant(work: Work, participant_id: UUID) -> tuple[Call, Participant]:
    """Lock a participant and its call, the call first. Raises NotFound."""
    call_id = await work.session.scalar(
        select(Participant.call_id).where(Participant.id == participant_id)
    )
    if call_id is None:
        raise NotFound("There is no such participant in the talk.")
    call = await record.lock_call(work, call_id)
    participant = await work.session.get(
        Participant, participant_id, with_for_update=True, populate_existing=True
    )
    assert participant is not None
    return call, participant


async def joined(work: Work, call: Call, participant: Participant) -> None:
    """Record that a participant is in the conference. This completes a cold transfer."""
    if participant.state != ParticipantState.RINGING:
        return
    participant.state, participant.joined_at = ParticipantState.IN.value, work.now
    await record.record(
        work,
        call,
        CallLog.PARTICIPANT_JOINED,
        participant_id=str(participant.id),
        purpose=participant.purpose,
    )
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.TALKS)
    if CallState(call.state) is not CallState.CONNECTED:
        await participants.end_participant(work, call, participant, Cause.TALK_OVER)
        return
    helps = participant.purpose in (Purpose.PANIC, Purpose.SUPERVISE)
    if helps and participant.staff_id is not None and await desk.calls_for_help(work, call.id):
        await _note_taken(work, call, participant.staff_id)
    if participant.staff_id is not None:
        # Their mode may have changed while their phone rang.
        work.defer(Task.SET_PARTICIPANT_MODE, participant_id=str(participant.id))
    if participant.purpose != Purpose.TRANSFER:
        return
    talk = await offers.live_offer_of_call(work, call.id)
    if (
        talk is None
        or talk.counsellor_id != participant.asked_by
        or await _holds_another(work, participant)
    ):
        await participants.end_participant(work, call, participant, Cause.TALK_TAKEN_OVER)
    else:
        await _hand_over(work, call, participant)


async def _holds_another(work: Work, participant: Participant) -> bool:
    """Return whether a participant holds another call, and so cannot take this one too."""
    if participant.staff_id is None:
        return False
    return await offers.held_offer(work, participant.staff_id) is not None


async def gone(work: Work, call: Call, participant: Participant, cause: str) -> None:
    """End a participant who left or was not reached. The caller is not left in silence."""
    if participant.owner_offer_id is not None or participant.state not in LIVE:
        return
    await participants.end_participant(work, call, participant, cause)
    await leaving.leave_empty_room(work, call)
    if CallState(call.state) is not CallState.CONNECTED:
        return
    if call.handed_to == participant.id:
        # The caller was alone with them: back to us, to the front of the queue.
        await handing_over.come_back(work, call, Cause.OTHER_SIDE_LEFT)
        return
    if participant.purpose == Purpose.CONSULT and call.held_at is not None:
        others = await participants.live_participants(work, call.id)
        if not any(other.purpose == Purpose.CONSULT for other in others):
            await offers.set_hold(work, call, False)
    if participant.joined_at is not None or participant.staff_id is None:
        return
    if await desk.help_taken_by(work, call.id) == participant.staff_id:
        # Their phone was not reached, so help did not come: call for it again.
        await record.record(work, call, CallLog.PANIC, cause=cause)
        work.announce(Topic.TALKS)
        await _ring_next_supervisor(work, None, call)
    elif participant.purpose == Purpose.PANIC and await desk.calls_for_help(work, call.id):
        await _ring_next_supervisor(work, None, call)


async def complete(work: Work, by: Staff, call: Call, participant_id: UUID) -> None:
    """Hand the talk over; the counsellor leaves. Raises NotFound, Conflict, NotInTheTalk."""
    participant = await _participant_in(work, call, participant_id)
    if participant.purpose not in (
        Purpose.CONSULT,
        Purpose.TRANSFER,
        Purpose.PANIC,
        Purpose.SUPERVISE,
    ):
        raise Conflict("A talk cannot be handed over to a third party. Transfer the call instead.")
    await _hand_over(work, call, participant)


async def _hand_over(work: Work, call: Call, participant: Participant) -> None:
    talk = await talk_of(work, call)
    if await _holds_another(work, participant):
        raise Busy("This colleague has another call.")
    if participant.staff_id is not None:
        await handing_over.hand_over(work, call, talk, participant)
    else:
        await handing_over.hand_outside(work, call, talk, participant)


async def together(work: Work, call: Call) -> None:
    """Resume the caller for a three-way talk. Raises Conflict."""
    await talk_of(work, call)
    await offers.set_hold(work, call, False)


async def drop(work: Work, by: Staff, call: Call, participant_id: UUID) -> None:
    """Drop one participant; the others go on. Raises NotFound, NotAllowed."""
    participant = await _participant(work, call, participant_id)
    talk = await offers.live_offer_of_call(work, call.id)
    owner = talk is not None and talk.counsellor_id == by.id
    if participant.purpose == Purpose.SUPERVISE and participant.staff_id != by.id:
        raise NotAllowed("You cannot drop a supervisor. They leave by their own choice.")
    if not owner and participant.staff_id != by.id and not may(by.role, Permission.SUPERVISE):
        raise NotAllowed("Only the counsellor who has the talk can drop a participant from it.")
    await gone(work, call, participant, Cause.DROPPED)


async def _participant(work: Work, call: Call, participant_id: UUID) -> Participant:
    participant = await work.session.get(
        Participant, participant_id, with_for_update=True, populate_existing=True
    )
    if participant is None or participant.call_id != call.id or participant.state not in LIVE:
        raise NotFound("There is no such participant in the talk.")
    return participant


async def _participant_in(work: Work, call: Call, participant_id: UUID) -> Participant:
    participant = await _participant(work, call, participant_id)
    if participant.state != ParticipantState.IN:
        raise NotInTheTalk()
    return participant
