"""Clients that each talk with one of several web processes which share a socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection

import httpx2
import psutil

# Shorter than the server keeps a connection that rests.
_SAYS_SOMETHING_EVERY = 1.0


def web_processes(parent: int) -> list[int]:
    """Return the web processes that a server has started."""
    return sorted(
        one.pid for one in psutil.Process(parent).children() if {"app.server", "web"} <= _words(one)
    )


def _words(process: psutil.Process) -> set[str]:
    return set(process.cmdline())


def _served_by(answer: httpx2.Response, processes: Collection[int]) -> int | None:
    """Return which process has the other end of the connection of a response."""
    port = answer.extensions["network_stream"].get_extra_info("client_addr")[1]
    for pid in processes:
        for one in psutil.Process(pid).net_connections("tcp"):
            if one.raddr and one.raddr.port == port:
                return pid
    return None


@contextlib.asynccontextmanager
async def pinned(
    base: str, process: int, processes: Collection[int]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose one connection leads to one of the processes. It raises AssertionError if a
    response comes from another."""

    async def check(answer: httpx2.Response) -> None:
        assert _served_by(answer, processes) == process

    one = httpx2.Limits(max_connections=1, keepalive_expiry=600)
    while True:
        client = httpx2.AsyncClient(trust_env=False, timeout=30, limits=one)
        if _served_by(await client.get(f"{base}/healthz"), processes) == process:
            break
        await client.aclose()
    client.event_hooks = {"response": [check]}
    talking = asyncio.create_task(_keep_alive(client, base))
    try:
        yield client
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        await client.aclose()


async def _keep_alive(client: httpx2.AsyncClient, base: str) -> None:
    while True:
        await asyncio.sleep(_SAYS_SOMETHING_EVERY)
        await client.get(f"{base}/healthz")
