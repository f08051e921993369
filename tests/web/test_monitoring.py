"""Metrics and health at a port of their own, over HTTP and real sockets."""

from urllib.parse import urlsplit

import httpx2
import pytest

from app.errors import BadSettings
from app.server.sockets import listen, listen_for_monitoring
from app.web.monitoring import PATHS
from tests.support.documents.shell import ROOT, requests
from tests.support.program.serving import SHOWN, TOKEN, base, served, settings_on


async def test_the_second_port_answers_monitoring_and_the_first_one_does_not(
    database: str, anyio_backend: str
) -> None:
    pages, second = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    port = second.getsockname()[1]
    settings = settings_on(database, monitoring_port=port)
    # A request cannot choose the port by what it says.
    lies = {**SHOWN, "Host": f"127.0.0.1:{port}", "X-Forwarded-Port": str(port)}
    async with served(settings, [pages, second]), httpx2.AsyncClient(trust_env=False) as client:
        for path in PATHS:
            refused = await client.get(base(pages) + path, headers=lies)
            assert refused.status_code == 404, path
            assert refused.json()["error"] == "NotFound"
            # There is no worker here, so it is up and not ready.
            answer = await client.get(base(second) + path, headers=SHOWN)
            assert answer.status_code == (503 if path == "/readyz" else 200), path
            # The token is wanted at both.
            assert (await client.get(base(second) + path)).status_code == 401
        # What the page for operators tells a monitor to send.
        ((address, said),) = requests(ROOT / "docs/operators.md")
        sent = {
            name: one.replace("$HELPLINE_MONITORING_TOKEN", TOKEN) for name, one in said.items()
        }
        answer = await client.get(base(second) + urlsplit(address).path, headers=sent)
        assert answer.status_code == 503
        assert (await client.get(base(pages) + "/setup")).status_code == 200
        for path in ("/login", "/", "/api/v1/me", "/static/built/board.js", "/openapi.json"):
            answer = await client.get(base(second) + path, headers=SHOWN)
            assert answer.status_code == 404, path
            assert "content-security-policy" in answer.headers
        forged = await client.post(base(second) + "/telephony/voice", data={"CallSid": "CA1"})
        assert forged.status_code == 404


def test_the_second_port_is_another_one_and_is_taken_over() -> None:
    pages, second = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    port = second.getsockname()[1]
    settings = settings_on("postgresql:///x", monitoring_port=port)
    with pages:
        assert listen_for_monitoring(settings, pages, [second]) == [second]
        # Another address than before is listened to anew, and the one before is given up.
        moved = settings.model_copy(update={"monitoring_port": None})
        assert listen_for_monitoring(moved, pages, [second]) == []
        assert second.fileno() == -1
        (fresh,) = listen_for_monitoring(settings, pages, [])
        with fresh:
            assert fresh.getsockname() == ("127.0.0.1", port)
            with pytest.raises(BadSettings, match="HELPLINE_MONITORING_PORT"):
                listen_for_monitoring(settings, pages, [])
        same = settings.model_copy(update={"monitoring_port": pages.getsockname()[1]})
        with pytest.raises(BadSettings, match="HELPLINE_MONITORING_PORT is the port of the pages"):
            listen_for_monitoring(same, pages, [])
