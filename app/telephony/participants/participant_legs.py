"""Participants besides caller and counsellor, as their legs and the conference report them."""

from sqlalchemy import select

from app.abilities import EndpointKind
from app.calls.labels import OtherLabel, participant_of
from app.calls.lines import finding_lines
from app.calls.log_kinds import Cause, of_leg
from app.calls.models import Call, Leg
from app.calls.states import LegStatus, read_leg_status
from app.routing import lost_counsellor, offers
from app.routing.models import Offer
from app.routing.participants import actions, participant_second_phone
from app.routing.participants.participants import Mode, Participant, label_of
from app.staff.models import Staff
from app.work import Work

# SIP response codes from here on are failures (RFC 3261, 21).
_SIP_ERROR = 400


async def counsellor_sid(work: Work, call: Call) -> str | None:
    """Return the leg id of the counsellor who has the talk, to which a whisper goes."""
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is None:
        return None
    owner = await work.session.scalar(
        select(Participant.id).where(Participant.owner_offer_id == offer.id)
    )
    found: str | None = await work.session.scalar(
        select(Leg.provider_sid).where(
            Leg.offer_id == offer.id,
            Leg.ended_at.is_(None),
            ~Leg.end_wanted,
            Leg.provider_sid.is_not(None),
            Leg.participant_id.is_not_distinct_from(owner),
        )
    )
    return found


def is_muted(participant: Participant, coach: str | None) -> bool:
    """Return whether a participant is muted: a listener, or a whisper with no leg to hear it."""
    return participant.mode == Mode.LISTEN or (participant.mode == Mode.WHISPER and coach is None)


async def answered(work: Work, leg: Leg) -> None:
    """Note that a participant's leg was answered: a colleague who did so in the browser is not
    rung at their second phone any more."""
    if leg.second or leg.end_wanted:
        return
    participant = await work.session.get(Participant, leg.participant_id, with_for_update=True)
    if participant is not None:
        await participant_second_phone.taken_in_browser(work, participant)


async def leg_over(work: Work, call: Call, leg: Leg, status: LegStatus) -> None:
    """Handle the end of a participant's leg."""
    assert leg.participant_id is not None
    participant = await work.session.get(Participant, leg.participant_id, with_for_update=True)
    assert participant is not None
    if await participant_second_phone.leg_over(work, call, participant, leg, of_leg(status)):
        return
    if participant.owner_offer_id is not None:
        offer = await work.session.get(Offer, participant.owner_offer_id, with_for_update=True)
        if offer is not None and offer.released_at is None and offer.finished_at is None:
            died = await line_died(work, offer, leg)
            await lost_counsellor.counsellor_left(work, call, offer, of_leg(status), died=died)
        return
    await actions.gone(work, call, participant, of_leg(status))


async def line_died(work: Work, offer: Offer, leg: Leg) -> bool:
    """Return whether a leg that is over was cut off.

    A person who hangs up a phone ends the leg as completed, with no SIP error. A counsellor at a
    browser ends the talk with a button; any other end of that leg means that the line was lost.
    """
    status = read_leg_status(leg.status)
    if status is not LegStatus.COMPLETED or (leg.sip_code or 200) >= _SIP_ERROR:
        return True
    if leg.second:
        return False
    kind = await work.session.scalar(
        select(Staff.endpoint_kind).where(Staff.id == offer.counsellor_id)
    )
    return kind not in (EndpointKind.PHONE, EndpointKind.SIP)


async def joined_or_left(work: Work, call: Call, label: OtherLabel, present: bool) -> None:
    """Note that a participant has joined or left the conference."""
    participant_id = participant_of(label)
    if participant_id is None:
        return
    participant = await work.session.get(Participant, participant_id, with_for_update=True)
    if participant is None or participant.call_id != call.id:
        return
    if present and label == label_of(participant, second=False):
        # If a key was pressed at the phone first, the leg of the browser is being ended.
        await participant_second_phone.taken_in_browser(work, participant)
    if label != label_of(participant):
        return
    if present:
        await actions.joined(work, call, participant)
    elif participant.joined_at is not None and participant.owner_offer_id is None:
        await actions.gone(work, call, participant, Cause.LEFT_CONFERENCE)


def address_of_staff(staff: Staff, leg: Leg) -> str:
    """Return where a leg rings a person: at their second phone, if the leg is `second`."""
    return (staff.second_phone if leg.second else staff.endpoint) or f"client:{staff.identity}"


async def address_of(work: Work, participant: Participant, leg: Leg) -> tuple[str, str]:
    """Return the address at which a leg rings a participant, and the number that is shown."""
    call = await work.session.get(Call, participant.call_id)
    line = await finding_lines.line_or_any(work, call.line_id if call else None)
    if participant.staff_id is not None:
        staff = await work.session.get(Staff, participant.staff_id)
        assert staff is not None
        to = address_of_staff(staff, leg)
    else:
        assert participant.number_sealed is not None
        to = work.keys.open(
            participant.number_sealed,
            table="participants",
            column="number_sealed",
            row=participant.id,
        ).decode()
    return to, line.shown_number if line else ""
