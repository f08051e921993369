"""`/calls/{call_id}`: the record of a call."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.calls import callers, queries
from app.calls.caller_rows import FlagKind
from app.calls.callers import NumberReason
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.chats.left import scopes
from app.contacts import contacts
from app.dashboard import views
from app.dashboard.records import contact_pages
from app.dashboard.templating import page
from app.privacy.numbers import CallerKind
from app.routing import in_hand
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import (
    InWork,
    reader_with,
)
from app.words.pages import _
from app.work import Work

router = APIRouter(include_in_schema=False)

SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]


async def _line_of(work: Work, call: Call) -> str:
    """Return the words for a line that is not in use, like that of practice calls."""
    if await finding_lines.is_practice(work, call.line_id):
        return _("Practice")
    return _("a number that is not ours")


@router.get("/calls/{call_id}")
async def call_page(request: Request, work: InWork, staff: SignedIn, call_id: UUID) -> Response:
    """Show the record of a call, event by event."""
    readable = queries.readable_calls(staff, in_hand.own_calls(staff))
    call = await queries.readable_call(work, readable, call_id)
    line = await finding_lines.line_of_id(work, call.line_id)
    write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    contact_id = await contacts.contact_of_call(work, staff, call_id)
    values = (
        await contact_pages.contact_values(request, work, staff, contact_id) if contact_id else {}
    )
    known = scopes.known_callers(staff).where(Call.id == call_id)
    knows = await work.session.scalar(known) is not None
    if knows:
        values["history"] = await callers.history(work, call)
        values["flags"] = await callers.flags_of(work, call)
        values["wishes"] = await callers.wishes_of(work, call)
    # A child at the page can be known again by its visit alone.
    by_visit = call.caller_key is None and call.visit_key is not None
    return page(
        request,
        "call.html",
        **{
            **values,
            "staff": staff,
            "practising": await finding_lines.is_practice(work, call.line_id),
        },
        call=call,
        knows=knows,
        number_reasons=[reason.value for reason in NumberReason],
        flag_kinds=[FlagKind.BLOCKED.value] if by_visit else [kind.value for kind in FlagKind],
        by_visit=by_visit,
        is_withheld=call.caller_kind == CallerKind.WITHHELD,
        line=line.name if line else await _line_of(work, call),
        line_zone=line.timezone if line else "",
        call_language=views.language_words(call.language),
        call_events=await queries.events_of(work, call),
    )
