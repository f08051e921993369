"""The desk of who is signed in, its fragments, and what a counsellor does on it."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from app.calls import danger_words, platform
from app.calls.models import Call
from app.chats import ending
from app.contacts import completing, reading_contacts
from app.contacts.states import NonCounselling
from app.dashboard import inbox, team_parts, views
from app.dashboard.chats.values import chats_values
from app.dashboard.desk_values import contact_at_hand, desk_fragment, desk_values, frame_fragment
from app.dashboard.records import tasks
from app.dashboard.referrals import deadlines, urgent_button
from app.dashboard.rota import alarms
from app.dashboard.templating import page, templates
from app.database.topics import Topic
from app.errors import NotFound, Refusal
from app.referrals.opening.from_call import refer_urgently
from app.referrals.states import Service
from app.routing import in_hand, offers, own_presence, presence
from app.routing.models import PresenceState
from app.routing.supervision import team_messages
from app.routing.waiting import places_in_queue
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import HEARTBEAT, InWork, reader_with
from app.web.lean import LeanRoute
from app.web.shared import shared
from app.words.pages import refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
# What open pages ask for by themselves after a change.
shared_router = APIRouter(include_in_schema=False, route_class=LeanRoute)


TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
SeesQueue = Annotated[Staff, reader_with(Permission.SEE_QUEUE)]
SignedIn = Annotated[Staff, reader_with(Permission.SIGNED_IN)]


@router.get("/")
async def desk(request: Request, work: InWork, staff: SignedIn) -> Response:
    """Show the desk, with only the parts that the reader's role may see."""
    values: dict[str, Any] = {"staff": staff}
    if may(staff.role, Permission.TAKE_CALLS):
        values |= await desk_values(request, work, staff)
        values["team_unread"] = await team_messages.count_unread(work, staff)
        writes = staff.chats_at_once or values["desk"].state == PresenceState.WRITING
        # A supervisor also has what the team's counsellors have not seen.
        if writes or may(staff.role, Permission.SUPERVISE):
            values |= await chats_values(work, staff)
    if may(staff.role, Permission.SEE_QUEUE):
        waiting = await _waiting(work, reads=reads_words(staff))
        values |= {"waiting": waiting, "shown": views.WAITING_SHOWN}
    if may(staff.role, Permission.PLAN_ROSTER):
        values |= await alarms.alarm_values(work)
    if may(staff.role, Permission.SUPERVISE):
        values["count"] = await team_parts.talks_counted(work, staff)
    if may(staff.role, Permission.HEAR_MESSAGES):
        values |= await inbox.inbox_values(work, staff.team)
    if may(staff.role, Permission.TAKE_CALLS):
        values["callbacks"] = await inbox.callback_rows(work, staff.team)
    if may(staff.role, Permission.READ_RECORDS):
        values |= await tasks.tasks_values(work, staff)
    if may(staff.role, Permission.SEE_REFERRALS):
        values |= await deadlines.notices_values(work, staff)
    return page(request, "board.html", **values)


async def _waiting(work: Work, *, reads: bool) -> list[views.WaitingRow]:
    """Return the rows of those who wait. `reads`: with the words of danger of those shown."""
    rows = []
    for place, call in enumerate(await places_in_queue.waiting_calls(work)):
        words = ""
        if reads and place < views.WAITING_SHOWN:
            words = danger_words.opened(work, call.id, call.danger_words_sealed)
        rows.append(views.waiting_row(call, words, work.now))
    return rows


@shared_router.get("/board/desk")
async def own_desk(request: Request, work: InWork, staff: TakesCalls) -> Response:
    return await desk_fragment(request, work, staff)


@shared_router.get("/board/frame")
async def frame(work: InWork, staff: TakesCalls) -> Response:
    """Render the counsellor's part of the top bar, which is on every page."""
    return await frame_fragment(work, staff)


@shared_router.get("/board/queue")
async def queue_fragment(work: InWork, staff: SeesQueue) -> Response:
    reads = reads_words(staff)
    scope = (Permission.SEE_QUEUE, reads)
    return await shared(work, Topic.QUEUE, scope, lambda own: queue_part(own, reads))


def reads_words(staff: Staff) -> bool:
    """The scope of the queue: whether its readers may read words that speak of danger."""
    return danger_words.may_read(staff.role)


async def queue_part(work: Work, scope: Any) -> str:
    """Render the queue, which is the same for all who may read as much of it."""
    template = templates.get_template("fragments/desk/queue.html")
    return template.render(
        waiting=await _waiting(work, reads=bool(scope)), shown=views.WAITING_SHOWN
    )


async def alarms_part(work: Work, _scope: Any = None) -> str:
    """Render lines without a counsellor and uncovered shifts, for all who plan the rota."""
    template = templates.get_template("fragments/team/alarms.html")
    return template.render(**await alarms.alarm_values(work))


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
    """Accept or decline an offer. If it is too late, say so and show the present desk."""
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
    contact = await reading_contacts.at_hand(work, staff, call_id)
    values = await urgent_button.button_values(request, work, staff, call_id, contact)
    written = await _is_written(work, call_id)
    return page(
        request,
        "fragments/desk/urgent.html",
        **values,
        call_id=call_id,
        can=platform.IN_WRITING if written else platform.can_in_talk(work.settings),
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
