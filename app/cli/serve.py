"""`helpline serve`, apart from the other commands so that it starts quickly."""

from typing import Annotated

import typer

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)


@app.command()
def serve(
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Web processes.")] = 1,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="No job worker here.")] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Take over from the running server without a gap."),
    ] = False,
) -> None:
    """Run the web server, and a worker with it unless --no-worker is given."""
    from app.server import serving

    serving.serve(host, port, workers=workers, with_worker=not no_worker, replace=replace)
