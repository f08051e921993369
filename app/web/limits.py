"""Limits on guesses: how often an address, a name or a link may try, over all processes.

The database counts. While it cannot, each process counts by itself: no person is locked out, and
no guess goes uncounted.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Network, ip_address

from fastapi import Request
from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.storage.base import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.log import log
from app.privacy.hash_kinds import HashOf
from app.work import Ground

# Seconds within which the database must have counted.
_COUNTS_WITHIN = 2.0


# One statement: the row's lock makes two processes count one after the other. A refused attempt is
# not counted, so a row never holds more moments than its limit.
_ACQUIRE = text("""
    INSERT INTO rate_limits AS held (key_hash, hits, expires_at)
    VALUES (:key, array_fill(CAST(:now AS timestamptz), ARRAY[CAST(:amount AS int)]), :until)
    ON CONFLICT (key_hash) DO UPDATE
    SET hits = ARRAY(SELECT hit FROM unnest(held.hits) AS hit WHERE hit > :since) || excluded.hits,
        expires_at = excluded.expires_at
    WHERE (SELECT count(*) FROM unnest(held.hits) AS hit WHERE hit > :since) + :amount <= :limit
    RETURNING true
""")
_WINDOW = text("""
    SELECT min(hit), count(hit) FROM rate_limits, unnest(hits) AS hit
    WHERE key_hash = :key AND hit > :since
""")
_EXPIRY = text("SELECT expires_at FROM rate_limits WHERE key_hash = :key")
_FORGET = text("DELETE FROM rate_limits WHERE key_hash = :key")
_FORGET_ALL = text("DELETE FROM rate_limits")
_FORGET_OLD = text("DELETE FROM rate_limits WHERE expires_at < :now")


class PostgresStorage(Storage, MovingWindowSupport):
    """A storage of the library `limits` in our own database, for moving windows."""

    STORAGE_SCHEME = None

    def __init__(self, ground: Ground, rounded: timedelta = timedelta(0)) -> None:
        """`rounded`: uses are noted by intervals of this length, at their beginning."""
        super().__init__(wrap_exceptions=True)
        self._ground, self._rounded = ground, rounded
        # A count of its own: it stays when the request that was refused is rolled back.
        self._engine: AsyncEngine = ground.database.counting

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return (SQLAlchemyError, OSError, TimeoutError)

    def _key(self, key: str) -> bytes:
        return self._ground.keys.match_key(HashOf.LIMIT, key)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` more uses of a key, if it stays within `limit` in `expiry` seconds."""
        if amount > limit:
            return False
        now, window = self._ground.clock.now(), timedelta(seconds=expiry)
        values = {
            "key": self._key(key),
            "now": self._noted(now),
            "since": now - window,
            "until": self._noted(now) + window,
            "amount": amount,
            "limit": limit,
        }
        async with asyncio.timeout(_COUNTS_WITHIN), self._engine.connect() as connection:
            return (await connection.execute(_ACQUIRE, values)).first() is not None

    def _noted(self, now: datetime) -> datetime:
        """Return the instant that is noted for a use."""
        if not self._rounded:
            return now
        return now - (now - datetime.min.replace(tzinfo=UTC)) % self._rounded

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the window began, in seconds since 1970, and the uses in it."""
        now = self._ground.clock.now()
        values = {"key": self._key(key), "since": now - timedelta(seconds=expiry)}
        async with asyncio.timeout(_COUNTS_WITHIN), self._engine.connect() as connection:
            began, count = (await connection.execute(_WINDOW, values)).one()
        return (began or now).timestamp(), count

    async def get(self, key: str) -> int:
        """Refuse: the count of a fixed window, which is not used here."""
        raise NotImplementedError("Only moving windows are counted.")

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Refuse: the count of a fixed window, which is not used here."""
        raise NotImplementedError("Only moving windows are counted.")

    async def get_expiry(self, key: str) -> float:
        """Return until when a key is kept, in seconds since 1970."""
        async with asyncio.timeout(_COUNTS_WITHIN), self._engine.connect() as connection:
            until = (await connection.execute(_EXPIRY, {"key": self._key(key)})).scalar()
        return (until or self._ground.clock.now()).timestamp()

    async def check(self) -> bool:
        """Return whether the database counts."""
        try:
            await self.get_expiry("check")
        except StorageError:
            return False
        return True

    async def reset(self) -> int | None:
        """Forget all counts. Return how many keys there were."""
        async with self._engine.connect() as connection:
            return (await connection.execute(_FORGET_ALL)).rowcount

    async def clear(self, key: str) -> None:
        """Forget the count of one key."""
        async with self._engine.connect() as connection:
            await connection.execute(_FORGET, {"key": self._key(key)})


# How exactly a use of a child's network is noted.
_ABOUT = timedelta(minutes=15)
# Requests of one process that are slowed down at the same time; a flood of them must not pile up.
_MOST_SLOWED = 64


class Limiter:
    """Counts for all processes, or for this one alone while the database cannot count."""

    # How long a request waits that comes too often, but not so often that it is refused.
    pause_seconds = 1.0
    slowed = 0

    def __init__(self, ground: Ground) -> None:
        self._shared = MovingWindowRateLimiter(PostgresStorage(ground))
        self._about = MovingWindowRateLimiter(PostgresStorage(ground, _ABOUT))
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._alone = False

    async def hit(self, item: RateLimitItem, *identifiers: str) -> bool:
        """Count one use. Return whether it is within the limit."""
        return await self._hit(self._shared, item, *identifiers)

    async def hit_about(self, item: RateLimitItem, *identifiers: str) -> bool:
        """Do the same, and note no more than the quarter of an hour: the row of a child's network
        must not name a conversation by its instant. A use then counts for up to a
        quarter of an hour less."""
        return await self._hit(self._about, item, *identifiers)

    async def _hit(
        self, shared: MovingWindowRateLimiter, item: RateLimitItem, *identifiers: str
    ) -> bool:
        try:
            within = await shared.hit(item, *identifiers)
        except StorageError as error:
            # Once for every outage: a flood of guesses must not become a flood of lines.
            if not self._alone:
                kind = type(error.__cause__).__name__
                log().error("limits are counted in each process", area="web", exception_type=kind)
            self._alone = True
            return await self._own.hit(item, *identifiers)
        if self._alone:
            log().warning("limits are counted over all processes again", area="web")
        self._alone = False
        return within

    async def is_used_up(self, item: RateLimitItem, *identifiers: str) -> bool:
        """Return whether one use more would not be within the limit; nothing is counted."""
        try:
            return not await self._shared.test(item, *identifiers)
        except StorageError:
            return not await self._own.test(item, *identifiers)

    async def pause(self) -> None:
        """Wait a moment."""
        await asyncio.sleep(self.pause_seconds)

    async def slow_down(self, beyond: RateLimitItem, *identifiers: str) -> None:
        """Count one use, and wait a moment if there were too many. Never refuses."""
        if not await self.hit(beyond, "slow", *identifiers):
            await self.slowly()

    async def slowly(self) -> None:
        """Wait a moment, unless very many requests do so already.

        Call this without a connection to the database in hand.
        """
        if Limiter.slowed >= _MOST_SLOWED:
            return
        Limiter.slowed += 1
        try:
            await self.pause()
        finally:
            Limiter.slowed -= 1


def client_of(request: Request) -> str:
    """Return the address by which a client is counted.

    Behind a proxy of `HELPLINE_TRUSTED_PROXIES` it is the client's own; behind any other, the
    proxy's. For an IPv6 address only the network counts: one household has all its addresses.
    """
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]
    return str(IPv6Network((address, 64), strict=False)) if address.version == 6 else str(address)


async def forget_old_limits(ground: Ground) -> None:
    """Delete the counts whose window is over."""
    async with ground.database.sessions() as session, session.begin():
        await session.execute(_FORGET_OLD, {"now": ground.clock.now()})
