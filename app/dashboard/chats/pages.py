"""Written conversations on the desk: reading, writing and ending."""

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse

from app.calls.models import Call
from app.chats import ending, media, messages, reading, reading_along, typing
from app.chats.models import ReaderKind
from app.chats.noticing import personal_in
from app.contacts import reading_contacts
from app.dashboard.chats.values import (
    chats_values,
    news_values,
    now_values,
    states_values,
    tools_for,
    words_values,
)
from app.dashboard.chats.views import PERSONAL
from app.dashboard.desk_values import known_caller
from app.dashboard.templating import page, templates
from app.errors import Invalid, NotFound, Refusal
from app.routing import in_hand
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.web.lean import LeanRoute
from app.words.pages import list_words, refusal_words, said
from app.work import Work

router = APIRouter(include_in_schema=False)
lean_router = APIRouter(include_in_schema=False, route_class=LeanRoute)
TakesCalls = Annotated[Staff, reader_with(Permission.TAKE_CALLS)]
Reader = Annotated[Staff, reader_with(Permission.SIGNED_IN)]
Supervises = Annotated[Staff, reader_with(Permission.SUPERVISE)]
Reads = Annotated[Staff, reader_with(Permission.READ_RECORDS)]
Text = Annotated[str, Form(max_length=messages.LONGEST + 1)]
Key = Annotated[str, Form(max_length=64)]
Number = Annotated[int, Form(ge=0, le=1_000_000)]
# Tells the script of the page that the words can leave their field.
_SENT = {"HX-Trigger": "chatSent"}


async def desk(
    request: Request, work: Work, staff: Staff, sent: bool = False, **more: Any
) -> Response:
    """Render the conversations of a counsellor."""
    await work.session.flush()
    values = {**await chats_values(work, staff), "staff": staff, "notice": "", **more}
    answer = page(request, "fragments/chats/chats.html", **values)
    if sent:
        answer.headers.update(_SENT)
    return answer


@router.get("/board/chats")
async def own_chats(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """Render the conversations that the reader has and is offered."""
    return await desk(request, work, staff)


@router.get("/board/chats/now")
async def chats_now(request: Request, work: InWork, staff: TakesCalls) -> Response:
    """Render in the top bar how many children write, and how long one waits for an answer."""
    return page(request, "fragments/chats/now.html", **await now_values(work, staff))


@router.post("/board/chats/{call_id}/messages")
async def say(
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    text: Text = "",
    client_key: Key = "",
    despite: Annotated[bool, Form()] = False,
    after: Number = 0,
) -> Response:
    """Say something to the child, and render what is new in the conversation `after` a message.
    Personal data in the words is asked about first (`despite`)."""
    try:
        found = await check_words(work, call_id, text)
        if found and not despite:
            values = await news_values(work, staff, call_id, after)
            return _news(**values, found=found)
        await messages.say_as_staff(work, staff, call_id, text=text, client_key=client_key)
        answer = _news(**await news_values(work, staff, call_id, after))
    except Refusal as refusal:
        await work.undo()
        return _news(notice=refusal_words(refusal))
    answer.headers.update(_SENT)
    return answer


def _news(**values: Any) -> Response:
    return HTMLResponse(_drawn(**values))


def _drawn(**values: Any) -> str:
    """Render what is new in one conversation."""
    return templates.get_template("fragments/chats/news.html").render(**values)


def _number_in(text: str | None) -> int:
    """Return the number of a message in a query; 0, the beginning, if it is none."""
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= 7
    return int(text or 0) if is_number else 0


@lean_router.get("/board/chats/states")
async def states(work: InWork, staff: TakesCalls) -> Response:
    """Render how each conversation of the reader stands, without what was written in it: how long
    a child waits, and whether its page is still open."""
    return HTMLResponse("".join(_drawn(c=card) for card in await states_values(work, staff)))


@lean_router.get("/board/chats/{call_id}/news")
async def news(
    work: InWork, staff: TakesCalls, call_id: UUID, after: str | None = None
) -> Response:
    """Render what is new in one conversation of the reader after a message; it is delivered."""
    return _news(**await news_values(work, staff, call_id, _number_in(after)))


async def check_words(work: Work, call_id: UUID, text: str) -> list[tuple[str, str]]:
    """Refuse a beginning that was not gone on with, and return what is personal in the text."""
    tools = await tools_for(work, call_id)
    plain = text.strip().rstrip(".…,").strip()
    if plain in {one.strip().rstrip(".…,").strip() for one in tools.beginnings}:
        raise Invalid("This is only a beginning. Go on with it in your own words.")
    found = personal_in(text, tools.country, tools.own)
    return [(part.text, said(PERSONAL[part.kind])) for part in found if part.kind is not None]


@router.get("/board/chats/{call_id}/caller")
async def known_child(request: Request, work: InWork, staff: TakesCalls, call_id: UUID) -> Response:
    """Render what is known of a child who writes by a carrier: flags, wishes, earlier contacts.

    The list is logged.
    """
    if not await in_hand.has_in_hand(work, staff, call_id):
        raise reading.NotYours()
    caller = None
    if may(staff.role, Permission.KNOW_CALLERS):
        call = await work.session.get_one(Call, call_id)
        contact = (await reading_contacts.at_hand_of_each(work, staff, [call_id])).get(call_id)
        caller = await known_caller(work, staff, call, contact)
    return page(request, "fragments/desk/known.html", caller=caller)


@router.post("/board/chats/{call_id}/seen", status_code=204)
async def see(
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    number: Number = 0,
    away: Annotated[bool, Form()] = False,
) -> None:
    """Note that the counsellor has the messages up to a number before their eyes; with `away`, put
    away the conversation of a child who has left."""
    await reading.see_as_staff(work, staff, call_id, number, away=away)


@router.post("/board/chats/{call_id}/typing", status_code=204)
async def types(
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    stopped: Annotated[bool, Form()] = False,
    text: Text = "",
) -> None:
    """Note that the counsellor is typing, or has deleted what they typed; with the words if the
    child reads them by the letter."""
    await typing.type_as_staff(work, staff, call_id, "" if stopped else text or None)


@router.post("/board/chats/{call_id}/end")
async def end(
    request: Request,
    work: InWork,
    staff: TakesCalls,
    call_id: UUID,
    goodbye: Text = "",
    client_key: Key = "",
) -> Response:
    """End a conversation, with last words if there are any. The second of two steps."""
    try:
        if goodbye.strip():
            found = await check_words(work, call_id, goodbye)
            if found:
                raise Invalid(
                    "The last words hold personal data: %(found)s. Send them as a message first, "
                    "then end the conversation.",
                    found=list_words(f"{text} ({kind})" for text, kind in found),
                )
            await messages.say_as_staff(
                work, staff, call_id, text=goodbye, client_key=client_key or uuid4().hex
            )
        await ending.end_as_staff(work, staff, call_id)
    except Refusal as refusal:
        await work.undo()
        return await desk(request, work, staff, notice=refusal_words(refusal))
    return await desk(request, work, staff)


@router.get("/board/chats/media/{media_id}")
async def child_media(
    request: Request, work: InWork, staff: Reader, media_id: UUID, closed: bool = False
) -> Response:
    """Render a picture, blurred at first, or a voice note, or nothing any more."""
    if closed:
        return Response("", media_type="text/html")
    found = await media.find(work, staff, media_id)
    return page(request, "fragments/chats/media.html", media_id=found.id, kind=found.kind)


# -- others who read ---------------------------------------------------------------------------


@router.get("/board/chats/{call_id}/along")
async def read_along(request: Request, work: InWork, staff: Supervises, call_id: UUID) -> Response:
    """Show a conversation of the team to its supervisor. The reading is logged."""
    return await _along(request, work, staff, call_id)


async def _along(
    request: Request, work: Work, staff: Staff, call_id: UUID, notice: str = "", sent: bool = False
) -> Response:
    await work.session.flush()
    words = await reading_along.read_along(work, staff, call_id)
    values = {**await words_values(work, call_id, words), "call_id": call_id, "notice": notice}
    answer = page(request, "fragments/chats/along.html", **values, staff=staff)
    if sent:
        answer.headers.update(_SENT)
    return answer


@router.post("/board/chats/{call_id}/whisper")
async def whisper(
    request: Request,
    work: InWork,
    staff: Supervises,
    call_id: UUID,
    text: Text = "",
    client_key: Key = "",
) -> Response:
    """Whisper to the counsellor of a conversation: the child does not see it."""
    try:
        await messages.say_as_staff(
            work, staff, call_id, text=text, client_key=client_key, kind=ReaderKind.WHISPER
        )
    except Refusal as refusal:
        await work.undo()
        return await _along(request, work, staff, call_id, refusal_words(refusal))
    return await _along(request, work, staff, call_id, sent=True)


@router.get("/contacts/{contact_id}/conversation")
async def transcript(request: Request, work: InWork, staff: Reads, contact_id: UUID) -> Response:
    """Show what was written in the conversation of a contact. The reading is logged."""
    opened = await reading_contacts.open_contact(work, staff, contact_id)
    call_id = opened.record.call_id
    call = await work.session.get(Call, call_id) if call_id else None
    if call is None or not call.is_written:
        raise NotFound("This contact has no written conversation.")
    words = await reading.read_whole(work, staff, call.id)
    return page(
        request, "fragments/chats/transcript.html", **await words_values(work, call.id, words)
    )
