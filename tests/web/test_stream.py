"""What one stream sends at once, and what it keeps until its turn."""

import asyncio
from datetime import datetime, timedelta

import pytest

from app.clock import SystemClock
from app.database.topics import Topic
from app.web import stream
from app.web.stream import Reader, StreamWanted
from app.work import Work
from tests.support.verbs import a_counsellor

NOW = SystemClock().now()


class Page:
    """The end of a connection: it takes what is sent, unless it is slow."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.is_slow = False

    def write(self, body: bytes) -> bool:
        if not self.is_slow:
            self.got.append(body)
        return not self.is_slow


@pytest.fixture
async def page(work: Work) -> Page:
    return Page()


@pytest.fixture
async def reader(work: Work, page: Page) -> Reader:
    ana = await a_counsellor(work, "ana")
    found = Reader(ana, StreamWanted(), now=lambda: NOW, outlet=page)
    found.valid_until = NOW + timedelta(hours=1)
    return found


async def test_a_part_is_sent_at_once_and_wakes_no_task(reader: Reader, page: Page) -> None:
    reader.hand("/p", b"one")
    assert page.got == [b"one"]
    assert reader.said() == b""
    assert not reader.needs_beat()


async def test_a_quiet_page_hears_at_once_that_it_is_connected(reader: Reader, page: Page) -> None:
    reader.beat()
    reader.beat()
    assert page.got == [b"event: beat\ndata: {}\n\n"], "something was sent a moment ago"


@pytest.mark.parametrize("cause", ["slow", "ended"])
async def test_a_page_that_cannot_be_told_at_once_is_looked_at(
    reader: Reader, page: Page, cause: str
) -> None:
    """The stream itself then waits for the page, or finds that the session is over."""
    page.is_slow = cause == "slow"
    if cause == "ended":
        reader.valid_until = NOW
    reader.beat()
    assert page.got == []
    await asyncio.wait_for(reader.news(), 1)


async def test_of_what_waits_for_a_slow_page_only_the_newest_is_sent(
    reader: Reader, page: Page
) -> None:
    page.is_slow = True
    reader.hand("/p", b"one")
    reader.hand("/p", b"two")
    page.is_slow = False
    reader.hand("/p", b"three")
    assert page.got == [b"three"]
    assert reader.said() == b"", "an old part would come after the new one"


async def test_nothing_overtakes_what_is_being_sent(reader: Reader, page: Page) -> None:
    reader.is_sending = True
    reader.hand("/p", b"two")
    assert page.got == []
    reader.is_sending = False
    assert reader.said() == b"two"


@pytest.mark.parametrize("until", [None, NOW, NOW - timedelta(seconds=1)])
async def test_a_session_that_is_not_known_to_be_valid_is_sent_nothing(
    reader: Reader, page: Page, until: datetime | None
) -> None:
    reader.valid_until = until
    reader.hand("/p", b"one")
    assert page.got == []


@pytest.mark.parametrize("topic", [Topic.STAFF, Topic.EVERYTHING])
async def test_what_may_end_the_session_is_looked_at_first(
    reader: Reader, page: Page, topic: Topic
) -> None:
    reader.put(topic)
    reader.hand("/p", b"one")
    assert page.got == []


async def test_own_things_that_change_at_once_are_told_together(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a ring does not wait for them."""
    monkeypatch.setattr(stream, "OWN_GATHERED", 3600.0)
    me = reader.staff.id
    reader.put(Topic.PRESENCE.of(me))
    await reader.news()
    assert reader.taken() == {Topic.PRESENCE.of(me)}
    reader.put(Topic.CALLS.of(me))
    reader.put(Topic.RECORDS.of(me))
    reader.put(Topic.OFFERS.of(me))
    await reader.news()
    assert reader.taken() == {one.of(me) for one in (Topic.CALLS, Topic.RECORDS, Topic.OFFERS)}


async def test_own_things_are_told_without_a_ring_too(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "OWN_GATHERED", 0.02)
    # What ends the wait is the change, and no beat.
    monkeypatch.setattr(stream, "BEAT_AFTER", 3600.0)
    for topic in (Topic.PRESENCE, Topic.CALLS):
        reader.put(topic.of(reader.staff.id))
        await reader.news()
        assert reader.taken() == {topic.of(reader.staff.id)}
