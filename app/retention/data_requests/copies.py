"""The copies at the telephony provider: which are deleted there, and what came of it.

`app/telephony/copies.py` asks the provider. An id is kept until the provider has answered.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from app.calls.models import Call, Leg, VoiceMessage
from app.chats.models import Arrival, Sent
from app.database.topics import Topic
from app.jobs.names import Task
from app.privacy.hash_kinds import HashOf
from app.referrals.channels.models import Attempt
from app.referrals.models import Referral
from app.retention.data_requests.finding import seen_by_program
from app.retention.data_requests.kinds import (
    Because,
    Copy,
    CopyKind,
    CopyState,
    ItemKind,
    Keep,
    RequestState,
)
from app.retention.data_requests.models import DataRequest, ProviderCopy
from app.retention.data_requests.searched import sought_of
from app.work import Work


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


async def calls_to_ask(work: Work, request_id: UUID) -> list[str]:
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
    """Note what the provider has, forget the numbers, and have the copies deleted.

    A call or text that is kept here is kept there, too. Without `asked` the platform has no way to
    delete: a person does it there. May be run twice.
    """
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
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
