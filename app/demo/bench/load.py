"""A load of prepared requests over raw keep-alive connections: cheap to send, exact to time."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlsplit

from app.practice.wire import sign

Prepared = tuple[str, bytes]


@dataclass
class Result:
    """The duration of a load in seconds, and the times of each kind of request in milliseconds."""

    seconds: float
    times: dict[str, list[float]] = field(default_factory=dict)
    refused: int = 0

    @property
    def rate(self) -> float:
        return sum(len(t) for t in self.times.values()) / self.seconds

    def percentile(self, part: float, kind: str | None = None) -> float:
        """Return a percentile of the times of one kind of request, or of all, in milliseconds."""
        chosen = self.times[kind] if kind else [t for ts in self.times.values() for t in ts]
        return statistics.quantiles(chosen, n=1000, method="inclusive")[int(part * 1000) - 1]


def prepare(kind: str, url: str, fields: list[tuple[str, str]], token: str) -> Prepared:
    """Return a signed webhook, ready to be written to a connection."""
    parts = urlsplit(url)
    body = "&".join(f"{quote_plus(n)}={quote_plus(v)}" for n, v in fields).encode()
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"X-Twilio-Signature: {sign(token, url, fields)}\r\n"
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return kind, head.encode() + body


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, raw: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        status, length = int(head[9:12]), 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return status, await reader.readexactly(length) if length else b""

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def run_load(port: int, chains: list[list[Prepared]], clients: int) -> Result:
    """Send chains of requests, each in order, over `clients` connections."""
    waiting = iter(chains)
    result = Result(0.0)

    async def client() -> None:
        connection = Connection(port)
        for chain in waiting:
            for kind, raw in chain:
                began = time.perf_counter()
                status, _ = await connection.send(raw)
                result.times.setdefault(kind, []).append((time.perf_counter() - began) * 1000)
                result.refused += status >= 400
        await connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    result.seconds = time.perf_counter() - began
    return result
