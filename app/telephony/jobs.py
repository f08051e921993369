"""What is asked of the provider, after the rows that want it are committed.

Every job may be run twice. A request that makes a leg is committed as *sending*
before it is sent; if its answer does not come, the next run asks the provider
what became of it, and never sends it again.
"""

import contextlib
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from procrastinate import BaseRetryStrategy, Blueprint, JobContext, RetryDecision
from procrastinate.jobs import Job
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from app.calls import lines, record
from app.calls.models import Call, Leg, VoiceMessage
from app.calls.states import CallState, LegStatus, is_over, read_leg_status
from app.errors import NotFound
from app.jobs.transaction import transaction
from app.log import log
from app.referrals.models import Rung
from app.referrals.opening import pick_owner
from app.routing import offers, parties
from app.routing.callbacks import NOT_RUNG
from app.routing.company import LIVE, Mode, Party
from app.routing.models import Offer, OfferState
from app.staff.models import Staff
from app.telephony import beside, dialling
from app.telephony.counsellor_flow import (
    apply_leg_status,
    conference_of,
    connect,
    label_of_owner,
)
from app.telephony.provider import (
    NOT_IN_PROGRESS,
    Provider,
    ProviderError,
    Refused,
    TryAgain,
    Uncertain,
)
from app.telephony.urls import call_path, leg_path, offer_path
from app.work import PROGRAM, Ground, Work

# After so many times "not there" a recording is absent.
_MISSING = 8
# Somebody who is asked into a talk is rung for so many seconds.
_PARTY_RINGS = 30
# How often the provider is asked about a leg whose answer did not come.
ASKS = 4


class BackOff(BaseRetryStrategy):
    """Again after 0.25, 0.5, 1, 2 ... at most 60 seconds and a random half more, or as the
    provider says; and for as long as it takes. Each run looks first whether it is still wanted:
    a phone that must not ring on is ended after an outage of whatever length. Where somebody
    waits for it (`longest`, in seconds), it is tried more often.
    """

    def __init__(self, longest: float = 60.0) -> None:
        self._longest = longest

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        passing = (TryAgain, Uncertain, DBAPIError, psycopg.Error, OSError)
        if not isinstance(exception, passing):
            return None
        wait = min(0.25 * 2 ** min(job.attempts, 10), self._longest)
        after = min(getattr(exception, "after", 0.0), 10.0)
        # Jitter, so that a storm of refusals does not come back as one.
        wait = max(wait, after) * (1 + random.random() / 2)
        return RetryDecision(retry_in={"milliseconds": int(wait * 1000)})


# A caller waits for these: after an outage they go on within seconds.
_AWAITED = frozenset(
    {"ring_counsellor", "join_counsellor", "ring_party", "move_caller", "return_caller",
     "settle_connection", "settle_finish", "set_hold", "watch_dialled", "end_dialled",
     "settle_dialled"}
)  # fmt: skip
_SOON = 2.0

F = TypeVar("F", bound=Callable[..., Awaitable[None]])


_FUNCTIONS: dict[str, Callable[..., Awaitable[None]]] = {}


def task(name: str) -> Callable[[F], F]:
    """A job of this edge, by the name under which other areas defer it."""

    def keep(function: F) -> F:
        _FUNCTIONS[name] = function
        return function

    return keep


def telephony_tasks() -> Blueprint:
    """The jobs of this edge, for one job app; an app of its own changes them."""
    tasks = Blueprint()
    for name, function in _FUNCTIONS.items():
        retry = BackOff(_SOON) if name in _AWAITED else BackOff()
        tasks.task(name=name, retry=retry, pass_context=True)(function)
    return tasks


class Parts:
    """What a job works with."""

    def __init__(self, ground: Ground, provider: Provider) -> None:
        self.ground, self.provider = ground, provider

    def work(self) -> Any:
        return transaction(self.ground, PROGRAM)


def parts_of(context: JobContext) -> Parts:
    parts: Parts = (context.additional_context or {})["parts"]
    return parts


# -- making a counsellor's leg -----------------------------------------------------------


async def _begin(work: Work, leg_id: str) -> tuple[Leg, Call, Offer, Staff] | None:
    """Lock a leg with its call and offer; None if there is no such leg."""
    leg = await work.session.get(Leg, UUID(leg_id))
    if leg is None:
        return None
    call, offer = await offers.lock_offer(work, leg.offer_id)
    await work.session.refresh(leg, with_for_update=True)
    staff = await work.session.get(Staff, offer.counsellor_id)
    assert staff is not None
    return leg, call, offer, staff


async def _mark_sending(parts: Parts, leg_id: str) -> dict[str, Any] | None:
    """Commit that the request is about to be sent. None if it must not be."""
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None:
            return None
        leg, call, offer, staff = begun
        if leg.sending == "sending" and leg.provider_sid is None:
            return {"settle": True}
        if leg.sending != "wanted":
            return None
        if (offer.released_at is not None and leg.party_id is None) or leg.end_wanted:
            leg.sending, leg.ended_at = "failed", work.now
            return None
        if leg.party_id is not None:
            return await _mark_party(work, call, leg)
        line = await lines.line_of_id(work, call.line_id) or await lines.any_line(work)
        leg.sending, leg.sent_at = "sending", work.now
        left = (offer.expires_at - work.now).total_seconds()
        return {
            "to": staff.endpoint or f"client:{staff.identity}",
            "from_": line.number if line else "",
            "seconds": max(5, min(60, int(left))),
            "offer_id": offer.id,
        }


async def _mark_party(work: Work, call: Call, leg: Leg) -> dict[str, Any] | None:

    party = await work.session.get(Party, leg.party_id)
    if party is None or party.state not in LIVE or CallState(call.state) is CallState.ENDED:
        leg.sending, leg.ended_at = "failed", work.now
        return None
    to, from_ = await beside.address_of(work, party)
    coach = await beside.counsellor_sid(work, call) if party.mode == Mode.WHISPER else None
    leg.sending, leg.sent_at = "sending", work.now
    return {
        "to": to, "from_": from_, "seconds": _PARTY_RINGS, "party": party, "coach": coach,
        "muted": beside.is_muted(party, coach),
    }  # fmt: skip


async def _note_sent(parts: Parts, leg_id: str, sid: str) -> None:
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None:
            return
        leg, _, _, _ = begun
        leg.sending = "sent"
        leg.provider_sid = leg.provider_sid or sid
        if leg.end_wanted and leg.ended_at is None:
            # The caller left while the provider was being asked: the phone must not ring on.
            work.defer("telephony:end_leg", leg_id=leg_id)


async def _note_not_sent(parts: Parts, leg_id: str, cause: str) -> None:
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None:
            return
        leg, call, offer, _ = begun
        if leg.provider_sid is None:
            leg.sending, leg.ended_at = "failed", work.now
            if leg.party_id is None:
                await offers.miss_offer(work, call, offer, cause)
            elif party := await work.session.get(Party, leg.party_id):
                await parties.gone(work, call, party, cause)


async def _back_to_wanted(parts: Parts, leg_id: str) -> None:
    """It was certainly not carried out: it may be sent again."""
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is not None and begun[0].provider_sid is None:
            begun[0].sending = "wanted"


@task("ring_counsellor")
async def ring_counsellor(context: JobContext, leg_id: str) -> None:
    """Ring a counsellor's phone; they press 1 to take the call."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        return await parts.provider.ring_leg(
            to=what["to"],
            from_=what["from_"],
            document=offer_path(what["offer_id"], "whisper"),
            told=leg_path(leg_id),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


@task("join_counsellor")
async def join_counsellor(context: JobContext, leg_id: str) -> None:
    """Bring a counsellor who accepted on the board into the conference of the offer."""
    parts = parts_of(context)

    async def send(what: dict[str, Any]) -> str:
        offer_id = what["offer_id"]
        return await parts.provider.add_participant(
            str(offer_id),
            to=what["to"],
            from_=what["from_"],
            label="counsellor",
            told=leg_path(leg_id),
            conference_told=offer_path(offer_id, "conference"),
            hold=offer_path(offer_id, "hold"),
            seconds=what["seconds"],
        )

    await make_leg(context, leg_id, send)


async def make_leg(context: JobContext, leg_id: str, send: Any) -> None:
    parts = parts_of(context)
    what = await _mark_sending(parts, leg_id)
    if what is None:
        return
    if "settle" in what:
        await _settle_leg(context, leg_id)
        return
    try:
        sid = await send(what)
    except TryAgain:
        await _back_to_wanted(parts, leg_id)
        raise
    except Refused as error:
        log().warning(
            "the provider refused a leg", area="telephony", code=error.code, leg_id=leg_id
        )
        await _note_not_sent(parts, leg_id, "could not be rung")
        return
    await _note_sent(parts, leg_id, sid)


async def known_sids(work: Work, since: datetime) -> set[str]:
    """Ids of all that we have sent, and know of, around then: counsellors' legs, duty phones and
    messages. What is none of these is what nobody has heard of yet, whoever's phone it is.
    """
    begun = since - timedelta(hours=6)
    legs = select(Leg.provider_sid).where(Leg.provider_sid.is_not(None), Leg.created_at >= begun)
    rungs = select(Rung.provider_sid).where(Rung.provider_sid.is_not(None), Rung.wanted_at >= begun)
    rows = await work.session.scalars(legs.union(rungs))
    ours = select(Call.provider_sid).where(Call.direction == "outbound", Call.opened_at >= begun)
    return {sid for sid in (*rows, *(await work.session.scalars(ours))) if sid}


async def _settle_leg(context: JobContext, leg_id: str) -> None:
    """The answer to a request did not come: ask what became of it. Never send it again."""
    parts = parts_of(context)
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        assert begun is not None
        leg, _, _offer, staff = begun
        to = staff.endpoint or f"client:{staff.identity}"
        if leg.party_id is not None:
            party = await work.session.get(Party, leg.party_id)
            assert party is not None
            to, _ = await beside.address_of(work, party)
        assert leg.sent_at is not None
        since = leg.sent_at - timedelta(seconds=2)
        known = await known_sids(work, since)
    sid = await parts.provider.find_leg(to=to, since=since, known=known)
    if sid is not None:
        await _note_sent(parts, leg_id, sid)
        return
    # Only an answer counts: while the provider says nothing at all, it is asked again.
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        assert begun is not None
        begun[0].asks += 1
        asks = begun[0].asks
    if asks < ASKS:
        raise Uncertain("no trace of the leg yet")
    await _note_not_sent(parts, leg_id, "could not be rung")


@task("end_leg")
async def end_leg(context: JobContext, leg_id: str) -> None:
    """No phone keeps ringing."""
    parts = parts_of(context)
    async with parts.work() as work:
        begun = await _begin(work, leg_id)
        if begun is None or begun[0].ended_at is not None:
            return
        leg = begun[0]
        if leg.sending == "wanted":
            leg.sending, leg.ended_at = "failed", work.now
            return
        if leg.sending == "dialled":
            # The caller's own leg rings it; nobody tells us its id.
            work.defer("telephony:end_dialled", leg_id=leg_id)
            return
        sid = leg.provider_sid
    if sid is None:
        # Being sent, or uncertain: whoever learns its id ends it.
        return
    await parts.provider.end_leg(sid)


# -- moving the caller -------------------------------------------------------------------


@task("move_caller")
async def move_caller(context: JobContext, offer_id: str) -> None:
    """The counsellor is in the conference: bring the caller there."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        seen = await conference_of(work, offer)
        if (
            offer.released_at is not None
            or CallState(call.state) is CallState.ENDED
            or seen.caller.joined_at is not None
        ):
            return
        if call.provider_sid.startswith(NOT_RUNG):
            # A call-back: somebody is there to talk now, and the caller's phone may ring.
            work.defer("telephony:ring_back", call_id=str(call.id), offer_id=offer_id)
            return
        sid, path = call.provider_sid, call_path(call.id, "bridge", o=offer.id)
        arrived = await record.earlier_answer(work, f"bridge:{offer.id}:")
        conference_sid = offer.conference_sid
    if arrived is not None:
        return
    # If the answer to an earlier try did not come, ask whether the caller is there.
    tried = context.job.attempts and conference_sid is not None
    if tried and sid in await parts.provider.participants(conference_sid or ""):
        return
    await _move(parts, sid, path)


@task("return_caller")
async def return_caller(context: JobContext, call_id: str, entry: int) -> None:
    """The counsellor is gone: fetch the caller back to the waiting room."""
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        arrived = await record.earlier_answer(work, f"returned:{call.id}:{entry}")
        if not work.settings.has_conferences and not await dialling.is_silent(work, call):
            # Their own leg asks us what next as soon as nobody is at the other end of it.
            return
        waits = CallState(call.state) in (CallState.QUEUED, CallState.OFFERED)
        if arrived is not None or not waits or call.entries != entry:
            return
        sid, path = call.provider_sid, call_path(call.id, "returned", n=entry)
        conference_sid = await work.session.scalar(
            select(Offer.conference_sid)
            .where(Offer.call_id == call.id, Offer.conference_sid.is_not(None))
            .order_by(Offer.opened_at.desc())
            .limit(1)
        )
    if context.job.attempts and conference_sid is not None:
        # The answer to an earlier try did not come: who is out of the conference was moved.
        try:
            inside = await parts.provider.participants(conference_sid)
        except Refused:
            inside = {}
        if sid not in inside:
            return
    await _move(parts, sid, path)


async def _move(parts: Parts, sid: str, path: str) -> None:
    try:
        await parts.provider.move_call(sid, path)
    except Refused as error:
        if error.code != NOT_IN_PROGRESS and error.status != 404:
            raise
        # The caller is gone; the provider tells how, or is asked.
        async with parts.work() as work:
            call = await record.lock_call_of_sid(work, sid)
            if CallState(call.state) is not CallState.ENDED:
                work.defer("telephony:reconcile_call", call_id=str(call.id))


@task("end_caller")
async def end_caller(context: JobContext, call_id: str) -> None:
    """The counsellor has ended the talk."""
    parts = parts_of(context)
    async with parts.work() as work:
        sid = (await record.lock_call(work, UUID(call_id))).provider_sid
    await parts.provider.end_leg(sid)


@task("settle_finish")
async def settle_finish(context: JobContext, offer_id: str) -> None:
    """The counsellor's leg left the conference alive: was it the star key?

    If the caller is still in the conference it was, and the talk is over. If not, the
    conference itself ended, and the caller is being asked what next, or is gone.
    """
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None:
            return
        sid, conference_sid, name = call.provider_sid, offer.conference_sid, str(offer.room)
    conference_sid = conference_sid or await parts.provider.find_conference(name)
    inside = await parts.provider.participants(conference_sid) if conference_sid else {}
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.released_at is not None:
            return
        if sid in inside:
            await offers.hang_up(work, call)
        else:
            offer.finished_at = None
            work.defer("telephony:reconcile_call", call_id=str(call.id))


@task("settle_connection")
async def settle_connection(context: JobContext, offer_id: str) -> None:
    """Accepted, and we have not heard that both are in: ask before anybody is cut off."""
    parts = parts_of(context)
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.state != OfferState.ACCEPTED or offer.released_at is not None:
            return
        if not work.settings.has_conferences:
            work.defer("telephony:settle_dialled", offer_id=offer_id)
            return
        sid, conference_sid, name = call.provider_sid, offer.conference_sid, str(offer.id)
    conference_sid = conference_sid or await parts.provider.find_conference(name)
    inside = set(await parts.provider.participants(conference_sid)) if conference_sid else set()
    async with parts.work() as work:
        call, offer = await offers.lock_offer(work, UUID(offer_id))
        if offer.state != OfferState.ACCEPTED or offer.released_at is not None:
            return
        offer.conference_sid = offer.conference_sid or conference_sid
        if inside - {sid} and sid in inside:
            await connect(work, call, offer, at=work.now)
        elif inside - {sid} and offer.move_wanted_at is None:
            # The counsellor waits in the conference, and nobody told us.
            offer.move_wanted_at, offer.asked_at = work.now, None
            offer.expires_at = work.now + timedelta(seconds=work.settings.connect_seconds)
            work.defer("telephony:move_caller", offer_id=offer_id)
        else:
            await offers.miss_offer(work, call, offer, "not connected in time")


@task("set_hold")
async def set_hold(context: JobContext, call_id: str) -> None:
    """Tell the provider whether the caller is held: what the record says now."""
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if CallState(call.state) is not CallState.CONNECTED:
            return
        offer = await offers.live_offer_of_call(work, call.id)
        if offer is None:
            # We have left: the caller is with somebody outside, where the talk began.
            party = await work.session.get(Party, call.handed_to) if call.handed_to else None
            offer = await work.session.get(Offer, party.room_id) if party else None
        if offer is None:
            return
        sid, held, offer_id = call.provider_sid, call.held_at is not None, offer.room
        conference_sid = offer.conference_sid
    conference_sid = conference_sid or await parts.provider.find_conference(str(offer_id))
    try:
        if conference_sid is None:
            raise Refused("no such conference", status=404)
        # The answer to an earlier try did not come: perhaps it is done.
        if context.job.attempts and await parts.provider.is_held(conference_sid, sid) == held:
            return
        await parts.provider.set_hold(
            conference_sid, sid, held=held, music=offer_path(offer_id, "hold")
        )
    except Refused:
        async with parts.work() as work:
            call = await record.lock_call(work, UUID(call_id))
            if (call.held_at is not None) == held:
                call.held_at = None if held else work.now
                await record.record(work, call, "hold_failed")
                work.announce("calls")


# -- asking ------------------------------------------------------------------------------


@task("reconcile_call")
async def reconcile_call(context: JobContext, call_id: str) -> None:
    """Nothing was heard of a call for long: ask, and only then act."""
    parts = parts_of(context)
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if CallState(call.state) is CallState.ENDED:
            return
        sid = call.provider_sid
        talking = CallState(call.state) is CallState.CONNECTED
        conference_sid = await _room_of(work, call)
        legs = {
            leg.id: leg.provider_sid
            for leg in await work.session.scalars(
                select(Leg).where(Leg.call_id == call.id, Leg.ended_at.is_(None))
            )
            if leg.provider_sid
        }
    found = await parts.provider.fetch_call(sid)
    status = read_leg_status(found.status) if found else None
    told = {leg: await parts.provider.fetch_call(leg_sid) for leg, leg_sid in legs.items()}
    inside: dict[str, str] | None = None
    if talking and conference_sid and status is not None and not is_over(status):
        try:
            inside = await parts.provider.participants(conference_sid)
        except Refused:
            inside = {}
    async with parts.work() as work:
        call = await record.lock_call(work, UUID(call_id))
        if CallState(call.state) is CallState.ENDED:
            return
        await _note_legs(work, told)
        if found is None:
            await offers.end_call(work, call, ended_by="program", lost=True)
            return
        if status is not None and is_over(status):
            at = min(found.ended_at, work.now) if found.ended_at else work.now
            await offers.end_call(work, call, ended_by="caller", at=at)
            return
        call.heard_at = work.now
        await record.record(work, call, "asked_the_provider", status=found.status)
        await _put_right(work, call, inside, sid, in_progress=status is LegStatus.IN_PROGRESS)


async def _room_of(work: Work, call: Call) -> str | None:
    """The provider's id of the conference in which a call is."""
    found: str | None = await work.session.scalar(
        select(Offer.conference_sid)
        .where(Offer.call_id == call.id, Offer.conference_sid.is_not(None))
        .order_by(Offer.opened_at.desc())
        .limit(1)
    )
    return found


async def _note_legs(work: Work, told: dict[UUID, Any]) -> None:
    for leg_id, found in told.items():
        status = read_leg_status(found.status) if found else None
        leg = await work.session.get(Leg, leg_id)
        assert leg is not None
        call, offer = await offers.lock_offer(work, leg.offer_id)
        if found is None or (status is not None and is_over(status)):
            over = status if status is not None else read_leg_status("failed")
            assert over is not None
            await apply_leg_status(work, call, offer, leg, over, leg.provider_sid or "")


async def _put_right(
    work: Work, call: Call, inside: dict[str, str] | None, sid: str, *, in_progress: bool
) -> None:
    """The caller is alive at the provider: make sure that they are not alone in silence."""
    state = CallState(call.state)
    offer = await offers.live_offer_of_call(work, call.id)
    if state is CallState.CONNECTED and offer is not None and inside is not None:
        mine = await label_of_owner(work, offer)
        there = any(label in (mine, "") for other, label in inside.items() if other != sid)
        if sid not in inside or not there:
            await offers.lose_counsellor(work, call, offer, "found alone")
    elif state is CallState.CONNECTED and offer is None and inside is not None:
        if not any(label == f"party-{call.handed_to}" for label in inside.values()):
            await offers.come_back(work, call, "found alone")
    elif (
        in_progress
        and state in (CallState.QUEUED, CallState.OFFERED)
        and (offer is None or offer.state == OfferState.OPEN)
        and await dialling.is_silent(work, call)
    ):
        call.entries += 1
        work.defer("telephony:return_caller", call_id=str(call.id), entry=call.entries)


# -- voice messages ----------------------------------------------------------------------


@task("import_message")
async def import_message(context: JobContext, message_id: str) -> None:
    """Fetch a voice message, seal it, and delete it at the provider."""
    parts = parts_of(context)
    async with parts.work() as work:
        message = await work.session.get(VoiceMessage, UUID(message_id))
        if message is None or message.provider_deleted_at is not None:
            return
        sid, imported = message.recording_sid, message.state == "imported"
    if not imported:
        try:
            audio = await parts.provider.fetch_recording(sid)
        except ProviderError as error:
            if error.status != 404 or context.job.attempts + 1 < _MISSING:
                raise
            await _note_message(parts, message_id, None)
            return
        await _note_message(parts, message_id, audio)
    if not await parts.provider.delete_recording(sid):
        return
    async with parts.work() as work:
        message = await work.session.get(VoiceMessage, UUID(message_id))
        assert message is not None
        message.provider_deleted_at = work.now


async def _note_message(parts: Parts, message_id: str, audio: tuple[bytes, str] | None) -> None:
    async with parts.work() as work:
        message = await work.session.get(VoiceMessage, UUID(message_id))
        assert message is not None
        call = await record.lock_call(work, message.call_id)
        if audio is None:
            message.state = "absent"
            call.messages -= 1
            await record.record(work, call, "message_absent")
        else:
            message.audio_sealed = work.keys.seal(
                audio[0], table="voice_messages", column="audio_sealed", row=message.id
            )
            message.audio_type, message.state = audio[1], "imported"
            # A task from the first moment: somebody answers for it until it is done.
            with contextlib.suppress(NotFound):
                message.owner_id = message.owner_id or (await pick_owner(work)).id
            await record.record(work, call, "message_imported")
        await record.restate(work, call, "the voice message was fetched")
        work.announce("messages")
