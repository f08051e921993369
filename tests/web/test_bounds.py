"""What a request may cost before it is known who asks: its body, its head, its time."""

import asyncio
import gc
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app import strict_json
from app.demo.stage import Stage
from app.errors import Invalid
from app.referrals.directory.directory_csv import BadDirectory, read_directory
from app.routing.rota.calendar_import import events_of
from app.routing.rota.recurrence import trouble_with
from app.routing.rota.shifts import days_of_rule
from app.web.access import COOKIE, Guard, cookie_name
from app.web.bodies import LONGEST_OF_STRANGERS
from app.web.connections import Limited, Unfinished
from app.web.patience import Patience
from app.web.strict_bodies import StrictRoute, guard_of
from tests.support.program.quiet import QuietStage
from tests.support.routes import routes

_MEGABYTE = 1024 * 1024


async def _endless(megabytes: int) -> AsyncIterator[bytes]:
    for _ in range(megabytes * 16):
        yield b" " * (_MEGABYTE // 16)


async def _raw(stage: Stage, content: bytes) -> bytes:
    """Send bytes to the server; return all that it answers until it closes the connection."""
    port = int(stage.settings.public_url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(content)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_request_is_bounded_before_it_is_known_who_asks(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _bodies(stage)
    await _heads(stage, monkeypatch)
    await _connections(stage, monkeypatch)
    await _streams(stage)


async def test_a_request_that_was_answered_is_not_left_to_the_collector(stage: Stage) -> None:
    """What it held, as the words of a record, would stay in memory until then, and each request
    would pay for the looking."""
    ana = await stage.add_counsellor("ana", state=None, shift=False)
    for _ in range(2):
        (await ana.ask("GET", "/contacts")).raise_for_status()
    # What is there already is not looked through.
    gc.freeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(5):
            (await ana.ask("GET", "/contacts")).raise_for_status()
        gc.collect()
        left = [one for one in gc.garbage if isinstance(one, RequestResponseCycle)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
    assert left == []


async def test_a_body_is_read_only_of_who_is_signed_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, read = await stage.add_counsellor("ana", state=None), []
    as_usual = strict_json.read

    def reads(body: bytes | str) -> Any:
        read.append(body)
        return as_usual(body)

    monkeypatch.setattr(strict_json, "read", reads)
    base, name = stage.settings.public_url + "/api/v1", cookie_name(stage.settings, COOKIE)
    body = b'{"channel": "email"}' + b" " * 500_000
    for cookie in ("", f"{name}=made-up"):
        headers = {"Content-Type": "application/json", "Cookie": cookie}
        for path in ("/contacts", "/statistics/exports", "/me/proof"):
            short = body[:20_000] if path == "/statistics/exports" else body
            answer = await stage.client.post(base + path, content=short, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "NotSignedIn"), path
    # To sign in, a body has to be read: a short one.
    longer = await stage.client.post(f"{base}/session", content=body, headers=headers)
    assert longer.status_code == 413
    assert read == []
    headers["Cookie"] = ana.cookie_header
    assert (
        await stage.client.post(f"{base}/contacts", content=body, headers=headers)
    ).status_code == 201
    assert read == [body]


async def test_every_route_with_json_knows_its_sender_first_or_reads_little(
    quiet: QuietStage,
) -> None:
    bounded, asks = {}, 0
    for route in routes(quiet):
        if not isinstance(route, StrictRoute) or route.body_field is None:
            continue
        guard = guard_of(route.dependant)
        if guard is None or type(guard).refuse_strangers is Guard.refuse_strangers:
            bounded[route.path] = route.max_body_size
        else:
            asks += 1
    strangers = ("/api/v1/session", "/api/v1/session/passkey")
    assert bounded == dict.fromkeys(strangers, LONGEST_OF_STRANGERS)
    assert asks > 100


async def _bodies(stage: Stage) -> None:
    base = stage.settings.public_url
    kinds = (
        ("/api/v1/session", "application/json"),
        ("/api/v1/contacts", "application/json"),
        ("/login", "application/x-www-form-urlencoded"),
        ("/r/" + "a" * 43 + "/code", "application/x-www-form-urlencoded"),
        ("/telephony/voice", "application/x-www-form-urlencoded"),
    )
    for path, kind in kinds:
        for content in (b" " * (2 * _MEGABYTE), _endless(2)):
            headers = {"Content-Type": kind, "X-Twilio-Signature": "none"}
            answer = await stage.client.post(base + path, content=content, headers=headers)
            # Unread, a webhook is refused for its signature, and a stranger for their session.
            unread = {"/telephony/voice": 403, "/api/v1/contacts": 401}.get(path, 413)
            assert answer.status_code in (413, unread), path
            assert "content-security-policy" in answer.headers
    # A file may be longer, but only for who may bring one.
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    for cookie, status in (("", 401), (ana.cookie_header, 403)):
        headers = {"Content-Type": "text/csv", "Cookie": cookie}
        for path in ("agencies", "roster"):
            url = f"{base}/api/v1/{path}/import"
            answer = await stage.client.post(url, content=_endless(3), headers=headers)
            assert answer.status_code == status, path
            too_long = await stage.client.post(url, content=b" " * (6 * _MEGABYTE), headers=headers)
            assert too_long.status_code == 413
            assert too_long.json()["error"] == "TooLarge"


async def _heads(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = b"GET /login HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
    assert (await _raw(stage, begin + b"\r\n")).startswith(b"HTTP/1.1 200")
    long = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 4000) for n in range(40))
    assert await _raw(stage, begin + long) == b""
    assert await _raw(stage, b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n") == b""
    many = b"".join(b"X-%d: a\r\n" % n for n in range(200))
    assert (await _raw(stage, begin + many + b"\r\n")).startswith(b"HTTP/1.1 400")
    # Lines after the last chunk come without an end.
    chunked = begin.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
    assert b"200" not in (await _raw(stage, chunked + b"X: " + b"a" * _MEGABYTE * 2))[:15]
    monkeypatch.setattr(Limited, "head_seconds", 0.2)
    assert await _raw(stage, begin) == b"", "a head that never ends"
    assert await _raw(stage, b"") == b"", "a connection that says nothing"


async def _connections(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limited, "head_seconds", 20.0)
    monkeypatch.setattr(Limited, "unfinished", Unfinished(most=5))
    port = int(stage.settings.public_url.rpartition(":")[2])
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(12)]
    for _, writer in held:
        writer.write(b"POST /login HTTP/1.1\r\nHost: here\r\nContent-Length: 100\r\n\r\na")
    # The new one is answered: it may be a webhook of a call.
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"{stage.settings.public_url}/login")
    assert answer.status_code == 200
    assert await asyncio.wait_for(held[0][0].read(), 10) == b"", "the oldest is closed"
    assert len(Limited.unfinished) <= 5
    for _, writer in held:
        writer.close()
    # A proxy has many that rest between two requests: none of them is closed for being many.
    monkeypatch.setattr(Limited, "unfinished", Unfinished(most=5, most_of_address=3))
    ask = b"GET /manifest.webmanifest HTTP/1.1\r\nHost: here\r\n\r\n"
    resting = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for _each in range(8):
        resting.append(await asyncio.open_connection("127.0.0.1", port))
        await _asked(resting[-1], ask)
    for one in resting[2:]:
        assert await _asked(one, ask), "it is answered as before"
    for _, writer in resting:
        writer.close()
    # Behind our own proxy all clients have its address: many who come back at once are all heard.
    begun = b"GET /manifest.webmanifest HTTP/1.1\r\n"
    for proxies, answered in (((), 3), (("10.0.0.0/8", "127.0.0.0/8"), 8)):
        limit = Unfinished(most=20, most_of_address=3, proxies=proxies)
        monkeypatch.setattr(Limited, "unfinished", limit)
        many = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        for one in many:
            one[1].write(begun)
        rest = b"Host: here\r\n\r\n"
        heard = await asyncio.gather(*(_asked(one, rest) for one in many), return_exceptions=True)
        assert sum(isinstance(line, bytes) for line in heard) == answered
        for _, writer in many:
            writer.close()


async def _asked(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes
) -> bytes:
    """Send a request on a connection, and return the first line of its answer."""
    reader, writer = connection
    writer.write(request)
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = next(
        int(line.split(b":")[1])
        for line in head.splitlines()
        if line.lower().startswith(b"content-length")
    )
    await reader.readexactly(length)
    return head.splitlines()[0]


async def _streams(stage: Stage) -> None:
    vera = await stage.add_counsellor("vera", shift=False, state=None)
    ana = await stage.add_counsellor("olga", shift=False, state=None)
    stage.app.state.streams.of[vera.id] = 24
    assert (await vera.ask("GET", "/events")).status_code == 429
    headers = {"Cookie": ana.cookie_header}
    url = f"{stage.settings.public_url}/api/v1/events"
    async with stage.client.stream("GET", url, headers=headers) as other:
        assert other.status_code == 200, "another account has a count of its own"
        async for _ in other.aiter_bytes():
            break
        assert stage.app.state.streams.of[ana.id] == 1


# -- time --------------------------------------------------------------------------------


def _scope(path: str) -> Scope:
    return {"type": "http", "path": path, "method": "POST", "headers": [], "query_string": b""}


async def _ask(app: Any, path: str, receive: Receive) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    patience = Patience(app, "/telephony", ("/api",), body_seconds=0.05, response_seconds=0.05)
    await patience(_scope(path), receive, send)
    return sent


async def _nothing() -> Message:
    await asyncio.sleep(60)
    raise AssertionError


async def _at_once() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_a_body_that_never_ends_is_given_up() -> None:
    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    with pytest.raises(Exception, match="408"):
        await _ask(reads, "/telephony/voice", _nothing)


async def test_a_response_that_does_not_begin_is_given_up_but_a_long_one_goes_on() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.2)
        await PlainTextResponse("late")(scope, receive, send)

    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b"all"})

    assert (await _ask(slow, "/api/v1/reports", _at_once))[0]["status"] == 503
    assert (await _ask(slow, "/reports", _at_once))[0]["status"] == 503
    assert (await _ask(slow, "/telephony/voice", _at_once))[0]["status"] == 200
    assert (await _ask(long, "/api/v1/events", _at_once))[-1]["body"] == b"all"


# -- what is read from a body ------------------------------------------------------------


@pytest.mark.timeout(30)
def test_a_header_of_many_columns_is_read_once() -> None:
    # Counting each name among all names took minutes.
    with pytest.raises(BadDirectory, match="there is no column"):
        read_directory(",".join(str(n) for n in range(100_000)))


def test_a_calendar_of_very_many_lines_is_not_parsed() -> None:
    with pytest.raises(Invalid, match="lines"):
        events_of(b"X:y\r\n" * 200_000)


@pytest.mark.timeout(30)
def test_a_rule_without_a_day_is_given_up_after_the_months_that_count() -> None:
    # Each took seconds: the library looks for a day until the year 9999.
    never = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
    for n in range(1, 30):
        assert str(trouble_with(f"{never};INTERVAL={n}" if n > 1 else never)) == "no day matches it"
    # This rule has a day if it begins on a Monday, and never if it begins on a Tuesday.
    tuesday = date(2030, 1, 15)
    for weeks in range(30):
        begins = tuesday + timedelta(weeks=weeks)
        rule = "FREQ=DAILY;INTERVAL=7;BYDAY=MO"
        assert list(days_of_rule(rule, begins, begins + timedelta(days=60))) == []
        monday = begins - timedelta(days=1)
        assert list(days_of_rule(rule, monday, begins + timedelta(days=10)))[:2] == [
            monday,
            monday + timedelta(weeks=1),
        ]
