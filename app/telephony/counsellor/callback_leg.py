"""Call-backs: the caller's phone rings only when a counsellor is there to talk."""

from datetime import datetime, timedelta
from uuid import UUID

from procrastinate import JobContext
from sqlalchemy import select

from app.calls import delivery_keys, record
from app.calls.labels import Label
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog, kind_of_status
from app.calls.models import Call
from app.calls.record import WebhookDelivery
from app.calls.states import (
    NOT_RUNG,
    CallState,
    Direction,
    EndedBy,
    LegStatus,
    is_over,
    read_leg_status,
)
from app.dialling.models import DialledFor
from app.jobs.names import Task
from app.log import log
from app.outbox.once import send_once
from app.outbox.responses import Refused
from app.routing import offers, releasing
from app.routing.callbacks import callback_attempts
from app.routing.models import OfferState
from app.telephony.counsellor import pacing
from app.telephony.counsellor.callback_address import callback_address, number_of
from app.telephony.counsellor.pacing import LegUrgency
from app.telephony.inbound.deciding import delivery_of
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.outgoing import AtProvider
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import offer_path
from app.telephony.script import RINGS_BACK
from app.work import Work

_ANSWERS_WITHIN = timedelta(seconds=RINGS_BACK + 20)


class _Ring:
    """A call as the row of what is sent once: the ring of its call-back, sent at `rung_at`."""

    def __init__(self, call: Call) -> None:
        self.call = call
        # The call keeps no count: it is asked about for as long as the offer lives.
        self.asks = 0

    @property
    def sending(self) -> str | None:
        return self.call.sending

    @sending.setter
    def sending(self, value: str) -> None:
        self.call.sending = value

    @property
    def sent_at(self) -> datetime | None:
        return self.call.rung_at

    @sent_at.setter
    def sent_at(self, at: datetime | None) -> None:
        self.call.rung_at = at

    @property
    def provider_sid(self) -> str | None:
        return self.call.provider_sid

    @provider_sid.setter
    def provider_sid(self, sid: str | None) -> None:
        self.call.provider_sid = sid


class _CallBack(AtProvider[_Ring]):
    """The leg to the caller of a call-back."""

    purpose = DialledFor.CALLBACK

    def __init__(self, parts: Parts, call_id: str, offer_id: str) -> None:
        super().__init__(Task.RING_CALLBACK, call_id=call_id, offer_id=offer_id)
        self.platform, self._call_id, self._offer_id = parts.platform, call_id, UUID(offer_id)

    async def lock(self, work: Work) -> _Ring:
        call, self._offer = await offers.lock_offer(work, self._offer_id)
        return _Ring(call)

    def is_over(self, row: _Ring) -> bool:
        released = self._offer.released_at is not None
        return released or CallState(row.call.state) is not CallState.OFFERED

    def counted_as(self, row: _Ring) -> UUID:
        return row.call.id

    async def address(self, work: Work, row: _Ring) -> str:
        return (await self._addresses(work, row.call))[0]

    async def _addresses(self, work: Work, call: Call) -> tuple[str, str]:
        line = await finding_lines.line_or_any(work, call.line_id)
        number = await number_of(work, call)
        return callback_address(work.settings, number, line.shown_number if line else "")

    async def prepare(self, work: Work, row: _Ring) -> bool:
        call, offer = row.call, self._offer
        if call.caller_number_sealed is None:
            return False
        # A phone rings for longer than it takes to connect a caller who is already on the line.
        offer.expires_at = max(offer.expires_at, work.now + _ANSWERS_WITHIN)
        wait = await pacing.take_turn(work, call.id, LegUrgency.OFFER)
        if wait is not None:
            self.later(work, wait)
            return False
        self._to, self._shows = await self._addresses(work, call)
        self._room = str(offer.room)
        return True

    async def send(self) -> str:
        return await self.platform.add(
            self._room,
            to=self._to,
            from_=self._shows,
            label=Label.CALLER,
            told=f"/telephony/back/{self._call_id}/status",
            conference_told=offer_path(self._room, "conference"),
            hold=offer_path(self._room, "hold"),
            seconds=RINGS_BACK,
            ends=True,
            heard=f"/telephony/back/{self._call_id}/machine",
        )

    async def accepted(self, work: Work, row: _Ring) -> None:
        if CallState(row.call.state) is CallState.ENDED:
            work.defer(Task.END_CALLER, call_id=self._call_id)

    async def failed(self, work: Work, row: _Ring, error: Refused | None) -> None:
        assert error is not None
        log().warning("the provider refused a call-back", area="telephony", code=error.code)
        # It counts as an attempt, so that a number that cannot be rung is not rung for ever.
        await releasing.end_call(work, row.call, ended_by=EndedBy.PROVIDER)


@task(Task.RING_CALLBACK)
async def ring_callback(context: JobContext, call_id: str, offer_id: str) -> None:
    """Ring the caller into the conference in which the counsellor waits. Sent once."""
    parts = parts_of(context)
    await send_once(parts.ground, _CallBack(parts, call_id, offer_id))


async def leg_status(work: Work, call_id: UUID, signed: Signed) -> None:
    """Handle a status of the leg to the caller. Any subset of them comes, in any order."""
    status = read_leg_status(signed.fields.get("CallStatus"))
    if status is None:
        return
    sequence = signed.fields.get("SequenceNumber", "")
    key = delivery_keys.back(call_id, status.value, sequence)
    call, earlier = await record.lock_for_delivery(work, key, call_id=call_id)
    if earlier is not None or call.direction != Direction.OUTBOUND:
        return
    delivery: WebhookDelivery = delivery_of(signed, key)
    if signed.call_sid:
        record.learn_sid(call, signed.call_sid)
    if signed.call_sid != call.provider_sid:
        return
    await record.record(work, call, kind_of_status(status, "caller"), delivery=delivery)
    if not is_over(status):
        if CallState(call.state) is CallState.ENDED:
            work.defer(Task.END_CALLER, call_id=str(call_id))
        elif status is LegStatus.IN_PROGRESS:
            await _not_alone(work, call)
        return
    at = delivery.happened_at(work.now, not_before=call.opened_at)
    by = EndedBy.CALLER if status is LegStatus.COMPLETED else EndedBy.PROVIDER
    await releasing.end_call(work, call, ended_by=by, at=at)


async def _not_alone(work: Work, call: Call) -> None:
    """Hang up without a word if the phone is answered and the counsellor has gone.

    Any member of the household may have answered. The call-back is tried again later.
    """
    offer = await offers.live_offer_of_call(work, call.id)
    waits = CallState(call.state) in (CallState.QUEUED, CallState.OFFERED)
    if waits and (offer is None or offer.state == OfferState.OPEN):
        await record.record(work, call, CallLog.ANSWERED_WITHOUT_COUNSELLOR)
        await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM)
        work.defer(Task.END_CALLER, call_id=str(call.id))


async def answered_by(work: Work, call_id: UUID, signed: Signed) -> None:
    """Note whether a person or a machine answered, and end the call to a machine."""
    key = delivery_keys.machine(call_id, signed.call_sid)
    call, earlier = await record.lock_for_delivery(work, key, call_id=call_id)
    if earlier is not None or call.direction != Direction.OUTBOUND:
        return
    await record.record(work, call, CallLog.ANSWERED_BY, delivery=delivery_of(signed, key))
    if CallState(call.state) is CallState.ENDED or not signed.by_machine:
        return
    await callback_attempts.note_machine(work, call)
    work.defer(Task.END_CALLER, call_id=str(call.id))


@task(Task.CALLBACK_NOT_NEEDED)
async def callback_not_needed(context: JobContext, callback_id: str) -> None:
    """Take a call-back that has not rung yet out of the queue, because the caller rang us."""
    async with parts_of(context).work() as work:
        call_id = await work.session.scalar(
            select(Call.id).where(
                Call.callback_id == UUID(callback_id),
                Call.state != CallState.ENDED,
                Call.sending.in_(NOT_RUNG),
            )
        )
        if call_id is None:
            return
        call = await record.lock_call(work, call_id)
        if call.sending in NOT_RUNG:
            await releasing.end_call(work, call, ended_by=EndedBy.PROGRAM)


@task(Task.CALLBACK_OVER)
async def callback_over(context: JobContext, call_id: str) -> None:
    """Settle a call-back whose call is over: done, to be tried again, or given up."""
    async with parts_of(context).work() as work:
        call: Call = await record.lock_call(work, UUID(call_id))
        await callback_attempts.after_attempt(work, call)
