"""One client closes writing for no other child, and no page takes more than its share."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from starlette.requests import Request

from app.child import conversations, origin
from app.child.waiting import OpenStreams
from app.demo.stage import LINE, MONDAY, Stage, stage_on
from app.demo.stepped_clock import SteppedClock
from app.demo.writing import WritingChild, a_child
from app.privacy.hash_kinds import HashOf
from app.routing.plan import NEAR_BLOCKED_PRIORITY
from app.staff.roles import Role
from app.web.clients import Clients
from app.web.limits import Limiter
from tests.support.referrals import page

FLOODS, OTHER = "198.51.100.7", "198.51.100.8"


async def from_(stage: Stage, address: str, path: str, body: Any) -> httpx2.Response:
    url = f"{stage.settings.public_url}/chat{path}"
    return await stage.client.post(url, json=body, headers={"X-Forwarded-For": address})


async def test_a_client_that_floods_is_refused_and_no_other_child(
    database: str, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pause(_: Limiter) -> None:
        return

    monkeypatch.setattr(Limiter, "pause", pause)
    few = replace(conversations.OPENED_BY_CLIENT, slowly=2, most=4)
    monkeypatch.setattr(conversations, "OPENED_BY_CLIENT", few)
    monkeypatch.setattr(conversations, "OPENED_SLOWLY", RateLimitItemPerMinute(1))
    async with stage_on(database, trusted_proxies="127.0.0.1") as stage:
        await stage.add_line()
        await stage.let_write()

        async def opens(address: str, *, danger: bool = False) -> httpx2.Response:
            body = {"language": "sr", "danger": danger, "client_key": uuid4().hex}
            return await from_(stage, address, f"/{LINE.lstrip('+')}/conversations", body)

        answers = [(await opens(FLOODS)).status_code for _ in range(6)]
        assert answers == [201] * 4 + [429] * 2
        assert (await opens(FLOODS, danger=True)).status_code == 201, "a carrier is one address"
        opened = await opens(OTHER)
        assert opened.status_code == 201, "all together are slowed down and never refused"
        child = WritingChild(stage.settings.public_url, stage.client)
        child.secret = opened.json()["secret"]
        left = {"text": "Javite se", "client_key": uuid4().hex}
        code = (await child.ask("POST", "/conversation/message", left)).json()["code"]
        guesses = [
            (await from_(stage, FLOODS, "/return", {"code": f"{n:020}"})).status_code
            for n in range(62)
        ]
        assert (guesses[0], guesses[-1]) == (404, 429)
        assert (await from_(stage, OTHER, "/return", {"code": code})).status_code == 200
        # Nothing of a client is in the database.
        count = "SELECT count(*) AS keys FROM rate_limits"
        held = await stage.rows(count)
        await from_(stage, "203.0.113.9", "/return", {"code": "1"})
        assert await stage.rows(count) == held


def asked_by(address: str) -> Request:
    return Request({"type": "http", "client": (address, 1), "headers": []})


async def test_a_client_is_held_for_a_minute_and_its_address_nowhere(anyio_backend: str) -> None:
    clock = SteppedClock(MONDAY)
    clients, others = Clients(clock), Clients(clock)
    assert [clients.count(asked_by(FLOODS), "open") for _ in range(3)] == [1, 2, 3]
    assert clients.count(asked_by(FLOODS), "code") == 1
    assert clients.count(asked_by(OTHER), "open") == 1
    others.count(asked_by(FLOODS), "open")
    assert FLOODS not in str(vars(clients))
    assert not clients.uses.keys() & others.uses.keys(), "each process has a key of its own"
    clock.move_to(MONDAY.replace(second=40))
    assert clients.count(asked_by(FLOODS), "open") == 4
    clock.move_to(MONDAY.replace(minute=1))
    # Without another request, too.
    assert clients.forgetting is not None
    clients.forget_now()
    assert len(clients) == 1
    assert clients.count(asked_by(FLOODS), "open") == 2
    for number in range(6_000):
        clients.count(asked_by(f"2001:db8:{number:x}::1"), "open")
    assert len(clients) == 5_000
    for one in (clients, others):
        if one.forgetting is not None:
            one.forgetting.cancel()


async def test_a_fourth_stream_of_a_conversation_ends_the_oldest(stage: Stage) -> None:
    await stage.let_write()
    child = a_child(stage)
    await child.open()
    url = f"{stage.settings.public_url}/chat/conversation/events"
    headers = {"Authorization": f"Bearer {child.secret}"}
    begun: list[int] = []
    over: list[int] = []

    async def follow(number: int) -> None:
        async with stage.client.stream("GET", url, headers=headers) as answer:
            async for _ in answer.aiter_text():
                if number not in begun:
                    begun.append(number)
        over.append(number)

    streams: list[asyncio.Task[None]] = []
    for number in range(5):
        streams.append(asyncio.create_task(follow(number)))
        while number not in begun:
            await asyncio.sleep(0.01)
    await asyncio.wait_for(asyncio.gather(*streams[:2]), 30)
    assert over == [0, 1]
    # A request that waits counts as well.
    poll = asyncio.create_task(child.look(wait=25))
    await asyncio.wait_for(streams[2], 30)
    assert sorted(over) == [0, 1, 2]
    for one in (poll, *streams[3:]):
        one.cancel()
    await asyncio.gather(poll, *streams, return_exceptions=True)


def test_the_oldest_of_all_ends_when_a_process_has_too_many() -> None:
    waiting = OpenStreams(most=2)
    first, second, third = (uuid4() for _ in range(3))
    with waiting.one(first) as one, waiting.one(second) as two, waiting.one(third) as three:
        assert [end.is_set() for end in (one, two, three)] == [True, False, False]
        assert len(waiting) == 2
    assert len(waiting) == 0
    assert waiting.by_conversation == {}


async def test_one_client_raises_few_alarms_and_one_that_is_blocked_shuts_out_no_school(
    database: str, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origin, "OF_NETWORK", RateLimitItemPerHour(5))
    async with stage_on(database, trusted_proxies="127.0.0.1") as stage:
        await stage.add_line()
        await stage.let_write()
        ana = await stage.add_counsellor("ana", chats=2)

        async def opens(address: str, visit: str, *, danger: bool = False) -> dict[str, Any]:
            body = {"language": "sr", "danger": danger, "client_key": uuid4().hex, "visit": visit}
            path = f"/{LINE.lstrip('+')}/conversations"
            # An answer that got lost: it is counted once.
            answer = [await from_(stage, address, path, body) for _ in range(2)][-1].json()
            (row,) = await stage.rows(
                "SELECT blocked, priority, danger, danger_again FROM calls WHERE id = "
                f"'{answer['conversation']}'"
            )
            return {**answer, **row}

        dangers = [await opens(FLOODS, visit, danger=True) for visit in "aaaabcd"]
        assert all(one["danger"] for one in dangers), "each comes first"
        assert [one["danger_again"] for one in dangers] == [False] * 3 + [True, False, True, True]
        assert not (await opens(OTHER, "a2", danger=True))["danger_again"]
        call = await opens(FLOODS, "x")
        flag = {"kind": "blocked", "reason": "Preti i psuje", "hours": 2}
        url = f"/calls/{call['conversation']}"
        assert (await ana.ask("POST", f"{url}/flags", flag)).status_code == 404, "it is not hers"
        chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
        assert (await chief.ask("POST", f"{url}/flags", flag)).status_code == 201
        shown = (await page(stage, chief, url)).text
        assert "A block holds for this visit of the page" in shown
        assert "Preti i psuje" in shown
        again = await opens(FLOODS, "x")
        assert (again["blocked"], again["danger"]) == (True, False)
        school, elsewhere = await opens(FLOODS, "y"), await opens(OTHER, "z")
        assert [one["blocked"] for one in (school, elsewhere)] == [False, False]
        assert (school["priority"], elsewhere["priority"]) == (NEAR_BLOCKED_PRIORITY, 0)
        # What is noted of a network says no instant by which its conversation could be found.
        noted = origin.OF_NETWORK.key_for("chat-danger", FLOODS)
        key = stage.ground.keys.match_key(HashOf.LIMIT, noted).hex()
        hits = "SELECT unnest(hits) AS hit FROM rate_limits WHERE key_hash = "
        instants = [row["hit"] for row in await stage.rows(f"{hits}decode('{key}', 'hex')")]
        assert len(instants) == 5
        assert {(one.minute % 15, one.second, one.microsecond) for one in instants} == {(0, 0, 0)}
