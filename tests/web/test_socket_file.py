"""The proxy comes by a socket file: who may open it is decided by the file's mode."""

import socket
import tempfile
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.errors import BadSettings
from app.reading_settings import check_settings
from app.web.connections import Limited
from app.web.limits import client_of
from app.web.sign_in import guesses
from tests.support.program.serving import served, settings_on


@pytest.mark.parametrize(("trusted", "counted"), [("unix", "198.51.100.7"), ("", "unix")])
async def test_a_proxy_by_a_socket_file_is_believed_if_it_is_named(
    database: str, anyio_backend: str, monkeypatch: Any, trusted: str, counted: str
) -> None:
    seen: list[str] = []

    def noted(request: Any) -> str:
        seen.append(client_of(request))
        return seen[-1]

    monkeypatch.setattr(guesses, "client_of", noted)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "web.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        transport = httpx2.AsyncHTTPTransport(uds=str(path))
        settings = settings_on(database, trusted_proxies=trusted)
        async with served(settings, [listener]), httpx2.AsyncClient(transport=transport) as client:
            answer = await client.post(
                "http://helpline.example.org/api/v1/session",
                json={"username": "nobody", "password": "wrong"},
                # A client cannot name the socket file in place of its own address.
                headers={"X-Forwarded-For": "203.0.113.9, unix, 198.51.100.7"},
            )
    assert answer.status_code == 401
    assert seen == [counted]
    assert Limited.unfinished.is_proxy("unix") is (trusted == "unix")


def test_the_word_for_a_socket_file_is_a_setting() -> None:
    here = {"public_url": "http://127.0.0.1:8000"}
    settings = settings_on("postgresql:///x").model_copy(update=here)
    check_settings(settings.model_copy(update={"trusted_proxies": "127.0.0.1,unix"}))
    with pytest.raises(BadSettings, match="HELPLINE_TRUSTED_PROXIES"):
        check_settings(settings.model_copy(update={"trusted_proxies": "socket"}))
