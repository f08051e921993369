"""The recording of a prompt as a response, for pages and the API."""

from uuid import UUID

from fastapi import Response

from app.calls import prompts
from app.calls.speech import LineScript
from app.errors import NotFound
from app.work import Work


async def recording_response(work: Work, line: LineScript | None, recording: UUID) -> Response:
    """Return a recording that a line plays; `line` None: every line. Raises NotFound."""
    found = await prompts.recording_of(work, line, recording)
    if found is None:
        raise NotFound("There is no such recording.")
    return Response(found[0], media_type=found[1], headers={"cache-control": "no-store"})
