"""The interface of a child's page: JSON, a stream of news, and long polls for old browsers.

There is no cookie, and nothing in an address but the line. See `docs/developers/chats.md`.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from limits import RateLimitItemPerMinute

from app.calls import record
from app.calls.lines import finding_lines
from app.chats import as_child, ending, feedback, messages, opening, reading, typing
from app.chats.left import left
from app.child import news, origin
from app.child.access import (
    Conversation,
    ForAll,
    InChat,
    TooManyConversations,
    line_of,
)
from app.child.limiting import OfClient, limiter_of
from app.child.lines import about_line
from app.child.views import (
    AboutView,
    CodeIn,
    CodeView,
    ConversationView,
    EndIn,
    FeedbackIn,
    LettersIn,
    MessageIn,
    OpenedView,
    OpenIn,
    SaidView,
    SeenIn,
    TypingIn,
    conversation_view,
)
from app.jobs.transaction import flush
from app.web import decisions
from app.web.decisions import Right
from app.work import Work

router = APIRouter(prefix="/chat", tags=["children"])

# New conversations and codes of one client in a minute: beyond the first number they are slowed
# down, beyond the second refused. A school may be one client: it reaches neither.
OPENED_BY_CLIENT = OfClient("open", 15, 60, TooManyConversations)
_CODES_BY_CLIENT = OfClient("code", 5, 30)
# What all clients do together is only slowed down: no client closes writing for the others.
OPENED_SLOWLY = RateLimitItemPerMinute(60)
_OPENED_ANYWHERE_SLOWLY = RateLimitItemPerMinute(240)
_CODES_SLOWLY = RateLimitItemPerMinute(60)
# Seconds that a long poll may wait.
LONGEST_WAIT = 25

After = Annotated[int, Query(ge=0, le=1_000_000)]


# -- a conversation that is open: before the lines, whose addresses are words ----------------------


@router.get("/conversation")
async def get_conversation(
    work: InChat, call_id: Conversation, after: After = 0
) -> ConversationView:
    """Return the conversation, with the messages after a number: they are delivered by this."""
    return conversation_view(await as_child.conversation(work, call_id, after))


@router.get("/conversation/messages")
async def wait_for_messages(
    request: Request,
    work: InChat,
    call_id: Conversation,
    after: After = 0,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT)] = 0,
) -> ConversationView:
    """The same, but wait up to `wait` seconds for something new: for browsers without streams."""
    return conversation_view(await news.wait_for(request, work, call_id, after, wait))


@router.get("/conversation/events", response_class=StreamingResponse)
async def events(request: Request, work: InChat, call_id: Conversation) -> StreamingResponse:
    """Stream server-sent events: each says that the conversation must be read again."""
    await flush(work)
    await work.let_go()
    return StreamingResponse(
        news.stream(request, call_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.post("/conversation/messages")
async def say(work: InChat, call_id: Conversation, body: MessageIn) -> SaidView:
    """Say something. The same `client_key` is one message, however often it arrives."""
    said = await messages.say_as_child(work, call_id, text=body.text, client_key=body.client_key)
    return SaidView(number=said.number, at=said.at)


@router.post("/conversation/seen", status_code=204)
async def see(work: InChat, call_id: Conversation, body: SeenIn) -> None:
    """Note that the messages up to a number were on the screen."""
    await reading.see_as_child(work, call_id, body.number)


@router.post("/conversation/typing", status_code=204)
async def types(work: InChat, call_id: Conversation, body: TypingIn) -> None:
    """Note that the child is typing, with the words if it wants to be read by the letter."""
    await typing.type_as_child(work, call_id, body.text)


@router.post("/conversation/letters", status_code=204)
async def choose_letters(work: InChat, call_id: Conversation, body: LettersIn) -> None:
    """Choose whether both sides read each letter as it is typed."""
    await typing.choose_letters(work, call_id, body.on)


@router.post("/conversation/here", status_code=204)
async def here(call_id: Conversation) -> None:
    """Say that the page is still open: every twenty seconds while only a stream is."""


@router.post("/conversation/danger", status_code=204)
async def danger(request: Request, work: InChat, call_id: Conversation) -> None:
    """Say that the child is in danger now: it is served before all others."""
    await _say_danger(request, work, call_id)


async def _say_danger(request: Request, work: Work, call_id: UUID) -> None:
    call = await record.lock_call(work, call_id)
    line = await finding_lines.line_of_id(work, call.line_id)
    if line is None or call.danger:
        return
    again = await origin.is_danger_again(request)
    await ending.say_danger(work, call, line, again=again)


@router.post("/conversation/end", status_code=204)
async def end(
    request: Request, work: InChat, call_id: Conversation, body: EndIn | None = None
) -> None:
    """Say the last words, and end the conversation, unless the page `stays`. Both may be repeated,
    and may overtake a message that is on its way: it is said once. Danger is said before the end.
    """
    if body is not None and body.danger:
        await _say_danger(request, work, call_id)
    typing_on, stays = body is not None and body.typing, body is not None and body.stays
    await ending.end_as_child(work, call_id, _last(body), typing_on=typing_on, stays=stays)


def _last(body: EndIn | OpenIn | None) -> list[tuple[str, str]]:
    return [(one.client_key, one.text) for one in body.words] if body is not None else []


@router.post("/conversation/message")
async def leave_message(work: InChat, call_id: Conversation, body: MessageIn) -> CodeView:
    """Leave a message when no counsellor is there, and get a code to come back for the answer."""
    code = await left.leave_message(work, call_id, text=body.text, client_key=body.client_key)
    return CodeView(code=code)


@router.post("/conversation/code")
async def tell_code(work: InChat, call_id: Conversation) -> CodeView:
    """Return the code of what the child wrote before any counsellor came, now that it is over."""
    return CodeView(code=await left.tell_code(work, call_id))


@router.post("/conversation/feedback", status_code=204)
async def rate(work: InChat, call_id: Conversation, body: FeedbackIn) -> None:
    """Say what the talk was like. It is kept apart from it, and never asked after danger."""
    await feedback.rate(work, call_id, helped=body.helped, again=body.again)


@router.post("/return", dependencies=[ForAll])
async def come_back(request: Request, work: InChat, body: CodeIn) -> OpenedView:
    """Come back with a code for the answer to a message."""
    await _CODES_BY_CLIENT.check(request)
    await limiter_of(request).slow_down(_CODES_SLOWLY, "chat-code")
    call_id, secret = await left.return_by_code(work, body.code)
    decisions.grant(request, Right.RETURN_CODE)
    return OpenedView(conversation=call_id, secret=secret)


# -- a line ----------------------------------------------------------------------------------------


@router.get("/{line}/about", dependencies=[ForAll])
async def about(
    work: InChat,
    response: Response,
    line: str,
    language: Annotated[str, Query(max_length=20)] = "",
) -> AboutView:
    """Return whether a counsellor who writes a language is there, or any of the line's; the
    languages, and the usual wait."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return await about_line(work, await line_of(work, line), language)


@router.post("/{line}/conversations", status_code=201, dependencies=[ForAll])
async def open_conversation(
    request: Request, work: InChat, response: Response, line: str, body: OpenIn
) -> OpenedView:
    """Open a conversation. The same `client_key` opens one, however often it arrives. A child that
    has left meanwhile leaves its words."""
    response.headers["Referrer-Policy"] = "no-referrer"
    # Very many may share one address: a child in danger is never refused.
    await OPENED_BY_CLIENT.check(request, refuses=not body.danger)
    found = await line_of(work, line)
    # A repeated request is not one more danger call.
    says_danger = body.danger and not await opening.has_opened(work, body.client_key)
    # A request that is slowed down must not hold a connection to the database: webhooks need it.
    await work.let_go()
    limiter = limiter_of(request)
    await limiter.slow_down(OPENED_SLOWLY, "chat", str(found.id))
    await limiter.slow_down(_OPENED_ANYWHERE_SLOWLY, "chat")
    visit = opening.visit_key(work, body.visit)
    again = says_danger and await origin.is_danger_again(request)
    near = await origin.is_near_blocked(request)
    opened = await opening.open_conversation(
        work,
        found,
        language=body.language,
        danger=body.danger,
        client_key=body.client_key,
        origin=opening.Origin(visit, near, again),
        leaves=body.leaves,
    )
    if opened.call.blocked:
        await origin.note_blocked(request)
    if body.leaves:
        await ending.end_as_child(work, opened.call.id, _last(body), typing_on=body.typing)
        # The page is gone, and the key may be old: nothing is given back by it.
        return OpenedView(conversation=opened.call.id, secret="")
    return OpenedView(conversation=opened.call.id, secret=opened.secret)
