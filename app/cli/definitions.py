"""`helpline definitions …`: a country's forms, trees, protocols and the rest, as sets of files."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.running import run_verb
from app.errors import BadSettings
from app.work import Work

if TYPE_CHECKING:
    from app.country.archive import Received
    from app.country.sets import BadSet

app = typer.Typer(no_args_is_help=True, help="Forms, categories, protocols: sets of files.")
Source = Annotated[Path, typer.Argument(exists=True, help="a folder, or a .zip of it")]
SetNumber = Annotated[int, typer.Argument(help="the number of the set")]


def _received(source: Path) -> "Received":
    from app.country import archive

    if source.is_dir():
        files = [path for path in sorted(source.iterdir()) if path.is_file()]
        return archive.from_files((path.name, path.read_bytes()) for path in files)
    if source.stat().st_size > archive.LARGEST_UPLOAD:
        raise BadSettings(f"An archive has {archive.LARGEST_UPLOAD // 1024**2} MB at most.")
    return archive.from_zip(source.read_bytes())


def _refuse(refused: "BadSet") -> None:
    for one in refused.problems:
        typer.echo(str(one), err=True)
    raise typer.Exit(1)


@app.command("list")
def list_sets() -> None:
    """List the sets, and when each was, is and will be in force."""
    from app.country import sets
    from app.definitions import in_force

    async def verb(work: Work) -> None:
        orders = await sets.all_orders(work)
        now = in_force.order_at(await in_force.read_orders(work), work.now)
        if now is None:
            print("in force\tthe program's own files and its folder")
        for order in orders:
            state = "in force" if now is not None and order.id == now.id else "order"
            ended = (
                f"\ttaken back {order.taken_back_at:%Y-%m-%dT%H:%M}Z" if order.taken_back_at else ""
            )
            begins = f"{order.from_at:%Y-%m-%dT%H:%M}Z"
            print(f"{state}\t{order.id}\tset {order.set_id}\tfrom {begins}{ended}")
        for one in await sets.all_sets(work):
            imported = f"{one.uploaded_at:%Y-%m-%dT%H:%M}Z"
            print(f"set\t{one.id}\t{one.name}\t{len(one.files)} files\t{imported}")

    run_verb(verb, by_definitions=False)


@app.command("check")
def check(source: Source) -> None:
    """Check a folder; print what is wrong with file and line, and exit with 1 then."""
    from app.country import sets

    async def verb(work: Work) -> int:
        folder, _ = await sets.check(work, _received(source))
        return len(folder.files)

    try:
        print(f"{run_verb(verb)} files are well.")
    except sets.BadSet as refused:
        _refuse(refused)


@app.command("import")
def import_set(
    source: Source,
    name: Annotated[
        str, typer.Option(help="what the set is called; the folder's name if left out")
    ] = "",
) -> None:
    """Import a folder as a set. Nothing is in force by this."""
    from app.country import sets

    async def verb(work: Work) -> None:
        taken = await sets.upload(work, name or source.resolve().stem, _received(source))
        print(f"set {taken.set.id}{'' if taken.new else ' (was there already)'}")
        for one in taken.left_out:
            print(f"left out: {one}")

    try:
        run_verb(verb)
    except sets.BadSet as refused:
        _refuse(refused)


@app.command("compare")
def compare(
    number: SetNumber,
    against: Annotated[
        int | None, typer.Option(help="another set; what is in force if left out")
    ] = None,
) -> None:
    """Compare a set with what is in force; a line with ! has to be accepted, x prevents it."""
    from app.country import sets

    async def verb(work: Work) -> None:
        found = await sets.compare_set(work, number, against=against)
        for one in found.effects.stops:
            print(f"x {one}")
        for one in found.effects.cautions:
            print(f"! {one}")
        for rule in found.rules:
            before, after = (days or "for-ever" for days in (rule.before, rule.after))
            since = f"from {rule.from_at.isoformat()}" if rule.from_at else "own rule stays"
            mark = "!" if rule.erases_more else "-"
            print(f"{mark} retention {rule.kind}: {before} -> {after} days, {since}")
        for change in found.comparison.changes:
            print(f"{'!' if change.caution else '-'} {change.where}: {change.words}")
        for one in found.effects.notes:
            print(f"- {one}")
        if found.comparison.more:
            print("- and more")

    run_verb(verb)


@app.command("save")
def save(
    output: Annotated[Path, typer.Option(help="the .zip to write")],
    number: Annotated[int | None, typer.Argument(help="the set; in force now if left out")] = None,
) -> None:
    """Write the files of a set, or all that are in force, to an archive."""
    from app.country import archive, sets, whole

    async def verb(work: Work) -> bytes:
        if number is not None:
            return archive.to_zip(sets.folder_of(await sets.read_set(work, number)))
        _, folder = await sets.folder_at(work, work.now)
        return archive.to_zip(whole.all_files(folder))

    output.write_bytes(run_verb(verb, by_definitions=False))


@app.command("put-in-force")
def put_in_force(
    number: SetNumber,
    from_: Annotated[
        datetime | None,
        typer.Option("--from", help="a time of the helpline's own zone; now if left out"),
    ] = None,
    accept: Annotated[bool, typer.Option(help="the changes marked ! are meant")] = False,
) -> None:
    """Put a set in force from a time on. No restart is needed."""
    from app.country import sets

    async def verb(work: Work) -> None:
        begins = sets.instant_of(work, from_) if from_ is not None else None
        order = await sets.put_in_force(work, number, from_at=begins, accept=accept)
        print(f"order {order.id}: set {number} from {order.from_at:%Y-%m-%dT%H:%M}Z")

    run_verb(verb)


@app.command("take-back")
def take_back(order: Annotated[int, typer.Argument(help="the number of the order")]) -> None:
    """Take a set out of force, or cancel its start; what was in force before counts again."""
    from app.country import sets

    async def verb(work: Work) -> None:
        now = await sets.take_back(work, order)
        print(f"set {now}" if now is not None else "the program's own files and its folder")

    run_verb(verb, by_definitions=False)
