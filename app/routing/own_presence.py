"""A counsellor's own choice of presence, on the desk or by phone."""

from uuid import UUID

from sqlalchemy import update

from app.calls import platform
from app.calls.log_kinds import Cause
from app.errors import Conflict, Invalid
from app.routing import lost_counsellor, offers_held, telephones
from app.routing import presence as presences
from app.routing.models import CHOICES, Offer, OfferState, Presence, PresenceState
from app.routing.offers import decline_offer, lock_offer, offer_in_hand
from app.routing.participants import participants
from app.staff import session_tokens
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.staff.sessions import has_open_page
from app.work import PROGRAM, Work


async def choose_presence(work: Work, staff: Staff, choice: PresenceState) -> Presence:
    """Set the state that a counsellor chose. It declines an open offer and keeps a live call."""
    held = await offer_in_hand(work, staff.id)
    if held is not None and held.state == OfferState.OPEN and choice is not PresenceState.AVAILABLE:
        call, offer = await lock_offer(work, held.id)
        if offer.state == OfferState.OPEN:
            await decline_offer(work, call, offer, by=Cause.OWN_CHOICE)
    if choice is not PresenceState.AVAILABLE:
        await _decline_conversations(work, staff)
    rung = platform.rings(work.settings, staff.endpoint_kind) or staff.chats_at_once > 0
    if choice is PresenceState.AVAILABLE and not rung and not may(staff.role, Permission.SUPERVISE):
        raise Conflict(telephones.why_no_browser(work.settings))
    presence = await presences.lock_presence(work, staff.id)
    if presence.cause == participants.HELPING and await participants.helps(work, staff.id):
        # They help in a colleague's talk, so the choice counts afterwards.
        presence.heartbeat_at = work.now
        presence.after_call = None if choice is PresenceState.AVAILABLE else choice.value
        return presence
    if presence.state == PresenceState.OFFERED:
        presence.heartbeat_at = work.now
        if choice is not PresenceState.AVAILABLE:
            # An offer came after we looked and before we locked. Let it expire at once; then the
            # counsellor gets the state that they chose.
            presence.after_call = choice.value
            await work.session.execute(
                update(Offer)
                .where(Offer.counsellor_id == staff.id, Offer.state == OfferState.OPEN)
                .values(expires_at=work.now)
                .execution_options(synchronize_session=False)
            )
        return presence
    await presences.choose(work, presence, choice)
    return presence


async def _decline_conversations(work: Work, staff: Staff) -> None:
    """Decline the conversations that are offered to a counsellor who wants no more."""
    found = [
        await lock_offer(work, offer_id)
        for offer_id in await offers_held.conversations(work, staff.id)
    ]
    for call, offer in found:
        if offer.state == OfferState.OPEN:
            await decline_offer(work, call, offer, by=Cause.OWN_CHOICE)


async def sign_out(work: Work, staff: Staff, token: str) -> None:
    """End a person's session. One who takes calls goes off duty.

    A call by phone goes on; children who write with them go to a colleague, because without a
    page no counsellor reads what they write.
    """
    await session_tokens.close_session(work, token)
    await leave_desk(work, staff)


async def leave_desk(work: Work, staff: Staff) -> None:
    """Set a person whose session has ended off duty, and give their conversations to colleagues."""
    if may(staff.role, Permission.TAKE_CALLS):
        await choose_presence(work, staff, PresenceState.OFF_DUTY)
        await lost_counsellor.give_back_conversations(work, staff.id, Cause.OWN_CHOICE)


async def page_taken(work: Work, staff_id: UUID, session: bytes | None = None) -> None:
    """Let a person leave the desk in whose page another one has signed in: no child may wait for
    them there. With another page open they stay. `session`: that of the page, if it goes on."""
    if await has_open_page(work, staff_id, but=session):
        return
    acting, work.actor = work.actor, PROGRAM
    await leave_desk(work, await work.session.get_one(Staff, staff_id))
    work.actor = acting


async def page_taken_in_talk(work: Work, staff_id: UUID, session: bytes) -> None:
    """Let the talk in a page be the last thing in it: another person has signed in there."""
    await page_taken(work, staff_id, session)
    await telephones.give_up(work, staff_id, session)
    await session_tokens.end_after_work(work, session)


async def end_wrap_up(work: Work, staff: Staff) -> None:
    """End wrap-up early: the counsellor is available, unless they chose another state."""
    presence = await presences.lock_presence(work, staff.id)
    if presence.state == PresenceState.WRAP_UP and presence.after_call is None:
        await presences.choose(work, presence, PresenceState.AVAILABLE)


async def choose_presence_by_name(work: Work, staff: Staff, state: str) -> None:
    """Set a counsellor's state by its name. Raises Invalid for a state that cannot be chosen."""
    if state not in CHOICES:
        raise Invalid(
            "A counsellor can choose %(choices)s. The program sets the other states.",
            choices=list(CHOICES),
        )
    await choose_presence(work, staff, PresenceState(state))
