"""A scripted hour: at least sixty rings, and everything that goes wrong in a call room.

It runs on the stepped clock, in well under a minute, and gives one line of counts. They are
read from the database, and checked against what the exchange heard.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from app.demo.agencies import furnish
from app.demo.asking_pages import Page
from app.demo.beats import look_again
from app.demo.counsellor import Counsellor
from app.demo.invariants import broken_at_the_end, broken_now
from app.demo.lengths import HOUR, Length, told
from app.demo.stage import Stage
from app.demo.texting_hour import count_texts, lost_texts, text_in, texters
from app.demo.writing import WritingChild
from app.demo.writing_hour import count_chats, lost_words, work_in_writing, write_in, writers
from app.practice.legs import Leg
from app.practice.people import Caller, Phone


@dataclass
class Guest:
    """A caller of the scripted hour, and how long they stay. Times in seconds."""

    rings_at: float
    story: str
    digit: str | None = "1"
    leaves_after: float | None = None
    talks_for: float = 90
    number: str = "+381641234500"
    message_seconds: int = 0
    # Pairs of words that the caller waits for, and the key that they press then.
    answers: tuple[tuple[str, str], ...] = ()


@dataclass
class Hour:
    stage: Stage
    length: Length
    guests: list[Guest]
    browser: dict[str, Counsellor] = field(default_factory=dict)
    counsellors: list[Counsellor] = field(default_factory=list)
    legs: dict[int, Leg] = field(default_factory=dict)
    # The legs of children who cannot speak and are in a talk.
    silent: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    # Whether the counsellors have been sent off duty.
    is_closed: bool = False
    # Counsellors who write, each with the second in which their page is closed; then the children.
    writing: list[tuple[Counsellor, float | None]] = field(default_factory=list)
    children: list[WritingChild] = field(default_factory=list)


def guest_list(seed: int, length: Length = HOUR) -> list[Guest]:
    """Return the callers: hang-ups in every phase, withheld numbers, danger, talks."""
    dice = random.Random(seed)
    guests: list[Guest] = []
    at = 20.0
    stories = told(length.called)
    dice.shuffle(stories)
    for number, story in enumerate(stories):
        guest = Guest(rings_at=at, story=story, number=f"+3816412345{number:02d}")
        guest.talks_for = dice.uniform(*length.talked_for)
        _shape(guest, dice)
        guests.append(guest)
        at += dice.uniform(*length.called_apart)
    return guests + _after_the_last_shift(length.seconds)


def _shape(guest: Guest, dice: random.Random) -> None:
    """Make the caller do what the story says."""
    match guest.story:
        case "hangs up in the greeting":
            guest.digit, guest.leaves_after = None, dice.uniform(0.5, 4)
        case "hangs up while waiting":
            guest.leaves_after = dice.uniform(15, 60)
        case "hangs up at once while waiting":
            guest.leaves_after = 3.0
        case "hangs up while it rings":
            guest.leaves_after = dice.uniform(4, 8)
        case "presses nothing":
            guest.digit = None
        case "presses a wrong digit":
            guest.digit = "5"
        case "is in danger":
            guest.digit = "9"
        case "withholds the number":
            guest.number = dice.choice(["anonymous", "+266696687", ""])
        case "hangs up in mid-talk at once":
            guest.talks_for = 2
        case "cannot speak":
            guest.talks_for = 60


def _after_the_last_shift(end: int) -> list[Guest]:
    """Return callers who find no counsellor; one leaves a message. `end`: in seconds."""
    return [
        Guest(end - 420, "finds no counsellor", leaves_after=90, number="+381641234590"),
        Guest(
            end - 400,
            "leaves a message",
            leaves_after=120,
            message_seconds=14,
            number="+381641234591",
        ),
        Guest(
            end - 380,
            "is in danger and finds no counsellor",
            digit="9",
            leaves_after=60,
            number="+381641234592",
        ),
        Guest(
            end - 360,
            "asks to be called back",
            leaves_after=20,
            number="+381641234593",
            answers=(
                ("kasnije pozovemo, pritisni 3", "3"),
                ("bezbedno", "1"),
                ("niko drugi ne sme", "1"),
                ("Što pre možemo", "3"),
                ("Pozvaćemo te", ""),
            ),
        ),
    ]


async def play_hour(stage: Stage, seed: int = 7, length: Length = HOUR) -> dict[str, Any]:
    """Play the hour and return its counts. `broken` is empty if every invariant held."""
    await stage.add_line()
    hour = Hour(stage, length, guest_list(seed, length))
    await furnish(stage)
    await stage.set_up_telephony()
    await _open_the_room(hour)
    await _open_the_chat(hour)
    _turn_knobs(stage)
    end = stage.clock.now().timestamp() + length.seconds
    tasks = [asyncio.create_task(_visit(hour, i, g)) for i, g in enumerate(hour.guests)]
    tasks += [asyncio.create_task(_work(hour, c)) for c in hour.browser.values()]
    tasks += [
        asyncio.create_task(write_in(stage, one, hour.children, length.beat))
        for one in writers(seed, length)
    ]
    tasks += [
        asyncio.create_task(text_in(stage, child, length.beat)) for child in texters(seed, length)
    ]
    tasks += [asyncio.create_task(work_in_writing(stage, *one, length)) for one in hour.writing]
    tasks.append(asyncio.create_task(_look_after(hour, hour.counsellors[3])))
    tasks.append(asyncio.create_task(_close_the_room(hour)))
    tasks.append(asyncio.create_task(_tell_details(hour)))
    away_at = stage.clock.now().timestamp() + length.server_away_at
    while stage.clock.now().timestamp() < end:
        await stage.advance(30)
        hour.broken += await broken_now(stage)
        if stage.clock.now().timestamp() >= away_at:
            away_at = end + 1
            await _be_away(hour)
        for task in tasks:
            if task.done() and not task.cancelled() and task.exception():
                raise task.exception()  # type: ignore[misc]
    for leg in hour.legs.values():
        if not leg.over:
            await stage.exchange.hang_up(leg)
    # Long enough to ask the provider about the call whose end was never reported.
    await stage.advance(300)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    hour.broken += await lost_words(hour.children)
    hour.broken += await lost_texts(stage)
    hour.broken += await broken_at_the_end(stage)
    return {**await _count(hour), **await count_chats(stage), **await count_texts(stage)}


async def _be_away(hour: Hour) -> None:
    """Stop and start our server; a child rings meanwhile and gives up."""
    stage = hour.stage
    await stage.stop_server()
    leg = stage.ring("+381641234599")
    # The provider gets no document from us, and plays its own.
    for _ in range(500):
        await asyncio.sleep(0.01)
        if leg.heard:
            break
    await stage.exchange.hang_up(leg)
    await stage.start_server()
    await stage.settle()


# The counsellors who work by phone, and how their phones behave.
PHONES = {
    "vera": Phone(picks_up=3),
    "never-answers": Phone(picks_up=None),
    "dying-phone": Phone(picks_up=2, drops_after=25, drops=4),
    "machine": Phone(picks_up=2, presses=None),
}


async def _open_the_room(hour: Hour) -> None:
    stage = hour.stage
    for name in ("ana", "boris"):
        hour.browser[name] = await stage.add_counsellor(name)
    # A browser that is open with no counsellor in front of it.
    hour.counsellors = [*hour.browser.values(), await stage.add_counsellor("not-there")]
    for number, (name, phone) in enumerate(PHONES.items()):
        address = f"+3816499900{number}"
        stage.exchange.phones[address] = replace(phone, heard=[])
        hour.counsellors.append(await stage.add_counsellor(name, endpoint=address))


async def _open_the_chat(hour: Hour) -> None:
    """Let children write: with one counsellor who stays, and one whose page is closed for a while.

    They have no shift on the phone: their phones do not ring.
    """
    await hour.stage.let_write(by=["sms"])
    for name, leaves_at in (("mara", None), ("jelena", hour.length.page_closed_at)):
        one = await hour.stage.add_counsellor(name, chats=3, state=None)
        await one.ask("PUT", "/me/presence", {"state": "available"})
        hour.writing.append((one, leaves_at))
        hour.counsellors.append(one)


def _turn_knobs(stage: Stage) -> None:
    knobs = stage.exchange.knobs
    for path in ("/voice", "/menu", "/wait", "/status", "/conference", "/whisper", "/sms"):
        knobs.turn("duplicate", path, times=None, probability=0.15)
    knobs.turn("delay", "/conference", times=None, probability=0.1, seconds=1.5)
    knobs.turn("delay", "/legs/", times=None, probability=0.1, seconds=3)
    knobs.turn("delay", "/telephony/status completed", times=3, seconds=20)
    # One end is never reported: neither by the number's callback nor by the waiting room's.
    knobs.turn("lose", "/telephony/status completed", times=1)
    knobs.turn("refuse", "Calls", times=3)
    # Two callbacks in a hundred never come.
    for path in ("/conference participant", "/legs/", "/telephony/status"):
        knobs.turn("lose", path, times=None, probability=0.02)


async def _visit(hour: Hour, number: int, guest: Guest) -> None:
    stage, clock, exchange = hour.stage, hour.stage.clock, hour.stage.exchange
    await clock.sleep(guest.rings_at)
    caller = Caller(message_seconds=guest.message_seconds)
    leg = stage.ring(guest.number, caller=caller)
    hour.legs[number] = leg
    if guest.digit is not None:
        await clock.sleep(1.5)
        exchange.press(leg, guest.digit)
    for words, key in guest.answers:
        for _ in range(60):
            if leg.has_heard(words):
                break
            await look_again(clock, 2, hour.length.beat)
        exchange.press(leg, key)
    if guest.leaves_after is not None:
        await clock.sleep(guest.leaves_after)
        await exchange.hang_up(leg)
        return
    # Until the talk is over, or for ten minutes.
    for _ in range(600):
        await look_again(clock, 3, hour.length.beat)
        if leg.over:
            return
        if exchange.conferences.of_leg(leg) is not None:
            if guest.story == "cannot speak":
                await _answer_by_key(hour, leg)
            await clock.sleep(guest.talks_for)
            if exchange.conferences.of_leg(leg) is not None:
                await exchange.hang_up(leg)
                return


async def _answer_by_key(hour: Hour, leg: Leg) -> None:
    """Wait for the question, as a child who cannot speak, and press a key."""
    hour.silent.add(leg.sid)
    for _ in range(60):
        await look_again(hour.stage.clock, 2, hour.length.beat)
        if leg.has_heard("možeš da odgovaraš tasterima"):
            hour.stage.exchange.press(leg, "2")
            return


# The answers for every third talk; the others are closed as non-counselling.
_WRITTEN = {
    "contact.kind": "child",
    "contact.headline": "Quarrel with a friend",
    "contact.categories": ["PR-FRIENDS"],
    "contact.place": "RS-BG",
    "child.a1": 1,
    "child.a1.name": "Zzorica",
    "child.a1.age": 12,
    "wishes.safe_to_contact": "no",
    "consent.not_asked_because": "Only listening was wanted.",
    "actions.taken": ["listening"],
    "actions.summary": "Zzorica wants to make it up.",
}
_NONE = ("silent", "test", "hang_up", "prank")


async def _write_up(counsellor: Counsellor, seen: int) -> None:
    """Finish the counsellor's drafts: a few answers and complete, or close with one word."""
    drafts = (await counsellor.ask("POST", "/contacts/search", {"status": "draft"})).json()
    for draft in drafts["contacts"]:
        path = f"/contacts/{draft['id']}"
        if seen % 3:
            await counsellor.ask("POST", f"{path}/close", {"closed_as": _NONE[seen % 4]})
            continue
        changes = [{"path": p, "value": v, "base": 0} for p, v in _WRITTEN.items()]
        await counsellor.ask("PUT", f"{path}/answers", {"changes": changes})
        if draft["urgency"] is None:
            await counsellor.ask("POST", f"{path}/urgency", {"urgency": "routine"})
        await counsellor.ask("POST", f"{path}/complete")


# The services that are asked for, in turn, for children who pressed the danger key.
_NEEDED = ("shelter", "child_protection", "police", "mobile_outreach")


async def _press_urgent(counsellor: Counsellor, offer: dict[str, Any], before: int) -> int:
    """Press the urgent button if the child is in danger. Return how many referrals were opened."""
    if not offer["danger"]:
        return 0
    body = {"service": _NEEDED[before % len(_NEEDED)], "place": "RS-BG", "warm": before % 2 == 1}
    answer = await counsellor.ask("POST", f"/calls/{offer['call_id']}/urgent", body)
    return int(answer.status_code == 201)


async def _ask_who_is_silent(
    hour: Hour, counsellor: Counsellor, offer: dict[str, Any], asked: set[str]
) -> None:
    """Ask a silent caller a question that is answered with a key."""
    rows = await hour.stage.rows("SELECT provider_sid FROM calls WHERE id = %s", offer["call_id"])
    if offer["call_id"] in asked or rows[0]["provider_sid"] not in hour.silent:
        return
    asked.add(offer["call_id"])
    await counsellor.ask("POST", f"/calls/{offer['call_id']}/questions", {"question": "alone"})


async def _work(hour: Hour, counsellor: Counsellor) -> None:
    """Work as a counsellor at a browser.

    Take calls within ten seconds, decline one now and then, and write up what was said.
    """
    clock, seen, held, urgent = hour.stage.clock, 0, False, 0
    asked: set[str] = set()
    page = Page(hour.stage, counsellor)
    while True:
        await look_again(clock, 6, hour.length.beat)
        hour.stage.exchange.sender.under_way += 1  # the stage waits for these requests as well
        try:
            if not await page.has_to_ask():
                continue
            offer = await counsellor.offer()
            if offer is None and held:
                await _write_up(counsellor, seen)
            if offer is None and hour.is_closed:
                return
            if offer is not None and offer["state"] == "connected" and not held:
                urgent += await _press_urgent(counsellor, offer, urgent)
            if offer is not None and offer["state"] == "connected":
                await _ask_who_is_silent(hour, counsellor, offer, asked)
            held = offer is not None and offer["state"] == "connected"
            if offer is None or offer["state"] != "open":
                continue
            if offer["seconds_left"] > 17:
                continue
            seen += 1
            verb = "decline" if seen % 7 == 0 else "accept"
            await counsellor.ask("POST", f"/offers/{offer['id']}/{verb}")
        finally:
            hour.stage.exchange.sender.under_way -= 1


async def _look_after(hour: Hour, counsellor: Counsellor) -> None:
    """Press urgent on the desk, as a counsellor who talks on the phone beside it."""
    pressed: set[str] = set()
    page = Page(hour.stage, counsellor)
    while True:
        await look_again(hour.stage.clock, 15, hour.length.beat)
        hour.stage.exchange.sender.under_way += 1
        try:
            if not await page.has_to_ask():
                continue
            offer = await counsellor.offer()
            if offer is None and hour.is_closed:
                return
            if offer is None or offer["state"] != "connected" or offer["call_id"] in pressed:
                continue
            pressed.add(offer["call_id"])
            await _press_urgent(counsellor, offer, len(pressed))
        finally:
            hour.stage.exchange.sender.under_way -= 1


_HELD = (
    "SELECT r.id, r.owner_id, g.code FROM referrals r JOIN recipients a ON a.id = r.recipient_id"
    " JOIN agencies g ON g.id = a.agency_id"
    " WHERE r.state = 'acknowledged' AND a.details_at IS NULL"
)


async def _tell_details(hour: Hour) -> None:
    """Tell agencies the details by phone, as the owner of a referral that an agency has taken."""
    stage, owners = hour.stage, {person.id: person for person in hour.counsellors}
    while True:
        await stage.clock.sleep(60)
        stage.exchange.sender.under_way += 1
        try:
            for row in await stage.rows(_HELD):
                owner = owners[row["owner_id"]]
                body = {
                    "agency": row["code"],
                    "name": "Mira",
                    "agreed": "They go there now.",
                    "details_told": True,
                }
                answer = await owner.ask("POST", f"/referrals/{row['id']}/handover", body)
                if answer.status_code == 401:
                    await owner.sign_in()
        finally:
            stage.exchange.sender.under_way -= 1


async def _close_the_room(hour: Hour) -> None:
    """Send all counsellors off duty some minutes before the end."""
    stage = hour.stage
    await stage.clock.sleep(hour.length.room_closed_at)
    hour.is_closed = True
    stage.exchange.sender.under_way += 1
    try:
        for counsellor in hour.counsellors:
            await counsellor.ask("PUT", "/me/presence", {"state": "off_duty"})
    finally:
        stage.exchange.sender.under_way -= 1


async def _count(hour: Hour) -> dict[str, Any]:
    stage = hour.stage
    calls = await stage.rows(
        "SELECT outcome, danger, returned FROM calls"
        " WHERE direction = 'inbound' AND channel = 'voice'"
    )
    offers = await stage.rows("SELECT state FROM offers")
    outcomes = Counter(row["outcome"] for row in calls)
    states = Counter(row["state"] for row in offers)
    abandoned = ("abandoned_in_greeting", "short_abandon", "abandoned_in_queue")
    referrals = await stage.rows("SELECT acknowledged_at, opened_how, state FROM referrals")
    attempts = await stage.rows("SELECT result FROM attempts")
    contacts = await stage.rows("SELECT state, closed_as FROM contacts")
    events = await stage.rows(
        "SELECT kind, count(*) AS n FROM call_events WHERE kind IN ('talk_found', 'end_found')"
        " GROUP BY 1"
    )
    kinds = Counter({row["kind"]: row["n"] for row in events})
    by_key = await stage.rows("SELECT 1 FROM call_questions WHERE state = 'answered'")
    repeats = len(stage.exchange.sender.sent)
    return {
        "rings": sum(1 for leg in stage.exchange.legs.values() if leg.direction == "inbound"),
        "calls": len(calls),
        "answered": outcomes["answered"],
        "abandoned": sum(outcomes[word] for word in abandoned),
        "voicemail": outcomes["voicemail"],
        "callbacks": outcomes["callback_requested"],
        "unstaffed": outcomes["no_counsellor_on_duty"] + outcomes["out_of_hours"],
        "lost": outcomes["lost"],
        "unreachable": outcomes["unreachable"],
        "lost_callbacks_settled": kinds["talk_found"] + kinds["end_found"],
        "silent_reached": len(by_key),
        "failed": outcomes["failed"],
        "danger_calls": sum(row["danger"] for row in calls),
        "urgent": len(referrals),
        "acknowledged": sum(row["acknowledged_at"] is not None for row in referrals),
        "referred_unanswered": sum(r["opened_how"] == "danger_key" for r in referrals),
        "duty_phones_rung": len(attempts),
        "contacts": len(contacts),
        "contacts_complete": sum(row["state"] == "complete" for row in contacts),
        "non_counselling": sum(row["closed_as"] is not None for row in contacts),
        "returned_to_queue": sum(row["returned"] for row in calls),
        "offers": len(offers),
        "missed_offers": states["missed"],
        "declined_offers": states["declined"],
        "webhooks": repeats,
        "simulated_seconds": hour.length.seconds,
        "broken": sorted(set(hour.broken)),
    }
