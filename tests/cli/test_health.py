"""`helpline health`, by which an orchestrator decides whether to restart a container."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from typer.testing import CliRunner

from app.cli.health import app


class _Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    made = HTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize(
    ("status", "token", "asked", "code"),
    [
        (200, None, (), 0),
        # In production the routes are not there without a token; the server is up all the same.
        (404, None, (), 0),
        (404, None, ("--ready",), 1),
        (404, "a token of 16 or more", (), 1),
        (503, None, (), 1),
    ],
)
def test_a_server_that_answers_is_up(
    server: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    token: str | None,
    asked: tuple[str, ...],
    code: int,
) -> None:
    monkeypatch.setattr(_Answers, "status", status)
    monkeypatch.delenv("HELPLINE_MONITORING_PORT", raising=False)
    monkeypatch.delenv("HELPLINE_MONITORING_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("HELPLINE_MONITORING_TOKEN", token)
    done = CliRunner().invoke(app, ["--port", str(server.server_port), *asked])
    assert done.exit_code == code, done.output
