"""Messages between supervisors and their team: a small menu in the frame of every page."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Request, Response

from app.dashboard.templating import templates
from app.errors import NotFound, Refusal
from app.routing.supervision import team_messages
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]


@router.get("/team/messages/unread")
async def unread(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """Render how many messages are new: a count, and never a word of them."""
    values = {"unread": await team_messages.count_unread(work, staff)}
    return templates.TemplateResponse(request, "fragments/team/team_unread.html", values)


@router.get("/board/team-messages")
async def inbox(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """Render the row of the desk's inbox that leads to the new messages."""
    values = {"unread": await team_messages.count_unread(work, staff)}
    return templates.TemplateResponse(request, "fragments/team/team_inbox.html", values)


@router.post("/team/messages/read")
async def read(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """Open the messages: the reader has opened the menu. They count as read from now on."""
    return await _opened(request, work, staff)


@router.post("/team/messages")
async def send(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    to: Annotated[UUID, Form()],
    key: Annotated[UUID, Form()],
    words: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Send a message. After a refusal what was written stays in its field."""
    try:
        await team_messages.send(work, staff, to, words, key)
    except Refusal as refusal:
        answer = await _opened(request, work, staff, refusal_words(refusal))
        answer.headers["HX-Trigger"] = "messageRefused"
        return answer
    return await _opened(request, work, staff)


@router.post("/board/note", status_code=204)
async def note(
    work: InWork,
    staff: TakesCalls,
    to: Annotated[UUID, Form()],
    key: Annotated[UUID, Form()],
    words: Annotated[str, Form(max_length=4000)] = "",
) -> None:
    """Send one line from the desk to a supervisor, while a talk goes on."""
    if to not in dict(await team_messages.supervisors(work, staff)):
        raise NotFound("Choose a supervisor of your team from the list.")
    await team_messages.send(work, staff, to, words, key)


async def _opened(request: Request, work: Work, staff: Staff, notice: str = "") -> Response:
    values = {
        "shown": await team_messages.read_all(work, staff),
        "partners": await team_messages.partners(work, staff),
        "longest": team_messages.LONGEST,
        "notice": notice,
        # The id of the next message: a message that is sent twice is stored once.
        "key": uuid4(),
    }
    return templates.TemplateResponse(request, "fragments/team/team_messages.html", values)
