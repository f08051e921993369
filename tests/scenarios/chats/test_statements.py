"""A message of an open conversation costs few statements and wakes few pages; and what happens at
the same moment is still in one order, once, and refused if it came too late."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import func, select

from app.calls import record
from app.chats import ending, messages
from app.chats.models import Message
from app.database.bus import CHANNEL
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_now
from app.demo.stage import Stage
from app.demo.writing import WritingChild, a_child
from app.jobs.transaction import transaction
from app.work import PROGRAM, Work
from tests.support.kept.statements import statements
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import page

# How many messages each side writes at one moment.
_AT_ONCE = 8 if WHOLE else 3


async def open_conversation(stage: Stage) -> tuple[WritingChild, Counsellor]:
    """Let a child and a counsellor write, as they do after the first words."""
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=3)
    child = a_child(stage)
    assert (await child.open()).status_code == 201
    await stage.settle()
    (offer,) = (await ana.ask("GET", "/offers/mine")).json()
    assert (await ana.ask("POST", f"/offers/{offer['id']}/accept")).status_code == 200
    await stage.settle()
    assert (await says(ana, child, "Tu sam")).status_code == 201
    assert (await child.say("Hej")).status_code == 200
    await reads(ana, child)
    await child.look()
    await stage.settle()
    return child, ana


async def says(ana: Counsellor, child: WritingChild, text: str, key: str = "") -> Any:
    body = {"text": text, "client_key": key or uuid4().hex}
    return await ana.ask("POST", f"/chats/{child.id}/messages", body)


async def reads(ana: Counsellor, child: WritingChild, after: int = 0) -> Any:
    return (await ana.ask("GET", f"/chats/{child.id}/messages?after={after}")).json()


@asynccontextmanager
async def announced(stage: Stage) -> AsyncIterator[list[str]]:
    """Collect what is announced of conversations."""
    found: list[str] = []
    url = stage.ground.database.url
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"LISTEN {CHANNEL}")
        yield found
        told = [notice.payload async for notice in connection.notifies(timeout=0.3)]
        found += [topic for topic in told if topic.startswith("chats:")]


async def test_a_message_is_one_statement_and_so_is_its_way_to_the_other_side(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, ana = await open_conversation(stage)
    # The counsellor is told in which conversation, and either side how far the other has come.
    counsellor = f"chats:{await id_of(stage, 'ana')}/{child.id}"
    conversation = f"chats:{child.id}"
    with statements(monkeypatch) as sent:
        async with announced(stage) as told:
            assert (await child.say("Bojim se")).status_code == 200
        # Whose secret it is was asked a moment ago.
        assert len(sent) == 1, sent
        assert sorted(told) == sorted([conversation, counsellor])

        sent.clear()
        async with announced(stage) as told:
            (mine,) = (await ana.ask("GET", "/chats/mine")).json()
            (read,) = await reads(ana, child, mine["last_number"] - 1)
        assert (mine["unread"], read["text"], read["media"]) == (2, "Bojim se", [])
        assert len(sent) == 2, sent
        delivered = f"{conversation}.child/delivered/{read['number']}"
        assert sorted(told) == sorted([conversation, delivered])

        sent.clear()
        async with announced(stage) as told:
            assert (await says(ana, child, "Pricaj mi")).status_code == 201
        assert len(sent) == 1, sent
        assert sorted(told) == sorted([conversation, f"{conversation}.child"])

        sent.clear()
        async with announced(stage) as told:
            seen = await child.look()
        assert [one["text"] for one in seen["messages"]] == ["Bojim se", "Pricaj mi"]
        assert (seen["phase"], seen["delivered"]) == ("talking", mine["last_number"])
        assert len(sent) == 1, sent
        assert sorted(told) == sorted([conversation, f"{counsellor}/delivered/{child.last}"])

        sent.clear()
        async with announced(stage) as told:
            await child.ask("POST", "/conversation/seen", {"number": child.last})
            await child.ask("POST", "/conversation/seen", {"number": child.last})
        assert len(sent) == 2, sent
        assert sorted(told) == sorted([conversation, f"{counsellor}/seen/{child.last}"])

        await _types(child, ana, sent, stage, counsellor)
    await the_page_of_a_counsellor_asks_once_for_what_is_new_and_tells_with_what_it_says(
        stage, child, ana, monkeypatch
    )
    assert await broken_now(stage) == []


async def the_page_of_a_counsellor_asks_once_for_what_is_new_and_tells_with_what_it_says(
    stage: Stage, child: WritingChild, ana: Counsellor, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = f"/board/chats/{child.id}"
    # The line of the conversation is remembered.
    await page(stage, ana, f"{at}/messages", text="Tu smo", client_key=uuid4().hex)
    await child.say("Bojim se")
    with statements(monkeypatch) as sent:
        shown = (await page(stage, ana, f"{at}/news?after={child.last}")).text
        assert "Bojim se" in shown
        assert len(sent) == 1, sent
        sent.clear()
        said = await page(stage, ana, f"{at}/messages", text="Pricaj", client_key=uuid4().hex)
        assert "Pricaj" in said.text
        # The message, and what is new with it.
        assert len(sent) == 2, sent


async def _types(
    child: WritingChild, ana: Counsellor, sent: list[str], stage: Stage, counsellor: str
) -> None:
    """A sign is told once in three seconds, and needs no answer; words are read."""
    conversation = f"chats:{child.id}"
    sent.clear()
    async with announced(stage) as told:
        for _ in range(2):
            assert (await child.ask("POST", "/conversation/typing", {})).status_code == 204
        await ana.ask("POST", f"/chats/{child.id}/typing", {})
    assert len(sent) == 3, sent
    signs = [f"{counsellor}/types/1", f"{conversation}.child/types/1"]
    assert sorted(told) == sorted([conversation, conversation, *signs])

    sent.clear()
    async with announced(stage) as told:
        await child.ask("POST", "/conversation/typing", {"text": "Boj"})
        await child.ask("POST", "/conversation/typing", {"text": ""})
    assert len(sent) == 2, sent
    stops = f"{counsellor}/types/0"
    assert sorted(told) == sorted([conversation, counsellor, conversation, stops])


@nightly
async def test_another_conversation_costs_the_desk_one_statement_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ana = await open_conversation(stage)
    alone = await desk_of(stage, ana, monkeypatch)
    for words in ("Drugo dete", "Trece dete"):
        child = a_child(stage)
        await child.open()
        await child.say(words)
        await stage.settle()
        (offer,) = [
            o for o in (await ana.ask("GET", "/offers/mine")).json() if o["state"] == "open"
        ]
        assert (await ana.ask("POST", f"/offers/{offer['id']}/accept")).status_code == 200
        await stage.settle()
    sent = await desk_of(stage, ana, monkeypatch, "Hej", "Drugo dete", "Trece dete")
    assert len(sent) == len(alone) + 2, sent


async def desk_of(
    stage: Stage, ana: Counsellor, patch: pytest.MonkeyPatch, *shown: str
) -> list[str]:
    """Return the statements with which the desk is drawn."""
    with statements(patch) as sent:
        url = f"{stage.settings.public_url}/board/chats"
        desk = await stage.client.get(url, headers={"Cookie": ana.cookie_header})
    assert desk.status_code == 200
    assert all(words in desk.text for words in shown)
    return sent


async def id_of(stage: Stage, name: str) -> UUID:
    (row,) = await stage.rows("SELECT id FROM staff WHERE name = %s", name)
    return UUID(str(row["id"]))


# By day the verbs of it are tried (`tests/chats/test_conversations.py`).
@nightly
async def test_what_both_sides_write_at_the_same_moment_has_one_order(stage: Stage) -> None:
    child, ana = await open_conversation(stage)
    twice = uuid4().hex
    answers = await asyncio.gather(
        *(child.say(f"dete {number}") for number in range(_AT_ONCE)),
        *(says(ana, child, f"ana {number}") for number in range(_AT_ONCE)),
        *(child.say("dvaput", twice) for _ in range(4)),
    )
    assert {one.status_code for one in answers} == {200, 201}
    found = await reads(ana, child)
    assert [one["number"] for one in found] == list(range(1, len(found) + 1))
    written = [f"{who} {number}" for who in ("dete", "ana") for number in range(_AT_ONCE)]
    texts = [one["text"] for one in found]
    assert sorted(t for t in texts if t and " " in t and t != "Tu sam") == sorted(written)
    assert texts.count("dvaput") == 1
    assert len({one.json()["number"] for one in answers[-4:]}) == 1
    await a_message_that_waited_for_another_comes_after_it(stage, child, ana)
    await a_message_that_waited_for_the_end_is_refused(stage, child, ana)
    # The chain of the log, too.
    assert await broken_now(stage) == []


async def a_message_that_waited_for_another_comes_after_it(
    stage: Stage, child: WritingChild, ana: Counsellor
) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        call = await record.lock_call(work, UUID(child.id))
        waits = asyncio.create_task(child.say("Drugo"))
        await is_waiting(work)
        await messages.say_as_child(work, call.id, text="Prvo", client_key=uuid4().hex)
    assert (await waits).status_code == 200
    assert [one["text"] for one in await reads(ana, child)][-2:] == ["Prvo", "Drugo"]


async def a_message_that_waited_for_the_end_is_refused(
    stage: Stage, child: WritingChild, ana: Counsellor
) -> None:
    before = len(await reads(ana, child))
    async with transaction(stage.ground, PROGRAM) as work:
        await record.lock_call(work, UUID(child.id))
        waits = [
            asyncio.create_task(child.say("Kasno")),
            asyncio.create_task(says(ana, child, "K")),
        ]
        await is_waiting(work, len(waits))
        await ending.end_as_child(work, UUID(child.id))
    assert [(await one).status_code for one in waits] == [409, 404]
    async with transaction(stage.ground, PROGRAM) as work:
        kept = await work.session.scalar(select(func.count()).select_from(Message))
    assert kept == before


async def is_waiting(work: Work, number: int = 1) -> None:
    """Wait until this many statements wait for a lock."""
    url = work.ground.database.url
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for _ in range(500):
            cursor = await connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            row = await cursor.fetchone()
            if row is not None and row[0] >= number:
                return
            await asyncio.sleep(0.02)
    raise AssertionError("nothing waits")
