"""Services of the helpline's own, to which the words of children go, are inside."""

import asyncio
import socket
from typing import Any

import httpx2
import pytest

from app.errors import BadSettings
from app.outbox.inside import client_for_inside
from app.private_networks import is_inside
from app.reading_settings import check_settings
from app.settings import Settings


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd00::1"])
def test_an_address_of_a_private_network_is_inside(address: str) -> None:
    assert is_inside(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "2606:4700::1", "169.254.169.254", "0.0.0.0", "::ffff:8.8.8.8", "ff02::1"],
)
def test_a_public_or_strange_address_is_not(address: str) -> None:
    assert not is_inside(address)


def test_a_service_of_our_own_must_be_inside() -> None:
    for url in ("http://127.0.0.1:8080", "http://signal:8080", "https://10.0.0.3"):
        check_settings(Settings(signal_service_url=url))
        check_settings(Settings(translation_url=url))
    with pytest.raises(BadSettings, match="SIGNAL_SERVICE_URL must be on this machine"):
        check_settings(Settings(signal_service_url="https://8.8.8.8"))
    with pytest.raises(BadSettings, match="TRANSLATION_URL must be on this machine"):
        check_settings(Settings(translation_url="https://[2606:4700::1]/"))


async def test_a_name_that_leads_outside_is_not_asked(monkeypatch: Any, anyio_backend: str) -> None:
    asked: list[str] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.read(1000)).decode())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    means: list[str] = ["127.0.0.1", "8.8.8.8"]

    async def resolved(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in means]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved, raising=False)
    async with server, client_for_inside() as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"http://signal:{port}/")
        means.pop()
        assert (await client.get(f"http://signal:{port}/")).status_code == 204
    assert len(asked) == 1
