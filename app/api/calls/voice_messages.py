"""The JSON interface of voice messages."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.api.description import files
from app.calls import messages
from app.web.access import HearsMessages, InWork
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["calls"], route_class=StrictRoute)


@router.get("/voice-messages/{message_id}", **files("audio/*"))
async def voice_message(work: InWork, staff: HearsMessages, message_id: UUID) -> Response:
    """Return the audio of a voice message. Opening it is logged."""
    audio, kind = await messages.open_message(work, staff, message_id)
    return Response(audio, media_type=kind, headers={"Cache-Control": "no-store"})


@router.post("/voice-messages/{message_id}/take", status_code=204)
async def take_message(work: InWork, staff: HearsMessages, message_id: UUID) -> None:
    """Take responsibility for a voice message."""
    await messages.take(work, staff, message_id)


@router.post("/voice-messages/{message_id}/done", status_code=204)
async def message_done(work: InWork, staff: HearsMessages, message_id: UUID) -> None:
    """Mark a voice message as done: heard, and followed up."""
    await messages.mark_heard(work, staff, message_id)
