"""The telephone in a counsellor's page: whose it is, whether it is ready, and what follows.

A browser is offered calls only while its telephone is ready. One page at a time has the telephone:
the one that asked for it last. What another page reports is not counted.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, update

from app.calls import platform
from app.calls.log_kinds import Cause
from app.calls.models import Call, Leg
from app.calls.states import CallState
from app.database.topics import Topic
from app.routing import lost_counsellor, offers, second_phone
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, Presence, PresenceState, TelephoneState
from app.routing.participants import participant_second_phone
from app.routing.participants.participants import LIVE, Participant, ParticipantPurpose
from app.routing.telephone_state import may_ring, state_now, state_of
from app.settings import Settings
from app.staff.models import Staff
from app.staff.sessions import current_key
from app.words.pages import N_
from app.work import Work

WORDS = {
    TelephoneState.OFF: N_("the page with the telephone is closed"),
    TelephoneState.ASKING: N_("the browser is asking for the microphone"),
    TelephoneState.READY: N_("ready"),
    TelephoneState.RINGING: N_("ringing"),
    TelephoneState.TALKING: N_("in a talk"),
    TelephoneState.RECONNECTING: N_("the connection to the telephone exchange is interrupted"),
    TelephoneState.NO_MICROPHONE: N_("there is no microphone, or the browser may not use it"),
    TelephoneState.ELSEWHERE: N_("another page has the telephone"),
    TelephoneState.FAILED: N_("the telephone could not be connected"),
}


# States in which the telephone belongs to no page, so the next page that reports has it.
_FREE = (TelephoneState.OFF, TelephoneState.NO_MICROPHONE, TelephoneState.FAILED)


def seen_since(work: Work) -> datetime:
    """Return since when a page must have been heard to count as open."""
    return work.now - timedelta(seconds=work.settings.heartbeat_seconds)


def can_write(seen: Any) -> ColumnElement[bool]:
    """Return the condition that a counsellor can be offered a written conversation, for a query of
    both: it needs no telephone, but a page that is open. `seen`: see `seen_since`."""
    return func.coalesce(
        and_(
            Staff.chats_at_once > 0,
            Presence.state.in_((PresenceState.AVAILABLE, PresenceState.WRITING)),
            Presence.heartbeat_at >= seen,
        ),
        false(),
    )


async def claim(work: Work, staff: Staff, page: str, session: bytes | None = None) -> None:
    """Give the telephone to a page. If the same browser had it in a talk, that line is lost.

    `page` is `BROWSER:LOAD`: a browser that loads its page again is the same browser. `session`:
    the key of its session.
    """
    call, offer = _talk(*await _held(work, staff.id))
    presence = await presences.lock_presence(work, staff.id)
    before, presence.telephone_page = presence.telephone_page, page
    await _note_session(work, presence, session)
    if before == page:
        return
    _set(work, presence, TelephoneState.ASKING)
    same_browser = before is not None and before.partition(":")[0] == page.partition(":")[0]
    if call is not None and offer is not None and same_browser and _is_in_page(offer):
        await lost_counsellor.counsellor_left(work, call, offer, Cause.PAGE_LOADED_AGAIN, died=True)


async def report(
    work: Work, staff: Staff, page: str, state: TelephoneState, session: bytes | None = None
) -> bool:
    """Note what a page says of its telephone. Return False if another page has the telephone."""
    held, offered = await _held(work, staff.id)
    if state in second_phone.GONE and await _has_page(work, staff.id, page):
        await participant_second_phone.page_gone(work, staff.id)
    call, offer = _talk(held, offered)
    presence = await presences.lock_presence(work, staff.id)
    if presence.telephone_page != page:
        if await _is_kept(work, presence, state, offer):
            return False
        presence.telephone_page = page
    await _note_session(work, presence, session)
    _set(work, presence, state)
    if state is TelephoneState.READY and call is not None and offer is not None:
        await lost_counsellor.ring_page_again(work, offer)
    if state in second_phone.GONE and held is not None and offered is not None:
        await second_phone.page_gone(work, held, offered, state)
    return True


async def _is_kept(
    work: Work, presence: Presence, state: TelephoneState, talk: Offer | None
) -> bool:
    """Return whether the page that has the telephone keeps it when another one reports a state.

    One that was signed out keeps it until another is ready, since its person may sign in again
    there; and while its talk goes on.
    """
    if presence.telephone_page is None or presence.telephone in _FREE:
        return False
    if state is not TelephoneState.READY or (talk is not None and _is_in_page(talk)):
        return True
    return await state_of(work, presence) is not TelephoneState.OFF


def _is_in_page(talk: Offer) -> bool:
    return talk.lost_at is None and talk.second_at is None


async def pass_on(work: Work, staff_id: UUID, former: bytes, session: bytes) -> None:
    """Let a new session have the telephone that another one of the same browser had."""
    passed = await work.session.scalar(
        update(Presence)
        .where(Presence.counsellor_id == staff_id, Presence.telephone_session == former)
        .values(telephone_session=session)
        .returning(Presence.counsellor_id)
    )
    if passed is not None:
        work.announce(Topic.QUEUE)


async def give_up(work: Work, staff_id: UUID, session: bytes) -> None:
    """Let no further call ring in the page of a session. The talk in it goes on."""
    # The key of no cookie.
    no_session = work.keys.session_key(session.hex())
    await work.session.execute(
        update(Presence)
        .where(Presence.counsellor_id == staff_id, Presence.telephone_session == session)
        .values(telephone_session=no_session)
    )
    work.announce(Topic.PRESENCE, Topic.PRESENCE.of(staff_id), Topic.QUEUE)


async def other_who_talks(work: Work, staff_id: UUID, session: bytes) -> UUID | None:
    """Return whose the telephone of a session is, if it is another person's who is in a talk there.

    A talk at their second telephone needs no page, and one that was lost cannot be brought back
    into this one: what it asks for is another person's.
    """
    talks = exists().where(
        Offer.counsellor_id == Presence.counsellor_id,
        Offer.state == OfferState.CONNECTED,
        Offer.released_at.is_(None),
        Offer.slot.is_(None),
        Offer.lost_at.is_(None),
        Offer.second_at.is_(None),
    )
    takes_part = exists().where(
        Participant.staff_id == Presence.counsellor_id,
        Participant.state.in_(LIVE),
        Participant.second_at.is_(None),
    )
    found: UUID | None = await work.session.scalar(
        select(Presence.counsellor_id).where(
            Presence.telephone_session == session,
            Presence.counsellor_id != staff_id,
            or_(talks, takes_part),
        )
    )
    return found


async def _note_session(work: Work, presence: Presence, session: bytes | None) -> None:
    """Note the session of the page: its person may have signed in again there. The request may have
    begun before a proof, which passes the telephone on, too."""
    if presence.telephone_session == session:
        return
    if session is not None:
        session = await current_key(work, session)
    if presence.telephone_session != session:
        presence.telephone_session = session
        work.announce(Topic.QUEUE)


def _set(work: Work, presence: Presence, state: TelephoneState) -> None:
    if presence.telephone == state:
        return
    presence.telephone, presence.telephone_at = state.value, work.now
    work.announce(Topic.PRESENCE, Topic.PRESENCE.of(presence.counsellor_id), Topic.QUEUE)


async def _has_page(work: Work, staff_id: UUID, page: str) -> bool:
    """Return whether a person's telephone is in this page."""
    found = await work.session.scalar(
        select(Presence.telephone_page).where(Presence.counsellor_id == staff_id)
    )
    return found == page


async def _held(work: Work, staff_id: UUID) -> tuple[Call, Offer] | tuple[None, None]:
    """Lock the call that a counsellor has or is offered, if there is one: before the presence, as
    everywhere."""
    held = await offers.offer_in_hand(work, staff_id)
    if held is None:
        return None, None
    call, offer = await offers.lock_offer(work, held.id)
    return (None, None) if offer.released_at is not None else (call, offer)


def _talk(call: Call | None, offer: Offer | None) -> tuple[Call, Offer] | tuple[None, None]:
    """Return what a counsellor holds if it is a talk."""
    if call is None or offer is None or offer.state != OfferState.CONNECTED:
        return None, None
    return (call, offer) if CallState(call.state) is CallState.CONNECTED else (None, None)


class Invitation(NamedTuple):
    """What a page is told about a leg that rings it."""

    # The leg is for this person, and still wanted.
    own: bool
    # They asked for it themselves, so the page answers without another click.
    accept: bool
    words: str = ""
    # The call whose counsellor needs help: the page calls for help in one way with its red bar.
    call_for_help: UUID | None = None


async def invitation(work: Work, staff: Staff, page: str, sid: str) -> Invitation:
    """Say whether a leg at the provider is for this person, and why it rings."""
    presence = await work.session.get(Presence, staff.id)
    if presence is None or presence.telephone_page != page:
        return Invitation(False, False)
    leg = await work.session.scalar(
        select(Leg).where(Leg.provider_sid == sid, Leg.ended_at.is_(None), ~Leg.end_wanted)
    )
    if leg is None:
        return Invitation(False, False)
    if leg.participant_id is not None:
        participant = await work.session.get(Participant, leg.participant_id)
        if participant is None or participant.staff_id != staff.id or participant.state not in LIVE:
            return Invitation(False, False)
        if (
            participant.owner_offer_id is not None
            or participant.purpose == ParticipantPurpose.SUPERVISE
        ):
            return Invitation(True, True)
        purpose = ParticipantPurpose(participant.purpose)
        words = _ASKED.get(purpose, N_("A colleague asks you into a talk"))
        call_for_help = participant.call_id if purpose is ParticipantPurpose.CALL_FOR_HELP else None
        return Invitation(True, False, words, call_for_help)
    offer = await work.session.get(Offer, leg.offer_id)
    mine = offer is not None and offer.counsellor_id == staff.id and offer.released_at is None
    return Invitation(mine, mine)


_ASKED = {
    ParticipantPurpose.CALL_FOR_HELP: N_("A counsellor needs a supervisor now"),
    ParticipantPurpose.CONSULT: N_(
        "A colleague wants to hand a talk over to you, and speaks with you first"
    ),
    ParticipantPurpose.TRANSFER: N_("A colleague hands a talk over to you"),
}


async def not_ready(work: Work) -> list[tuple[str, str]]:
    """Return who is available without a telephone that can ring, and why; for supervisors."""
    rows = await work.session.execute(
        select(Staff.name, state_now())
        .join(Presence, Presence.counsellor_id == Staff.id)
        .where(Staff.active, Presence.state == PresenceState.AVAILABLE, ~may_ring())
        .order_by(Staff.name)
    )
    return [(name, WORDS[TelephoneState(state)]) for name, state in rows]


def why_no_browser(settings: Settings) -> str:
    """Return why no call can reach a browser here, and what to do."""
    if platform.could_ring_browsers(settings):
        return N_(
            "No API key of the telephony provider is set (HELPLINE_TWILIO_API_KEY_SID and "
            "_SECRET), so a browser cannot be a telephone. Ask your administrator to set it, or "
            "to give you a phone number or a SIP address."
        )
    return N_(
        "Your telephony platform cannot ring a browser. Ask your administrator to give you a "
        "phone number or a SIP address."
    )
