"""Real processes, killed with -9: what was answered is kept, and what was begun goes on."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from app.clock import SystemClock
from app.demo.counsellor import start_silent_telephone
from app.demo.served import Served
from app.demo.stage import ACCOUNT, LINE, TOKEN
from app.demo.writing import WritingChild
from app.practice.exchange import Exchange, Number
from app.practice.legs import Leg
from app.practice.people import Phone
from app.practice.rest.app import rest_app
from tests.support.processes import KEY, SECRET, Program, ready, sign_in, true
from tests.support.profile import WHOLE
from tests.support.waiting import until

ONE: tuple[str, ...] = ()
TWO = ("--workers", "2")
# With one process or several, before the last start and after it.
PROCESSES = [(ONE, ONE), (TWO, TWO), (ONE, TWO)] if WHOLE else [(ONE, ONE)]
# How long after its start the server is killed during an escalation, in seconds, again and again.
KILLED_AFTER = (0.0, 0.4, 1.1, 0.7, 1.6)


@pytest.mark.anyio
@pytest.mark.parametrize(("before", "at_last"), PROCESSES)
async def test_killed_in_mid_call_and_again_and_again_during_an_escalation(
    new_folder: Callable[[], Path], before: tuple[str, ...], at_last: tuple[str, ...]
) -> None:
    """By day in one house, which is killed once. By night in two at once: while the one waits,
    the other works."""
    if not WHOLE:
        await _in_mid_call_and_during_an_escalation(new_folder())
        return
    async with asyncio.TaskGroup() as houses:
        houses.create_task(_in_mid_call(new_folder(), before, at_last))
        houses.create_task(_during_an_escalation(new_folder()))


PASSWORD = "correct horse battery"


class House:
    """A helpline of its own: a program, the exchange that rings it, and ana, who is signed in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.program = folder, Program(folder)
        self.base = self.program.base
        self.api = self.base + "/api/v1"
        self.exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
        self.exchange.api_keys[KEY] = SECRET
        self.exchange.numbers[LINE] = Number(
            f"{self.base}/telephony/voice",
            f"{self.base}/telephony/voice/fallback",
            f"{self.base}/telephony/status",
        )
        self.rest = Served(rest_app(self.exchange), self.program.rest_port)
        self.client = httpx2.AsyncClient(trust_env=False, timeout=10)

    async def command(self, *words: str, given: str = "") -> str:
        """Run a command, which must succeed; return what it prints."""
        done = await asyncio.to_thread(self.program.run, *words, given=given)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    async def open(self, *processes: str) -> None:
        await self.rest.start()
        self.program.serve(*processes)
        await ready(self.client, self.base)
        await sign_in(self.client, self.base, "ana", PASSWORD)

    async def killed(self, *processes: str) -> None:
        """Kill every process, and start them again."""
        self.program.kill()
        self.program.serve(*processes)
        await ready(self.client, self.base)

    async def get(self, path: str) -> Any:
        return (await self.client.get(self.api + path)).json()

    async def stopped(self) -> str:
        """Stop the program, and return what the check of its logs prints."""
        await self.client.aclose()
        await asyncio.to_thread(self.program.stop)
        return await self.command("audit", "verify")

    async def close(self) -> None:
        await self.client.aclose()
        self.program.stop()
        await self.exchange.close()
        await self.rest.stop()
        self.program.log.close()


async def _in_mid_call_and_during_an_escalation(folder: Path) -> None:
    house = House(folder)
    try:
        await _staffed_for_a_call_and_a_conversation(house)
        phones = await _furnished_for_an_escalation(house)
        await house.open()
        await house.command("telephony", "setup")
        leg = await _accepted_call(house)
        await until(lambda: _connected(house), within=60)
        waiting = await _waiting_call(house)
        referral_id = await _urgent_referral(house)
        child = WritingChild(house.base, house.client)
        rings = await _killed_while_the_child_writes(house, child, ONE, lambda: _rings(house))
        assert (await _offered(house))[0]["state"] == "connected"
        await _goes_on(house, waiting, rings)
        assert [one.ending for one in (leg, waiting, rings) if one.over] == []
        for one in (waiting, rings, leg):
            await house.exchange.hang_up(one)
        await _all_is_in_the_record(house, child)
        await _acknowledged_with_every_result(house, referral_id)
        _phones_were_tried_as_agreed(house.exchange, phones)
        assert "call_events" in await house.stopped()
        assert "64123" not in house.program.read_log()
        # A clean stop ends the database too, although it was killed before.
        assert not _postgres_of(folder)
    finally:
        await house.close()


async def _rings(house: House) -> Leg:
    """A caller rings while no server runs, and hears what the provider plays."""
    leg = house.exchange.ring("+381641234569", LINE)
    await until(lambda: true(leg.heard))
    return leg


async def _in_mid_call(folder: Path, before: tuple[str, ...], at_last: tuple[str, ...]) -> None:
    house = House(folder)
    try:
        await _staffed_for_a_call_and_a_conversation(house)
        await house.open(*before)
        # What callers hear while no server runs is played by the provider.
        await house.command("telephony", "setup")
        leg = await _accepted_call(house)
        child = WritingChild(house.base, house.client)
        await _killed_while_the_child_writes(house, child, before, lambda: true(None))
        await until(lambda: _connected(house), within=60)
        waiting = await _waiting_call(house)
        house.program.kill()
        rings = await _rings(house)
        house.program.serve(*at_last)
        await ready(house.client, house.base)
        assert (await _offered(house))[0]["state"] == "connected"
        await _goes_on(house, waiting, rings)
        assert [one.ending for one in (leg, waiting, rings) if one.over] == []
        for one in (waiting, rings, leg):
            await house.exchange.hang_up(one)
        await _all_is_in_the_record(house, child)
        assert "call_events" in await house.stopped()
        assert "64123" not in house.program.read_log()
        # A clean stop ends the database too, although others were killed.
        assert not _postgres_of(folder)
    finally:
        await house.close()


async def _staffed_for_a_call_and_a_conversation(house: House) -> None:
    words = ("staff", "add", "ana", "--chats", "2", "--password-stdin")
    await house.command(*words, given=PASSWORD + "\n")
    await house.command("line", "add", LINE, "--languages", "sr,en")
    # Ana is kept for the call: a child who writes waits all the time.
    rules = ("--on", "--reserve", "1", "--reserve-seconds", "3600")
    await house.command("line", "chat", LINE, *rules)
    await house.command("shift", "add", "ana", "--always")


async def _offered(house: House) -> Any:
    answer = await house.client.get(house.api + "/offers/mine")
    return answer.json() if answer.status_code == 200 else None


async def _accepted_call(house: House) -> Leg:
    """Ring, and accept the call as ana. Return the caller's leg."""
    await start_silent_telephone(house.exchange, house.client, house.base)
    available = await house.client.put(house.api + "/me/presence", json={"state": "available"})
    assert available.status_code == 200
    leg = house.exchange.ring("+381641234567", LINE)
    await until(lambda: true(leg.heard))
    house.exchange.press(leg, "1")
    offer = (await until(lambda: _offered(house)))[0]
    accepted = await house.client.post(f"{house.api}/offers/{offer['id']}/accept")
    assert accepted.status_code == 200
    return leg


async def _waiting_call(house: House) -> Leg:
    """A caller who has chosen a language and waits: ana talks with another."""
    leg = house.exchange.ring("+381641234568", LINE)
    await until(lambda: true(leg.heard))
    house.exchange.press(leg, "1")
    await until(lambda: true(leg.waits_in))
    return leg


async def _goes_on(house: House, waiting: Leg, rings: Leg) -> None:
    """A caller who waited waits on, and one who rang while no server ran is greeted."""
    await until(lambda: true(rings.has_heard("ovde Child helpline")), within=40)
    await until(lambda: true(waiting.waits_in), within=40)


async def _killed_while_the_child_writes(
    house: House,
    child: WritingChild,
    processes: tuple[str, ...],
    meanwhile: Callable[[], Awaitable[Any]],
) -> Any:
    """What was answered 2xx survives: killed at once, started again.

    Return what is returned by what happens while no server runs.
    """
    assert (await child.open()).status_code == 201
    keys = [uuid4().hex for _ in range(3)]
    assert (await child.say("Jedan", keys[0])).status_code == 200
    lost = asyncio.create_task(child.say("Dva", keys[1]))
    await asyncio.sleep(0)
    house.program.kill()
    await asyncio.gather(lost, return_exceptions=True)
    found = await meanwhile()
    house.program.serve(*processes)
    await ready(house.client, house.base)
    # The page does not know whether it was heard, and says it again.
    assert (await child.say("Dva", keys[1])).status_code == 200
    assert (await child.say("Tri", keys[2])).status_code == 200
    await child.look()
    assert child.words() == ["Jedan", "Dva", "Tri"]
    return found


async def _connected(house: House) -> bool:
    """Return whether ana talks; until then she accepts what she is offered."""
    found = await _offered(house)
    if found and found[0]["state"] == "open":
        await house.client.post(f"{house.api}/offers/{found[0]['id']}/accept")
    state = (await house.get("/me"))["presence"]["state"]
    if not found and state == "away":
        await house.client.put(house.api + "/me/presence", json={"state": "available"})
    return bool(found) and found[0]["state"] == "connected"


async def _all_is_in_the_record(house: House, child: WritingChild) -> None:
    async def ended() -> Any:
        calls = (await house.get("/calls"))["calls"]
        return calls and calls[0]["outcome"]

    assert await until(ended) == "answered"
    assert [one["channel"] for one in (await house.get("/calls"))["calls"]] == ["voice"]
    child.last, child.read = 0, []
    await child.look()
    assert child.words() == ["Jedan", "Dva", "Tri"]
    assert (await house.client.get(house.base + "/metrics")).text.count("helpline_") > 5


def _postgres_of(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return re.findall(rf"postgres.* -D {re.escape(str(folder))}.*", listing.stdout)


AGENCIES = """code,name,sector,services,languages,duty_phones
house,Safe House,shelter,shelter,en,+381113000001 | +381113000002 | +381113000003
"""


async def _during_an_escalation(folder: Path) -> None:
    """Killed between any two steps: nothing is repeated to a person, and nothing is forgotten."""
    house = House(folder)
    try:
        await house.command("staff", "add", "ana", "--password-stdin", given=PASSWORD + "\n")
        await house.command("line", "add", LINE, "--languages", "en")
        phones = await _furnished_for_an_escalation(house)
        await house.open()
        referral_id = await _urgent_referral(house)
        for wait in KILLED_AFTER:
            await asyncio.sleep(wait)
            await house.killed()
        await _acknowledged_with_every_result(house, referral_id)
        _phones_were_tried_as_agreed(house.exchange, phones)
        await house.stopped()
    finally:
        await house.close()


async def _furnished_for_an_escalation(house: House) -> dict[str, Phone]:
    """An agency with three telephones: a busy one, a machine, and a person who says yes."""
    answers = Phone(busy=True), Phone(machine=True), Phone(picks_up=2.0, presses="1")
    phones = {f"+38111300000{n}": phone for n, phone in enumerate(answers, 1)}
    house.exchange.phones.update(phones)
    (house.folder / "agencies.csv").write_text(AGENCIES)
    taken = await house.command("agency", "import", str(house.folder / "agencies.csv"))
    assert taken == "1 agencies\n"
    return phones


async def _urgent_referral(house: House) -> str:
    body = {
        "urgency": "immediate",
        "services": ["shelter"],
        "override": {"basis": "vital_interests", "reason": "In danger tonight."},
        "send": True,
    }
    made = await house.client.post(house.api + "/referrals", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def _acknowledged_with_every_result(house: House, referral_id: str) -> None:
    async def acknowledged() -> bool:
        found = await house.client.get(f"{house.api}/referrals/{referral_id}")
        return found.status_code == 200 and found.json()["state"] == "acknowledged"

    async def resulted() -> bool:
        found = await house.get(f"/referrals/{referral_id}")
        return all(attempt["result"] for attempt in found["attempts"])

    await until(acknowledged, within=240, every=1)
    # Every attempt is on the referral, with its result: the last when its call is over.
    await until(resulted, within=90, every=1)


def _phones_were_tried_as_agreed(exchange: Exchange, phones: dict[str, Phone]) -> None:
    """All of them, and none again within a minute."""
    asked: dict[str, list[Any]] = {}
    for leg in exchange.legs.values():
        if leg.to in phones:
            asked.setdefault(leg.to, []).append(leg.created_at)
    for to, times in asked.items():
        for earlier, later in pairwise(sorted(times)):
            assert (later - earlier).total_seconds() >= 59, (to, times)
    busy, machine, person = phones.values()
    assert person.rung >= 1, asked
    assert busy.rung == 0
    assert machine.rung >= 1


def test_the_command_line_says_what_to_do(database: str) -> None:
    folder = Path("/tmp") / f"hlc{os.getpid()}"
    folder.mkdir()
    program = Program(folder)
    program.environment["HELPLINE_DATABASE_URL"] = database
    try:
        # Each is a process; all are refused by one way, so that by day three are enough.
        refused_words = [
            (("line", "add", "12"), "is a short number"),
            (("line", "add", "plavi"), "not a phone number with +"),
            (("line", "add", LINE, "--timezone", "Mars/Base"), "not a time zone"),
            (("line", "add", LINE, "--languages", "xx-nonsense-yy"), "not a language code"),
            (("shift", "add", "nobody", "--always"), "no account 'nobody'"),
            (("shift", "add", "nobody"), "either --always or --rrule"),
            (("shift", "add", "x", "--rrule", "FREQ=DAILY", "--from", "25:00"), "time of day"),
            (("staff", "add", "ana", "--endpoint", "fax:1", "--password-stdin"), "An endpoint is"),
            (("line", "prompt", "greeting", "--language", "sr", "--text", "{name}"), "may refer"),
        ]
        for words, sentence in refused_words if WHOLE else refused_words[::4]:
            answer = program.run(*words, given="correct horse battery\n")
            assert answer.returncode == 2, words
            assert sentence in answer.stderr
            assert "Traceback" not in answer.stderr
        short = program.run("staff", "add", "ana", "--password-stdin", given="short\n")
        assert "at least 10 characters" in short.stderr
        program.environment["HELPLINE_ENV"] = "production"
        refused = program.run("serve")
        assert refused.returncode == 2
        assert "HELPLINE_SECRET_KEY" in refused.stderr
        del program.environment["HELPLINE_ENV"]
        assert program.run("line", "add", LINE).returncode == 0
        assert "already a line" in program.run("line", "add", LINE).stderr
        audio = folder / "greeting.mp3"
        audio.write_bytes(b"\xff\xfb\x90\x00")
        words = ("line", "prompt", "greeting", "--language", "sr", "--line", LINE)
        assert program.run(*words, "--file", str(audio)).returncode == 0
    finally:
        program.log.close()
        shutil.rmtree(folder, ignore_errors=True)
