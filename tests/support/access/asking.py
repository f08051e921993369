"""Ask the running application for one route, as one role, and leave everything as it was.

A request is handed to the application itself, with all it passes through. What it writes is rolled
back where it would be committed, so that every question finds the same rows.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import jinja2
import pytest
from fastapi.exceptions import RequestValidationError

import app.child.access
import app.web.access
import app.web.lean
from app.errors import Refusal
from app.jobs.transaction import flush
from app.staff import audit
from app.web.limits import Limiter
from app.work import Work


@dataclass
class Answer:
    status: int = 0
    location: str = ""
    body: bytes = b""
    # The body or the query of the request did not have the fields that the route wants.
    unread: bool = False
    # A row was looked for and not found: a page says so and may answer with 200.
    absent: bool = False


@dataclass
class Asked:
    """What came up within the request that is under way."""

    unread: bool = False
    absent: bool = False


_ASKED = Asked()
# Seconds in which a request is answered to its end, or a stream ends when its reader has left.
_LONGEST = 30
# The answer to the request that is under way, also for what it begins.
_ANSWER: ContextVar[Answer] = ContextVar("answer")
_WITH_WORK = (app.web.access, app.child.access, app.web.lean)


@contextlib.asynccontextmanager
async def _rolled_back(work: Work) -> AsyncIterator[None]:
    """Stand in for `finished`: write everything that would be committed, and undo it."""
    await work.keys.ready()
    try:
        yield
        if work.rows:
            # In a session, also if these rows are all: else they would be committed.
            assert work.session is not None
        await flush(work)
    finally:
        if work.opened is not None:
            await work.opened.close()


def _nothing(*_: Any, **__: Any) -> str:
    """Stand in for the drawing of a page: by then it is decided who sees it."""
    return ""


_EMPTY: jinja2.Template = jinja2.Environment().from_string("")


def _nothing_written(*_: Any, **__: Any) -> jinja2.Template:
    """Stand in for the reading of a template, which takes longer than most answers."""
    return _EMPTY


async def _within(*_: Any) -> bool:
    """Stand in for `Limiter.hit`: one client asks thousands of times here."""
    return True


@contextlib.contextmanager
def nothing_is_committed() -> Iterator[None]:
    """Let no request of this block commit, and note which could not be read."""
    made, refused = RequestValidationError.__init__, Refusal.__init__

    def noted(self: RequestValidationError, *args: Any, **more: Any) -> None:
        _ASKED.unread = True
        made(self, *args, **more)

    def missed(self: Refusal, *args: Any, **more: Any) -> None:
        _ASKED.absent = _ASKED.absent or self.status in (403, 404)
        refused(self, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        for module in _WITH_WORK:
            patch.setattr(module, "finished", _rolled_back)
        patch.setattr(jinja2.Template, "render", _nothing)
        patch.setattr(jinja2.Environment, "get_template", _nothing_written)
        patch.setattr(Limiter, "hit", _within)
        patch.setattr(RequestValidationError, "__init__", noted)
        patch.setattr(Refusal, "__init__", missed)
        yield


@contextlib.contextmanager
def noting_late_logs(late: list[str]) -> Iterator[None]:
    """Note what a request logs or commits after its answer has begun.

    Were the server killed then, words would have left without their row of the log.
    """
    finished, entry = app.web.access.finished, audit.entry_of

    def has_begun() -> bool:
        return bool(_ANSWER.get(Answer()).status)

    @contextlib.asynccontextmanager
    async def watched(work: Work) -> AsyncIterator[None]:
        async with finished(work):
            yield
        if has_begun():
            late.append("committed")

    def made(actor: Any, now: Any, action: Any, *more: Any) -> dict[str, Any]:
        if has_begun():
            late.append(action.value)
        return entry(actor, now, action, *more)

    with pytest.MonkeyPatch.context() as patch:
        for module in _WITH_WORK:
            patch.setattr(module, "finished", watched)
        patch.setattr(audit, "entry_of", made)
        yield


async def ask(
    application: Any, method: str, address: str, headers: dict[str, str], body: bytes = b""
) -> Answer:
    """Send one request. A stream is read to its first words; then its reader leaves."""
    path, _, query = address.partition("?")
    answer, heard, is_stream = Answer(), asyncio.Event(), False
    _ASKED.unread = _ASKED.absent = False
    sent = [{"type": "http.request", "body": body, "more_body": False}]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "extensions": {},
    }

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await heard.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal is_stream
        if message["type"] == "http.response.start":
            named = {name.lower(): value for name, value in message["headers"]}
            answer.status = message["status"]
            answer.location = named.get(b"location", b"").decode()
            is_stream = named.get(b"content-type", b"").startswith(b"text/event-stream")
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")
            if is_stream and answer.body:
                heard.set()

    under_way = _ANSWER.set(answer)
    running = asyncio.ensure_future(application(scope, receive, send))
    _ANSWER.reset(under_way)
    # One that goes on when its reader has left would be left behind.
    await asyncio.wait({running}, timeout=_LONGEST)
    if not running.done():
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        answer.status = 500
    elif running.exception() is not None and not answer.status:
        answer.status = 500
    answer.unread, answer.absent = _ASKED.unread, _ASKED.absent
    return answer
