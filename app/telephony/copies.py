"""The jobs that delete a person's copies at the provider: calls, recordings, texts.

To delete twice is harmless: the second time the provider has none. So a request without an answer
is sent again; a copy that is still in use is asked for again later.
"""

from datetime import timedelta
from uuid import UUID

from procrastinate import JobContext

from app.jobs.names import Task
from app.outbox.responses import Refused
from app.retention.data_requests import copies
from app.retention.data_requests.kinds import Copy, CopyKind, CopyState
from app.retention.data_requests.models import ProviderCopy
from app.telephony.jobs import parts_of, task

# The call goes on, or the text is on its way: the provider deletes neither.
_IN_USE = 409
_LATER = timedelta(minutes=10)
# After this many times a person looks.
_ATTEMPTS = 200


@task(Task.FIND_COPIES)
async def find_copies(context: JobContext, request_id: str) -> None:
    """Ask the provider for calls and texts of the person's numbers, and for what belongs to these
    and to erased calls: legs and recordings. Have all deleted."""
    parts = parts_of(context)
    can = parts.ground.settings.has_telephony
    async with parts.work() as work:
        asked = await copies.to_ask(work, UUID(request_id))
    found: list[Copy] = []
    try:
        if can:
            found = await parts.platform.find_copies(asked.numbers, asked.calls)
    except Refused:
        can = False
    async with parts.work() as work:
        await copies.note_copies(work, UUID(request_id), found, asked=can)


@task(Task.DELETE_COPY)
async def delete_copy(context: JobContext, copy_id: str) -> None:
    """Delete one copy at the provider."""
    parts = parts_of(context)
    async with parts.work() as work:
        copy = await work.session.get(ProviderCopy, UUID(copy_id))
        if copy is None or copy.state != CopyState.WAITING or copy.sid is None:
            return
        kind, sid = CopyKind(copy.kind), copy.sid
    status = 204
    try:
        await parts.platform.delete_copy(kind, sid)
    except Refused as error:
        status = error.status
    async with parts.work() as work:
        copy = await work.session.get(ProviderCopy, UUID(copy_id), with_for_update=True)
        if copy is None or copy.state != CopyState.WAITING:
            return
        copy.attempts += 1
        if status == _IN_USE and copy.attempts < _ATTEMPTS:
            copy.status = status
            work.defer(Task.DELETE_COPY, delay=_LATER, copy_id=copy_id)
        elif status == 204:
            copies.end_copy(work, copy, CopyState.DELETED, status)
        elif status == 404:
            copies.end_copy(work, copy, CopyState.GONE, status)
        else:
            copies.end_copy(work, copy, CopyState.BY_HAND, status)
