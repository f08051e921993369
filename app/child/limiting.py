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

    async def check(self, request: Request, *, refuses: bool = True) -> None:
        """Count one use in the memory of this process. Raises the refusal.

        `refuses`: otherwise more than `most` are only slowed down, as those of a child in danger.
        """
        clients: Clients = request.app.state.clients
        uses = clients.count(request, self.what)
        if refuses and uses > self.most:
            raise self.refusal()
        if uses > self.slowly:
            await limiter_of(request).slowly()


def limiter_of(request: Request) -> Limiter:
    found: Limiter = request.app.state.limiter
    return found
