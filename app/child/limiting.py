"""How often one client of a child's page may do something."""

from dataclasses import dataclass

from fastapi import Request

from app.errors import TooMany
from app.web.clients import Clients
from app.web.limits import Limiter


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
