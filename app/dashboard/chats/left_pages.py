"""Messages that children left in writing: read, answered and done from the inbox."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from app.calls.models import Call
from app.calls.states import Channel
from app.chats import messages
from app.chats.left import answering, scopes
from app.contacts import reading_contacts
from app.dashboard.chats.pages import check_words
from app.dashboard.chats.values import words_values
from app.dashboard.chats.views import ANSWERS_GO
from app.dashboard.desk_values import known_caller
from app.dashboard.templating import page
from app.dashboard.views import CallerCard
from app.errors import Refusal
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
HearsMessages = Annotated[Staff, reader_with(Permission.HEAR_MESSAGES)]
Text = Annotated[str, Form(max_length=messages.LONGEST + 1)]
Key = Annotated[str, Form(max_length=64)]


async def _shown(
    request: Request,
    work: Work,
    staff: Staff,
    call_id: UUID,
    notice: str = "",
    sent: bool = False,
    found: Sequence[tuple[str, str]] = (),
) -> Response:
    await work.session.flush()
    words = await answering.read_left(work, staff, call_id)
    call = await work.session.get_one(Call, call_id)
    channel = Channel(call.channel)
    values = {
        **await words_values(work, call_id, words),
        "call_id": call_id,
        "channel": channel if channel.is_carried else "",
        "goes": said(ANSWERS_GO[channel]),
        "caller": await _known(work, staff, call),
        "code": call.language or "",
        "longest_text": messages.LONGEST,
        "answerable": await answering.is_answerable(work, call),
        "notice": notice,
        "found": found,
        "staff": staff,
    }
    answer = page(request, "fragments/chats/left.html", **values)
    if sent:
        answer.headers["HX-Trigger"] = "chatSent"
    return answer


async def _known(work: Work, staff: Staff, call: Call) -> CallerCard | None:
    """Return what is known of the number from which a message was written. The list is logged."""
    if not await scopes.may_know_caller(work, staff, call.id):
        return None
    contact = (await reading_contacts.at_hand_of_each(work, staff, [call.id])).get(call.id)
    return await known_caller(work, staff, call, contact)


@router.get("/board/messages/written/{call_id}")
async def read(request: Request, work: InWork, staff: HearsMessages, call_id: UUID) -> Response:
    """Show a message that a child left, with the answers. The reading is logged."""
    return await _shown(request, work, staff, call_id)


@router.post("/board/messages/written/{call_id}/answer")
async def answer(
    request: Request,
    work: InWork,
    staff: HearsMessages,
    call_id: UUID,
    text: Text = "",
    client_key: Key = "",
    despite: Annotated[bool, Form()] = False,
) -> Response:
    """Answer a message. Personal data in the words is asked about first (`despite`)."""
    try:
        found = await check_words(work, call_id, text)
        if found and not despite:
            return await _shown(request, work, staff, call_id, found=found)
        await answering.answer(work, staff, call_id, text=text, client_key=client_key)
    except answering.TakenByAnotherTeam:
        # There is nothing more to show.
        raise
    except Refusal as refusal:
        await work.undo()
        return await _shown(request, work, staff, call_id, refusal_words(refusal))
    return await _shown(request, work, staff, call_id, sent=True)


@router.post("/board/messages/written/{call_id}/take")
async def take(request: Request, work: InWork, staff: HearsMessages, call_id: UUID) -> Response:
    """Make the reader responsible for a message."""
    await answering.take(work, staff, call_id)
    return await _shown(request, work, staff, call_id)


@router.post("/board/messages/written/{call_id}/done", status_code=204)
async def done(work: InWork, staff: HearsMessages, call_id: UUID) -> None:
    """Mark a message as done. Its row goes with the change that the stream brings."""
    await answering.mark_done(work, staff, call_id)
