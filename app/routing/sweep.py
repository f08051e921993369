"""The sweep: a safety net that runs once a second and does what is due.

It is not how things usually happen, except for time limits: of offers, of
wrap-up, of silence. The limits are stored in rows, so they survive a restart.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    and_,
    bindparam,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
    update,
)

from app.abilities import EndpointKind
from app.calls import platform, record
from app.calls.log_kinds import CallLog, Cause
from app.calls.models import Call
from app.calls.states import CallState, Channel
from app.database.quick import Question
from app.database.topics import Topic
from app.jobs.names import Task
from app.jobs.transaction import run_verb
from app.routing import lost_counsellor, offers, offers_held, queue, second_phone
from app.routing import presence as presences
from app.routing.models import Offer, OfferState, Presence, PresenceState
from app.routing.participants import actions, participant_second_phone
from app.routing.participants.participants import Participant, ParticipantState
from app.routing.rota.models import ShiftRow
from app.routing.rota.shifts import Layer
from app.settings import Settings
from app.staff.models import Staff
from app.work import PROGRAM, Ground, Work

_AT_MOST = 500
# How long the provider may take to say whether caller and counsellor are connected.
_ANSWER_TIME = timedelta(seconds=5)
_UNSEEN = timedelta(seconds=5)
# A talk is carried over to new legs this long before the platform would end its leg.
CARRIED_BEFORE = timedelta(minutes=10)
# A presence that claims a call but holds none is reset after this time.
_STUCK = timedelta(seconds=30)
# Without a report within this time that both are in, the provider is asked again and again.
_TOLD_WITHIN = timedelta(seconds=5)
_LOOKS_EVERY = timedelta(seconds=4)


class Due(StrEnum):
    """What is due about a row: an offer, a participant, a presence, or a call."""

    OFFER = "offer"
    SECOND = "second"
    ASKED_SECOND = "asked_second"
    WRAP_UP = "wrap_up"
    STALE = "stale"
    SILENT = "silent"
    STUCK = "stuck"
    GRACE = "grace"
    CARRY = "carry"
    UNPROVEN = "unproven"
    PAGE_LOST = "page_lost"
    CHILD_GONE = "child_gone"
    # About no row.
    MATCH = "match"


# What is done about a row in a transaction of its own.
Verb = Callable[[Work, UUID], Awaitable[None]]


async def sweep(ground: Ground, end_away: Verb) -> int:
    """Do everything that is due, then match. Return how many items were due.

    `end_away`: ends the conversation of a child who is gone. What it wrote is kept by an area
    above this one.
    """
    due = await find_due(ground)
    if not due:
        return 0
    verbs = verbs_of(end_away)
    for kind, row_id in due:
        if kind is Due.MATCH:
            continue
        await run_verb(ground, PROGRAM, _on(row_id, verbs[kind]))
    await queue.match(ground)
    return len(due)


def verbs_of(end_away: Verb) -> dict[Due, Verb]:
    """Return what is done about a row of each kind."""
    return {
        Due.OFFER: _end_late_offer,
        Due.SECOND: _ring_second,
        Due.ASKED_SECOND: _ring_asked,
        Due.WRAP_UP: _end_wrap_up,
        Due.STALE: _set_away,
        Due.SILENT: _ask_the_provider,
        Due.STUCK: _free_stuck,
        Due.GRACE: _end_grace,
        Due.CARRY: _carry_over,
        Due.UNPROVEN: _look_at_talk,
        Due.PAGE_LOST: _give_back,
        Due.CHILD_GONE: end_away,
    }


def _on(row_id: UUID, verb: Verb) -> Callable[[Work], Awaitable[None]]:
    return lambda work: verb(work, row_id)


# Built once: it runs every second.
_NOW: BindParameter[datetime] = bindparam("now")
_SILENT: BindParameter[datetime] = bindparam("silent")
_QUIET: BindParameter[datetime] = bindparam("quiet")
_STALE: BindParameter[datetime] = bindparam("stale")
_STUCK_SINCE: BindParameter[datetime] = bindparam("stuck_since")
_LOST: BindParameter[datetime] = bindparam("lost")
_CARRIED: BindParameter[datetime] = bindparam("carried")
_TAKEN: BindParameter[datetime] = bindparam("taken")
_PAGE_LOST: BindParameter[datetime] = bindparam("page_lost")
_UNHEARD: BindParameter[datetime] = bindparam("unheard")
_NOT_BACK: BindParameter[datetime] = bindparam("not_back")
_WAITS = or_(Call.state == CallState.QUEUED, Call.state == CallState.OFFERED)
# The caller who came first is given back first: a colleague who is free gets the next at once.
_PAGES_LOST = (
    select(Offer.id)
    .join(Call, Call.id == Offer.call_id)
    .join(Presence, Presence.counsellor_id == Offer.counsellor_id)
    .where(
        Offer.released_at.is_(None),
        Offer.slot.is_not(None),
        Offer.state == OfferState.CONNECTED,
        Presence.heartbeat_at < _PAGE_LOST,
    )
    .order_by(Call.danger.desc(), Call.opened_at)
    .subquery()
)


def _kind(due: Due) -> BindParameter[str]:
    return literal(due.value)


DUE = union_all(
    select(_kind(Due.OFFER).label("kind"), Offer.id.label("row_id")).where(
        Offer.released_at.is_(None),
        or_(Offer.state == OfferState.OPEN, Offer.state == OfferState.ACCEPTED),
        Offer.expires_at <= _NOW,
    ),
    select(_kind(Due.SECOND), Offer.id).where(
        Offer.released_at.is_(None),
        Offer.slot.is_(None),
        Offer.state == OfferState.OPEN,
        Offer.second_at.is_(None),
        Offer.second_due_at <= _NOW,
    ),
    select(_kind(Due.ASKED_SECOND), Participant.id).where(
        Participant.state == ParticipantState.RINGING,
        Participant.second_at.is_(None),
        Participant.second_due_at <= _NOW,
    ),
    select(_kind(Due.UNPROVEN), Offer.id).where(
        Offer.released_at.is_(None),
        Offer.state == OfferState.ACCEPTED,
        Offer.accepted_at <= _TAKEN,
    ),
    select(_kind(Due.GRACE), Offer.id).where(
        Offer.released_at.is_(None), Offer.lost_at.is_not(None), Offer.lost_at <= _LOST
    ),
    select(_kind(Due.CARRY), Offer.id).where(
        Offer.released_at.is_(None),
        Offer.slot.is_(None),
        Offer.state == OfferState.CONNECTED,
        func.coalesce(Offer.carried_at, Offer.connected_at) <= _CARRIED,
    ),
    select(_kind(Due.WRAP_UP), Presence.counsellor_id).where(
        Presence.state == PresenceState.WRAP_UP, Presence.until_at <= _NOW
    ),
    select(_kind(Due.STALE), Presence.counsellor_id)
    .join(Staff, Staff.id == Presence.counsellor_id)
    .where(
        Presence.state == PresenceState.AVAILABLE,
        Presence.heartbeat_at < _STALE,
        Staff.endpoint_kind == EndpointKind.BROWSER,
    ),
    select(_kind(Due.STUCK), Presence.counsellor_id).where(
        or_(
            Presence.state == PresenceState.OFFERED,
            Presence.state == PresenceState.ON_CALL,
            Presence.state == PresenceState.WRITING,
        ),
        Presence.since < _STUCK_SINCE,
        ~exists().where(Offer.counsellor_id == Presence.counsellor_id, Offer.released_at.is_(None)),
    ),
    select(_kind(Due.SILENT), Call.id).where(
        Call.state != CallState.ENDED,
        or_(
            Call.heard_at < _SILENT,
            and_(_WAITS, Call.heard_at < _QUIET),
        ),
        Call.provider_sid.is_not(None),
        or_(
            Call.asked_at.is_(None),
            Call.asked_at < _SILENT,
            and_(_WAITS, Call.asked_at < _QUIET),
        ),
    ),
    # The page of a counsellor who writes with a child is not heard any more.
    select(_kind(Due.PAGE_LOST), _PAGES_LOST.c.id),
    # The page of a child is closed: the child does not wait, and a talk ends if they do not come
    # back.
    select(_kind(Due.CHILD_GONE), Call.id).where(
        Call.channel == Channel.WEB,
        # A scripted child has no page.
        Call.rings_only_id.is_(None),
        Call.state != CallState.ENDED,
        Call.heard_at < _UNHEARD,
        or_(Call.state != CallState.CONNECTED, Call.heard_at < _NOT_BACK),
    ),
    # A caller is waiting and a counsellor is free: run matching.
    select(_kind(Due.MATCH), literal(UUID(int=0))).where(
        or_(
            exists().where(Call.state == CallState.QUEUED),
            # The call of a child in danger may ring at more phones.
            exists().where(Call.state == CallState.OFFERED, Call.danger),
        ),
        or_(
            exists().where(Presence.state == PresenceState.AVAILABLE),
            exists().where(Presence.state == PresenceState.WRITING),
            exists().where(ShiftRow.layer == Layer.ON_CALL),
        ),
    ),
).limit(_AT_MOST)
_QUESTION = Question(DUE)


def limits_of(settings: Settings, now: datetime) -> dict[str, datetime]:
    """Return from when on each thing is due at an instant."""
    silent = timedelta(seconds=settings.silence_seconds)

    def ago(seconds: float) -> datetime:
        return now - timedelta(seconds=seconds)

    return {
        "now": now,
        "silent": now - silent,
        "quiet": now - platform.quiet_after(settings),
        "stale": ago(settings.heartbeat_seconds),
        "stuck_since": now - _STUCK,
        "lost": ago(min(settings.grace_seconds, settings.page_grace_seconds)),
        "taken": now - _TOLD_WITHIN,
        "page_lost": ago(settings.writing_grace_seconds),
        "unheard": ago(settings.chat_silence_seconds),
        "not_back": ago(settings.chat_return_seconds),
        "carried": ago(settings.longest_leg_seconds) + CARRIED_BEFORE,
    }


async def find_due(ground: Ground) -> list[tuple[Due, UUID]]:
    """Return what is due at this moment, as pairs of a kind and the id of a row."""
    limits = limits_of(ground.settings, ground.clock.now())
    rows = await ground.database.quick.rows(_QUESTION, **limits)
    return [(Due(row["kind"]), row["row_id"]) for row in rows]


async def _look_at_talk(work: Work, offer_id: UUID) -> None:
    """Ask the provider about a call that was accepted, but not reported as connected."""
    memory = work.ground.memory
    if not platform.shows_talks(work):
        return
    if memory.recall("looked", offer_id, work.now) is None:
        memory.keep("looked", offer_id, True, work.now + _LOOKS_EVERY)
        work.defer(Task.LOOK_AT_TALK, offer_id=str(offer_id))


async def _end_late_offer(work: Work, offer_id: UUID) -> None:
    call, offer = await offers.lock_offer(work, offer_id)
    if offer.expires_at > work.now:
        return
    accepted = offer.state == OfferState.ACCEPTED
    if accepted and offer.asked_at is None:
        # Perhaps they talk, and only the provider's report was lost.
        offer.asked_at = work.now
        offer.expires_at = work.now + _ANSWER_TIME
        work.defer(Task.SETTLE_CONNECTION, offer_id=str(offer.id))
        return
    if accepted and not platform.reports_legs(work):
        # The provider was asked and its answer decides: an outage must not cut off a talk.
        offer.expires_at = work.now + _ANSWER_TIME
        return
    if not accepted and await offers.waits_for_turn(work, offer):
        offer.expires_at = work.now + _ANSWER_TIME
        return
    # The sweep runs every second. If it finds an offer later than this, our worker or database
    # was down, and the counsellor could not have accepted.
    unseen = not accepted and work.now - offer.expires_at > _UNSEEN
    cause = Cause.NOT_CONNECTED_IN_TIME if accepted else Cause.NOT_TAKEN_IN_TIME
    await offers.miss_offer(work, call, offer, cause, our_fault=unseen)


async def _ring_second(work: Work, offer_id: UUID) -> None:
    """Ring the counsellor's second phone, because the browser has not answered."""
    call, offer = await offers.lock_offer(work, offer_id)
    await second_phone.ring_if_due(work, call, offer)


async def _ring_asked(work: Work, participant_id: UUID) -> None:
    """Ring the second phone of a colleague who is asked into a talk, and has not answered."""
    call, participant = await actions.lock_participant(work, participant_id)
    await participant_second_phone.ring_if_due(work, call, participant)


async def _carry_over(work: Work, offer_id: UUID) -> None:
    """Carry a talk near the platform's limit over to new legs, and tell its counsellor."""
    call, offer = await offers.lock_offer(work, offer_id)
    if offer.released_at is not None or not platform.renews_legs(work):
        return
    offer.carried_at = work.now
    await record.record(work, call, CallLog.TALK_CARRIED_OVER, offer_id=str(offer.id))
    work.defer(Task.CARRY_CALLER, offer_id=str(offer.id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.OFFERS.of(offer.counsellor_id))


async def _end_grace(work: Work, offer_id: UUID) -> None:
    call, offer = await offers.lock_offer(work, offer_id)
    await lost_counsellor.give_up_waiting(work, call, offer)


async def _end_wrap_up(work: Work, counsellor_id: UUID) -> None:
    presence = await presences.lock_presence(work, counsellor_id)
    if presence.state == PresenceState.WRAP_UP and (
        presence.until_at is None or presence.until_at <= work.now
    ):
        await presences.set_free(work, presence, Cause.WRAP_UP_OVER)


async def _set_away(work: Work, counsellor_id: UUID) -> None:
    presence = await presences.lock_presence(work, counsellor_id)
    stale = work.now - timedelta(seconds=work.settings.heartbeat_seconds)
    if presence.state == PresenceState.AVAILABLE and presence.heartbeat_at < stale:
        await presences.set_presence(work, presence, PresenceState.AWAY, Cause.BROWSER_NOT_HEARD)


async def _free_stuck(work: Work, counsellor_id: UUID) -> None:
    """Free a counsellor who is shown as busy but holds no call, whatever the reason."""
    presence = await presences.lock_presence(work, counsellor_id)
    await offers_held.settle(work, presence, Cause.NO_CALL_HELD)


async def _give_back(work: Work, offer_id: UUID) -> None:
    """Return a child to the queue whose counsellor's page was not heard for too long."""
    call, offer = await offers.lock_offer(work, offer_id)
    lost = work.now - timedelta(seconds=work.settings.writing_grace_seconds)
    heard = select(Presence.heartbeat_at).where(Presence.counsellor_id == offer.counsellor_id)
    at = await work.session.scalar(heard)
    if at is not None and at < lost:
        await lost_counsellor.give_back(
            work, call, offer, Cause.BROWSER_NOT_HEARD, PresenceState.AWAY
        )


async def _ask_the_provider(work: Work, call_id: UUID) -> None:
    asked = await work.session.scalar(
        update(Call)
        .where(Call.id == call_id, Call.state != CallState.ENDED)
        .values(asked_at=work.now)
        .returning(Call.id)
        .execution_options(synchronize_session=False)
    )
    if asked is not None:
        work.defer(Task.RECONCILE_CALL, call_id=str(call_id))
