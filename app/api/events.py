"""The live stream of topic names, for programs. It carries nothing else."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from app.web.access import InWork, SignedIn
from app.web.stream import StreamWanted, names_in, stream_of
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["events"], route_class=StrictRoute)


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request,
    work: InWork,
    staff: SignedIn,
    record: UUID | None = None,
    topics: Annotated[str | None, Query(max_length=500)] = None,
) -> StreamingResponse:
    """Stream server-sent events: `{"topics": [...]}` says what has changed and must be read again.

    The first event is `everything`, also after every reconnection. If `record` is the id of a
    contact or case that you may read, the topic `record` says that it has changed. `topics` is a
    list with commas: you are told of these alone. A name with `:me`, as in `calls:me`, is only
    about your own call, presence or records.
    Without news an event `beat` comes every two seconds.
    """
    wanted = StreamWanted(record, None if topics is None else names_in(topics))
    return await stream_of(request, work, staff, wanted)
