"""Translations by a machine, for the counsellor of a conversation: of what was written, and of what
they are about to send."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from app.chats import messages, translating
from app.dashboard.templating import page
from app.errors import Invalid
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.web.lean import LeanRoute
from app.words.pages import reader, refusal_words

router = APIRouter(include_in_schema=False)
lean_router = APIRouter(include_in_schema=False, route_class=LeanRoute)
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
Text = Annotated[str, Form(max_length=messages.LONGEST + 1)]
_TEMPLATE = "fragments/chats/translation.html"


@lean_router.get("/board/chats/{call_id}/translations")
async def translations(
    request: Request, work: InWork, staff: TakesCalls, call_id: UUID, numbers: str | None = None
) -> Response:
    """Render messages of one's conversation in the language of the page. `numbers`: which, with
    commas. Without the engine the conversation goes on, and it is said."""
    wanted = {int(one) for one in (numbers or "").split(",")[: translating.MOST] if _is_number(one)}
    try:
        found = await translating.of_messages(work, staff, call_id, wanted)
    except translating.NotTranslated as refusal:
        return page(request, _TEMPLATE, trouble=refusal_words(refusal))
    return page(request, _TEMPLATE, found=found, language=reader())


@router.post("/board/chats/{call_id}/translation")
async def preview(
    request: Request, work: InWork, staff: TakesCalls, call_id: UUID, text: Text = ""
) -> Response:
    """Render what the counsellor has written beside its translation. Nothing is sent."""
    try:
        made = await translating.of_draft(work, staff, call_id, text)
    except (Invalid, translating.NotTranslated) as refusal:
        return page(request, _TEMPLATE, trouble=refusal_words(refusal))
    return page(request, _TEMPLATE, written=text.strip(), made=made)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 7
