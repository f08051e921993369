"""The processes that the benchmarks measure: their environment, their CPU time, and the load on the
floor."""

import asyncio
import os
import subprocess
from uuid import uuid4

import httpx2
import psutil

from app.demo.bench.load import Prepared, Result, prepare, run_load
from app.demo.bench.statements import fields_of
from app.demo.stage import ACCOUNT, API_KEY, TOKEN

CLIENTS = 32
CALLS_PER_ROUND = 160


def environment_of(url: str, base: str, **more: str) -> dict[str, str]:
    """Return the environment of a server that is measured."""
    return {
        **os.environ,
        "HELPLINE_DATABASE_URL": url,
        "HELPLINE_PUBLIC_URL": base,
        "HELPLINE_TWILIO_ACCOUNT_SID": ACCOUNT,
        "HELPLINE_TWILIO_AUTH_TOKEN": TOKEN,
        "HELPLINE_TWILIO_API_KEY_SID": API_KEY["twilio_api_key_sid"],
        "HELPLINE_TWILIO_API_KEY_SECRET": API_KEY["twilio_api_key_secret"],
        "HELPLINE_TWILIO_API_BASE_URL": "http://127.0.0.1:9",
        "HELPLINE_SECRET_KEY": "practice-secret-key-practice-secret-key",
        "HELPLINE_FIELD_KEYS": "1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
        "HELPLINE_LOG_LEVEL": "ERROR",
        "HELPLINE_CALLS_PER_SECOND": "1000",
        **more,
    }


async def wait_until_up(url: str) -> None:
    """Wait until a server responds under this address. Raises RuntimeError."""
    async with httpx2.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            try:
                await client.get(url)
                return
            except httpx2.HTTPError:
                await asyncio.sleep(0.05)
    raise RuntimeError("the server to be measured did not start")


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU seconds that a process has used."""
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def floor_chains(base: str, calls: int) -> list[list[Prepared]]:
    """Return the requests of calls to the floor, those of each call one after the other."""
    return [
        [prepare("floor", base + "/floor", fields_of(f"CA{uuid4().hex}", "ringing"), TOKEN)] * 4
        for _ in range(calls)
    ]


async def load_floor(base: str, port: int) -> Result:
    """Load the floor with one round of calls."""
    return await run_load(port, floor_chains(base, CALLS_PER_ROUND), CLIENTS)
