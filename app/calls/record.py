"""Writing the call record: every move of a call, with its event, in one transaction."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID, uuid4

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import make_transient_to_detached

from app.calls.delivery_keys import DeliveryKey
from app.calls.log_kinds import (
    AnyCause,
    AnyKind,
    CallLog,
    Cause,
    LeavesBecause,
    ignored,
)
from app.calls.models import Call, RecordedEvent
from app.calls.states import (
    TRANSITIONS,
    CallEvent,
    CallFacts,
    CallState,
    Channel,
    Direction,
    EndedBy,
    Unstaffed,
    outcome_of,
)
from app.database.quick import Command
from app.database.topics import Topic
from app.errors import NotFound
from app.jobs.transaction import write_now
from app.outbox.states import Sending
from app.privacy.hash_kinds import HashOf
from app.privacy.numbers import CallerKind, read_caller
from app.sealing.hashes import carry_caller
from app.work import Work

# A callback that arrives later than this after its event is dated by its own timestamp
# (whole seconds); a fresh one by our clock, which is finer.
FRESH = timedelta(seconds=2)


@dataclass(frozen=True)
class WebhookDelivery:
    """One message of the provider: its key, its facts, and when it says the event happened.

    `facts` holds only fields that are on the list of the telephony edge: nothing personal.
    """

    key: DeliveryKey
    facts: dict[str, str] = field(default_factory=dict)
    told_at: datetime | None = None

    def happened_at(self, now: datetime, *, not_before: datetime) -> datetime:
        """Return the instant of the event, between the call's beginning and now."""
        at = self.told_at
        if at is None or abs(now - at) <= FRESH:
            return now
        return min(max(at, not_before), now)


class Answer(Protocol):
    """What a webhook was answered: it is kept with the event."""

    def stored(self) -> dict[str, Any]:
        """Return the answer as JSON; nothing in it is personal."""


# Built once: every ring begins with this, and building it costs more than sending it.
_OPEN = (
    pg_insert(Call.__table__)  # type: ignore[arg-type]
    .on_conflict_do_nothing(index_elements=["provider_sid"])
    .returning(Call.__table__.c.id)
)
# The defaults that the table itself fills in.
_BEGINS_WITH = {
    "danger": False,
    "danger_again": False,
    "priority": 0,
    "channel": "voice",
    "entries": 0,
    "lost": False,
    "returned": 0,
    "messages": 0,
    "event_count": 0,
    "blocked": False,
    "direction": "inbound",
    "asked_back": False,
    "wanted_skills": [],
    "excluded_ids": [],
}


def _as_loaded(work: Work, values: dict[str, Any]) -> Call:
    """Return the row just written as if the session had read it, without a query."""
    empty = {column.key: None for column in Call.__table__.columns}
    call = Call(**{**empty, **_BEGINS_WITH, **values})
    make_transient_to_detached(call)
    work.session.add(call)
    return call


async def open_call(
    work: Work,
    *,
    provider_sid: str,
    raw_from: str | None,
    line_id: UUID | None,
    greeted: bool,
    opened_at: datetime | None = None,
) -> tuple[Call, bool]:
    """Create or get the row of a ring, locked. Return it, and whether it is new."""
    caller = read_caller(raw_from)
    call_id = uuid4()
    sealed = key = None
    if caller.address is not None:
        kept = await _kept_caller(work, call_id, caller.address)
        sealed, key = kept["caller_number_sealed"], kept["caller_key"]
    values = {
        "id": call_id,
        "provider_sid": provider_sid,
        "line_id": line_id,
        "state": CallState.GREETING.value,
        "caller_kind": caller.kind.value,
        "caller_number_sealed": sealed,
        "caller_key": key,
        "greeted": greeted,
        "opened_at": opened_at or work.now,
        "heard_at": work.now,
    }
    if (await work.session.execute(_OPEN, values)).first() is not None:
        return _as_loaded(work, values), True
    return await lock_call_of_sid(work, provider_sid), False


async def _kept_caller(work: Work, call_id: UUID, address: str) -> dict[str, bytes]:
    """Return a caller's address as it is kept: sealed, and as a hash by which it is known again."""
    await carry_caller(work, address)
    sealed = work.keys.seal(
        address.encode(), table="calls", column="caller_number_sealed", row=call_id
    )
    return {
        "caller_number_sealed": sealed,
        "caller_key": work.keys.match_key(HashOf.CALLER, address),
    }


async def open_conversation(
    work: Work,
    *,
    channel: Channel,
    line_id: UUID,
    language: str,
    danger: bool,
    address: str | None = None,
    visit_key: bytes | None = None,
) -> Call:
    """Create the row of a written conversation. `address`: the child's at a carrier; `visit_key`:
    the hash by which the visit of a page is known."""
    call_id = uuid4()
    values: dict[str, Any] = {
        "id": call_id,
        "channel": channel.value,
        "line_id": line_id,
        "state": CallState.GREETING.value,
        "language": language,
        "danger": danger,
        "caller_kind": CallerKind.WRITTEN.value,
        "visit_key": visit_key,
        "greeted": True,
        "opened_at": work.now,
        "heard_at": work.now,
    }
    if address is not None:
        caller = read_caller(address)
        values |= {"caller_kind": caller.kind.value, **await _kept_caller(work, call_id, address)}
    call = Call(**values)
    work.session.add(call)
    await work.session.flush()
    return await lock_call(work, call.id)


# Built once: every webhook begins with one of these.
_BY_ID = (
    select(Call)
    .where(Call.id == bindparam("call_id"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_BY_SID = (
    select(Call)
    .where(Call.provider_sid == bindparam("sid"))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_OF_DELIVERY = RecordedEvent.delivery_key == bindparam("key")
_BY_ID_WITH_EARLIER = (
    select(Call, RecordedEvent)
    .join(RecordedEvent, _OF_DELIVERY, isouter=True)
    .where(Call.id == bindparam("call_id"))
    .with_for_update(of=Call)
    .execution_options(populate_existing=True)
)
_BY_SID_WITH_EARLIER = (
    select(Call, RecordedEvent)
    .join(RecordedEvent, _OF_DELIVERY, isouter=True)
    .where(Call.provider_sid == bindparam("sid"))
    .with_for_update(of=Call)
    .execution_options(populate_existing=True)
)
_EARLIER = select(RecordedEvent).where(_OF_DELIVERY)


async def lock_call(work: Work, call_id: UUID) -> Call:
    """Return the call, locked until the end of the transaction. Raises NotFound."""
    return _found(await work.session.scalar(_BY_ID, {"call_id": call_id}))


async def lock_call_of_sid(work: Work, provider_sid: str) -> Call:
    """Return the call with this id at the provider, locked. Raises NotFound."""
    return _found(await work.session.scalar(_BY_SID, {"sid": provider_sid}))


def learn_sid(call: Call, sid: str) -> None:
    """Note that the caller of a call-back is rung, and the provider's id if it has given one."""
    if call.sending in (None, Sending.FAILED) or call.provider_sid is not None:
        return
    call.sending, call.provider_sid = Sending.SENT.value, sid[:64] or None


def _found(call: Call | None) -> Call:
    if call is None:
        raise NotFound("There is no such call.")
    return call


async def lock_for_delivery(
    work: Work, key: DeliveryKey, *, call_id: UUID | None = None, sid: str | None = None
) -> tuple[Call, RecordedEvent | None]:
    """Return the call, locked, and the event of this delivery if it came before; one statement.

    Two copies that arrive at the same instant may both find no event. The second to write then
    violates the unique key, is rolled back and run again, and finds the first. Raises NotFound.
    """
    if call_id is not None:
        result = await work.session.execute(_BY_ID_WITH_EARLIER, {"call_id": call_id, "key": key})
    else:
        result = await work.session.execute(_BY_SID_WITH_EARLIER, {"sid": sid, "key": key})
    row = result.one_or_none()
    if row is None:
        raise NotFound("There is no such call.")
    return row[0], row[1]


async def earlier_answer(work: Work, key: DeliveryKey) -> RecordedEvent | None:
    """Return the event of this delivery with our answer to it, if it came before.

    Lock the call first, so that two copies that arrive at once see each other.
    """
    return (await work.session.scalars(_EARLIER, {"key": key})).one_or_none()


_EVENT = Command(
    RecordedEvent.__table__,
    "call_id",
    "kind",
    "source",
    "at",
    "delivery_key",
    "detail",
    "answer",
    "previous",
    "hash",
)


async def last_detail(work: Work, call: Call, kind: AnyKind) -> dict[str, Any]:
    """Return the detail of the call's last event of a kind; empty if there is none."""
    found: dict[str, Any] | None = await work.session.scalar(
        select(RecordedEvent.detail)
        .where(RecordedEvent.call_id == call.id, RecordedEvent.kind == kind)
        .order_by(RecordedEvent.id.desc())
        .limit(1)
    )
    return found or {}


async def record(
    work: Work,
    call: Call,
    kind: AnyKind,
    *,
    delivery: WebhookDelivery | None = None,
    at: datetime | None = None,
    answer: Answer | None = None,
    cause: AnyCause | LeavesBecause | None = None,
    **detail: Any,
) -> None:
    """Append an event to the call's log; `detail` and `answer` hold nothing personal."""
    if cause is not None:
        detail["cause"] = cause
    if delivery is not None and delivery.facts:
        detail["provider"] = delivery.facts
    if work.actor.staff_id is not None:
        detail["staff_id"] = str(work.actor.staff_id)
    # Written at once, to keep the order of events; a trigger fills in the hashes.
    await write_now(
        work,
        _EVENT,
        {
            "call_id": call.id,
            "kind": str(kind),
            "source": work.actor.kind.value,
            "at": at or work.now,
            "delivery_key": delivery.key if delivery else None,
            "detail": detail,
            "answer": answer.stored() if answer is not None else None,
            "previous": b"",
            "hash": b"",
        },
    )


async def move(
    work: Work,
    call: Call,
    event: CallEvent,
    *,
    delivery: WebhookDelivery | None = None,
    at: datetime | None = None,
    answer: Answer | None = None,
    cause: AnyCause | LeavesBecause | None = None,
    **detail: Any,
) -> bool:
    """Apply an event to a locked call. Return whether the call moved.

    An event that the table does not allow is kept as a row and moves nothing.
    """
    state = TRANSITIONS.get((CallState(call.state), event))
    if state is None:
        await record(
            work,
            call,
            ignored(event),
            delivery=delivery,
            at=at,
            answer=answer,
            cause=cause,
            state=call.state,
            **detail,
        )
        return False
    before, call.state = call.state, state.value
    if event is CallEvent.END:
        call.ended_at = at or work.now
        settle_outcome(work, call)
        detail["outcome"] = call.outcome
    await record(
        work,
        call,
        event,
        delivery=delivery,
        at=at,
        answer=answer,
        cause=cause,
        before=before,
        after=call.state,
        **detail,
    )
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id), Topic.QUEUE)
    return True


async def enter_queue(
    work: Work,
    call: Call,
    *,
    language: str,
    danger: bool,
    priority: int,
    delivery: WebhookDelivery | None = None,
    answer: Answer | None = None,
) -> bool:
    """Put the caller into the queue, at the place of their first arrival."""
    call.language = language
    call.danger = call.danger or danger
    call.priority = max(call.priority, priority)
    if CallState(call.state) is CallState.GREETING:
        call.queued_at = call.queued_at or work.now
        call.entries += 1
    return await move(
        work, call, CallEvent.ENTER_QUEUE, delivery=delivery, answer=answer, language=language
    )


async def connect(work: Work, call: Call, *, at: datetime) -> bool:
    """Mark the call as answered: caller and counsellor are both in the conference."""
    # A CHECK of the table demands `answered_at` before the state may be `connected`.
    if CallState(call.state) is CallState.OFFERED:
        call.answered_at = call.answered_at or at
    return await move(work, call, CallEvent.CONNECT, at=at)


async def add_late_answer(work: Work, call: Call, *, at: datetime) -> None:
    """Correct the record of a talk that was reported only after it was over."""
    if call.answered_at is not None:
        return
    if call.ended_at is not None:
        # A callback may arrive after its event, when the end is already known.
        if at > call.ended_at + FRESH:
            return
        at = min(at, call.ended_at)
    call.answered_at = at
    if CallState(call.state) is CallState.ENDED:
        await _restate(work, call, Cause.ANSWER_HEARD_LATE)
    else:
        await record(work, call, CallLog.ANSWER_HEARD_OF_LATE, at=at)


async def end_call(
    work: Work,
    call: Call,
    *,
    ended_by: EndedBy,
    at: datetime | None = None,
    delivery: WebhookDelivery | None = None,
    answer: Answer | None = None,
    lost: bool = False,
) -> bool:
    """End the call and settle its outcome. A second end only adds a row to the log."""
    if CallState(call.state) is not CallState.ENDED:
        call.ended_by = ended_by.value
        call.lost = lost
        call.held_at, call.on_hold = None, False
    at = max(at or work.now, call.opened_at)
    return await move(
        work, call, CallEvent.END, delivery=delivery, at=at, answer=answer, ended_by=ended_by
    )


def settle_outcome(work: Work, call: Call) -> None:
    """Set the outcome of an ended call from its facts."""
    assert call.ended_at is not None
    facts = CallFacts(
        greeted=call.greeted,
        queued_at=call.queued_at,
        answered_at=call.answered_at,
        ended_at=call.ended_at,
        unstaffed=Unstaffed(call.unstaffed) if call.unstaffed else None,
        has_message=call.messages > 0,
        lost=call.lost,
        blocked=call.blocked,
        asked_back=call.asked_back,
        outbound=call.direction == Direction.OUTBOUND,
        transferred_out=call.transferred_at is not None,
        refused=call.ended_by == EndedBy.PROVIDER,
    )
    short = timedelta(seconds=work.settings.short_abandon_seconds)
    call.outcome = outcome_of(facts, short_abandon=short).value


async def _restate(work: Work, call: Call, why: AnyCause) -> None:
    before = call.outcome
    settle_outcome(work, call)
    await record(work, call, CallLog.OUTCOME_RESTATED, why=why, before=before, outcome=call.outcome)
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))


async def restate(work: Work, call: Call, why: AnyCause) -> None:
    """Settle the outcome of an ended call again, because a fact arrived late."""
    if CallState(call.state) is CallState.ENDED:
        await _restate(work, call, why)
