"""The live stream, and what is left of it when a reader leaves."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from unittest.mock import patch

import httpx2
import pytest

from app.database.bus import Bus
from app.database.topics import Topic
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.demo.writing import a_child
from app.routing.waiting import places_in_queue
from app.staff.roles import Role
from app.web.stream import Reader
from app.work import Work
from tests.support.profile import nightly


def told(bus: Bus, topic: str) -> int:
    """Return how many open streams hear of a topic."""
    with patch.object(Reader, "put", autospec=True) as put:
        bus.publish_here(topic)
    return put.call_count


async def test_a_reader_who_leaves_leaves_nothing_behind(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    state, own = stage.app.state, Topic.OFFERS.of(ana.id)
    url = f"{stage.settings.public_url}/board/live?topics=calls:me&parts=/board/frame"
    async with stage.client.stream("GET", url, headers={"Cookie": ana.cookie_header}) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        assert (state.streams.of[ana.id], told(state.bus, own)) == (1, 1)
        assert len(state.streams.parts.copies) == 1
    for _ in range(200):
        if not told(state.bus, own):
            break
        await asyncio.sleep(0.01)
    assert told(state.bus, own) == 0
    assert ana.id not in state.streams.of
    assert not state.streams.parts.copies


@dataclass
class Heard:
    """What a page was told by its stream: topics, and the parts that came in it."""

    topics: list[str] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    ended: bool = False


async def told_in(stage: Stage, who: Counsellor, heard: Heard) -> None:
    """Follow the stream as the person's own page does, which asks for what its parts show."""
    base, headers = stage.settings.public_url, {"Cookie": who.cookie_header}
    page = (await stage.client.get(base + "/", headers=headers)).text
    named = re.findall(r'data-(?:topics|soon|later)="([^"]+)"', page)
    topics = ",".join({topic for names in named for topic in names.split()})
    parts = ",".join(re.findall(r'hx-get="([^"]+)"[^>]*?data-pushed', page))
    url = f"{base}/board/live?topics={topics}&parts={parts}"
    async with stage.client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith('data: {"topics'):
                heard.topics += json.loads(line.removeprefix("data: "))["topics"]
            elif line.startswith('data: {"address'):
                part = json.loads(line.removeprefix("data: "))
                heard.parts[part["address"]] = part["html"]
    heard.ended = True


async def soon(truth: Callable[[], bool]) -> None:
    for _ in range(400):
        if truth():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("did not happen")


async def test_a_board_is_told_of_its_own_call_and_not_of_others(stage: Stage) -> None:
    """With three hundred desks, a call of one of them must not make all others ask again."""
    ana, boris = [await stage.add_counsellor(name) for name in ("ana", "boris")]
    await boris.be("break")
    hers, his = Heard(), Heard()
    async with asyncio.TaskGroup() as group:
        following = [
            group.create_task(told_in(stage, who, heard))
            for who, heard in ((ana, hers), (boris, his))
        ]
        # All parts come as they are, without a request.
        await soon(lambda: {"/board/frame", "/board/queue"} <= hers.parts.keys() & his.parts.keys())
        leg = stage.ring()
        await stage.until(lambda: leg.heard)
        stage.exchange.press(leg, "1")
        await stage.until(ana.offer)
        row = f"waiting-{(await stage.call_of(leg))['id']}"
        await soon(lambda: "data-ringing" in hers.parts["/board/frame"])
        await soon(lambda: row in hers.parts["/board/queue"] and row in his.parts["/board/queue"])
        assert "data-ringing" not in his.parts["/board/frame"]
        await ana.accept()
        await stage.advance(3)
        assert (await stage.call_of(leg))["state"] == "connected"
        await soon(lambda: "live-call" in hers.parts["/board/frame"])
        await soon(lambda: row not in his.parts["/board/queue"])
        await soon(lambda: "records:me" in hers.topics)
        assert {"offers:me", "presence:me", "calls:me"} <= set(hers.topics)
        hers.topics.clear()
        await ana.do("hold")
        await stage.advance(2)
        await soon(lambda: "calls:me" in hers.topics)
        await soon(lambda: 'id="resume"' in hers.parts["/board/frame"])
        for task in following:
            task.cancel()
    # What his page asks for has not changed, apart from, for what he may have to finish, other
    # people's records.
    assert set(his.topics) <= {"everything", "records"}
    assert "live-call" not in his.parts["/board/frame"]


async def test_a_session_that_has_ended_is_told_nothing_more(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", state="break")
    await stage.add_counsellor("boris", state="break")
    heard = Heard()
    following = asyncio.create_task(told_in(stage, ana, heard))
    await soon(lambda: "/board/queue" in heard.parts)
    await stage.client.post(
        f"{stage.settings.public_url}/logout", headers={"Cookie": ana.cookie_header}
    )
    before = dict(heard.parts)
    leg = stage.ring()
    await stage.until(lambda: leg.heard)
    stage.exchange.press(leg, "1")
    await stage.until(lambda: leg.waits_in is not None)
    await soon(lambda: heard.ended)
    await following
    assert heard.parts["/board/queue"] == before["/board/queue"]
    # It cannot be opened again.
    url = f"{stage.settings.public_url}/board/live?parts=/board/queue"
    answer = await stage.client.get(url, headers={"Cookie": ana.cookie_header})
    assert answer.status_code == 303


async def test_the_stream_of_a_changed_account_is_opened_anew(stage: Stage) -> None:
    """What it brings is made for the account as it was when it was opened."""
    ana = await stage.add_counsellor("ana", state="break")
    heard = Heard()
    following = asyncio.create_task(told_in(stage, ana, heard))
    await soon(lambda: "/board/frame" in heard.parts)
    stage.app.state.bus.publish_here(Topic.STAFF)
    await asyncio.sleep(0.1)
    assert not heard.ended, "another account was changed"
    changed = "UPDATE staff SET endpoint_kind = 'phone', endpoint = '+38111' WHERE id = %s"
    await stage.rows(changed + " RETURNING 1", ana.id)
    stage.app.state.bus.publish_here(Topic.STAFF)
    await soon(lambda: heard.ended)
    await following


async def test_a_stream_brings_only_parts_that_its_reader_may_see(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    reading = stage.app.state.streams.parts.readable
    wanted = ["/board/queue", "/board/calls-for-help", "/team/people", "/board/nothing"]
    assert [part.address for part in reading(ana.staff, wanted)] == ["/board/queue"]
    url = f"{stage.settings.public_url}/board/live?parts={','.join(wanted)}"
    async with stage.client.stream("GET", url, headers={"Cookie": ana.cookie_header}) as answer:
        brought = [line async for line in _first_lines(answer, 40) if '"address"' in line]
    assert [json.loads(line.removeprefix("data: "))["address"] for line in brought] == [
        "/board/queue"
    ]


async def _first_lines(answer: httpx2.Response, number: int) -> AsyncIterator[str]:
    """Return the lines of a stream until its first beat, at most some."""
    beats = 0
    async for line in answer.aiter_lines():
        beats += "beat" in line
        number -= 1
        if beats == 1 or not number:
            return
        yield line


@nightly
async def test_a_part_that_all_see_is_made_once_for_each_change_and_language(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day parts that many see are made once for all of them (tests/dashboard/test_live.py)."""
    crew = [await stage.add_counsellor(f"c{number}", state="break") for number in range(6)]
    serbian = "UPDATE staff SET page_language = 'sr' WHERE id = %s RETURNING 1"
    for one in crew[4:]:
        await stage.rows(serbian, one.id)
    stage.ground.memory.forget(Topic.STAFF)
    leg = stage.ring()
    await stage.until(lambda: leg.heard)
    read = 0
    waiting_calls = places_in_queue.waiting_calls

    async def count(work: Work) -> list[places_in_queue.WaitingCall]:
        nonlocal read
        read += 1
        return await waiting_calls(work)

    async def ask(who: Counsellor) -> str:
        url = stage.settings.public_url + "/board/queue"
        answer = await stage.client.get(url, headers={"Cookie": who.cookie_header})
        assert answer.status_code == 200
        return answer.text

    await asyncio.gather(*(ask(who) for who in crew))
    stage.exchange.press(leg, "1")
    await stage.until(lambda: leg.waits_in is not None)
    with monkeypatch.context() as patch:
        patch.setattr(places_in_queue, "waiting_calls", count)
        for _ in range(3):
            texts = await asyncio.gather(*(ask(who) for who in crew))
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


async def test_a_supervisor_is_told_of_a_conversation_that_they_read_along(stage: Stage) -> None:
    """For the one that is open on their page, and only if it is one of their team."""
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=2)
    sara, other = [
        await stage.add_counsellor(name, role=Role.SUPERVISOR, shift=False, state=None)
        for name in ("sara", "olga")
    ]
    await stage.change_rows(f"UPDATE staff SET team = 'night' WHERE id = '{other.id}'")
    stage.ground.memory.forget(Topic.EVERYTHING)
    child = a_child(stage)
    await child.open()
    await child.say("Hej")
    await stage.settle()
    (await ana.accept()).raise_for_status()
    chat = child.id
    url = f"{stage.settings.public_url}/board/live?topics=talks&along={chat},nothing"
    hers, others = Heard(), Heard()
    async with asyncio.TaskGroup() as group:
        following = [
            group.create_task(topics_in(stage, who, url, heard))
            for who, heard in ((sara, hers), (other, others), (ana, Heard()))
        ]
        await soon(lambda: all("everything" in one.topics for one in (hers, others)))
        await child.say("Sama sam")
        await soon(lambda: f"chats:{chat}" in hers.topics)
        assert "chats:me" not in hers.topics
        assert others.topics == ["everything"]
        for task in following:
            task.cancel()


async def topics_in(stage: Stage, who: Counsellor, url: str, heard: Heard) -> None:
    """Follow the topics of a stream."""
    headers = {"Cookie": who.cookie_header}
    async with stage.client.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            if line.startswith('data: {"topics'):
                heard.topics += json.loads(line.removeprefix("data: "))["topics"]
