"""The live stream, and what is left of it when somebody leaves."""

import asyncio

from app.database.bus import Subscription
from app.demo.stage import Stage
from app.web.access import COOKIE


def listening() -> int:
    """Tasks that wait for a topic."""
    waiting = Subscription.take.__qualname__
    return sum(
        getattr(task.get_coro(), "__qualname__", "") == waiting for task in asyncio.all_tasks()
    )


async def test_whoever_leaves_leaves_nothing_behind(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    before = listening()
    url = f"{stage.settings.public_url}/api/v1/events"
    headers = {"Cookie": f"{COOKIE}={ana._cookies[COOKIE]}"}
    async with stage.client.stream("GET", url, headers=headers) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        for _ in range(100):
            if listening() > before:
                break
            await asyncio.sleep(0.01)
        assert listening() == before + 1
    for _ in range(200):
        if listening() == before:
            break
        await asyncio.sleep(0.01)
    assert listening() == before
