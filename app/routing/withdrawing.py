"""Take a person out of the work on calls at once: offers, talks, presence.

A child is never hung up on: a talk goes on as if the counsellor's line were lost for good, to a
colleague who is in it, or to the front of the queue.
"""

from sqlalchemy import select, update

from app.calls import record
from app.calls.log_kinds import Cause
from app.calls.models import Call
from app.database.topics import Topic
from app.routing import lost_counsellor, offers, releasing
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, PresenceState, TelephoneState
from app.routing.participants import participants
from app.routing.participants.participants import LIVE, Participant, ParticipantPurpose
from app.staff.models import Staff
from app.work import Work


async def take_out(work: Work, staff: Staff) -> None:
    """End all that a person has to do with calls, and set them off duty. May run twice."""
    await _leave_own_call(work, staff)
    await lost_counsellor.give_back_conversations(work, staff.id, Cause.ACCOUNT_CHANGED)
    await leave_others(work, staff)
    presence = await presences.lock_presence(work, staff.id)
    presence.missed, presence.warned_at = 0, None
    presence.telephone, presence.telephone_at = TelephoneState.OFF.value, work.now
    presence.telephone_page = presence.telephone_session = None
    if presence.state == PresenceState.OFFERED:
        # An offer came after we looked and before we locked: it expires at once.
        presence.after_call = PresenceState.OFF_DUTY.value
        await work.session.execute(
            update(Offer)
            .where(Offer.counsellor_id == staff.id, Offer.state == OfferState.OPEN)
            .values(expires_at=work.now)
            .execution_options(synchronize_session=False)
        )
    else:
        presence.after_call = None
        await presences.set_presence(work, presence, PresenceState.OFF_DUTY, Cause.ACCOUNT_CHANGED)
    work.announce(Topic.OFFERS.of(staff.id), Topic.PRESENCE.of(staff.id), Topic.QUEUE)


async def _leave_own_call(work: Work, staff: Staff) -> None:
    """Give back what rings at a person, and let a talk go on without them."""
    held = await offers.offer_in_hand(work, staff.id)
    if held is None:
        return
    call, offer = await offers.lock_offer(work, held.id)
    if offer.released_at is not None:
        return
    if offer.state == OfferState.OPEN:
        await offers.decline_offer(work, call, offer, by=Cause.ACCOUNT_CHANGED)
    elif call.rings_only_id is not None:
        # The scripted child of a practice call rings no other person.
        await releasing.hang_up(work, call)
    else:
        await lost_counsellor.lose_counsellor(work, call, offer, Cause.ACCOUNT_CHANGED)


async def leave_others(work: Work, staff: Staff, *purposes: ParticipantPurpose) -> None:
    """Take a person out of the talks of colleagues; with `purposes`, out of those only."""
    which = select(Participant.id, Participant.call_id).where(
        Participant.staff_id == staff.id,
        Participant.state.in_(LIVE),
        Participant.owner_offer_id.is_(None),
    )
    if purposes:
        which = which.where(Participant.purpose.in_(purposes))
    for participant_id, call_id in (await work.session.execute(which)).all():
        call: Call = await record.lock_call(work, call_id)
        participant = await work.session.get(Participant, participant_id, populate_existing=True)
        if participant is not None:
            await participants.end_participant(work, call, participant, Cause.ACCOUNT_CHANGED)
