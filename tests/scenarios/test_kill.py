"""Real processes, killed with -9: what was answered is kept, and what was begun goes on."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.clock import SystemClock
from app.demo.stage import ACCOUNT, LINE, TOKEN, Served, free_port
from app.practice.exchange import Exchange, Number
from app.practice.rest import rest_app


class Program:
    """`helpline` in a process of its own, on an embedded database of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.rest_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HELPLINE_DATA_DIR": str(folder / "var"),
            "HELPLINE_PUBLIC_URL": self.base,
            "HELPLINE_TWILIO_ACCOUNT_SID": ACCOUNT,
            "HELPLINE_TWILIO_AUTH_TOKEN": TOKEN,
            "HELPLINE_TWILIO_API_BASE_URL": f"http://127.0.0.1:{self.rest_port}",
            "HELPLINE_LOG_LEVEL": "WARNING",
        }
        self.log = open(folder / "log", "a+")  # noqa: SIM115
        self.process: subprocess.Popen[str] | None = None

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words], env=self.environment, input=given,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def serve(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve", "--port", str(self.port), *words],
            env=self.environment, stdout=self.log, stderr=self.log, text=True,
            start_new_session=True,
        )  # fmt: skip

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    def read_log(self) -> str:
        self.log.flush()
        return (self._folder / "log").read_text()


async def ready(client: httpx2.AsyncClient, base: str) -> None:
    for _ in range(300):
        try:
            if (await client.get(base + "/readyz")).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError("the server did not become ready")


async def until(truth: Any, seconds: float = 30) -> Any:
    for _ in range(int(seconds * 10)):
        found = await truth()
        if found:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("it did not happen")


@pytest.mark.anyio
@pytest.mark.parametrize("workers", [1, 2])
async def test_killed_in_mid_call_and_started_again(anyio_backend: str, workers: int) -> None:
    words = () if workers == 1 else ("--workers", str(workers))
    folder = Path("/tmp") / f"hl{os.getpid()}{workers}"
    folder.mkdir()
    program = Program(folder)
    password = "correct horse battery"
    added = program.run("staff", "add", "ana", "--password-stdin", given=password + "\n")
    assert added.returncode == 0, added.stderr
    assert program.run("line", "add", LINE, "--languages", "sr,en").returncode == 0
    assert program.run("shift", "add", "ana", "--always").returncode == 0
    exchange = Exchange(SystemClock(), ACCOUNT, TOKEN)
    rest = Served(rest_app(exchange), program.rest_port)
    await rest.start()
    base = program.base
    exchange.numbers[LINE] = Number(
        f"{base}/telephony/voice", f"{base}/telephony/voice/fallback", f"{base}/telephony/status"
    )
    program.serve(*words)
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            api = base + "/api/v1"
            await ready(client, base)
            right = {"username": "ana", "password": password}
            assert (await client.post(api + "/session", json=right)).status_code == 200
            available = {"state": "available"}
            assert (await client.put(api + "/me/presence", json=available)).status_code == 200

            leg = exchange.ring("+381641234567", LINE)
            await until(lambda: _true(leg.heard))
            exchange.press(leg, "1")

            async def offered() -> Any:
                answer = await client.get(api + "/offers/mine")
                return answer.json() if answer.status_code == 200 else None

            offer = (await until(offered))[0]
            accepted = await client.post(f"{api}/offers/{offer['id']}/accept")
            assert accepted.status_code == 200
            # What was answered 2xx survives: killed at once, started again.
            program.kill()
            program.serve(*words)
            await ready(client, base)
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
            program.serve(*words)
            await ready(client, base)
            assert (await offered())[0]["state"] == "connected"
            await exchange.hang_up(leg)

            async def ended() -> Any:
                page = (await client.get(api + "/calls")).json()
                return page["calls"] and page["calls"][0]["outcome"]

            assert await until(ended) == "answered"
            assert len((await client.get(api + "/calls")).json()["calls"]) == 1
            assert (await client.get(base + "/metrics")).text.count("helpline_") > 5
        program.stop()
        verified = program.run("audit", "verify")
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
        shutil.rmtree(folder, ignore_errors=True)


async def _true(value: Any) -> Any:
    return value


def _postgres_of(folder: Path) -> list[str]:
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return re.findall(rf"postgres.* -D {re.escape(str(folder))}.*", listing.stdout)


def test_the_command_line_says_what_to_do() -> None:
    folder = Path("/tmp") / f"hlc{os.getpid()}"
    folder.mkdir()
    program = Program(folder)
    try:
        for words, sentence in [
            (("line", "add", "12"), "not a phone number"),
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
