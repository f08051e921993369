"""Agreeing a call-back on the desk, in the talk or in the wrap-up after it."""

from datetime import date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request, Response

from app.calls import queries, record
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.chats import ringing
from app.chats.left import scopes
from app.dashboard.desk_values import desk_fragment
from app.errors import Invalid, Refusal
from app.routing.callbacks import choices
from app.routing.rota.shifts import first_instant, last_instant
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]


@router.post("/board/calls/{call_id}/callback")
async def agree(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    who: Annotated[choices.Who, Form()] = choices.Who.CALLER,
    day: Annotated[str, Form(max_length=10)] = "",
    begins: Annotated[str, Form(max_length=8)] = "",
    ends: Annotated[str, Form(max_length=8)] = "",
    safe: Annotated[bool, Form()] = False,
) -> Response:
    """Agree on a call-back. Day and times are those of the line's time zone."""
    notice = ""
    try:
        await queries.readable_call(work, scopes.known_callers(staff), call_id)
        call = await record.lock_call(work, call_id)
        window = window_of(day, begins, ends, await _zone(work, call))
        await ringing.agree_known(work, call, who, window, safe=safe)
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
    return await desk_fragment(request, work, staff, notice)


def window_of(day: str, begins: str, ends: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return begin and end of a window; one that ends before it begins ends on the next day."""
    try:
        on = date.fromisoformat(day)
        begin, end = time.fromisoformat(begins), time.fromisoformat(ends)
    except ValueError:
        raise Invalid("Choose the day and both times of the call-back.") from None
    last = on + timedelta(days=1) if end <= begin else on
    return (
        first_instant(datetime.combine(on, begin), zone),
        last_instant(datetime.combine(last, end), zone),
    )


async def _zone(work: Work, call: Call) -> ZoneInfo:
    line = await finding_lines.line_of_id(work, call.line_id)
    return ZoneInfo(line.timezone if line else "UTC")
