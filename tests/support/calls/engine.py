"""An engine for translations over HTTP, as strict as LibreTranslate."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

KEY = "an-engine-key"
_KNOWN = ("en", "sr", "sq")


@dataclass
class StandIn:
    """Says each text backwards in capitals, with the languages before it."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    # Seconds until it answers, and what it answers in place of a translation.
    slow: float = 0.0
    instead: tuple[int, Any] | None = None

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any]:
        if (method, path) != ("POST", "/translate"):
            self.faults.append(f"{method} {path}")
            return 404, {"error": "Not Found"}
        if headers.get("content-type") != "application/json":
            return 400, {"error": "Invalid request: missing q parameter"}
        asked = json.loads(body)
        if unknown := set(asked) - {"q", "source", "target", "format", "api_key", "alternatives"}:
            self.faults.append(f"unknown: {sorted(unknown)}")
        if asked.get("api_key") != KEY:
            return 403, {"error": "Invalid API key"}
        if asked.get("format") not in ("text", "html") or not asked.get("q"):
            return 400, {"error": "Invalid request: missing q parameter"}
        for code in (asked.get("source"), asked.get("target")):
            if code not in _KNOWN:
                return 400, {"error": f"{code} is not supported"}
        self.asked.append(asked)
        if self.instead is not None:
            return self.instead
        way = f"{asked['source']}>{asked['target']} "
        made = [way + one[::-1].upper() for one in asked["q"]]
        return 200, {"translatedText": made}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status, said = self.answer(method, path, headers, body)
        await asyncio.sleep(self.slow)
        text = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        with contextlib.suppress(ConnectionError):
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode()
                + text
            )
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[StandIn]:
    """Run an engine on this machine."""
    made = StandIn()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield made
    assert made.faults == []
