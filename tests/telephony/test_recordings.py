"""A recording is fetched from the platform, and from where that sends us: never from elsewhere
inside our network."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from app.outbox.responses import TryAgain
from app.settings import Settings
from app.telephony.provider.client import Provider


class Server:
    """A server that answers everything with one status and one address or sound."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.leads_to: list[str] = []
        self.port = 0

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.read(2000))
        if self.leads_to:
            head = f"HTTP/1.1 302 Found\r\nLocation: {self.leads_to.pop(0)}\r\nContent-Length: 0"
            writer.write(f"{head}\r\nConnection: close\r\n\r\n".encode())
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsound")
        writer.close()


@contextlib.asynccontextmanager
async def a_server() -> AsyncIterator[Server]:
    made = Server()
    server = await asyncio.start_server(made.hear, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def provider_at(server: Server) -> Provider:
    base = f"http://localhost:{server.port}"
    return Provider(
        Settings(twilio_account_sid="AC1", twilio_auth_token="t", twilio_api_base_url=base)
    )


async def test_a_recording_is_followed_once_and_without_the_password(anyio_backend: str) -> None:
    async with a_server() as platform:
        platform.leads_to = [f"http://localhost:{platform.port}/files/1"]
        audio, kind = await provider_at(platform).fetch_recording("RE1")
        assert (audio, kind) == (b"sound", "audio/mpeg")
        first, second = platform.asked
        assert b"authorization:" in first.lower()
        assert b"authorization:" not in second.lower()
        platform.leads_to = [f"http://localhost:{platform.port}/files/{n}" for n in (1, 2)]
        with pytest.raises(TryAgain):
            await provider_at(platform).fetch_recording("RE1")
        assert len(platform.asked) == 4, "one redirect and no more"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_redirect_of_a_recording_into_our_network_is_not_followed(
    anyio_backend: str, scheme: str
) -> None:
    async with a_server() as platform, a_server() as inside:
        platform.leads_to = [f"{scheme}://127.0.0.1:{inside.port}/latest/meta-data"]
        with pytest.raises(TryAgain):
            await provider_at(platform).fetch_recording("RE1")
        assert len(platform.asked) == 1
        assert inside.asked == []
