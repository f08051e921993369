"""Real processes, killed with -9: what was answered is kept, and what was begun goes on."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from app.clock import SystemClock
from app.demo.stage import ACCOUNT, LINE, TOKEN, Served, start_silent_telephone
from app.demo.writing import WritingChild
from app.practice.exchange import Exchange, Number
from app.practice.people import Phone
from app.practice.rest.app import rest_app
from tests.support.processes import KEY, SECRET, Program, ready, sign_in, true, until
from tests.support.profile import WHOLE

ONE: tuple[str, ...] = ()
TWO = ("--workers", "2")
# With one process or several, before the last start and after it.
PROCESSES = [(ONE, ONE), (TWO, TWO), (ONE, TWO)] if WHOLE else [(ONE, TWO)]


@pytest.mark.anyio
@pytest.mark.parametrize(("before", "at_last"), PROCESSES)
async def test_killed_in_mid_call_and_again_and_again_during_an_escalation(
    new_folder: Callable[[], Path], before: tuple[str, ...], at_last: tuple[str, ...]
) -> None:
    """Two houses at once: while the one waits, the other works."""
    async with asyncio.TaskGroup() as houses:
        houses.create_task(_in_mid_call(new_folder(), before, at_last))
        houses.create_task(_during_an_escalation(new_folder()))


async def _in_mid_call(folder: Path, before: tuple[str, ...], at_last: tuple[str, ...]) -> None:
    program = Program(folder)
    password = "correct horse battery"
    added = await asyncio.to_thread(
        program.run,
        *("staff", "add", "ana", "--chats", "2", "--password-stdin"),
        given=password + "\n",
    )
    assert added.returncode == 0, added.stderr
    assert (
        await asyncio.to_thread(program.run, "line", "add", LINE, "--languages", "sr,en")
    ).returncode == 0
    # Ana is kept for the call: a child who writes waits all the time.
    rules = ("--on", "--reserve", "1", "--reserve-seconds", "3600")
    assert (await asyncio.to_thread(program.run, "line", "chat", LINE, *rules)).returncode == 0
    assert (await asyncio.to_thread(program.run, "shift", "add", "ana", "--always")).returncode == 0
    exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
    exchange.api_keys[KEY] = SECRET
    rest = Served(rest_app(exchange), program.rest_port)
    await rest.start()
    base = program.base
    exchange.numbers[LINE] = Number(
        f"{base}/telephony/voice", f"{base}/telephony/voice/fallback", f"{base}/telephony/status"
    )
    program.serve(*before)
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            api = base + "/api/v1"
            await ready(client, base)
            await sign_in(client, base, "ana", password)
            await start_silent_telephone(exchange, client, base)
            available = {"state": "available"}
            assert (await client.put(api + "/me/presence", json=available)).status_code == 200

            leg = exchange.ring("+381641234567", LINE)
            await until(lambda: true(leg.heard))
            exchange.press(leg, "1")

            async def offered() -> Any:
                answer = await client.get(api + "/offers/mine")
                return answer.json() if answer.status_code == 200 else None

            offer = (await until(offered))[0]
            accepted = await client.post(f"{api}/offers/{offer['id']}/accept")
            assert accepted.status_code == 200
            child = WritingChild(base, client)
            assert (await child.open()).status_code == 201
            keys = [uuid4().hex for _ in range(3)]
            assert (await child.say("Jedan", keys[0])).status_code == 200
            lost = asyncio.create_task(child.say("Dva", keys[1]))
            await asyncio.sleep(0)
            # What was answered 2xx survives: killed at once, started again.
            program.kill()
            await asyncio.gather(lost, return_exceptions=True)
            program.serve(*before)
            await ready(client, base)
            # The page does not know whether it was heard, and says it again.
            assert (await child.say("Dva", keys[1])).status_code == 200
            assert (await child.say("Tri", keys[2])).status_code == 200
            await child.look()
            assert child.words() == ["Jedan", "Dva", "Tri"]
            me = (await client.get(api + "/me")).json()
            assert me["presence"]["state"] in ("on_call", "offered", "away", "available")

            async def connected() -> bool:
                found = await offered()
                if found and found[0]["state"] == "open":
                    await client.post(f"{api}/offers/{found[0]['id']}/accept")
                state = (await client.get(api + "/me")).json()["presence"]["state"]
                if not found and state == "away":
                    await client.put(api + "/me/presence", json=available)
                return bool(found) and found[0]["state"] == "connected"

            await until(connected, 60)
            program.kill()
            assert not leg.over
            program.serve(*at_last)
            await ready(client, base)
            assert (await offered())[0]["state"] == "connected"
            await exchange.hang_up(leg)

            async def ended() -> Any:
                page = (await client.get(api + "/calls")).json()
                return page["calls"] and page["calls"][0]["outcome"]

            assert await until(ended) == "answered"
            calls = (await client.get(api + "/calls")).json()["calls"]
            assert [one["channel"] for one in calls] == ["voice"]
            child.last, child.read = 0, []
            await child.look()
            assert child.words() == ["Jedan", "Dva", "Tri"]
            assert (await client.get(base + "/metrics")).text.count("helpline_") > 5
        await asyncio.to_thread(program.stop)
        verified = await asyncio.to_thread(program.run, "audit", "verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert "call_events" in verified.stdout
        assert "64123" not in program.read_log()
        # A clean stop ends the database too, although others were killed.
        assert not _postgres_of(folder)
    finally:
        program.stop()
        await exchange.close()
        await rest.stop()
        program.log.close()


def _postgres_of(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return re.findall(rf"postgres.* -D {re.escape(str(folder))}.*", listing.stdout)


AGENCIES = """code,name,sector,services,languages,duty_phones
house,Safe House,shelter,shelter,en,+381113000001 | +381113000002 | +381113000003
"""


async def _during_an_escalation(folder: Path) -> None:
    """Killed between any two steps: nothing is repeated to a person, and nothing is forgotten."""
    program = Program(folder)
    password = "correct horse battery"
    words = ("staff", "add", "ana", "--password-stdin")
    assert (await asyncio.to_thread(program.run, *words, given=password + "\n")).returncode == 0
    assert (
        await asyncio.to_thread(program.run, "line", "add", LINE, "--languages", "en")
    ).returncode == 0
    (folder / "agencies.csv").write_text(AGENCIES)
    taken = await asyncio.to_thread(program.run, "agency", "import", str(folder / "agencies.csv"))
    assert taken.stdout == "1 agencies\n", taken.stderr
    exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
    exchange.api_keys[KEY] = SECRET
    rest = Served(rest_app(exchange), program.rest_port)
    await rest.start()
    base = program.base
    exchange.numbers[LINE] = Number(
        f"{base}/telephony/voice", f"{base}/telephony/voice/fallback", f"{base}/telephony/status"
    )
    numbers = [f"+38111300000{n}" for n in (1, 2, 3)]
    exchange.phones[numbers[0]] = first = Phone(busy=True)
    exchange.phones[numbers[1]] = second = Phone(machine=True)
    exchange.phones[numbers[2]] = third = Phone(picks_up=2.0, presses="1")
    program.serve()
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            api = base + "/api/v1"
            await ready(client, base)
            await sign_in(client, base, "ana", password)
            override = {"basis": "vital_interests", "reason": "In danger tonight."}
            body = {
                "urgency": "immediate",
                "services": ["shelter"],
                "override": override,
                "send": True,
            }
            made = await client.post(api + "/referrals", json=body)
            assert made.status_code == 201, made.text
            for wait in (0.0, 0.4, 1.1, 0.7, 1.6):
                await asyncio.sleep(wait)
                program.kill()
                program.serve()
                await ready(client, base)

            async def acknowledged() -> bool:
                found = await client.get(f"{api}/referrals/{made.json()['id']}")
                return found.status_code == 200 and found.json()["state"] == "acknowledged"

            await until(acknowledged, 240, every=1)

            async def resulted() -> bool:
                found = await client.get(f"{api}/referrals/{made.json()['id']}")
                return all(attempt["result"] for attempt in found.json()["attempts"])

            # Every attempt is on the referral, with its result: the last when its call is over.
            await until(resulted, 90, every=1)
            tries = [leg.to for leg in exchange.legs.values()]
            asked: dict[str, list[Any]] = {}
            for leg in exchange.legs.values():
                asked.setdefault(leg.to, []).append(leg.created_at)
            for to, times in asked.items():
                for earlier, later in pairwise(sorted(times)):
                    assert (later - earlier).total_seconds() >= 59, (to, times)
            assert third.rung >= 1, tries
            assert first.rung == 0
            assert second.rung >= 1
        await asyncio.to_thread(program.stop)
        verified = await asyncio.to_thread(program.run, "audit", "verify")
        assert verified.returncode == 0, verified.stdout
    finally:
        program.stop()
        await exchange.close()
        await rest.stop()
        program.log.close()


def test_the_command_line_says_what_to_do(database: str) -> None:
    folder = Path("/tmp") / f"hlc{os.getpid()}"
    folder.mkdir()
    program = Program(folder)
    program.environment["HELPLINE_DATABASE_URL"] = database
    try:
        for words, sentence in [
            (("line", "add", "12"), "is a short number"),
            (("line", "add", "plavi"), "not a phone number with +"),
            (("line", "add", LINE, "--timezone", "Mars/Base"), "not a time zone"),
            (("line", "add", LINE, "--languages", "xx-nonsense-yy"), "not a language code"),
            (("shift", "add", "nobody", "--always"), "no account 'nobody'"),
            (("shift", "add", "nobody"), "either --always or --rrule"),
            (("shift", "add", "x", "--rrule", "FREQ=DAILY", "--from", "25:00"), "time of day"),
            (("staff", "add", "ana", "--endpoint", "fax:1", "--password-stdin"), "An endpoint is"),
            (("line", "prompt", "greeting", "--language", "sr", "--text", "{name}"), "may refer"),
        ]:
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
