"""Requests to other people's servers never reach our own network."""

import asyncio
import socket
from typing import Any

import httpx2
import pytest

from app.errors import BadSettings
from app.outbox.outside import client_for_outside, is_outside
from app.reading_settings import check_settings
from app.settings import Settings

_INSIDE = (
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "168.63.129.16",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "fec0::1",
    "feff::1",
    "::127.0.0.1",
    "::10.1.2.3",
    "::8.8.8.8",
    "::ffff:0:10.1.2.3",
    "64:ff9b:1::10.1.2.3",
    "64:ff9b::10.1.2.3",
    "2002:a01:203::1",
    # Teredo: the last four bytes are 10.1.2.3 with each bit turned.
    "2001:0:808:808::f5fe:fdfc",
    "4000::1",
)


@pytest.mark.parametrize("address", _INSIDE)
def test_an_address_of_a_private_network_is_inside(address: str) -> None:
    assert not is_outside(address)


def test_a_public_address_is_outside() -> None:
    assert is_outside("8.8.8.8")
    assert is_outside("2606:4700:4700::1111")
    assert is_outside("64:ff9b::8.8.8.8")


async def _listener(asked: list[bytes]) -> asyncio.Server:
    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    return await asyncio.start_server(hear, "127.0.0.1", 0)


async def test_a_name_is_checked_after_it_was_resolved_and_one_way_inside_is_enough(
    monkeypatch: Any, anyio_backend: str
) -> None:
    asked: list[bytes] = []
    server = await _listener(asked)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    means: list[list[str]] = [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], []]

    async def resolved(host: str, port: int, **_: Any) -> list[Any]:
        if host not in ("agency.example",):
            means_here = [host]
        else:
            means_here = means[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in means_here]

    monkeypatch.setattr(loop, "getaddrinfo", resolved, raising=False)
    async with server:
        while means:
            for host in ("agency.example", "127.0.0.1"):
                async with client_for_outside(Settings()) as client:
                    with pytest.raises(httpx2.ConnectError):
                        await client.post(f"http://{host}:{port}/", content=b"a child")
            means.pop(0)
    assert asked == [], "nothing was sent"


async def test_a_redirect_of_an_agencys_system_is_not_followed(anyio_backend: str) -> None:
    asked: list[bytes] = []
    inside = await _listener(asked)
    port = inside.sockets[0].getsockname()[1]

    async def lead_inside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        to = f"http://127.0.0.1:{port}/latest/meta-data"
        writer.write(f"HTTP/1.1 307 Go\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    agency = await asyncio.start_server(lead_inside, "127.0.0.1", 0)
    at = f"http://127.0.0.1:{agency.sockets[0].getsockname()[1]}/"
    async with inside, agency, client_for_outside(Settings(reach_own_network=True)) as client:
        answer = await client.post(at, content=b"a child")
    assert answer.status_code == 307
    assert asked == []


def test_only_the_demo_and_tests_reach_this_machine() -> None:
    made = Settings(
        env="production",
        secret_key="x" * 40,
        field_keys="1:cHJhY3RpY2Uta2V5LXByYWN0aWNlLWtleS0xMjM0NTY=",
        public_url="https://helpline.example.org",
        twilio_account_sid="AC1",
        twilio_auth_token="t",
        reach_own_network=True,
    )
    with pytest.raises(BadSettings, match="HELPLINE_REACH_OWN_NETWORK"):
        check_settings(made)
