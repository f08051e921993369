"""The screens of `helpline bench chats`: each does what the page does in a browser.

A child's page follows a stream, and asks only if there is something to read; one in ten is that of
an old phone, which waits with a request. A counsellor's is the whole desk with its stream and its
parts, and puts in what is new. Each word is typed before it is sent, and what is before the eyes of
its reader is seen.
"""

import asyncio
import contextlib
import json
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from app.demo.bench.board_pages import Board, Opened, Seen
from app.demo.bench.load import Connection
from app.demo.counsellor import Counsellor

# Seconds that the request of an old phone waits for news.
_WAITS = 25
# Seconds after which a page tries again what was refused.
_PAUSE = 1.0
# How often a child's page says that it is there, and a desk asks whether they are, in seconds.
_SAYS_SO = 20.0
# How many connections a browser opens to one server, the stream among them.
_CONNECTIONS = 6
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
# A word of no language, by which a message is found: letters, so that it is no number.
_WORD = re.compile("z[cs][a-p]{32}")
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_LAST = re.compile(r'data-last="(\d+)" data-unread="(\d+)"')
_CHAT = re.compile(r'data-chat="([0-9a-f-]{36})"[^>]*? data-last="(\d+)"')


@dataclass
class Heard:
    """How long each word took to the other side, in milliseconds."""

    # Words on their way, and when they were sent.
    sent: dict[str, float] = field(default_factory=dict)
    to_child: list[float] = field(default_factory=list)
    to_counsellor: list[float] = field(default_factory=list)
    refused: int = 0
    requests: int = 0

    def say(self, by: str) -> str:
        """Return words that were not said before."""
        word = f"z{by}{uuid4().hex.translate(_LETTERS)}"
        self.sent[word] = time.perf_counter()
        return f"Ne znam kome da se obratim, u skoli je opet bilo isto. {word}"

    def note(self, shown: str, by: str) -> None:
        """Note that this is shown on the screen of the other side."""
        times = self.to_counsellor if by == "c" else self.to_child
        for word in _WORD.findall(shown):
            if word[1] == by and (began := self.sent.pop(word, None)) is not None:
                times.append((time.perf_counter() - began) * 1000)

    def begin(self) -> None:
        """Forget what was so far."""
        for times in (self.sent, self.to_child, self.to_counsellor):
            times.clear()
        self.refused = self.requests = 0

    async def all_arrived(self, seconds: float) -> None:
        """Wait until nothing is on its way, and at most for a while."""
        for _ in range(int(seconds * 20)):
            if not self.sent:
                return
            await asyncio.sleep(0.05)


class Browser:
    """The connections of one page."""

    def __init__(self, port: int, header: str, heard: Heard) -> None:
        self._port, self._header, self._heard = port, header, heard
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for _ in range(_CONNECTIONS - 1):
            self._free.put_nowait(Connection(port))

    def raw(self, method: str, path: str, content: bytes = b"", kind: str = _JSON) -> bytes:
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._header}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        ).encode() + content

    async def send(self, raw: bytes) -> bytes | None:
        """Send a request. Return what was answered, or None if it was refused."""
        self._heard.requests += 1
        connection = await self._free.get()
        try:
            try:
                status, body = await connection.send(raw)
            except (OSError, asyncio.IncompleteReadError):
                # The server had closed an idle connection.
                await connection.close()
                status, body = await connection.send(raw)
        finally:
            self._free.put_nowait(connection)
        if status >= 400:
            self._heard.refused += 1
            return None
        return body

    async def until_sent(self, raw: bytes) -> bytes:
        """Send a request, and send it again after a pause while it is refused."""
        while True:
            body = await self.send(raw)
            if body is not None:
                return body
            await asyncio.sleep(_PAUSE)

    async def lines(self, path: str) -> AsyncIterator[bytes]:
        """Follow a stream."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.closing(writer):
            writer.write(self.raw("GET", path))
            while line := await reader.readline():
                yield line
        raise ConnectionError("the stream of a page ended")


class Child:
    """The page of a child."""

    def __init__(self, port: int, secret: str, heard: Heard, *, old: bool) -> None:
        self._browser = Browser(port, f"Authorization: Bearer {secret}", heard)
        self._heard, self._old = heard, old
        self._last = self._seen = 0
        self._news, self._says = asyncio.Event(), asyncio.Lock()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._is_here())
            group.create_task(self._poll() if self._old else self._look())
            if not self._old:
                await self._follow()

    async def say(self) -> None:
        """Type a message and send it."""
        text = self._heard.say("c")
        await self._post("typing", {})
        async with self._says:
            await self._post("messages", {"text": text, "client_key": uuid4().hex})

    async def _post(self, what: str, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        await self._browser.until_sent(
            self._browser.raw("POST", f"/chat/conversation/{what}", content)
        )

    async def _is_here(self) -> None:
        await asyncio.sleep(random.uniform(0, _SAYS_SO))
        while True:
            await self._post("here", {})
            await asyncio.sleep(_SAYS_SO)

    async def _follow(self) -> None:
        marks = False
        async for line in self._browser.lines("/chat/conversation/events"):
            if line.startswith(b"event: "):
                marks = True
            elif line.startswith(b"data: "):
                if not marks:
                    self._news.set()
                marks = False

    async def _look(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await self._take(f"/chat/conversation?after={self._last}")

    async def _poll(self) -> None:
        while True:
            await self._take(f"/chat/conversation/messages?after={self._last}&wait={_WAITS}")

    async def _take(self, path: str) -> None:
        body = await self._browser.send(self._browser.raw("GET", path))
        if body is None:
            self._news.set()
            await asyncio.sleep(_PAUSE)
            return
        for one in json.loads(body)["messages"]:
            self._last = max(self._last, one["number"])
            self._heard.note(one["text"] or "", "s")
        if self._last > self._seen:
            self._seen = self._last
            await self._post("seen", {"number": self._last})


class Desk(Board):
    """The desk of a counsellor, whose focus is where they wrote last."""

    def __init__(
        self, port: int, who: Counsellor, heard: Heard, seen: Seen, opening: asyncio.Semaphore
    ) -> None:
        super().__init__(port, Opened("/", who.cookie_header), seen, opening)
        self._browser = Browser(port, f"Cookie: {who.cookie_header}", heard)
        self._heard = heard
        # For each conversation: the last message in the page, and the last that was said to be
        # seen.
        self.last: dict[str, int] = {}
        self._told_seen: dict[str, int] = {}
        self._focus = ""
        self._asking: dict[str, bool] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Read which conversations are there."""
        html = await self._browser.until_sent(self._browser.raw("GET", "/board/chats"))
        self.last = {call: int(last) for call, last in _CHAT.findall(html.decode())}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_states())
            await super().run()

    async def say(self, call: str) -> None:
        """Go to a conversation, type a message and send it."""
        text = self._heard.say("s")
        self._focus = call
        await self._see(call)
        at = f"/board/chats/{call}"
        await self._browser.until_sent(self._browser.raw("POST", f"{at}/typing", b"", _FORM))
        form = {"text": text, "client_key": uuid4().hex, "after": self.last[call]}
        raw = self._browser.raw("POST", f"{at}/messages", urlencode(form).encode(), _FORM)
        self._apply(call, await self._browser.until_sent(raw))

    def _read_line(self, line: bytes, parts: list[tuple[str, ...]]) -> None:
        super()._read_line(line, parts)
        if not line.startswith(b'data: {"topics') or b'"chats:me"' not in line:
            return
        chats = json.loads(line[6:]).get("chats")
        if chats is None:
            self._within("/board/chats", 0.001)
            return
        for call, new in chats.items():
            if new is None:
                self._start(self._read(call))

    async def _get(self, connection: Connection, address: str) -> bytes:
        body = await super()._get(connection, address)
        if address == "/board/chats":
            html = body.decode()
            self._heard.note(html, "c")
            self.last.update((call, int(last)) for call, last in _CHAT.findall(html))
        return body

    def _now(self, part: str) -> None:
        # On the desk this is told from the conversations in the page.
        if part != "/board/chats/now":
            super()._now(part)

    def _start(self, act: Any) -> None:
        task = asyncio.create_task(act)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, call: str) -> None:
        """Ask what is new, once at a time for each conversation."""
        if call in self._asking:
            self._asking[call] = True
            return
        self._asking[call] = True
        while self._asking[call]:
            self._asking[call] = False
            path = f"/board/chats/{call}/news?after={self.last.get(call, 0)}"
            self._apply(call, await self._browser.until_sent(self._browser.raw("GET", path)))
        del self._asking[call]

    def _apply(self, call: str, body: bytes) -> None:
        html = body.decode()
        self._heard.note(html, "c")
        for last, unread in _LAST.findall(html):
            self.last[call] = max(self.last.get(call, 0), int(last))
            if call == self._focus and unread != "0":
                self._start(self._see(call))

    async def _see(self, call: str) -> None:
        last = self.last[call]
        if self._told_seen.get(call, 0) < last:
            self._told_seen[call] = last
            at, form = f"/board/chats/{call}/seen", urlencode({"number": last}).encode()
            await self._browser.until_sent(self._browser.raw("POST", at, form, _FORM))

    async def _ask_states(self) -> None:
        await asyncio.sleep(random.uniform(0, _SAYS_SO))
        while True:
            await self._browser.send(self._browser.raw("GET", "/board/chats/states"))
            await asyncio.sleep(_SAYS_SO)
