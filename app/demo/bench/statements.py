"""How many statements a webhook sends on its session, without BEGIN and COMMIT.

What the worker or another request sends in the meantime is not the webhook's. Nor are jobs and
topics counted, which go out in one round trip just before the commit.
"""

from collections import Counter
from contextvars import ContextVar
from typing import Any

import psycopg
from sqlalchemy import event
from starlette.types import ASGIApp, Receive, Scope, Send

from app.demo.stage import ACCOUNT, LINE, Stage

KINDS = ("voice", "menu", "wait", "status")
_counted: ContextVar[str] = ContextVar("counted", default="")


def fields_of(sid: str, status: str, **more: str) -> list[tuple[str, str]]:
    """Return the form of a webhook about a call to the line of the stage."""
    return [
        ("CallSid", sid),
        ("AccountSid", ACCOUNT),
        ("From", "+381641234567"),
        ("To", LINE),
        ("Caller", "+381641234567"),
        ("Called", LINE),
        ("CallStatus", status),
        ("ApiVersion", "2010-04-01"),
        ("Direction", "inbound"),
        ("FromCity", ""),
        ("ToCity", ""),
        *more.items(),
    ]


async def statements_per_webhook(stage: Stage) -> Counter[str]:
    """Send one webhook of each kind, for a caller who waits, and count its statements."""
    counts: Counter[str] = Counter()

    def count(*_: Any) -> None:
        counts[_counted.get()] += 1

    async def count_event(connection: Any, sql: Any, *rest: Any, **more: Any) -> Any:
        # The event of a call is sent by the driver alone.
        counts[_counted.get()] += str(sql).startswith("INSERT INTO call_events")
        return await sent(connection, sql, *rest, **more)

    engine = stage.ground.database.engine.sync_engine
    sent = psycopg.AsyncConnection.execute
    # Once before the count, to fill the process's memory.
    for kind in KINDS:
        await _send(stage, "CAwarm", kind)
    await stage.settle()
    inside = stage.app.middleware_stack
    assert inside is not None
    stage.app.middleware_stack = _with_name(inside)
    event.listen(engine, "before_cursor_execute", count)
    psycopg.AsyncConnection.execute = count_event  # type: ignore[method-assign, assignment]
    try:
        for kind in KINDS:
            await _send(stage, "CAstatements", kind)
            await stage.settle()
    finally:
        event.remove(engine, "before_cursor_execute", count)
        psycopg.AsyncConnection.execute = sent  # type: ignore[method-assign]
        stage.app.middleware_stack = inside
    return Counter({kind: counts[kind] for kind in KINDS})


def _with_name(app: ASGIApp) -> ASGIApp:
    """Give everything that runs for a request the last word of its path."""

    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        _counted.set(str(scope["path"]).rpartition("/")[2])
        await app(scope, receive, send)

    return named


async def _send(stage: Stage, sid: str, kind: str) -> None:
    sender, base = stage.exchange.sender, stage.settings.public_url
    if kind == "voice":
        await sender.fetch(f"{base}/telephony/voice", fields_of(sid, "ringing"), {})
        return
    if kind == "status":
        over = fields_of(sid, "completed", SequenceNumber="3")
        await sender.call_back(f"{base}/telephony/status", over)
        return
    call_id = (await stage.rows("SELECT id FROM calls WHERE provider_sid = %s", sid))[0]["id"]
    n, digits = ("1", {"Digits": "1"}) if kind == "menu" else ("1.0", {})
    url = f"{base}/telephony/calls/{call_id}/{kind}?n={n}"
    await sender.fetch(url, fields_of(sid, "in-progress", **digits), {})
