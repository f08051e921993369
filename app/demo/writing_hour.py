"""The children of the scripted hour who write, and the counsellors who write with them."""

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from app.demo.asking_pages import Page
from app.demo.beats import look_again
from app.demo.counsellor import Counsellor
from app.demo.lengths import HOUR, Length, told
from app.demo.stage import Stage
from app.demo.texting_hour import GOODBYE
from app.demo.writing import WritingChild, a_child

# Seconds between two looks of a page.
_LOOKS_EVERY = 8


@dataclass(frozen=True)
class Writes:
    """A child who writes, and what becomes of it. Times in seconds."""

    opens_at: float
    story: str
    # How many messages a talk has.
    words: int
    leaves_after: float


def writers(seed: int, length: Length = HOUR) -> list[Writes]:
    """Return the children who write: talks, closed tabs, danger, doubled and late deliveries."""
    dice = random.Random(seed + 1000)
    stories = told(length.written)
    dice.shuffle(stories)
    found, at = [], 60.0
    for story in stories:
        found.append(Writes(at, story, dice.randrange(2, 6), length.written_for))
        at += dice.uniform(*length.written_apart)
    # When the counsellors have gone.
    return [*found, Writes(length.seconds - 300, "leaves a message", 0, 0)]


@contextlib.contextmanager
def noticed(stage: Stage) -> Iterator[None]:
    """Let the stage wait for a request that is under way."""
    stage.exchange.sender.under_way += 1
    try:
        yield
    finally:
        stage.exchange.sender.under_way -= 1


async def write_in(stage: Stage, guest: Writes, kept: list[WritingChild], beat: int | None) -> None:
    """Let a child write, as its story says. A server that is away is asked again."""
    clock = stage.clock
    await clock.sleep(guest.opens_at)
    child = a_child(stage)
    while not child.secret:
        with noticed(stage), contextlib.suppress(Exception):
            await child.open(danger=guest.story == "is in danger")
        if guest.story == "sends everything twice":
            with noticed(stage), contextlib.suppress(Exception):
                await child.open()
        await look_again(clock, 1, beat)
    kept.append(child)
    if guest.story == "leaves a message":
        await clock.sleep(5)
        with noticed(stage), contextlib.suppress(Exception):
            body = {"text": "Javite mi se", "client_key": uuid4().hex}
            await child.ask("POST", "/conversation/message", body)
            child.told.append("Javite mi se")
        return
    said, waited = 0, 0.0
    while waited < guest.leaves_after:
        await look_again(clock, _LOOKS_EVERY, beat)
        waited += _LOOKS_EVERY
        if guest.story == "closes the tab while waiting" and waited > 20:
            return
        with noticed(stage), contextlib.suppress(Exception):
            seen = await child.look()
            if seen["phase"] == "ended":
                return
            if seen["phase"] == "talking" or said == 0:
                await _say(child, guest, said)
                said += 1
        if guest.story == "loses the network and comes back" and said == 2:
            await clock.sleep(90)
            said += 1
        # A child waits for the answer to what it said last, before it goes.
        answered = bool(child.read) and child.read[-1]["by"] == "counsellor"
        stays = guest.story == "has the counsellor who goes away" or not answered
        if said > guest.words + 1 and not stays:
            break
    with noticed(stage), contextlib.suppress(Exception):
        await child.end()


async def _say(child: WritingChild, guest: Writes, number: int) -> None:
    key, text = uuid4().hex, f"Reč broj {number}"
    times = 3 if guest.story == "sends everything twice" else 1
    answers = await asyncio.gather(*(child.say(text, key) for _ in range(times)))
    if any(answer.status_code == 200 for answer in answers):
        child.told.append(text)


async def work_in_writing(
    stage: Stage, counsellor: Counsellor, leaves_at: float | None, length: Length
) -> None:
    """Work as a counsellor who writes: take conversations, answer what is unread. With `leaves_at`
    the page is closed for a while when the next talk after that has begun. In seconds."""
    clock, begun, took = stage.clock, stage.clock.now().timestamp(), False
    page = Page(stage, counsellor)
    while True:
        await look_again(clock, 5, length.beat)
        now = clock.now().timestamp() - begun
        if leaves_at is not None and now > leaves_at and took:
            leaves_at = None
            await clock.sleep(length.page_closed_for)
            if now + length.page_closed_for > length.room_closed_at:
                continue
            with noticed(stage), contextlib.suppress(Exception):
                await counsellor.ask("PUT", "/me/presence", {"state": "available"})
        if now > length.room_closed_at + length.written_for:
            return
        with noticed(stage), contextlib.suppress(Exception):
            took = await page.has_to_ask() and await take_and_answer(counsellor)


async def take_and_answer(counsellor: Counsellor) -> bool:
    """Take what is offered and answer what is unread; end with a child who says goodbye.

    Return whether a conversation was taken.
    """
    took = False
    mine = (await counsellor.ask("GET", "/chats/mine")).json()
    for chat in mine:
        path = f"/chats/{chat['call_id']}"
        if chat["state"] == "open":
            accepted = await counsellor.ask("POST", f"/offers/{chat['offer_id']}/accept")
            took |= accepted.is_success
        elif chat["unread"]:
            said = (await counsellor.ask("GET", f"{path}/messages?after=0")).json()
            await counsellor.ask("POST", f"{path}/seen", {"number": chat["last_number"]})
            if any(one["text"] == GOODBYE for one in said):
                await counsellor.ask("POST", f"{path}/end")
                continue
            body = {"text": "Tu sam, čitam.", "client_key": uuid4().hex}
            await counsellor.ask("POST", f"{path}/messages", body)
    return took


async def lost_words(children: list[WritingChild]) -> list[str]:
    """Return what was answered with success and is not in its conversation, or is there twice."""
    found = []
    for child in children:
        child.last, child.read = 0, []
        await child.look()
        mine = [one["text"] for one in child.read if one["by"] == "child"]
        if mine != child.told:
            found.append(f"10: a child said {len(child.told)} things, and {len(mine)} are kept")
    return found


async def count_chats(stage: Stage) -> dict[str, Any]:
    """Return the counts of the written conversations."""
    (row,) = await stage.rows(
        "SELECT count(*) AS chats, count(*) FILTER (WHERE outcome = 'answered') AS chats_answered,"
        " count(*) FILTER (WHERE returned > 0) AS chat_reassigned,"
        " count(*) FILTER (WHERE outcome = 'voicemail') AS chat_messages_left,"
        " (SELECT count(*) FROM chat_messages) AS chat_messages"
        " FROM calls WHERE channel <> 'voice'"
    )
    return row
