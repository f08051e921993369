"""`helpline backup …`: back-ups of the PostgreSQL, and restores from them."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from app import tables
from app.cli.running import prepared, run_verb, sealed_database
from app.clock import SystemClock
from app.database.embedded import folder_of
from app.database.roles import SUPERUSER
from app.errors import Invalid
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.reading_settings import read_settings
from app.safekeeping.backups import making, places, restoring, slots, state, trying
from app.safekeeping.backups.trying import Tried
from app.safekeeping.models import BackupKind
from app.settings import Settings
from app.work import PROGRAM, Work

app = typer.Typer(no_args_is_help=True, help="Back-ups, and restores from them.")
Key = Annotated[Path, typer.Option("--key", help="the file with the private key")]
Source = Annotated[Path, typer.Argument(help="the folder of the back-ups")]


@app.command("key")
def key(output: Annotated[Path, typer.Option(help="where the private key goes")]) -> None:
    """Make a pair of keys: the private one is written to a file, the public one is printed."""
    from pyrage import x25519

    made = x25519.Identity.generate()
    public = made.to_public()
    try:
        with output.open("x") as file:
            output.chmod(0o600)
            file.write(f"# public key: {public}\n{made}\n")
    except OSError as error:
        raise Invalid(
            "%(path)s cannot be written (%(why)s).", path=str(output), why=error.strerror
        ) from None
    print(f"HELPLINE_BACKUP_RECIPIENTS={public}")


@app.command("make")
def make(
    target: Annotated[
        Path | None, typer.Argument(help="a folder; default: HELPLINE_BACKUP_TARGET")
    ] = None,
) -> None:
    """Make a back-up of the whole server now. It is encrypted; calls go on."""
    set_up_logging("WARNING")
    with sealed_database() as settings:
        begun_at = SystemClock().now()
        made = making.make_base(settings, begun_at, target)
        if target is None or target.resolve() == settings.backup_target:
            asyncio.run(_note(settings, BackupKind.BASE, begun_at, made.name, made.size))
    print(f"{made.name}\t{made.size} bytes\tfor {', '.join(made.recipients)}")


async def _note(
    settings: Settings, kind: BackupKind, begun_at: datetime, name: str, size: int
) -> None:
    async with prepared(settings) as ground, transaction(ground, PROGRAM) as work:
        await state.note(work, kind, begun_at=begun_at, name=name, size=size)


@app.command("stop")
def stop() -> None:
    """Drop the replication slot if you make no back-ups: it keeps log until the disk is full."""
    set_up_logging("WARNING")
    names = slots.stop(read_settings())
    print(
        f"No longer kept: {', '.join(names)}" if names else "The server keeps nothing for back-ups."
    )


@app.command("note")
def note(
    name: Annotated[str, typer.Argument(help="what your tool calls the back-up")],
    size: Annotated[int, typer.Option(help="bytes", min=0)] = 0,
) -> None:
    """Write down that your own tool has made a back-up, so that a late one raises the notice."""

    async def verb(work: Work) -> None:
        await state.note(work, BackupKind.BASE, begun_at=work.now, name=name[:100], size=size)

    run_verb(verb, by_definitions=False)


@app.command("list")
def list_backups(
    source: Annotated[
        Path | None, typer.Argument(help="a folder; default: HELPLINE_BACKUP_TARGET")
    ] = None,
) -> None:
    """Show the back-ups in a folder, and until when a restore can go."""
    folder = source or read_settings().backup_target
    if folder is None:
        raise Invalid("Say where: `helpline backup list FOLDER`, or set HELPLINE_BACKUP_TARGET.")
    for place in places.places_in(folder):
        for made in place.all():
            print(f"{place.folder.name}\t{made.name}\t{made.size} bytes\tended {made.ended_at}")
        for name in place.gaps():
            print(f"{place.folder.name}\tA segment after {name} is missing: make a back-up now.")
        segments = place.segments()
        if segments:
            until = (place.logs / f"{segments[-1]}{places.LOG}").stat().st_mtime
            words = datetime.fromtimestamp(until).astimezone().isoformat(timespec="seconds")
            print(f"{place.folder.name}\twritten until about {words}\t{len(segments)} segments")


@app.command("restore")
def restore(
    source: Source,
    to: Annotated[Path, typer.Option("--to", help="an empty folder, the new HELPLINE_DATA_DIR")],
    key: Key,
    until: Annotated[
        str | None, typer.Option(help="a moment, such as 2027-01-31T02:15:00+01:00")
    ] = None,
    name: Annotated[str | None, typer.Option(help="the back-up to begin with")] = None,
) -> None:
    """Restore into an empty folder, and check what it holds. The program is not started there."""
    set_up_logging("WARNING")
    settings = read_settings()
    with _seconds():
        made = restoring.restore(source, to, key, until=_moment(until), name=name)
    print(f"{made.name} is restored to {to}.")
    if made.superuser != SUPERUSER or made.database != SUPERUSER:
        print(
            f"It comes from another PostgreSQL: its database is {made.database}, and its settings "
            f"are in files of {folder_of(to)} that end with {restoring.BEFORE}."
        )
    tried = asyncio.run(trying.look_into(settings, to.resolve(), tables.metadata))
    _tell(tried)


@app.command("drill")
def drill(
    key: Key,
    source: Annotated[
        Path | None, typer.Argument(help="a folder; default: HELPLINE_BACKUP_TARGET")
    ] = None,
) -> None:
    """Restore the newest back-up into a folder that is deleted afterwards, and check it."""
    set_up_logging("WARNING")
    settings = read_settings()
    folder = source or settings.backup_target
    if folder is None:
        raise Invalid("Say where: `helpline backup drill FOLDER`, or set HELPLINE_BACKUP_TARGET.")
    begun_at = SystemClock().now()
    with _seconds():
        made, tried = asyncio.run(trying.drill(settings, folder, key, tables.metadata))
    print(f"{made.name} was restored and thrown away.")
    _tell(tried)
    if settings.backup_target is not None:
        with sealed_database() as running:
            asyncio.run(_note(running, BackupKind.DRILL, begun_at, made.name, made.size))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("Write the moment as 2027-01-31T02:15:00+01:00.") from None
    # Without an offset it is the time of this machine.
    return moment.astimezone()


@contextlib.contextmanager
def _seconds() -> Iterator[None]:
    clock = SystemClock()
    begun = clock.now()
    yield
    print(f"It took {(clock.now() - begun).total_seconds():.0f} seconds.")


def _tell(tried: Tried) -> None:
    for name, rows in tried.rows.items():
        broken = tried.broken.get(name)
        print(f"{name}: {rows} rows, {f'BROKEN at {broken}' if broken else 'whole'}")
    print(f"The keys open what is sealed: {tried.opened} values were tried.")
    if tried.newest is not None:
        print(f"The last entry of the log is from {tried.newest.isoformat()}.")
    if not tried.is_whole:
        raise typer.Exit(1)
