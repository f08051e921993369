"""Uses up a limit, for tests in which several processes do so."""

import asyncio

from limits import RateLimitItemPerMinute

from app.settings import Settings
from app.web.limits import Limiter
from app.work import make_ground


def use_up(settings: str) -> int:
    """Try 25 times where 30 a minute are allowed; return how often it was allowed."""
    return asyncio.run(_use_up(Settings.model_validate_json(settings)))


async def _use_up(settings: Settings) -> int:
    ground = make_ground(settings)
    limiter = Limiter(ground)
    used = [await limiter.hit(RateLimitItemPerMinute(30), "anybody") for _ in range(25)]
    await ground.database.close()
    return sum(used)
