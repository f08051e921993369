"""The copies at the telephony provider: which are deleted there, and what came of it.

`app/telephony/copies.py` asks the provider. An id is kept until the provider has answered.
"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from app.calls.models import Call
from app.database.topics import Topic
from app.jobs.names import Task
from app.retention.data_requests.kinds import CopyKind, CopyState, RequestState
from app.retention.data_requests.models import DataRequest, ProviderCopy
from app.retention.data_requests.requests import sought_of
from app.work import Work


async def numbers_to_ask(work: Work, request_id: UUID) -> list[str]:
    """Return the numbers of a finished erasure of which the provider may have more copies."""
    request = await work.session.get(DataRequest, request_id)
    if request is None or request.state != RequestState.DONE:
        return []
    return sought_of(work, request).numbers


async def note_copies(
    work: Work, request_id: UUID, found: list[tuple[CopyKind, str]], *, asked: bool
) -> None:
    """Note what the provider has, forget the numbers, and have the copies deleted.

    A call that is kept here is kept there, too. Without `asked` the platform has no way to delete:
    a person does it there. May be run twice.
    """
    request = await work.session.get(DataRequest, request_id, with_for_update=True)
    if request is None or request.state != RequestState.DONE:
        return
    sids = [sid for _, sid in found]
    kept = set(
        await work.session.scalars(
            select(Call.provider_sid).where(
                Call.provider_sid.in_(sids), Call.caller_key.is_not(None)
            )
        )
    )
    for kind, sid in found:
        if sid not in kept:
            await work.session.execute(
                insert(ProviderCopy)
                .values(request_id=request_id, kind=kind.value, sid=sid, wanted_at=work.now)
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
