"""`helpline health`: whether the server of this machine answers, for a container's health check."""

import http.client
import sys
from typing import Annotated

import typer

from app.reading_settings import read_settings

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
# In seconds; a server that takes longer is not well.
_PATIENCE = 10.0


@app.command()
def health(
    port: Annotated[int, typer.Option(min=1, max=65535, help="That of helpline serve.")] = 8000,
    ready: Annotated[
        bool, typer.Option("--ready", help="Ask whether database, worker and keys are well.")
    ] = False,
) -> None:
    """Ask the server of this machine whether it is up; exit with 1 if it is not.

    HELPLINE_MONITORING_PORT is asked instead of --port, if it is set.
    """
    settings = read_settings()
    host = "127.0.0.1"
    if settings.monitoring_port is not None:
        host = _EVERY_ADDRESS.get(settings.monitoring_address, settings.monitoring_address)
        port = settings.monitoring_port
    shown = {}
    if settings.monitoring_token is not None:
        shown["Authorization"] = f"Bearer {settings.monitoring_token}"
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/readyz" if ready else "/healthz", headers=shown)
        answer = connection.getresponse()
        print(answer.read(2000).decode(errors="replace"))
    except OSError as error:
        print(f"helpline: no answer at port {port} ({error})", file=sys.stderr)
        raise typer.Exit(1) from None
    finally:
        connection.close()
    # In production there is no such route without a token, and a server that says so is up: an
    # orchestrator must not restart it, and drop its calls.
    hidden = answer.status == http.HTTPStatus.NOT_FOUND and settings.monitoring_token is None
    if answer.status != http.HTTPStatus.OK and (ready or not hidden):
        raise typer.Exit(1)
