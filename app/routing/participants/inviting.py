"""Ask another person into a talk: a colleague, a number outside, or a skill by way of the queue.

The calling function has locked the call; the rows are committed before the provider is told. If a
colleague cannot be reached, nothing changes.
"""

from uuid import UUID, uuid4

from sqlalchemy.exc import IntegrityError

from app.abilities import Ability
from app.calls import platform, record
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call
from app.calls.states import CallState
from app.database.topics import Topic
from app.dialling import outward
from app.dialling.models import DialledFor
from app.errors import Conflict, Invalid, NotFound
from app.jobs.names import Task
from app.routing import handing_over, offers, offers_held, sound, telephone_state
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.routing.participants import participants
from app.routing.participants.participants import (
    RINGS,
    ROLES,
    Mode,
    Participant,
    ParticipantPurpose,
    ParticipantState,
)
from app.routing.plan import check_skills
from app.routing.rota import roster
from app.staff import receiving
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work

# The most participants of one talk, besides caller and counsellor.
_MOST = 6


class Busy(Conflict):
    default = "This colleague is not free: in a talk, away, or off duty."


class AlreadyAsked(Busy):
    default = "This colleague has already been asked into a talk."


class TelephoneNotReady(Busy):
    default = "The telephone in that browser is not ready, so it cannot ring."


class NotInPracticeCall(Conflict):
    default = (
        "This is a practice call: no number outside is rung. Say aloud whom you would bring in."
    )


async def talk_of(work: Work, call: Call) -> Offer:
    """Return the offer of a connected call. Raises Conflict if the call is not connected."""
    offer = await offers.live_offer_of_call(work, call.id)
    connected = CallState(call.state) is CallState.CONNECTED
    if offer is None or not connected or offer.state != OfferState.CONNECTED:
        raise Conflict("This can only be done while the call is connected.")
    return offer


async def invite(
    work: Work,
    by: Staff | None,
    call: Call,
    purpose: ParticipantPurpose,
    *,
    staff: Staff | None = None,
    number: str | None = None,
    role: str | None = None,
    mode: Mode = Mode.TALK,
) -> Participant:
    """Ask a person into a talk and ring them. Raises Conflict, Busy, TelephoneNotReady, Invalid."""
    talk = await talk_of(work, call)
    sound.need_voice(call)
    platform.need(
        work, Ability.SUPERVISE if purpose is ParticipantPurpose.SUPERVISE else Ability.ADD
    )
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
        second_due_at=await offers.second_due(work, call, staff, RINGS) if staff else None,
    )
    if number is not None and by is not None:
        await outward.count_for_person(
            work, by.id, participant_id, number, DialledFor.PARTICIPANT, danger=call.danger
        )
    work.session.add(participant)
    try:
        await work.session.flush()
    except IntegrityError:
        raise AlreadyAsked() from None
    if staff is not None:
        await _engage(work, staff)
    await _ring(work, call, participant)
    return participant


async def _sealed(work: Work, call: Call, number: str, participant_id: UUID) -> bytes:
    """Return the sealed number of a participant. Raises Invalid for a number of our own."""
    if await finding_lines.is_practice(work, call.line_id):
        raise NotInPracticeCall()
    if await finding_lines.line_of_number(work, number) is not None:
        raise Invalid("That number belongs to one of our own lines. Choose another number.")
    return work.keys.seal(
        number.encode(), table="participants", column="number_sealed", row=participant_id
    )


async def _engage(work: Work, staff: Staff) -> None:
    """Keep a colleague free of calls while they help. Raises Busy, TelephoneNotReady."""
    now = await work.session.get(Presence, staff.id, populate_existing=True)
    if not await telephone_state.is_ready(work, staff, now):
        raise TelephoneNotReady()
    presence = await participants.engage(work, staff.id)
    if presence.state in offers_held.BUSY:
        # A call came after we looked and before we locked.
        raise Busy()


async def _ring(work: Work, call: Call, participant: Participant) -> None:
    """Add the leg of a participant, and ask for its ring."""
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
    offers.want_leg(work, participant, Task.RING_PARTICIPANT)
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.TALKS)


async def _account(work: Work, staff_id: UUID) -> Staff:
    """Return the account of a colleague who takes calls. Raises NotFound, and Busy if it is being
    changed right now: a person who leaves holds it, and waits for the call that is locked here."""
    staff = await receiving.receiver_by_id(work, staff_id, waits=False)
    known = staff or await work.session.get(Staff, staff_id, populate_existing=True)
    if known is None or not known.active or not may(known.role, Permission.TAKE_CALLS):
        raise NotFound("There is no such colleague.")
    if staff is None:
        raise Busy()
    return staff


async def _writer(work: Work, talk: Offer, staff_id: UUID) -> Staff:
    """Return a colleague who can take a written conversation over. Raises NotFound, Busy."""
    staff = await _account(work, staff_id)
    presence = await work.session.get(Presence, staff_id, populate_existing=True)
    now = await offers_held.in_hand(work, staff_id)
    there = (PresenceState.AVAILABLE, PresenceState.WRITING, PresenceState.WRAP_UP)
    full = len(now.slots) >= staff.chats_at_once
    if staff_id == talk.counsellor_id or presence is None or presence.state not in there or full:
        raise Busy("This colleague has no room for one more conversation, or is not there.")
    if staff_id not in await roster.on_shift(work):
        raise Busy("This colleague is not on shift.")
    return staff


async def _colleague(work: Work, talk: Offer, staff_id: UUID) -> Staff:
    """Return a colleague who can take a talk over. Raises NotFound, Busy."""
    staff = await _account(work, staff_id)
    presence = await work.session.get(Presence, staff_id, populate_existing=True)
    if staff_id == talk.counsellor_id or presence is None:
        raise Busy()
    if not platform.adds_participants(work):
        # The colleague gets the call from the queue, so they must be on shift.
        if not platform.rings(work.settings, staff.endpoint_kind):
            raise Busy("A browser cannot be rung here. Choose a colleague with a phone.")
        if staff_id not in await roster.on_shift(work):
            raise Busy("This colleague is not on shift.")
    if presence.state not in (PresenceState.AVAILABLE, PresenceState.WRAP_UP):
        raise Busy()
    return staff


async def consult(
    work: Work, by: Staff, call: Call, *, staff_id: UUID | None = None, number: str | None = None
) -> Participant:
    """Start a warm transfer: the caller is held while the colleague hears about the call."""
    participant = await _ask(work, by, call, ParticipantPurpose.CONSULT, staff_id, number)
    await sound.set_hold(work, call, True)
    return participant


async def transfer(
    work: Work, by: Staff, call: Call, *, staff_id: UUID | None = None, number: str | None = None
) -> Participant | None:
    """Start a cold transfer: the talk goes on until the colleague is in, and then is theirs.

    If the platform cannot add a colleague, the caller goes to the front of the queue, for that
    colleague first, and the result is None.
    """
    if call.is_written:
        talk = await talk_of(work, call)
        if staff_id is None or number is not None:
            raise Invalid("A written conversation can go to a colleague or a skill only.")
        call.preferred_id = (await _writer(work, talk, staff_id)).id
        call.preferred_at = work.now
        await handing_over.send_back(work, call, talk, Cause.TRANSFERRED_TO_COLLEAGUE)
        return None
    can_add = platform.adds_participants(work)
    if not can_add and staff_id is not None and number is None:
        talk = await talk_of(work, call)
        call.preferred_id = (await _colleague(work, talk, staff_id)).id
        call.preferred_at = work.now
        await handing_over.send_back(work, call, talk, Cause.TRANSFERRED_TO_COLLEAGUE)
        return None
    return await _ask(work, by, call, ParticipantPurpose.TRANSFER, staff_id, number)


async def _ask(
    work: Work,
    by: Staff,
    call: Call,
    purpose: ParticipantPurpose,
    staff_id: UUID | None,
    number: str | None,
) -> Participant:
    talk = await talk_of(work, call)
    if (staff_id is None) == (number is None):
        raise Invalid("Choose a colleague or write a number, but not both.")
    if staff_id is not None:
        staff = await _colleague(work, talk, staff_id)
        return await invite(work, by, call, purpose, staff=staff)
    return await invite(
        work, by, call, purpose, number=await outward.read_number(work, number or ""), role="other"
    )


async def to_skill(work: Work, call: Call, skills: list[str]) -> None:
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
    valid = await outward.read_number(work, number)
    return await invite(work, by, call, ParticipantPurpose.THIRD_PARTY, number=valid, role=role)
