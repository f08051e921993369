"""Who asks: a child, by the secret of its conversation. No cookie, no name, no address is kept."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from app.calls.lines.chat_lines import line_at
from app.calls.speech import LineScript
from app.chats import opening
from app.child import origin
from app.errors import TooMany
from app.web import decisions
from app.web.access import Public, finished, opened
from app.web.decisions import Right
from app.work import Ground, Work


async def chat_work(request: Request) -> AsyncIterator[Work]:
    """Yield the unit of work of a request of a child's page: to read is to have it delivered, so
    each of them may write."""
    work = opened(request)
    ground: Ground = request.app.state.ground
    work.opener = ground.database.sessions
    async with finished(work):
        yield work


InChat = Annotated[Work, Depends(chat_work, scope="function")]


class Child(Public):
    """A route of a child's page: for a browser that knows the secret of the conversation."""

    def __init__(self) -> None:
        super().__init__("the secret of a conversation opens that conversation alone")

    async def __call__(  # type: ignore[override]
        self, request: Request, response: Response, work: InChat
    ) -> UUID:
        await super().__call__(request)
        response.headers["Referrer-Policy"] = "no-referrer"
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise opening.WrongSecret()
        visitor = await opening.conversation_of(work, secret.strip())
        decisions.grant(request, Right.CONVERSATION)
        if visitor.blocked:
            await origin.note_blocked(request)
        return visitor.call_id


Conversation = Annotated[UUID, Depends(Child(), scope="function")]
to_all = Public("a child writes to the helpline without an account")
ForAll = Depends(to_all)


async def line_of(work: Work, address: str) -> LineScript:
    """Return the line at an address to which children can write. Raises NotWritten."""
    line = await line_at(work, address)
    opening.rules_of(line)
    assert line is not None
    return line


class TooManyConversations(TooMany):
    default = "A lot of people are writing to us right now. Try again in a minute, or call us."
