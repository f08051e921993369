"""Limits on guesses of passwords and codes, and on challenges."""

from fastapi import Request
from limits import RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute

from app.errors import TooMany
from app.staff import accounts
from app.staff.models import Staff
from app.web.limits import Limiter, client_of
from app.web.sign_in import known_browsers
from app.work import Work

_PER_NAME = RateLimitItemPerMinute(10)
PER_ADDRESS = RateLimitItemPerMinute(60)
# Guesses at one account from all addresses, or from one browser that is known.
PER_ACCOUNT = RateLimitItemPerHour(100)
# Guesses per account and day that are still compared with the password, beyond the limit of an
# hour. One failure a minute is logged, so that a flood does not fill the log.
COMPARED = RateLimitItemPerDay(1_000)
# Of those, guesses from one address: it alone cannot use up the day of an account.
_COMPARED_OF_ADDRESS = RateLimitItemPerHour(20)
_LOGGED = RateLimitItemPerMinute(1)
_SLOW_NAME = RateLimitItemPerMinute(5)
_SLOW_ADDRESS = RateLimitItemPerMinute(30)
SLOW_ACCOUNT = RateLimitItemPerHour(50)
SLOW_ALL = RateLimitItemPerMinute(120)
# Codes of one account by one way: at most one guess in ten thousand is right by chance.
CODES = RateLimitItemPerHour(30)
SLOW_CODES = RateLimitItemPerHour(15)
# Challenges for passkeys, which are rows until they end.
_OPTIONS = RateLimitItemPerMinute(20)


async def count_options(request: Request, staff: Staff) -> None:
    """Limit how often a person's browser is given a challenge. Raises TooMany."""
    limiter: Limiter = request.app.state.limiter
    if not await limiter.hit(_OPTIONS, "passkey-options", str(staff.id)):
        raise TooMany()


async def limit_second_step(
    request: Request, work: Work, staff: Staff, *, by_passkey: bool = False
) -> None:
    """Limit guesses of an account's second factor. Afterwards its rows must be read again: no
    connection is held while a guess is slowed down. Raises TooMany.

    A stolen password keeps its owner out neither of a browser in which the owner has
    signed in before nor of a passkey: each browser is counted by itself, and a passkey, which
    cannot be guessed, by its address.
    """
    limiter: Limiter = request.app.state.limiter
    known = known_browsers.known_browser(request, staff)
    await work.let_go()
    key: tuple[str, ...]
    if known is not None:
        key = ("browser", known)
    elif by_passkey:
        key = ("passkey", str(staff.id), client_of(request))
    else:
        key = ("account", str(staff.id))
    await limiter.slow_down(_SLOW_NAME, "code", *key)
    if not await limiter.hit(_PER_NAME, "code", *key):
        raise TooMany()
    if not by_passkey:
        await count_code(request, *key)
    work.actor = accounts.actor_of(staff)


async def count_code(request: Request, *key: str) -> None:
    """Count a code by the way on which it came: the account's, a known browser's, or that of its
    signed-in owner. No connection may be held: they are slowed down first. Raises TooMany."""
    limiter: Limiter = request.app.state.limiter
    await limiter.slow_down(SLOW_CODES, "codes", *key)
    if not await limiter.hit(CODES, "codes", *key):
        raise TooMany()


async def check_own_attempts(request: Request, work: Work, staff: Staff) -> None:
    """Limit how often a person may try their own password or code. What was read before must be
    read again: no connection is held while an attempt is slowed down. Raises TooMany."""
    limiter: Limiter = request.app.state.limiter
    await work.let_go()
    await limiter.slow_down(_SLOW_NAME, "own-password", str(staff.id))
    if not await limiter.hit(_PER_NAME, "own-password", str(staff.id)):
        raise TooMany()


async def limit_guesses(request: Request, name: str) -> bool:
    """Slow guesses down, then refuse them. Return whether the account has attempts left; else only
    the right password of an account with a second factor may go on, up to a limit of the hour for
    each address and one of the day for all: its password cannot be guessed without an end. Raises
    TooMany.

    A browser in which this account has signed in before is counted by itself, by the same limits:
    other people's guesses, from any address, cannot keep its person out. A refused guess is not
    counted, so that its person waits there for an hour at most. In any other browser a person who
    is refused waits as long as the guesses go on, and an hour at most after them.
    """
    limiter: Limiter = request.app.state.limiter
    known = known_browsers.known_for_name(request, name)
    if known is not None:
        await limiter.slow_down(_SLOW_NAME, "browser", known)
        await limiter.slow_down(SLOW_ACCOUNT, "browser", known)
        allowed = await limiter.hit(_PER_NAME, "browser", known) and await limiter.hit(
            PER_ACCOUNT, "browser", known
        )
        if not allowed:
            raise TooMany()
        return True
    address = client_of(request)
    await limiter.slow_down(SLOW_ALL, "sign-in")
    await limiter.slow_down(_SLOW_NAME, name)
    await limiter.slow_down(_SLOW_ADDRESS, "sign-in", address)
    await limiter.slow_down(SLOW_ACCOUNT, "account", name)
    if not await limiter.hit(PER_ADDRESS, address):
        raise TooMany()
    if await limiter.hit(_PER_NAME, name, address) and await limiter.hit(
        PER_ACCOUNT, "account", name
    ):
        return True
    if not await limiter.hit(
        _COMPARED_OF_ADDRESS, "compared", name, address
    ) or not await limiter.hit(COMPARED, "compared", name):
        raise TooMany()
    return False


async def may_log_failure(request: Request, name: str) -> bool:
    """Count a failure beyond the limits. Return whether to log it: at most one per name and
    minute."""
    limiter: Limiter = request.app.state.limiter
    return await limiter.hit(_LOGGED, "noted", name)
