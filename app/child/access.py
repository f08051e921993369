"""Who asks: a child, by the secret of its conversation. No cookie, no name, no address is kept."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response

from app.calls.chat_lines import line_at
from app.calls.speech import LineScript
from app.chats import opening
from app.errors import TooMany
from app.web.access import Public, finished, opened
from app.web.clients import Clients
from app.web.limits import Limiter
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
        return await opening.conversation_of(work, secret.strip())


Conversation = Annotated[UUID, Depends(Child(), scope="function")]
to_all = Public("a child writes to the helpline without an account")
ForAll = Depends(to_all)


async def line_of(work: Work, address: str) -> LineScript:
    """Return the line at an address to which children can write. Raises NotWritten."""
    line = await line_at(work, address)
    opening.rules_of(line)
    assert line is not None
    return line


@dataclass(frozen=True)
class OfClient:
    """How often one client may do something in a minute: beyond `slowly` it is slowed down, beyond
    `most` refused."""

    what: str
    slowly: int
    most: int
    refusal: type[TooMany] = TooMany

    async def check(self, request: Request) -> None:
        """Count one use in the memory of this process. Raises the refusal."""
        clients: Clients = request.app.state.clients
        uses = clients.count(request, self.what)
        if uses > self.most:
            raise self.refusal()
        if uses > self.slowly:
            await limiter_of(request).slowly()


def limiter_of(request: Request) -> Limiter:
    found: Limiter = request.app.state.limiter
    return found


class TooManyConversations(TooMany):
    default = "Very many people are writing to us. Try again in a minute, or call us."
