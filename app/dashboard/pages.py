"""The pages: sign-in, the board with its fragments, the record of a call."""

from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from app.calls import callers, lines, messages, queries
from app.calls.caller_rows import FlagKind
from app.calls.callers import NumberReason
from app.calls.models import Call
from app.chats import ending, left
from app.contacts import completing, contacts
from app.contacts.states import NonCounselling
from app.dashboard import referrals, team_parts, views
from app.dashboard.chats.values import chats_values
from app.dashboard.desk_values import (
    contact_at_hand,
    desk_fragment,
    desk_values,
    frame_fragment,
)
from app.dashboard.records import contact_pages, tasks
from app.dashboard.rota import alarms
from app.dashboard.templating import page, templates
from app.database.topics import Topic
from app.errors import NotFound, Refusal
from app.people import first_run
from app.people.provider import keeping
from app.referrals.opening.from_call import refer_urgently
from app.referrals.states import Service
from app.routing import callbacks, in_hand, offers, own_presence, presence, queue
from app.routing.models import PresenceState
from app.routing.supervision import team_messages
from app.staff import accounts
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Awaits, Staff
from app.staff.roles import Permission, may
from app.web.access import (
    HEARTBEAT,
    InWork,
    Public,
    forget_cookie,
    reader_with,
    set_cookie,
    token_of,
)
from app.web.lean import LeanRoute
from app.web.shared import shared
from app.web.signing_in import SignIn, remember_browser, sign_in
from app.words.pages import _, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
# What open pages ask for by themselves after a change.
shared_router = APIRouter(include_in_schema=False, route_class=LeanRoute)


TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
SeesQueue = Annotated[Staff, reader_with(Permission.SEE_QUEUE)]
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
HearsMessages = Annotated[Staff, reader_with(Permission.HEAR_MESSAGES)]
_SIGN_IN = [Depends(Public("this is the sign-in"))]


# -- signing in --------------------------------------------------------------------------


@router.get("/login", dependencies=_SIGN_IN)
async def login_page(request: Request, work: InWork, next: str = "/") -> Response:
    """Show the sign-in form. Signing in leads on to the page that was wanted."""
    if not await first_run.has_accounts(work):
        return RedirectResponse("/setup", status_code=303)
    return await show_login(request, work, next)


async def show_login(
    request: Request, work: Work, wanted: str, refusal: Refusal | None = None, name: str = ""
) -> Response:
    """Render the page of the sign-in, with the button of the provider if there is one."""
    values = {
        "staff": None,
        "name": name,
        "problem": refusal_words(refusal) if refusal else "",
        "next": safe_next(wanted),
        "provider": await keeping.provider(work),
    }
    status = refusal.status if refusal else 200
    return templates.TemplateResponse(request, "login.html", values, status_code=status)


def safe_next(path: str) -> str:
    """Return the path of a page of ours, or that of the desk: never an address elsewhere."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\", "/login", "/logout"))
    return path if ours and path.isprintable() and len(path) <= 200 else "/"


@router.post("/login", dependencies=_SIGN_IN)
async def login(
    request: Request,
    work: InWork,
    username: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form(max_length=1000)] = "/",
) -> Response:
    """Sign in, or lead on to the second factor. A refusal keeps the name in the form."""
    try:
        signed_in = await sign_in(request, work, username, password)
    except Refusal as refusal:
        return await show_login(request, work, next, refusal, username)
    wanted = safe_next(next)
    if signed_in.awaits is not None:
        return lead_to_factor(work, signed_in, wanted)
    answer = RedirectResponse(wanted, status_code=303)
    set_cookie(answer, work.ground, signed_in.token)
    remember_browser(request, answer, signed_in.staff)
    return answer


def lead_to_factor(work: Work, begun: SignIn, wanted: str) -> Response:
    """Lead a person who has proven who they are on to their second factor."""
    step = "code" if begun.awaits is Awaits.CODE else "set-up"
    query = f"?next={quote(wanted)}" if wanted != "/" else ""
    answer = RedirectResponse(f"/login/{step}{query}", status_code=303)
    set_cookie(answer, work.ground, begun.token)
    return answer


@router.post("/logout")
async def logout(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Sign out. A counsellor also goes off duty."""
    await own_presence.sign_out(work, staff, token_of(request))
    answer = RedirectResponse("/login", status_code=303)
    forget_cookie(answer, work.ground)
    return answer


# -- the board ---------------------------------------------------------------------------


@router.get("/")
async def board(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show the board, with only the parts that the reader's role may see."""
    values: dict[str, Any] = {"staff": staff}
    if may(staff.role, Permission.TAKE_CALLS):
        values |= await desk_values(request, work, staff)
        values["team_unread"] = await team_messages.count_unread(work, staff)
        if staff.chats_at_once or values["desk"].state == PresenceState.WRITING:
            values |= await chats_values(work, staff)
    if may(staff.role, Permission.SEE_QUEUE):
        values |= {"waiting": await _waiting(work), "shown": views.WAITING_SHOWN}
    if may(staff.role, Permission.PLAN_ROSTER):
        values |= await alarms.alarm_values(work)
    if may(staff.role, Permission.SUPERVISE):
        values["count"] = await team_parts.talks_counted(work, staff)
    if may(staff.role, Permission.HEAR_MESSAGES):
        values |= await _inbox(work, staff.team)
    if may(staff.role, Permission.TAKE_CALLS):
        values["callbacks"] = await _callbacks(work, staff.team)
    if may(staff.role, Permission.READ_RECORDS):
        values |= await tasks.tasks_values(work, staff)
    if may(staff.role, Permission.SEE_REFERRALS):
        values |= await referrals.notices_values(work, staff)
    return page(request, "board.html", **values)


async def _waiting(work: Work) -> list[views.WaitingRow]:
    return [views.waiting_row(call, work.now) for call in await queue.waiting_calls(work)]


async def _callbacks(work: Work, team: str) -> list[views.CallbackRow]:
    return [
        views.callback_row(row, line, zone, work.now)
        for row, line, zone in await callbacks.open_callbacks(work, team)
    ]


async def _inbox(work: Work, team: str) -> dict[str, Any]:
    """Return the messages that wait for a team: those that were spoken, and those in writing."""
    spoken, written = await queries.open_messages(work, team), await left.waiting(work, team)
    owners = {one.owner_id for one in spoken} | {one.owner_id for one in written}
    names = await accounts.names_of(work, {one for one in owners if one})
    return {
        "messages": [views.message_row(one, names, work.now) for one in spoken],
        "left": [views.left_row(one, names, work.now) for one in written],
    }


@shared_router.get("/board/desk")
async def own_desk(request: Request, work: InWork, staff: TakesCalls) -> Response:
    return await desk_fragment(request, work, staff)


@shared_router.get("/board/frame")
async def frame(work: InWork, staff: TakesCalls) -> Response:
    """Render the counsellor's part of the top bar, which is on every page."""
    return await frame_fragment(work, staff)


@shared_router.get("/board/queue")
async def queue_fragment(work: InWork, staff: SeesQueue) -> Response:
    return await shared(work, Topic.QUEUE, Permission.SEE_QUEUE, queue_part)


async def queue_part(work: Work, scope: Any = None) -> str:
    """Render the queue, which is the same for everybody who may see it."""
    template = templates.get_template("fragments/desk/queue.html")
    return template.render(waiting=await _waiting(work), shown=views.WAITING_SHOWN)


@router.get("/board/callbacks")
async def callbacks_fragment(request: Request, work: InWork, staff: TakesCalls) -> Response:
    return page(
        request, "fragments/desk/callbacks.html", callbacks=await _callbacks(work, staff.team)
    )


async def callbacks_part(work: Work, team: Any) -> str:
    """Render the call-backs of a team, for its people who take calls."""
    template = templates.get_template("fragments/desk/callbacks.html")
    return template.render(callbacks=await _callbacks(work, team))


async def messages_part(work: Work, team: Any) -> str:
    """Render the messages of a team, for its people who may hear them."""
    template = templates.get_template("fragments/desk/messages.html")
    return template.render(**await _inbox(work, team))


async def alarms_part(work: Work, scope: Any = None) -> str:
    """Render lines without a counsellor and uncovered shifts, for everybody who plans the rota."""
    template = templates.get_template("fragments/team/alarms.html")
    return template.render(**await alarms.alarm_values(work))


@router.get("/board/messages")
async def messages_fragment(request: Request, work: InWork, staff: HearsMessages) -> Response:
    return page(request, "fragments/desk/messages.html", **await _inbox(work, staff.team))


@router.post(HEARTBEAT, status_code=204)
async def heartbeat(work: InWork, staff: SignedIn, acts: bool = False) -> None:
    """Do nothing: the request itself shows that the browser is alive."""


@router.post("/board/writing", status_code=204)
async def writing(work: InWork, staff: TakesCalls) -> None:
    """Let the wrap-up go on: the counsellor is writing."""
    await presence.keep_wrap_up(work, staff.id)


@router.post("/board/presence/{state}")
async def choose_presence(
    request: Request, work: InWork, staff: TakesCalls, state: str
) -> Response:
    await own_presence.choose_presence_by_name(work, staff, state)
    return await desk_fragment(request, work, staff)


@router.post("/board/offers/{offer_id}/{answer}")
async def answer_offer(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    offer_id: UUID,
    answer: Literal["accept", "decline"],
) -> Response:
    """Accept or decline an offer. If it is too late, say so and show the present board."""
    notice = ""
    try:
        call, offer = await offers.own_offer(work, offer_id, staff.id)
        if answer == "accept":
            await ending.accept(work, call, offer)
        else:
            await offers.decline_offer(work, call, offer)
    except Refusal as refusal:
        notice = refusal_words(refusal)
    return await desk_fragment(request, work, staff, notice)


@router.get("/board/calls/{call_id}/urgent")
async def urgent_form(request: Request, work: InWork, staff: TakesCalls, call_id: UUID) -> Response:
    """Show the services that an urgent referral can go to: the first click of the urgent button."""
    await in_hand.call_in_hand(work, staff, call_id)
    contact = await contacts.at_hand(work, staff, call_id)
    values = await referrals.desk_values(request, work, staff, call_id, contact)
    return page(
        request,
        "fragments/desk/urgent.html",
        **values,
        call_id=call_id,
        can=() if await _is_written(work, call_id) else work.settings.abilities.can_do,
    )


async def _is_written(work: Work, call_id: UUID) -> bool:
    call = await work.session.get(Call, call_id)
    return call is not None and call.is_written


@router.post("/board/calls/{call_id}/urgent")
async def urgent(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    service: Annotated[Service, Form()],
    place: Annotated[str, Form(max_length=40)] = "",
    warm: Annotated[bool, Form()] = False,
    wish_read: Annotated[bool, Form()] = False,
) -> Response:
    """Send the urgent referral: the second click of the urgent button."""
    notice = ""
    try:
        await in_hand.call_in_hand(work, staff, call_id)
        await refer_urgently(
            work, staff, call_id, service, place=place or None, warm=warm, wish_read=wish_read
        )
    except Refusal as refusal:
        await work.undo()
        notice = refusal_words(refusal)
    return await desk_fragment(request, work, staff, notice)


@router.post("/board/contacts/{contact_id}/close/{reason}")
async def close_contact(
    request: Request, work: InWork, staff: TakesCalls, contact_id: UUID, reason: NonCounselling
) -> Response:
    """Close a contact that was not counselling: end the talk and the wrap-up with one key.

    Refused for a caller who pressed the danger key, and when anything is answered in the form.
    """
    notice = ""
    try:
        found = await in_hand.read_in_hand(work, staff)
        contact = await contact_at_hand(work, staff, found)
        if contact is None or contact.id != contact_id:
            raise NotFound("This contact is closed, or no longer belongs to your call.")
        await completing.check_closable(work, contact, reason)
        if found.call is not None:
            await in_hand.end_talk(work, staff, found.call.id)
        # Lock presence before the contact, in the same order as where a talk is ended.
        await presence.lock_presence(work, staff.id)
        await completing.close_as(work, staff, contact_id, reason)
        await own_presence.end_wrap_up(work, staff)
    except Refusal as refusal:
        notice = refusal_words(refusal)
    return await desk_fragment(request, work, staff, notice)


# -- voice messages ----------------------------------------------------------------------


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


async def _line_of(work: Work, call: Call) -> str:
    """Return the words for a line that is not in use, like that of practice calls."""
    if await lines.is_practice(work, call.line_id):
        return _("Practice")
    return _("a number that is not ours")


# -- the record of a call ----------------------------------------------------------------


@router.get("/calls/{call_id}")
async def call_page(request: Request, work: InWork, staff: SignedIn, call_id: UUID) -> Response:
    """Show the record of a call, event by event."""
    readable = queries.readable_calls(staff, in_hand.own_calls(staff))
    call = await queries.readable_call(work, readable, call_id)
    line = await lines.line_of_id(work, call.line_id)
    write_entry(work, AuditLog.CALL_RECORD_READ, str(call_id))
    contact_id = await contacts.contact_of_call(work, staff, call_id)
    values = (
        await contact_pages.contact_values(request, work, staff, contact_id) if contact_id else {}
    )
    known = in_hand.known_callers(staff).where(Call.id == call_id)
    knows = await work.session.scalar(known) is not None
    if knows:
        values["history"] = await callers.history(work, call)
        values["flags"] = await callers.flags_of(work, call)
        values["wishes"] = await callers.wishes_of(work, call)
    return page(
        request,
        "call.html",
        **{**values, "staff": staff, "practising": await lines.is_practice(work, call.line_id)},
        call=call,
        knows=knows,
        number_reasons=[reason.value for reason in NumberReason],
        flag_kinds=[kind.value for kind in FlagKind],
        line=line.name if line else await _line_of(work, call),
        line_zone=line.timezone if line else "",
        call_language=views.language_words(call.language),
        call_events=await queries.events_of(work, call),
    )
