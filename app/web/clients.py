"""How often one client of a child's page asked within the last minute.

No address is kept: this process holds a hash of it, by a random key that it never writes down, in
its memory and for a minute. No row, log line or metric has this hash. After a block or a danger
call a row of the limits holds another one, for hours: see `app/child/origin.py`.
"""

import asyncio
import hashlib
import secrets
from collections import deque
from datetime import datetime, timedelta

from fastapi import Request

from app.clock import Clock
from app.web.limits import client_of

_KEPT = timedelta(minutes=1)
# Clients that are held at most; the one that has been silent for longest gives way.
_MOST_CLIENTS = 5_000
# Uses of one client that are held: beyond the highest limit they need not be told apart.
_MOST_USES = 100


class Clients:
    """The uses of the clients of one process within a minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._key = clock, secrets.token_bytes(32)
        # The client that asked last is the last one.
        self.uses: dict[bytes, deque[datetime]] = {}
        self.forgetting: asyncio.TimerHandle | None = None

    def count(self, request: Request, what: str) -> int:
        """Count one use of a client. Return how many it had within the last minute."""
        name = f"{what} {client_of(request)}".encode()
        key = hashlib.blake2b(name, key=self._key, digest_size=16).digest()
        now = self._clock.now()
        self._forget(now)
        uses = self.uses.pop(key, None) or deque(maxlen=_MOST_USES)
        uses.append(now)
        self.uses[key] = uses
        if len(self.uses) > _MOST_CLIENTS:
            del self.uses[next(iter(self.uses))]
        self._forget_soon()
        return sum(use > now - _KEPT for use in uses)

    def __len__(self) -> int:
        return len(self.uses)

    def _forget(self, now: datetime) -> None:
        """Forget the clients whose last use is a minute ago."""
        while self.uses:
            key, uses = next(iter(self.uses.items()))
            if uses[-1] > now - _KEPT:
                return
            del self.uses[key]

    def _forget_soon(self) -> None:
        """Forget them also when no other request comes."""
        if self.forgetting is None and self.uses:
            loop = asyncio.get_running_loop()
            self.forgetting = loop.call_later(_KEPT.total_seconds(), self.forget_now)

    def forget_now(self) -> None:
        """Forget the clients whose last use is a minute ago, and come again for the others."""
        self.forgetting = None
        self._forget(self._clock.now())
        self._forget_soon()
