"""Each request goes to a server that proves its name by an authority of this machine."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpcore2
import httpx2
import pytest

from app.outbox import outside
from app.outbox.inside import client_for_inside
from app.outbox.mail import send_mail
from app.outbox.outside import client_for_outside, client_for_own
from app.outbox.responses import TryAgain
from app.settings import Settings
from app.work import Work
from tests.support.mail import Mail
from tests.support.program.certificates import Authority

_HERE, _ELSEWHERE = "localhost", "elsewhere.example"
_CLIENTS: dict[str, Callable[[], httpx2.AsyncClient]] = {
    "of agencies": lambda: client_for_outside(Settings()),
    "of the demo": lambda: client_for_outside(Settings(reach_own_network=True)),
    "of addresses that are set": client_for_own,
    "of services inside": client_for_inside,
}
client = pytest.mark.parametrize("client", list(_CLIENTS))
scheme = pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls", "smtp"])


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def known(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The authority, as one of those that this machine knows."""
    made = httpcore2.default_ssl_context

    def with_it(**values: Any) -> ssl.SSLContext:
        context = made(**values)
        context.load_verify_locations(authority.file)
        return context

    monkeypatch.setattr(httpcore2, "default_ssl_context", with_it)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@asynccontextmanager
async def _serving(proof: ssl.SSLContext) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Yield the address of a server, and what it is told."""
    asked: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1000))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=proof)
    async with server:
        yield f"https://{_HERE}:{server.sockets[0].getsockname()[1]}/", asked


async def _told(proof: ssl.SSLContext, client: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Return whether a server that proves itself so is told what is sent."""
    monkeypatch.setattr(outside, "is_outside", lambda _: True)
    async with _serving(proof) as (url, asked), _CLIENTS[client]() as one:
        try:
            answer = await one.post(url, content=b"a child")
        except httpx2.ConnectError as error:
            assert "certificate verify failed" in str(error)  # noqa: PT017
            assert asked == []
            return False
        assert answer.status_code == 204
        return bool(asked)


@client
async def test_a_server_of_an_unknown_authority_is_sent_nothing(
    authority: Authority, client: str, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    assert not await _told(authority.server_of(_HERE), client, monkeypatch)


@client
async def test_a_server_with_another_name_is_sent_nothing(
    known: Authority, client: str, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    assert not await _told(known.server_of(_ELSEWHERE), client, monkeypatch)
    assert await _told(known.server_of(_HERE), client, monkeypatch)


async def _mailed(work: Work, scheme: str, proof: ssl.SSLContext) -> bool:
    """Return whether a mail server that proves itself so is given a letter."""
    server = Mail()
    server.start(**{"ssl_context" if scheme == "smtps" else "tls_context": proof})
    work.settings.smtp_url = f"{scheme}://{_HERE}:{server.port}?from=line@example.org"
    try:
        await send_mail(work.ground, "a@example.org", "Hello", "a child", message_id=uuid4())
    except TryAgain as error:
        assert "SSLCertVerificationError" in str(error)  # noqa: PT017
        assert server.messages == []
        return False
    finally:
        server.stop()
    return bool(server.messages)


@scheme
async def test_a_mail_server_of_an_unknown_authority_is_given_nothing(
    work: Work, authority: Authority, scheme: str
) -> None:
    assert not await _mailed(work, scheme, authority.server_of(_HERE))


@scheme
async def test_a_mail_server_with_another_name_is_given_nothing(
    work: Work, known: Authority, scheme: str
) -> None:
    assert not await _mailed(work, scheme, known.server_of(_ELSEWHERE))
    assert await _mailed(work, scheme, known.server_of(_HERE))


async def test_a_mail_server_that_takes_no_tls_is_given_nothing_where_it_is_demanded(
    work: Work,
) -> None:
    server = Mail()
    server.start()
    work.settings.smtp_url = f"smtp+starttls://{_HERE}:{server.port}?from=line@example.org"
    try:
        with pytest.raises(TryAgain, match="SMTPNotSupportedError"):
            await send_mail(work.ground, "a@example.org", "Hello", "a child", message_id=uuid4())
    finally:
        server.stop()
    assert server.messages == []
