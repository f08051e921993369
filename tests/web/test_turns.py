"""Reads take turns; webhooks of calls, and what people do, never wait for them."""

import asyncio

from starlette.types import Message, Receive, Scope, Send

from app.web.turns import Turns


async def _asked(app: Turns, path: str, method: str = "GET") -> None:
    scope = {"type": "http", "method": method, "path": path}

    async def send(message: Message) -> None:
        pass

    async def receive() -> Message:
        return {"type": "http.request"}

    await app(scope, receive, send)


async def test_reads_take_turns_and_webhooks_do_not_wait(anyio_backend: str) -> None:
    inside: list[str] = []
    go_on = asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        inside.append(scope["path"])
        if scope["path"] == "/stream":
            # The response begins, and does not end.
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await go_on.wait()

    app = Turns(slow, ("/telephony",), at_once=2, seconds=60)
    reads = [asyncio.create_task(_asked(app, f"/{n}")) for n in ("stream", "a", "b", "c")]
    await asyncio.sleep(0.02)
    assert inside == ["/stream", "/a", "/b"], "a stream that has begun is not counted"
    others = [
        asyncio.create_task(_asked(app, *asked))
        for asked in (("/telephony/voice",), ("/board/offers/1/accept", "POST"))
    ]
    await asyncio.sleep(0.02)
    assert inside[3:] == ["/telephony/voice", "/board/offers/1/accept"]
    # One who leaves while waiting takes no turn with them.
    reads[3].cancel()
    go_on.set()
    await asyncio.gather(*reads[:3], *others)
    await _asked(app, "/d")
    assert inside[5:] == ["/d"]


async def test_a_long_read_keeps_its_turn_for_a_moment_only(anyio_backend: str) -> None:
    inside: list[str] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        inside.append(scope["path"])
        if scope["path"] == "/report":
            await asyncio.sleep(0.3)

    app = Turns(slow, (), at_once=1, seconds=0.02)
    report = asyncio.create_task(_asked(app, "/report"))
    await asyncio.sleep(0)
    await asyncio.wait_for(_asked(app, "/board"), 0.25)
    await report
    await _asked(app, "/last")
    assert inside == ["/report", "/board", "/last"]
