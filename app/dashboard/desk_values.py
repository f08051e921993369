"""The values for the counsellor's own part of the board."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import Request, Response

from app.calls import callers
from app.calls.asked import QUESTIONS
from app.calls.models import Call
from app.contacts import contacts
from app.contacts.models import Contact
from app.dashboard import referrals, views
from app.dashboard.templating import templates
from app.referrals.replies.in_talk import DutyInTalk, duty_in_talk
from app.routing import callbacks, desk
from app.routing.participants import company, questions
from app.routing.participants.company import Party
from app.staff import accounts
from app.staff.audit import write_reading
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


async def desk_values(request: Request, work: Work, staff: Staff) -> dict[str, Any]:
    found = await desk.desk_of(work, staff)
    contact = await contact_at_hand(work, staff, found)
    shown = views.desk_view(
        found,
        contact,
        work.now,
        on_phone=staff.endpoint_kind != "browser",
        limit=work.settings.offer_seconds,
        back=await callbacks.of_call(work, found.call) if found.call else None,
    )
    call_id = shown.call.call_id if shown.call else None
    caller = None
    if found.call is not None and may(staff.role, Permission.KNOW_CALLERS):
        caller = await _caller(work, staff, found.call)
    talking = call_id if shown.call and shown.call.connected else None
    return {
        **await talk_values(work, talking),
        "desk": shown,
        "together": work.settings.has_conferences,
        "caller": caller,
        "said_wanted": await callbacks.to_be_said(work, staff.id),
        **await _asked_by_key(work, talking),
        **await referrals.desk_values(request, work, staff, call_id, contact),
    }


async def _asked_by_key(work: Work, call_id: UUID | None) -> dict[str, Any]:
    """Return the questions for a caller who cannot speak, and those that were asked."""
    if call_id is None or not work.settings.has_conferences:
        return {"key_questions": [], "key_answers": []}
    asked = await questions.questions_of(work, call_id)
    return {
        "key_questions": [(code, one.words) for code, one in QUESTIONS.items()],
        "key_answers": [(QUESTIONS[one.code].words, one.state, one.answer) for one in asked],
    }


async def _caller(work: Work, staff: Staff, call: Call) -> views.CallerCard | None:
    """Return the card of the caller: flags, earlier calls, readable contacts. None if unknown."""
    history = await callers.history(work, call)
    if not history.calls and not history.flags:
        return None
    readable, others = await contacts.earlier_of_caller(work, staff, call)
    await _note_listed(work, staff, call.id, [str(contact.id) for contact in readable])
    return views.caller_card(history, readable, others)


async def desk_fragment(request: Request, work: Work, staff: Staff, notice: str = "") -> Response:
    await work.session.flush()
    values = await desk_values(request, work, staff)
    return templates.TemplateResponse(
        request, "fragments/desk.html", {**values, "staff": staff, "notice": notice}
    )


async def contact_at_hand(work: Work, staff: Staff, found: desk.Desk) -> Contact | None:
    """Return the contact of the present call, or in wrap-up of the call that has just ended."""
    call_id = found.call.id if found.call else await desk.call_of_wrap_up(work, staff)
    return await contacts.at_hand(work, staff, call_id) if call_id else None


async def talk_values(work: Work, call_id: UUID | None) -> dict[str, Any]:
    """Return the other participants in a talk."""
    if call_id is None:
        return {"parties": []}
    found = [p for p in await company.live_parties(work, call_id) if p.owner_offer_id is None]
    names = await accounts.names_of(work, {p.staff_id for p in found if p.staff_id})
    shown: list[tuple[Party | DutyInTalk, str]] = [
        (p, names.get(p.staff_id, "") if p.staff_id else (p.role or "other").replace("_", " "))
        for p in found
    ]
    shown += [(one, one.agency) for one in await duty_in_talk(work, call_id)]
    return {"parties": shown}


# The desk is drawn again with every change. For this time, the same list is one reading.
_LISTED = timedelta(hours=1)


async def _note_listed(work: Work, staff: Staff, call_id: UUID, ids: list[str]) -> None:
    """Log that a counsellor sees the list of a caller's contacts."""
    key = (staff.id, call_id, tuple(ids))
    if not ids or work.ground.memory.recall("listed", key, work.now) is not None:
        return
    await write_reading(work, "records listed", "contacts", by=["caller"], ids=ids)
    work.ground.memory.keep("listed", key, True, work.now + _LISTED)
