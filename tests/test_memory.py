"""What a process remembers is never older than the last change that it was told of."""

import asyncio
from datetime import UTC, datetime, timedelta

from app.work import Memory

NOW = datetime(2030, 1, 14, 9, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


async def test_of_two_readers_the_one_who_read_before_the_change_is_not_believed() -> None:
    memory = Memory()
    first_reads, first_may_end = asyncio.Event(), asyncio.Event()

    async def read(value: str, begun: asyncio.Event, may_end: asyncio.Event) -> None:
        assert memory.recall("roster", "rota", NOW) is None
        begun.set()
        await may_end.wait()
        memory.keep("roster", "rota", value, LATER)

    first = asyncio.create_task(read("old", first_reads, first_may_end))
    await first_reads.wait()
    memory.forget("roster")
    second_reads, second_may_end = asyncio.Event(), asyncio.Event()
    second = asyncio.create_task(read("new", second_reads, second_may_end))
    await second_reads.wait()
    second_may_end.set()
    await second
    assert memory.recall("roster", "rota", NOW) == "new"
    first_may_end.set()
    await first
    assert memory.recall("roster", "rota", NOW) == "new"


async def test_a_reader_who_failed_stops_no_other() -> None:
    memory = Memory()
    assert memory.recall("roster", "rota", NOW) is None
    memory.forget("roster")
    assert memory.recall("roster", "rota", NOW) is None
    memory.keep("roster", "rota", "new", LATER)
    assert memory.recall("roster", "rota", NOW) == "new"


async def test_a_change_of_another_topic_costs_nothing() -> None:
    memory = Memory()
    assert memory.recall("lines", "script", NOW) is None
    memory.forget("queue")
    memory.keep("lines", "script", "words", LATER)
    assert memory.recall("lines", "script", NOW) == "words"
    memory.forget("everything")
    assert memory.recall("lines", "script", NOW) is None


async def test_under_load_one_reader_reads_again_and_the_others_go_on() -> None:
    memory = Memory()
    memory.recall("lines", "script", NOW)
    memory.keep("lines", "script", "old", LATER)
    just_after = LATER + timedelta(milliseconds=1)
    assert memory.recall("lines", "script", just_after) is None
    assert memory.recall("lines", "script", just_after) == "old"
    memory.keep("lines", "script", "new", LATER + timedelta(seconds=30))
    assert memory.recall("lines", "script", just_after) == "new"


async def test_what_changed_meanwhile_is_given_to_no_other_reader() -> None:
    memory = Memory()
    memory.recall("lines", "script", NOW)
    memory.keep("lines", "script", "old", LATER)
    just_after = LATER + timedelta(milliseconds=1)
    assert memory.recall("lines", "script", just_after) is None
    memory.forget("lines")
    assert memory.recall("lines", "script", just_after) is None


async def test_a_reader_who_never_comes_back_is_not_waited_for() -> None:
    memory = Memory()
    memory.recall("lines", "script", NOW)
    memory.keep("lines", "script", "old", LATER)
    assert memory.recall("lines", "script", LATER + timedelta(milliseconds=1)) is None
    assert memory.recall("lines", "script", LATER + timedelta(seconds=2)) is None


async def test_a_memory_beside_another_begins_with_its_topics_and_goes_its_own_way() -> None:
    memory = Memory()
    for topic in ("lines", "presence"):
        memory.recall(topic, "all", NOW)
        memory.keep(topic, "all", "known", LATER)
    other = memory.beside("lines")
    assert other.recall("lines", "all", NOW) == "known"
    assert other.recall("presence", "all", NOW) is None
    assert other.recall("lines", "all", LATER) is None
    memory.forget("lines")
    assert other.recall("lines", "all", NOW) == "known"
    other.forget("presence")
    assert memory.recall("presence", "all", NOW) == "known"
