"""The provider of identities says that people have signed out there (back-channel logout).

All staff may be signed out within a minute, so no valid token is kept out: the provider's keys
are remembered for minutes, and only what is refused is counted.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Request
from joserfc.jwk import KeySet
from limits import RateLimitItemPerMinute

from app.errors import Refusal, TooMany
from app.outbox.outside import client_for_outside
from app.people.provider import access, keeping, protocol
from app.people.provider.protocol import Client, ProviderFailed
from app.web.limits import Limiter, client_of
from app.work import PROGRAM, Work

# Refused tokens of one address.
REFUSED = RateLimitItemPerMinute(60)
# How long the provider's keys are remembered, and how soon it is asked again: for a token that none
# of them has signed, and after it has not answered.
_REMEMBERED, _AGAIN = timedelta(minutes=5), timedelta(seconds=5)
# By which the provider's clock may differ.
_LEEWAY = timedelta(seconds=60)


@dataclass
class _Known:
    """The provider's keys as this process knows them."""

    issuer: str = ""
    keys: KeySet | None = None
    read_at: datetime | None = None
    asked_at: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def remembered(self, client: Client, now: datetime) -> KeySet | None:
        return self.keys if self._is_of(client, self.read_at, now, _REMEMBERED) else None

    def was_asked(self, client: Client, now: datetime) -> bool:
        """Return whether it is too soon to ask the provider again."""
        return self._is_of(client, self.asked_at, now, _AGAIN)

    def _is_of(self, client: Client, at: datetime | None, now: datetime, within: timedelta) -> bool:
        return self.issuer == client.issuer and at is not None and now - at < within


async def signed_out_there(request: Request, work: Work, token: str) -> None:
    """End the sessions that a logout token of the provider names.

    Raises NoProvider, ProviderFailed, TooMany.
    """
    try:
        client = keeping.client_of(work, await keeping.known_provider(work))
        protocol.look_at_logout_token(token, client)
        # The provider takes seconds; no connection to the database is held meanwhile.
        await work.let_go()
        claims = await _claims(work, client, token)
    except Refusal:
        limiter: Limiter = request.app.state.limiter
        if not await limiter.hit(REFUSED, "provider logout", client_of(request)):
            raise TooMany() from None
        raise
    work.actor = PROGRAM
    issued_at = datetime.fromtimestamp(int(claims["iat"]), UTC) + _LEEWAY
    await access.signed_out_there(work, client.issuer, claims, issued_at)


async def _claims(work: Work, client: Client, token: str) -> dict[str, Any]:
    """Return what a token says, once one of the provider's keys has signed it."""
    known: _Known = work.ground.kept.setdefault("provider keys", _Known())
    now = work.ground.clock.now
    if keys := known.remembered(client, now()):
        try:
            return protocol.read_logout_token(token, keys, client, work.now)
        except ProviderFailed:
            # The provider may have new keys.
            if known.was_asked(client, now()):
                raise
    async with known.lock:
        if not known.was_asked(client, now()):
            if known.issuer != client.issuer:
                known.keys = known.read_at = None
            known.issuer, known.asked_at = client.issuer, now()
            known.keys = await _keys(work, client)
            known.read_at = now()
    if (keys := known.remembered(client, now())) is None:
        raise ProviderFailed("its keys cannot be read")
    return protocol.read_logout_token(token, keys, client, work.now)


async def _keys(work: Work, client: Client) -> KeySet:
    async with client_for_outside(work.settings) as http:
        found = await protocol.discover(http, work.settings, client.issuer)
        return await protocol.keys_of(http, found)
