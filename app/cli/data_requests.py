"""`helpline data-requests …`: what is held about a person, and erasing it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import typer

from app.cli.running import run_verb
from app.errors import Invalid
from app.jobs.transaction import transaction
from app.retention.data_requests import (
    answering,
    deadlines,
    erased_again,
    extending,
    preparing,
    requests,
    which_child,
)
from app.retention.data_requests.kinds import (
    AskingPerson,
    ExtensionReason,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
)
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.searched import changed_of
from app.safekeeping import erasure_folder, erasures
from app.safekeeping.backups import sealing
from app.safekeeping.backups.places import BackupRefused
from app.work import PROGRAM, Ground, Work

app = typer.Typer(no_args_is_help=True, help="Requests of a person about their data.")
Code = Annotated[str, typer.Argument(help="the code of the request, such as D-7F3-9QD-2XC")]

# What has to be done before a row of a list can be erased again, by why it stays.
_WAITS_FOR = {
    Keep.LEGAL_HOLD: "a legal hold keeps it. Run this again when the hold is lifted.",
    Keep.STILL_OPEN: "work on it is open. Finish it, and run this again.",
    Keep.ANOTHER_PERSON: (
        "a referral was opened since the restore, or a record tells of other children, and no "
        "officer has seen that. Have a supervisor make a new request about the person, and run "
        "this again when it is carried out. If they keep these rows, add --decided with the code."
    ),
}


def _near(work: Work, request: DataRequest) -> str:
    if deadlines.is_overdue(work, request):
        return "\toverdue"
    return "\tnear" if deadlines.is_near(work, request) else ""


async def _print(work: Work, request: DataRequest) -> None:
    print(f"{request.code}\t{request.kind}\t{request.person}\t{request.state}")
    print(f"asked on\t{deadlines.asked_day(work, request)}")
    if (answer_by := deadlines.answer_by(work, request)) is not None:
        print(f"answer by\t{answer_by}{_near(work, request)}")
    if (until := deadlines.extended_day(work, request)) is not None:
        told = f"told on {request.told_on}" if request.told_on else "not told"
        print(f"extended until\t{until}\t{request.extension_because}\t{told}")
    for child in await which_child.children_meant(work, request):
        print(f"meant\t{child.code}/{child.place}\t{child.standing}\tnow: {child.now or '-'}")
    changed = changed_of(work, request)
    for one in await requests.items_of(work, request):
        keep = f"kept: {one.keep}" if one.keep else "-"
        since = "\tchanged since the search" if one.subject_id in changed else ""
        print(
            f"{one.kind}:{one.subject_id}\t{one.label or '-'}\t{one.at:%Y-%m-%d %H:%M}"
            f"\t{one.because}\t{keep}\tchildren: {one.children or '-'}{since}"
        )
    for kind, count in request.counts.items():
        print(f"done\t{kind}\t{count}")
    for keep, count in request.kept.items():
        print(f"kept\t{keep}\t{count}")
    for kind, state, count in await requests.copies_of(work, request):
        print(f"provider\t{kind}\t{state}\t{count}")


@app.command("list")
def list_requests() -> None:
    """List the requests, those whose person still waits first; mark those nearly due or overdue."""

    async def verb(work: Work) -> None:
        for one in await requests.list_requests(work):
            said = f"{one.code}\t{one.kind}\t{one.state}\t{one.began_at:%Y-%m-%d %H:%M}"
            print(f"{said}{_near(work, one)}")

    run_verb(verb)


@app.command("find")
def find(
    kind: RequestKind,
    person: Annotated[AskingPerson, typer.Argument(help="who asks")],
    asked_on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="when the person asked; default: today"),
    ] = None,
    replaces: Annotated[
        str, typer.Option(help="the code of a request that ended, and is begun again")
    ] = "",
) -> None:
    """Find every row about a person. The numbers and codes are read from the standard input, so
    that no list of processes shows them."""
    typed = sys.stdin.read()

    async def verb(work: Work) -> None:
        day = asked_on.date() if asked_on is not None else None
        former = (await requests.request_by_code(work, replaces)).id if replaces else None
        await _print(work, await requests.find(work, None, kind, person, typed, day, former))

    run_verb(verb)


@app.command("show")
def show(code: Code) -> None:
    """Show a request: what was found, or the receipt."""

    async def verb(work: Work) -> None:
        await _print(work, await requests.request_by_code(work, code))

    run_verb(verb)


@app.command("keep")
def keep(
    code: Code,
    item: Annotated[str, typer.Argument(help="a row as `show` writes it: kind:id")],
    ground: Annotated[Keep | None, typer.Option(help="why it is kept; left out: it is not")] = None,
) -> None:
    """Keep a row that was found, or leave it out of the report, with the ground."""

    async def verb(work: Work) -> None:
        kind, _colon, id_ = item.partition(":")
        try:
            wanted = {(ItemKind(kind), UUID(id_)): ground}
        except ValueError:
            raise Invalid("Write the row as `show` writes it: kind:id.") from None
        request = await requests.request_by_code(work, code)
        await _print(work, await requests.set_kept(work, None, request.id, wanted))

    run_verb(verb)


@app.command("ask")
def ask(
    code: Code,
    basis: Annotated[RequestBasis, typer.Argument(help="the ground")],
    identity: Annotated[IdentityCheck, typer.Argument(help="how the identity was checked")],
    words: Annotated[str, typer.Option(help="how and when it was checked; it is sealed")],
) -> None:
    """Ask a second person to decide."""

    async def verb(work: Work) -> None:
        request = await requests.request_by_code(work, code)
        await _print(work, await requests.ask(work, None, request.id, basis, identity, words))

    run_verb(verb)


@app.command("withdraw")
def withdraw(code: Code) -> None:
    """Withdraw a request before it is decided, or whose report is gone unopened or failed."""

    async def verb(work: Work) -> None:
        request = await requests.request_by_code(work, code)
        await _print(work, await requests.withdraw(work, None, request.id))

    run_verb(verb)


@app.command("take-over")
def take_over(code: Code) -> None:
    """Take over a report whose officer has left, so that the command line can write it."""

    async def verb(work: Work) -> None:
        request = await requests.request_by_code(work, code)
        await _print(work, await answering.take_over(work, None, request.id))

    run_verb(verb)


@app.command("extend")
def extend(
    code: Code,
    months: Annotated[int, typer.Argument(help="how many months are added: 1 or 2")],
    because: Annotated[ExtensionReason, typer.Argument(help="the reason")],
    words: Annotated[str, typer.Option(help="why, to the person; it is sealed")],
) -> None:
    """Take more time, once and within the first month. Prints the letter that tells the person."""

    async def verb(work: Work) -> None:
        request = await requests.request_by_code(work, code)
        request = await extending.extend(work, None, request.id, months, because, words)
        await _print(work, request)
        print("", *extending.letter_for(work, None, request), sep="\n")

    run_verb(verb)


@app.command("told")
def told(
    code: Code,
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day; default: today")
    ] = None,
) -> None:
    """Note that the person was told of the extension. Only then does it count."""

    async def verb(work: Work) -> None:
        request = await requests.request_by_code(work, code)
        day = on.date() if on is not None else None
        await _print(work, await extending.note_told(work, None, request.id, day))

    run_verb(verb)


@app.command("decide")
def decide(
    code: Code,
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="what is decided")],
) -> None:
    """Decide a request that a person made on the page. The job carries it out."""

    async def verb(work: Work) -> None:
        request = await requests.request_by_code(work, code)
        await _print(work, await requests.decide(work, None, request.id, approve=approve))

    run_verb(verb)


@app.command("report")
def report(code: Code, out: Annotated[Path, typer.Option(help="a .pdf or .json file")]) -> None:
    """Write the report of a request of the command line, or taken over by it, into a file."""

    async def verb(work: Work) -> None:
        request = await requests.request_by_code(work, code)
        # It counts as opened when it is in the file: this work is undone if the disk is full.
        with _a_new_file(out) as file:
            kind = out.suffix.lstrip(".")
            file.write(await answering.open_report(work, None, request.id, kind))

    run_verb(verb)


@contextlib.contextmanager
def _a_new_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that only the user may read, and that has its name once it is written.

    Raises Invalid.
    """
    part = path.parent / f"{path.name}.part"
    try:
        part.unlink(missing_ok=True)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise Invalid("%(path)s cannot be written (%(why)s).", path=str(path), why=why) from None


@app.command("prepare-folder")
def prepare_folder(
    new: Annotated[
        bool, typer.Option("--new", help="no list is elsewhere, or none of them is needed")
    ] = False,
) -> None:
    """Prepare the folder for the lists of what is erased, once, while its disk is there."""

    async def verb(work: Work) -> None:
        try:
            done = await preparing.prepare(work, anew=new)
        except OSError as error:
            why = error.strerror or str(error)
            raise BackupRefused(
                f"{work.settings.erasure_folder} cannot be written: {why}."
            ) from None
        print(f"{done.folder}: {done.became}. Lists in it: {done.lists}")

    run_verb(verb, by_definitions=False)


@app.command("erase-again")
def erase_again(
    key: Annotated[Path, typer.Option("--key", help="the file with the private key of back-ups")],
    folder: Annotated[
        Path | None, typer.Argument(help="the folder with the lists; default: as the settings say")
    ] = None,
    carry_out: Annotated[
        bool, typer.Option("--carry-out", help="erase, and do not only show")
    ] = False,
    decided: Annotated[
        list[str] | None,
        typer.Option(help="the code of a list whose last rows a supervisor has decided to keep"),
    ] = None,
) -> None:
    """After a restore: show what was erased since that moment and is there again, or erase it.

    The exit code is 1 if a list cannot be read or is missing, or rows stay.
    """
    whole: list[bool] = []

    async def verb(work: Work) -> None:
        whole.append(await erase_list_again(work.ground, key, folder, carry_out, decided or []))

    run_verb(verb)
    if not all(whole):
        raise typer.Exit(1)


async def erase_list_again(
    ground: Ground, key: Path, source: Path | None, carry_out: bool, decided: list[str]
) -> bool:
    """Go through the lists, the oldest first. Return whether nothing is left to do or unknown."""
    folder = source or ground.settings.erasure_folder
    if folder is None or not folder.is_dir():
        raise Invalid(
            "Give the folder with the lists of what was erased: `erased` in the back-ups."
        )
    identities = sealing.identities_in(key)
    lists, problems = [], []
    for path in erasures.paths_in(folder):
        try:
            lists.append(erasures.read(path, identities, ground.keys))
        except (BackupRefused, OSError) as error:
            problems.append(str(error))
    lists.sort(key=lambda one: one.head.written_at)
    missing = erasures.missing_in([one.head for one in lists])
    problems += [f"The list of {code} is missing." for code in missing]
    stay: list[erased_again.Left] = []
    for one in lists:
        named = one.head.code in decided
        left = await _one_list(ground, one, folder, identities, carry_out, named)
        if (left.kept or (left.counts and not carry_out)) and not (named and left.is_others):
            stay.append(left)
    for keep in sorted({keep for left in stay for keep in left.kept}):
        print(f"kept, {keep}: {_WAITS_FOR.get(Keep(keep), 'it is kept.')}")
    if carry_out:
        async with transaction(ground, PROGRAM) as work:
            await erasure_folder.note_waiting(work, len(stay))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(lists)} lists were read. Compare their codes with your receipts.")
    if not carry_out:
        print("Nothing was erased. Run it again with --carry-out.")
    return not stay and not problems


async def _one_list(
    ground: Ground,
    one: erasures.Erased,
    folder: Path,
    identities: sealing.Identities,
    carry_out: bool,
    decided: bool,
) -> erased_again.Left:
    if carry_out:
        named = ground.settings.backup_recipients
        recipients = (
            sealing.recipients_of(named) if named else [each.to_public() for each in identities]
        )
        try:
            left = await erased_again.erase_again(ground, folder, recipients, one, decided=decided)
        except OSError as error:
            raise Invalid(
                "The list of %(code)s cannot be written anew (%(why)s): the program must be able "
                "to write into the folder.",
                code=one.head.code,
                why=error.strerror or str(error),
            ) from None
    else:
        async with transaction(ground, PROGRAM) as work:
            left = await erased_again.look(work, one)
    said = f"{one.head.code}\t{one.head.written_at:%Y-%m-%d %H:%M}"
    for kind, count in left.counts.items():
        print(f"{said}\t{'erased' if carry_out else 'to erase'}\t{kind}\t{count}")
    for keep, count in left.kept.items():
        print(f"{said}\tkept\t{keep}\t{count}")
    if not left.rows:
        print(f"{said}\tnothing is there again")
    return left
