"""The live stream, and what is left of it when a reader leaves."""

import asyncio
import json
import re

from sqlalchemy import event

from app.database.bus import Subscription
from app.database.topics import Topic
from app.demo.stage import Counsellor, Stage
from app.web.access import COOKIE


def listening() -> int:
    """Tasks that wait for a topic."""
    waiting = Subscription.take.__qualname__
    return sum(
        getattr(task.get_coro(), "__qualname__", "") == waiting for task in asyncio.all_tasks()
    )


async def test_a_reader_who_leaves_leaves_no_task_behind(stage: Stage) -> None:
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


async def told_in(stage: Stage, who: Counsellor, heard: list[str]) -> None:
    """Follow the stream as the person's own page does, which asks for what its parts show."""
    base, headers = stage.settings.public_url, {"Cookie": who.cookie_header}
    page = (await stage.client.get(base + "/", headers=headers)).text
    named = re.findall(r'data-(?:topics|soon|later)="([^"]+)"', page)
    topics = ",".join({topic for names in named for topic in names.split()})
    url = f"{base}/api/v1/events?topics={topics}"
    async with stage.client.stream("GET", url, headers=headers) as answer:
        async for line in answer.aiter_lines():
            if line.startswith('data: {"topics"'):
                heard += json.loads(line.removeprefix("data: "))["topics"]


async def test_a_board_is_told_of_its_own_call_and_not_of_others(stage: Stage) -> None:
    """With three hundred boards, a call of one of them must not make all others ask again."""
    ana, boris = [await stage.add_counsellor(name) for name in ("ana", "boris")]
    await boris.be("break")
    hers: list[str] = []
    his: list[str] = []
    async with asyncio.TaskGroup() as group:
        following = [
            group.create_task(told_in(stage, who, heard))
            for who, heard in ((ana, hers), (boris, his))
        ]
        while not (hers and his):
            await asyncio.sleep(0.01)
        leg = stage.ring()
        await stage.until(lambda: leg.heard)
        stage.exchange.press(leg, "1")
        await stage.until(ana.offer)
        await ana.accept()
        await stage.advance(3)
        assert (await stage.call_of(leg))["state"] == "connected"
        for _ in range(200):
            if "records:me" in hers:
                break
            await asyncio.sleep(0.01)
        assert {"offers:me", "presence:me", "calls:me", "records:me", "queue"} <= set(hers)
        hers.clear()
        await ana.do("hold")
        await stage.advance(2)
        for _ in range(200):
            if "calls:me" in hers:
                break
            await asyncio.sleep(0.01)
        assert "calls:me" in hers
        for task in following:
            task.cancel()
    # What the parts of his page show at once has not changed, apart from the queue and, for what
    # he may have to finish, other people's records.
    assert set(his) <= {"everything", "queue", "records"}
    assert "queue" in his


async def test_a_part_that_all_see_is_made_once_for_each_change_and_language(stage: Stage) -> None:
    crew = [await stage.add_counsellor(f"c{number}", state="break") for number in range(6)]
    serbian = "UPDATE staff SET page_language = 'sr' WHERE id = %s RETURNING 1"
    for one in crew[4:]:
        await stage.rows(serbian, one.id)
    stage.ground.memory.forget(Topic.STAFF)
    leg = stage.ring()
    await stage.until(lambda: leg.heard)
    read = 0

    def count(*told: object) -> None:
        nonlocal read
        read += "ranked_at" in str(told[2]) and "LIMIT" in str(told[2])

    async def ask(who: Counsellor) -> str:
        url = stage.settings.public_url + "/board/queue"
        answer = await stage.client.get(url, headers={"Cookie": who.cookie_header})
        assert answer.status_code == 200
        return answer.text

    await asyncio.gather(*(ask(who) for who in crew))
    stage.exchange.press(leg, "1")
    await stage.until(lambda: leg.waits_in is not None)
    engine = stage.ground.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        for _ in range(3):
            texts = await asyncio.gather(*(ask(who) for who in crew))
    finally:
        event.remove(engine, "before_cursor_execute", count)
    call = await stage.call_of(leg)
    row = f"waiting-{call['id']}"
    assert all(row in text for text in texts)
    assert ["Serbian" in text for text in texts] == [True] * 4 + [False] * 2
    assert ["srpski" in text for text in texts] == [False] * 4 + [True] * 2
    assert read == 2, "once in each language"
    # The next change is shown at once.
    await stage.exchange.hang_up(leg)
    await stage.settle()
    for _ in range(100):
        if row not in await ask(crew[0]):
            break
        await asyncio.sleep(0.01)
    assert row not in await ask(crew[0])
