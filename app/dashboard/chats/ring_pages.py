"""Ringing a child who writes: at the number from which it writes, or at one that it wrote."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Request, Response

from app.calls.lines import finding_lines
from app.calls.models import Call
from app.chats import ringing
from app.contacts.cases import case_flags
from app.dashboard.callback_form import window_of
from app.dashboard.chats.pages import desk
from app.dashboard.templating import page
from app.errors import Refusal
from app.privacy.hash_kinds import HashOf
from app.routing.callbacks import choices
from app.sealing.hashes import carry_caller
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]


class Agreed:
    """What the form of a call-back sends."""

    def __init__(
        self,
        who: Annotated[choices.Who, Form()] = choices.Who.CALLER,
        day: Annotated[str, Form(max_length=10)] = "",
        begins: Annotated[str, Form(max_length=8)] = "",
        ends: Annotated[str, Form(max_length=8)] = "",
        safe: Annotated[bool, Form()] = False,
    ) -> None:
        self.who, self.safe = who, safe
        self.day, self.begins, self.ends = day, begins, ends


Sent = Annotated[Agreed, Depends()]


async def _form(
    request: Request, work: Work, staff: Staff, call: Call, to: str, number: str | None
) -> Response:
    """Show the form. A number that the child did not write is not shown: it is sealed."""
    forbidden = await case_flags.forbids_ringing(work, staff, call.caller_key)
    if number is not None and not forbidden:
        await carry_caller(work, number)
        key = work.keys.match_key(HashOf.CALLER, number)
        forbidden = await case_flags.forbids_ringing(work, staff, key)
    zone = await _zone(work, call)
    here = work.now.astimezone(ZoneInfo(zone))
    values: dict[str, Any] = {
        "to": to,
        "number": number,
        "do_not_ring": forbidden,
        "zone": zone,
        "day": here.date().isoformat(),
        "last": (here.date() + timedelta(days=30)).isoformat(),
        "begins": f"{here:%H:%M}",
        "ends": f"{here + timedelta(hours=1):%H:%M}",
    }
    return page(request, "fragments/chats/ring.html", **values)


@router.get("/board/chats/{call_id}/ring")
async def own_form(request: Request, work: InWork, staff: TakesCalls, call_id: UUID) -> Response:
    """Show the form of a call-back to the number from which the child writes."""
    call = await ringing.own_number(work, staff, call_id)
    return await _form(request, work, staff, call, f"/board/chats/{call_id}/ring", None)


@router.post("/board/chats/{call_id}/ring")
async def ring_own(
    request: Request, work: InWork, staff: TakesCalls, call_id: UUID, sent: Sent
) -> Response:
    """Agree a call-back to the number from which the child writes."""
    try:
        call = await ringing.own_number(work, staff, call_id)
        await ringing.agree_known(
            work, call, sent.who, await _window(work, call, sent), safe=sent.safe
        )
    except Refusal as refusal:
        await work.undo()
        return await desk(request, work, staff, notice=refusal_words(refusal))
    return await desk(request, work, staff)


@router.get("/board/chats/{call_id}/ring/{message_number}")
async def given_form(
    request: Request, work: InWork, staff: TakesCalls, call_id: UUID, message_number: int
) -> Response:
    """Show the form of a call-back to a number that the child wrote."""
    call, number = await ringing.given_number(work, staff, call_id, message_number)
    to = f"/board/chats/{call_id}/ring/{message_number}"
    return await _form(request, work, staff, call, to, number)


@router.post("/board/chats/{call_id}/ring/{message_number}")
async def ring_given(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    message_number: int,
    sent: Sent,
) -> Response:
    """Agree a call-back to a number that the child wrote."""
    try:
        call, number = await ringing.given_number(work, staff, call_id, message_number)
        window = await _window(work, call, sent)
        await ringing.agree(work, call, number, sent.who, window, safe=sent.safe)
    except Refusal as refusal:
        await work.undo()
        return await desk(request, work, staff, notice=refusal_words(refusal))
    return await desk(request, work, staff)


async def _window(work: Work, call: Call, sent: Agreed) -> Any:
    return window_of(sent.day, sent.begins, sent.ends, ZoneInfo(await _zone(work, call)))


async def _zone(work: Work, call: Call) -> str:
    line = await finding_lines.line_of_id(work, call.line_id)
    return line.timezone if line else "UTC"
