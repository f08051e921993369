"""The program as processes of its own, which a test may kill."""

import asyncio
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2
import pyotp

from app.demo.served import free_port
from app.demo.stage import ACCOUNT, API_KEY, TOKEN
from tests.support.commands import Serving, Sooner, command

KEY, SECRET = API_KEY["twilio_api_key_sid"], API_KEY["twilio_api_key_secret"]


class Program:
    """`helpline` in a process of its own, on an embedded database of its own."""

    def __init__(self, folder: Path, *, sooner: Sequence[Sooner] = ()) -> None:
        self.sooner = sooner
        self.port, self.rest_port = free_port(), free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._folder, self.data_dir = folder, folder / "var"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HELPLINE_DATA_DIR": str(folder / "var"),
            "HELPLINE_PUBLIC_URL": self.base,
            "HELPLINE_TWILIO_ACCOUNT_SID": ACCOUNT,
            "HELPLINE_TWILIO_AUTH_TOKEN": TOKEN,
            "HELPLINE_TWILIO_API_KEY_SID": KEY,
            "HELPLINE_TWILIO_API_KEY_SECRET": SECRET,
            "HELPLINE_TWILIO_API_BASE_URL": f"http://127.0.0.1:{self.rest_port}",
            "HELPLINE_LOG_LEVEL": "WARNING",
        }
        self.log = open(folder / "log", "a+")  # noqa: SIM115
        self.process: Serving | None = None

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return command(*words, environment=self.environment, given=given, timeout=60)

    def serve(self, *words: str) -> None:
        self.process = Serving(
            *("serve", "--port", str(self.port), *words),
            environment=self.environment,
            log=self.log.name,
            sooner=self.sooner,
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
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


async def sign_in(client: httpx2.AsyncClient, base: str, name: str, password: str) -> None:
    """Sign a new person in by the pages, which lead them through a second factor."""
    sent = await client.post(f"{base}/login", data={"username": name, "password": password})
    assert sent.headers["location"].startswith("/login/set-up"), sent.text
    page = (await client.get(f"{base}/login/set-up")).text
    (letters,) = re.findall(r'<code id="secret"[^>]*>([A-Z2-7 ]+)</code>', page)
    telephone = pyotp.TOTP(letters.replace(" ", ""))
    for _ in range(9):
        done = await client.post(f"{base}/login/set-up", data={"code": telephone.now()})
        if "recovery-codes" in done.text:
            return
        # The code came at the very end of its time: the next one is asked for, too.
        await asyncio.sleep(5)
    raise AssertionError(done.text)


async def true(value: Any) -> Any:
    return value
