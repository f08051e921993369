"""`helpline export …`: tables of figures and of records as files."""

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.running import parts_of, run_verb
from app.errors import BadSettings
from app.jobs.transaction import transaction
from app.staff.log_values import ActedFrom
from app.statistics.counting.summary import today
from app.statistics.exports import requested
from app.statistics.exports.exporting import (
    ExportWanted,
    data_dictionary,
    made,
    note_export,
    read_wanted,
)
from app.statistics.exports.files import PERSONAL, WHAT, File
from app.statistics.protection.guard import last_over
from app.work import PROGRAM, Work


def _window(work: Work, what: str, begins: str, ends: str) -> tuple[str, str]:
    """Return the edges of a window; those not given: the last 30 days, and of what is counted by
    whole months the last month that is over.
    """
    if (
        not begins
        and not ends
        and what
        in (
            File.CATEGORIES,
            File.REFERRALS,
            File.FEEDBACK,
            File.REPORT,
        )
    ):
        month = last_over(work.now)
        return str(month.begins), str(month.ends)
    end = today(work) + timedelta(days=1)
    return begins or (end - timedelta(days=30)).isoformat(), ends or end.isoformat()


def export(
    what: Annotated[str, typer.Argument(help=f"{', '.join(WHAT)}, or dictionary")],
    from_: Annotated[
        str, typer.Option("--from", help="date or instant; default: the last 30 days, or month")
    ] = "",
    to: Annotated[str, typer.Option("--to", help="exclusive; default: tomorrow")] = "",
    format_: Annotated[str, typer.Option("--format", help="csv, xlsx, json, parquet")] = "",
    output: Annotated[
        Path | None, typer.Option(help="a file; - or left out: standard output")
    ] = None,
    period: Annotated[str, typer.Option(help="day, month, weekday_hour, ...")] = "",
    by: Annotated[str, typer.Option(help="at most two dimensions: line,outcome")] = "",
    line: Annotated[str, typer.Option(help="+NUMBER; default: all")] = "",
    report: Annotated[str, typer.Option(help="only for report: its name, such as chi")] = "",
    language: Annotated[
        str, typer.Option(help="for a reader: headings and codes in words, such as sr")
    ] = "",
    request: Annotated[
        str, typer.Option(help="only for records: the id of an approved request")
    ] = "",
) -> None:
    """Write figures to a file; the window is half-open, in each line's own time zone."""
    if what == "dictionary":
        for file, name, words in data_dictionary():
            print(f"{file}\t{name}\t{words}")
        return
    target = None if output is None or str(output) == "-" else output
    kind = format_ or (target.suffix.lstrip(".") if target else "") or "csv"
    if target is None and kind in ("xlsx", "parquet") and sys.stdout.isatty():
        raise BadSettings(f"Give a file for {kind}: --output FILE.")

    async def verb(work: Work) -> None:
        begins, ends = _window(work, what, from_, to)
        wanted = read_wanted(
            what,
            begins,
            ends,
            kind,
            {
                "period": period,
                "line": line,
                "report": report or None,
                "language": language,
                "by": parts_of(by),
            },
        )
        if wanted.what in PERSONAL:
            wanted = await _approved(work, request)
        await _write(work, wanted, target)

    run_verb(verb)


async def _approved(work: Work, request: str) -> ExportWanted:
    """Return the export that a second person approved, which can be used once.

    Its use is committed before the first byte is written.
    """
    try:
        export_id = UUID(request) if request else None
    except ValueError:
        export_id = None
    if export_id is not None:
        async with transaction(work.ground, PROGRAM, aside=True) as own:
            export = await requested.use_approval(own, export_id)
        if export is not None:
            return requested.wanted_of(export)
    raise BadSettings(
        "Records are about single persons. Request them on /reports with a reason, let a second "
        "person approve the request, and give its id with --request. It can be used once."
    )


async def _write(work: Work, wanted: ExportWanted, target: Path | None) -> None:
    """Write into a temporary file, which gets its final name only when it is complete."""
    part = target.with_name(target.name + ".part") if target else None
    file = part.open("wb") if part else sys.stdout.buffer
    if part:
        os.chmod(part, 0o600)
    try:
        async with made(work, wanted) as one:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.completed}/{task.total} days"),
                TimeRemainingColumn(),
            )
            console = Console(stderr=True)
            with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
                task = bar.add_task(wanted.what, total=one.table.of)
                async for piece in one.pieces(wanted.kind):
                    file.write(piece)
                    bar.update(task, completed=one.progress["done"])
        note_export(work, wanted, by=ActedFrom.COMMAND_LINE)
        file.flush()
        if part and target:
            os.fsync(file.fileno())
            file.close()
            part.replace(target)
    except BaseException:
        if part:
            file.close()
            part.unlink(missing_ok=True)
        raise
    if target:
        print(f"{target}: written", file=sys.stderr)
