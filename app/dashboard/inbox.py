"""What waits for a team on the desk: messages, spoken and written, and call-backs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.calls import messages, queries
from app.chats.left import answering
from app.dashboard import views
from app.dashboard.templating import page, templates
from app.routing.callbacks import callbacks
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import (
    InWork,
    reader_with,
)
from app.work import Work

router = APIRouter(include_in_schema=False)

TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
HearsMessages = Annotated[Staff, reader_with(Permission.HEAR_MESSAGES)]


async def callback_rows(work: Work, team: str) -> list[views.CallbackRow]:
    return [
        views.callback_row(row, line, zone, work.now)
        for row, line, zone in await callbacks.open_callbacks(work, team)
    ]


async def inbox_values(work: Work, team: str) -> dict[str, Any]:
    """Return the messages that wait for a team: those that were spoken, and those in writing."""
    spoken, written = await queries.open_messages(work, team), await answering.waiting(work, team)
    owners = {one.owner_id for one in spoken} | {one.owner_id for one in written}
    names = await accounts.names_of(work, {one for one in owners if one})
    return {
        "messages": [views.message_row(one, names, work.now) for one in spoken],
        "left": [views.left_row(one, names, work.now) for one in written],
    }


@router.get("/board/callbacks")
async def callbacks_fragment(request: Request, work: InWork, staff: TakesCalls) -> Response:
    return page(
        request, "fragments/desk/callbacks.html", callbacks=await callback_rows(work, staff.team)
    )


async def callbacks_part(work: Work, team: Any) -> str:
    """Render the call-backs of a team, for its people who take calls."""
    template = templates.get_template("fragments/desk/callbacks.html")
    return template.render(callbacks=await callback_rows(work, team))


async def messages_part(work: Work, team: Any) -> str:
    """Render the messages of a team, for its people who may hear them."""
    template = templates.get_template("fragments/desk/messages.html")
    return template.render(**await inbox_values(work, team))


@router.get("/board/messages")
async def messages_fragment(request: Request, work: InWork, staff: HearsMessages) -> Response:
    return page(request, "fragments/desk/messages.html", **await inbox_values(work, staff.team))


@router.get("/board/messages/{message_id}/audio")
async def message_audio(work: InWork, staff: HearsMessages, message_id: UUID) -> Response:
    """Return the audio of a message. Opening it is logged."""
    audio, kind = await messages.open_message(work, staff, message_id)
    return Response(audio, media_type=kind)


@router.post("/board/messages/{message_id}/take")
async def take_message(
    request: Request, work: InWork, staff: HearsMessages, message_id: UUID
) -> Response:
    """Make the reader responsible for a message."""
    await messages.take(work, staff, message_id)
    await work.session.flush()
    return await messages_fragment(request, work, staff)


@router.post("/board/messages/{message_id}/done")
async def message_done(
    request: Request, work: InWork, staff: HearsMessages, message_id: UUID
) -> Response:
    await messages.mark_heard(work, staff, message_id)
    await work.session.flush()
    return await messages_fragment(request, work, staff)
