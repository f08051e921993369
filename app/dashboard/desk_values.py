"""The values for the counsellor's own part of the desk."""

from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from app.abilities import EndpointKind
from app.calls import callers, danger_words, platform
from app.calls.asked import QUESTIONS
from app.calls.key_questions import questions_of as questions_of_line
from app.calls.lines import finding_lines
from app.calls.models import Call
from app.calls.speech import LineScript
from app.contacts import openings, reading_contacts
from app.contacts.models import Contact
from app.contacts.registry import library_of
from app.dashboard import views
from app.dashboard.desk_extras import extras_of
from app.dashboard.records.guidance import guidance_in
from app.dashboard.referrals import urgent_button
from app.dashboard.templating import templates
from app.referrals.replies.in_talk import DutyInTalk, duty_in_talk
from app.routing import in_hand
from app.routing.callbacks import callback_rows, callbacks
from app.routing.models import PresenceState
from app.routing.participants import participants, questions
from app.routing.participants.participants import Mode, Participant, ParticipantState
from app.routing.supervision import team_messages
from app.routing.telephones import why_no_browser
from app.staff import accounts
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.log_values import FoundBy
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.form_language import language_of
from app.web.keyed_answers import may_read_answers
from app.words.pages import code_words, said
from app.work import Work

_NO_BACKS = callbacks.OnDesk(None, None)


async def desk_values(request: Request, work: Work, staff: Staff) -> dict[str, Any]:
    found = await in_hand.read_in_hand(work, staff)
    contact = await contact_at_hand(work, staff, found)
    shown = views.desk_view(
        found,
        contact,
        work.now,
        on_phone=staff.endpoint_kind != EndpointKind.BROWSER,
        limit=work.settings.offer_seconds,
        back=await callbacks.of_call(work, found.call) if found.call else None,
    )
    call_id = shown.call.call_id if shown.call else None
    caller = None
    if found.call is not None and may(staff.role, Permission.KNOW_CALLERS):
        caller = await known_caller(work, staff, found.call, contact)
    talking = call_id if shown.call and shown.call.connected else None
    # In wrap-up the call is over, and what was agreed in it is still shown beside the form.
    at_hand = call_id or (contact.call_id if contact else None)
    agrees = at_hand if talking or contact else None
    extras = await extras_of(work, staff.id, at_hand)
    backs = _NO_BACKS
    if extras.backs:
        backs = await callbacks.on_desk(work, staff.id, agrees)
    return {
        **await talk_values(work, talking if extras.others else None),
        "desk": shown,
        "can": platform.can_in_talk(work.settings),
        "in_page": _in_page(work, staff),
        # The script of a practice call is fetched by itself.
        "practises": work.settings.practice_exchange is not None and (shown.call or shown.contact),
        "caller": caller,
        "said_wanted": backs.to_be_said,
        **await _asked_by_key(work, staff, talking, asked=extras.questions),
        "at_hand": at_hand,
        "now": work.now,
        "guidance": guidance_in(library_of(work.ground), language_of(request, work))
        if contact
        else "",
        **await _callback_values(work, agrees, backs.agreed),
        **await _note_values(work, staff, at_hand),
        "talk_began": contact.taken_at if contact else found.call.opened_at if found.call else None,
        **await urgent_button.button_values(
            request, work, staff, at_hand, contact, has_some=extras.referrals
        ),
    }


async def _callback_values(
    work: Work, call_id: UUID | None, agreed: callback_rows.Callback | None
) -> dict[str, Any]:
    """Return the call-back agreed in a call, or what its form begins with."""
    call = await work.session.get(Call, call_id) if call_id else None
    line = await finding_lines.line_of_id(work, call.line_id) if call else None
    if call is None or line is None:
        return {"callback_form": None}
    here = work.now.astimezone(ZoneInfo(line.timezone))
    begins = here + timedelta(minutes=60 - here.minute)
    return {
        "callback_form": {
            "possible": await callbacks.can_be_called(work, call),
            "agreed": views.callback_row(agreed, line.name, line.timezone, work.now)
            if agreed
            else None,
            "day": begins.date().isoformat(),
            "first": here.date().isoformat(),
            "last": (here.date() + timedelta(days=30)).isoformat(),
            "begins": f"{begins:%H:%M}",
            "ends": f"{begins + timedelta(hours=1):%H:%M}",
            "zone": line.timezone,
        }
    }


async def _note_values(work: Work, staff: Staff, at_hand: UUID | None) -> dict[str, Any]:
    """Return to which supervisors a line can be written during a talk."""
    found = await team_messages.supervisors(work, staff) if at_hand else []
    return {"supervisors": found, "longest_note": team_messages.LONGEST}


def _in_page(work: Work, staff: Staff) -> bool:
    """Return whether the page is this person's telephone."""
    return work.settings.has_page_telephones and staff.endpoint_kind == EndpointKind.BROWSER


async def _asked_by_key(
    work: Work, staff: Staff, call_id: UUID | None, *, asked: bool
) -> dict[str, Any]:
    """Return the questions for a caller who cannot speak, and those that were `asked`, if any."""
    if call_id is None or not platform.asks_by_key(work):
        return {"key_questions": [], "key_answers": []}
    call = await work.session.get(Call, call_id)
    line = await finding_lines.line_of_id(work, call.line_id) if call else None
    answers = await questions.questions_of(work, call_id) if asked else []
    # Hardly any caller is asked by key; only then it matters who may read the answers.
    if answers and not await may_read_answers(work, staff, call_id):
        answers = []
    return {
        "key_questions": [key_question(code, line, call) for code in questions_of_line(line)],
        "key_answers": [
            (
                said(QUESTIONS[one.code].words),
                one.state,
                code_words(questions.answer_of(work, one) or ""),
            )
            for one in answers
        ],
    }


def key_question(code: str, line: LineScript | None, call: Call | None) -> views.KeyQuestion:
    """Return a question in the counsellor's words, and as the caller hears it."""
    one = QUESTIONS[code]
    if line is None or call is None:
        return views.KeyQuestion(code, said(one.words), "", "", recorded=False)
    spoken = line.spoken(call.language).language
    heard = line.prompt(spoken, one.prompt)
    return views.KeyQuestion(
        code, said(one.words), heard.text or "", spoken, recorded=heard.recording is not None
    )


async def known_caller(
    work: Work, staff: Staff, call: Call, contact: Contact | None
) -> views.CallerCard | None:
    """Return the card of the caller: flags, wishes, earlier calls, contacts. None if unknown."""
    history = await callers.history(work, call)
    wishes = await callers.wishes_of(work, call) if history.has_wishes else []
    if not history.calls and not history.flags and not wishes:
        return None
    readable, others = await reading_contacts.earlier_of_caller(work, staff, call)
    await _note_listed(work, staff, call.id, [str(contact.id) for contact in readable])
    closed = await openings.may_open(work, staff, contact) if contact else 0
    return views.caller_card(history, readable, others, wishes, contact, closed)


async def frame_fragment(work: Work, staff: Staff, notice: str = "") -> Response:
    return HTMLResponse(await frame_part(work, staff, notice))


async def frame_part(work: Work, staff: Staff, notice: str = "") -> str:
    """Render the counsellor's part of the top bar: presence, and the ringing or live call."""
    found = await in_hand.read_in_hand(work, staff)
    shown = views.desk_view(
        found,
        None,
        work.now,
        on_phone=staff.endpoint_kind != EndpointKind.BROWSER,
        limit=work.settings.offer_seconds,
        back=await callbacks.of_call(work, found.call) if found.call else None,
        aside=await _talks_aside(work, found),
    )
    rings = platform.rings(work.settings, staff.endpoint_kind)
    written = await in_hand.conversations_of(work, staff) if _may_write(staff, found) else []
    offered = next((one for one in written if one.is_offered), None)
    values = {
        "desk": shown,
        "chat_offer": _chat_offer(work, offered) if offered else None,
        "writes": sum(not one.is_offered for one in written),
        "can": platform.can_in_talk(work.settings),
        "notice": notice,
        "in_page": _in_page(work, staff),
        "no_page_telephone": "" if rings else why_no_browser(work.settings),
    }
    return templates.get_template("fragments/frame/frame.html").render(**values, staff=staff)


def _chat_offer(work: Work, one: in_hand.Conversation) -> views.ChatOfferCard:
    words = danger_words.opened(work, one.call.id, one.call.danger_words_sealed)
    return views.chat_offer_card(one, words, work.now)


def _may_write(staff: Staff, found: in_hand.InHand) -> bool:
    """Return whether a counsellor can have conversations; some end after they may have no more."""
    presence = found.presence
    return staff.chats_at_once > 0 or (
        presence is not None and presence.state == PresenceState.WRITING
    )


async def _talks_aside(work: Work, found: in_hand.InHand) -> bool:
    """Return whether a participant talks with the counsellor while the caller is on hold."""
    if found.call is None or found.ringing or not found.call.on_hold:
        return False
    others = (await talk_values(work, found.call.id))["participants"]
    return any(one.state == ParticipantState.IN and one.mode != Mode.LISTEN for one, _ in others)


async def desk_fragment(request: Request, work: Work, staff: Staff, notice: str = "") -> Response:
    """Render the part of the page that asked: the top bar, which is on every page, or the desk."""
    await work.session.flush()
    if request.headers.get("hx-target") == "frame":
        return await frame_fragment(work, staff, notice)
    values = await desk_values(request, work, staff)
    return templates.TemplateResponse(
        request, "fragments/desk/desk.html", {**values, "staff": staff, "notice": notice}
    )


async def contact_at_hand(work: Work, staff: Staff, found: in_hand.InHand) -> Contact | None:
    """Return the contact of the present call, or in wrap-up of the call that has just ended."""
    call_id = found.call.id if found.call else await in_hand.call_of_wrap_up(work, staff)
    return await reading_contacts.at_hand(work, staff, call_id) if call_id else None


async def talk_values(work: Work, call_id: UUID | None) -> dict[str, Any]:
    """Return the other participants in a talk."""
    if call_id is None:
        return {"participants": []}
    found = [
        p for p in await participants.live_participants(work, call_id) if p.owner_offer_id is None
    ]
    names = await accounts.names_of(work, {p.staff_id for p in found if p.staff_id})
    shown: list[tuple[Participant | DutyInTalk, str]] = [
        (p, names.get(p.staff_id, "") if p.staff_id else code_words(p.role or "other"))
        for p in found
    ]
    shown += [(one, one.agency) for one in await duty_in_talk(work, call_id)]
    return {"participants": shown}


# The desk is drawn again with every change. For this time, the same list is one reading.
_LISTED = timedelta(hours=1)


async def _note_listed(work: Work, staff: Staff, call_id: UUID, ids: list[str]) -> None:
    """Log that a counsellor sees the list of a caller's contacts."""
    key = (staff.id, call_id, tuple(ids))
    if not ids or work.ground.memory.recall("listed", key, work.now) is not None:
        return
    await write_reading(work, AuditLog.RECORDS_LISTED, "contacts", by=[FoundBy.CALLER], ids=ids)
    work.ground.memory.keep("listed", key, True, work.now + _LISTED)
