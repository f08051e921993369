"""The live stream of topic names. It carries nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from app.contacts.scopes import may_read_any
from app.database.bus import Bus
from app.errors import NotFound
from app.staff.models import Staff
from app.web.access import InWork, SignedIn

router = APIRouter(tags=["events"])

# How often to send a line so that a dead connection is noticed, in seconds.
_PING = 15


def _for(staff: Staff, topics: set[str], record: UUID | None) -> list[str]:
    """Return the topics that concern a member of staff, without other people's own topics."""
    mine = f":{staff.id}"
    found = {t.partition(":")[0] for t in topics if ":" not in t or t.endswith(mine)}
    if record is not None and f"record:{record}" in topics:
        found.add("record")
    return sorted(found)


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request, work: InWork, staff: SignedIn, record: UUID | None = None
) -> StreamingResponse:
    """Stream server-sent events: `{"topics": [...]}` says what has changed and must be read again.

    The first event is `everything`, also after every reconnection. If `record` is the id of a
    contact or case that you may read, the topic `record` says that it has changed.
    """
    if record is not None and not await may_read_any(work, staff, record):
        raise NotFound("Not found, or you do not have access.")
    bus: Bus = request.app.state.bus
    stopping: asyncio.Event = request.app.state.stopping

    async def stream() -> AsyncIterator[str]:
        yield 'retry: 1000\ndata: {"topics": ["everything"]}\n\n'
        with bus.subscribed() as subscription:
            stop = asyncio.ensure_future(stopping.wait())
            taking: asyncio.Future[set[str]] | None = None
            try:
                while not stop.done() and not await request.is_disconnected():
                    taking = asyncio.ensure_future(subscription.take())
                    await asyncio.wait(
                        {taking, stop}, timeout=_PING, return_when=asyncio.FIRST_COMPLETED
                    )
                    if not taking.done():
                        taking.cancel()
                        yield ": still here\n\n"
                        continue
                    topics = _for(staff, taking.result(), record)
                    if topics:
                        yield f"data: {json.dumps({'topics': sorted(set(topics))})}\n\n"
            finally:
                stop.cancel()
                if taking is not None:
                    # The client disconnected while we waited.
                    taking.cancel()

    return StreamingResponse(
        stream(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
