"""The copies at the telephony provider: which are deleted there, and what came of it; and which a
report tells of.

`app/telephony/copies.py` asks the provider. An id is kept until the provider has answered.
"""

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from app.calls.models import Call, Leg, VoiceMessage
from app.calls.states import Channel
from app.chats.carrier_rows import Arrival, Sent
from app.database.topics import Topic
from app.jobs.names import Task
from app.privacy.hash_kinds import HashOf
from app.referrals.channels.models import Attempt
from app.referrals.models import Referral
from app.retention.data_requests.held_or_open import seen_by_program
from app.retention.data_requests.kinds import (
    AskingPerson,
    Because,
    Copy,
    CopyKind,
    CopyState,
    ItemKind,
    Keep,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest, ProviderCopy, RequestItem
from app.retention.data_requests.searched import seal_sought, sought_of
from app.routing.alarm_rows import AlarmAttempt
from app.work import Work


class ToAsk(NamedTuple):
    """What the provider is asked about: numbers, and calls by its own ids."""

    numbers: list[str]
    calls: list[str]


async def to_ask(work: Work, request_id: UUID) -> ToAsk:
    """Return what the provider is asked about for a request."""
    request = await work.session.get(DataRequest, request_id)
    if request is not None and request.kind == RequestKind.ACCESS:
        return await _for_report(work, request)
    return ToAsk(await numbers_to_ask(work, request_id), await _deleted_calls(work, request_id))


async def _for_report(work: Work, request: DataRequest) -> ToAsk:
    """Return what is asked about for the report of a child.

    A number of which a call is left out may be another person's, too: then only recordings of the
    calls that are shown are looked for. A guardian or another caller is not told when a child rang.
    """
    if request.state != RequestState.APPROVED or request.person != AskingPerson.CHILD:
        return ToAsk([], [])
    rows = await work.session.execute(
        select(RequestItem.subject_id, RequestItem.keep).where(
            RequestItem.request_id == request.id, RequestItem.kind == ItemKind.CALL.value
        )
    )
    keeps = {one.subject_id: one.keep for one in rows}
    calls = await calls_at_provider(work, [id_ for id_, keep in keeps.items() if keep is None])
    numbers = [] if any(keeps.values()) else sought_of(work, request).numbers
    return ToAsk(numbers, sorted(calls))


async def calls_at_provider(work: Work, call_ids: Collection[UUID]) -> set[str]:
    """Return the provider's ids of calls."""
    sids = await work.session.scalars(
        select(Call.provider_sid).where(Call.id.in_(call_ids), Call.channel == Channel.VOICE)
    )
    return {sid for sid in sids if sid}


async def must_be_asked(work: Work, request: DataRequest) -> bool:
    """Return whether the provider is to be asked before a report is made."""
    if sought_of(work, request).provider or not work.ground.settings.has_telephony:
        return False
    return any(await _for_report(work, request))


async def _keep_for_report(work: Work, request: DataRequest, found: list[Copy]) -> None:
    """Keep what no row here is about, and go on with the report. May be run twice."""
    if request.state != RequestState.APPROVED:
        return
    known = await _known(work, [one.sid for one in found])
    # The legs of a call belong to it.
    left = {
        one.sid: [one.kind.value, one.at.isoformat(), one.of_call or ""]
        for one in found
        if one.sid not in known and one.at and not (one.kind is CopyKind.CALL and one.of_call)
    }
    sought = sought_of(work, request)._replace(provider={"copies": list(left.values())})
    request.sought_sealed = seal_sought(work, request.id, sought)
    work.defer(Task.CARRY_OUT_REQUEST, request_id=str(request.id))


async def _known(work: Work, sids: list[str]) -> set[str]:
    """Return which of these ids are of rows here. A call whose number was forgotten is none: only
    the provider knows whose it was."""
    theirs = select(Call.id).where(Call.caller_key.is_not(None))
    known: Any = union_all(
        select(Call.provider_sid).where(Call.provider_sid.in_(sids), Call.caller_key.is_not(None)),
        select(Sent.provider_sid).where(Sent.provider_sid.in_(sids), Sent.call_id.in_(theirs)),
        select(Arrival.sid).where(Arrival.sid.in_(sids), Arrival.call_id.in_(theirs)),
        *(
            select(one).where(one.in_(sids))
            for one in (
                Leg.provider_sid,
                Attempt.provider_sid,
                AlarmAttempt.provider_sid,
                VoiceMessage.recording_sid,
            )
        ),
    )
    return set(await work.session.scalars(known))


async def numbers_to_ask(work: Work, request_id: UUID) -> list[str]:
    """Return the numbers of a finished erasure of which the provider may have more copies.

    Which texts of a number belong to what is kept here is known for some weeks only. So where
    anything is held, open or needed, and of a number that a call here still has, the provider is
    asked for nothing more: what was erased here is deleted there, row by row.
    """
    request = await work.session.get(DataRequest, request_id)
    if request is None or request.state != RequestState.DONE:
        return []
    if set(request.kept) - {Keep.ANOTHER_PERSON}:
        return []
    keys = {
        one: set(work.keys.match_keys(HashOf.CALLER, one))
        for one in sought_of(work, request).numbers
    }
    still = await work.session.scalars(
        select(Call.caller_key).where(
            Call.caller_key.in_(set().union(*keys.values())), Call.opened_at <= request.done_at
        )
    )
    kept = set(still.all())
    return [number for number, hashes in keys.items() if not hashes & kept]


async def _kept(work: Work, sids: list[str]) -> set[str]:
    """Return which of these ids of the provider are of rows that stay here: of calls and
    conversations, of voice messages, and of attempts to reach an agency for a referral."""
    of_calls: Any = union_all(
        select(Call.provider_sid, Call.id).where(Call.provider_sid.in_(sids)),
        select(Leg.provider_sid, Leg.call_id).where(Leg.provider_sid.in_(sids)),
        select(Sent.provider_sid, Sent.call_id).where(Sent.provider_sid.in_(sids)),
        select(Arrival.sid, Arrival.call_id).where(Arrival.sid.in_(sids)),
    )
    calls: dict[UUID, set[str]] = {}
    for sid, call_id in await work.session.execute(of_calls):
        if call_id is not None:
            calls.setdefault(call_id, set()).add(sid)
    known = await work.session.scalars(
        select(Call.id).where(Call.id.in_(calls), Call.caller_key.is_not(None))
    )
    # A rule may have forgotten the number of a call that is held.
    of_hold = await seen_by_program(work, {ItemKind.CALL: dict.fromkeys(calls, Because.CALL)})
    stay = {*known, *(id_ for _, id_ in of_hold)}
    together = aliased(Referral)
    others: Any = union_all(
        select(VoiceMessage.recording_sid).where(
            VoiceMessage.recording_sid.in_(sids), VoiceMessage.erased_at.is_(None)
        ),
        select(Attempt.provider_sid)
        .join(Referral, Referral.id == Attempt.referral_id)
        .where(
            Attempt.provider_sid.in_(sids),
            exists().where(
                together.opened_together == Referral.opened_together, together.erased_at.is_(None)
            ),
        ),
    )
    return {sid for id_ in stay for sid in calls[id_]} | set(await work.session.scalars(others))


async def _deleted_calls(work: Work, request_id: UUID) -> list[str]:
    """Return the calls of a finished erasure, as the provider names them, that it still has.

    A recording of which there is no row here is found by them alone.
    """
    found = await work.session.scalars(
        select(ProviderCopy.sid).where(
            ProviderCopy.request_id == request_id,
            ProviderCopy.kind == CopyKind.CALL,
            ProviderCopy.state == CopyState.WAITING,
        )
    )
    return sorted(sid for sid in found if sid)


async def note_copies(work: Work, request_id: UUID, found: list[Copy], *, asked: bool) -> None:
    """Note what the provider has, forget the numbers, and have the copies deleted; for a report
    it is only kept.

    A call or text that is kept here is kept there, too. Without `asked` the platform has no way to
    delete: a person does it there. May be run twice.
    """
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is not None and request.kind == RequestKind.ACCESS:
        await _keep_for_report(work, request, found)
        return
    if request is None or request.state != RequestState.DONE:
        return
    kept = await _kept(work, [sid for one in found for sid in (one.sid, one.of_call) if sid])
    for one in found:
        if not kept & {one.sid, one.of_call}:
            await work.session.execute(
                insert(ProviderCopy)
                .values(request_id=request_id, kind=one.kind.value, sid=one.sid, wanted_at=work.now)
                .on_conflict_do_nothing()
            )
    request.sought_sealed = None
    await work.session.flush()
    waiting = await work.session.scalars(
        select(ProviderCopy).where(
            ProviderCopy.request_id == request_id, ProviderCopy.state == CopyState.WAITING
        )
    )
    for copy in waiting.all():
        if asked:
            work.defer(Task.DELETE_COPY, copy_id=str(copy.id))
        else:
            end_copy(work, copy, CopyState.BY_HAND)
    work.announce(Topic.DATA_REQUESTS)


def end_copy(work: Work, copy: ProviderCopy, state: CopyState, status: int | None = None) -> None:
    """Write down what came of a copy. Its id is kept only where a person has to look for it."""
    copy.state, copy.status, copy.ended_at = state.value, status, work.now
    if state is not CopyState.BY_HAND:
        copy.sid = None
    work.announce(Topic.DATA_REQUESTS)
