"""`helpline retention …`: how long data is kept, what is due, and legal holds."""

from typing import Annotated

import typer

from app.cli.running import run_verb
from app.definitions import in_force
from app.errors import Invalid
from app.retention import by_country, holds, running
from app.retention.country import read_country
from app.retention.kinds import DataKind
from app.retention.rules import default_of, read_rules, set_rules
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work

app = typer.Typer(no_args_is_help=True, help="How long data is kept, and legal holds.")
_FOR_EVER = "for-ever"


def _words(days: int | None) -> str:
    return _FOR_EVER if days is None else f"{days} days"


@app.command("list")
def list_rules() -> None:
    """Show the rules, the holds in force, and what was erased when."""

    async def verb(work: Work) -> None:
        rules = await read_rules(work)
        country = read_country(in_force.folder_of(work.ground))
        theirs = country.rules if country is not None else {}
        for kind, days in rules.days.items():
            said = f"\tcountry {_words(theirs[kind])}" if kind in theirs else ""
            default = f"default {_words(default_of(work, kind))}"
            print(f"{kind.value}\t{_words(days)}\t{default}{said}\tby {rules.deciders[kind]}")
        if country is not None:
            print(f"country\t{country.source}")
        for kind, (days, at) in rules.coming.items():
            print(f"from\t{at.isoformat()}\t{kind.value}\t{_words(days)}")
        for held in await holds.open_holds(work):
            print(f"held\t{held.code}\tsince {held.held_at.isoformat()}")
        for one in await running.receipts(work):
            print(f"erased\t{one.at.isoformat()}\t{one.kind}\t{one.rows}\tafter {one.days} days")

    run_verb(verb)


@app.command("set")
def set_rule(
    kind: Annotated[DataKind, typer.Argument(help="which kind of data")],
    days: Annotated[str, typer.Argument(help=f"a number of days, or {_FOR_EVER}")],
) -> None:
    """Set for how many days a kind of data is kept. Here a shorter rule holds at once, too."""

    async def verb(work: Work) -> None:
        if days != _FOR_EVER and not days.isdecimal():
            raise Invalid("Give a number of days, or %(word)s.", word=_FOR_EVER)
        wanted = {kind: None if days == _FOR_EVER else int(days)}
        await set_rules(work, wanted, at_once=True)

    run_verb(verb)


@app.command("follow")
def follow(
    kind: Annotated[DataKind, typer.Argument(help="which kind of data")],
) -> None:
    """Drop your own rule of a kind: the country's applies again, or the default.

    A shorter rule holds after seven days.
    """

    async def verb(work: Work) -> None:
        await by_country.follow_again(work, kind)

    run_verb(verb)


@app.command("dry-run")
def dry_run() -> None:
    """Show what a run would erase now; nothing is changed."""

    async def verb(work: Work) -> None:
        for due in await running.dry_run(work):
            oldest = due.oldest.isoformat() if due.oldest else "-"
            held = f"\theld from {due.held_from.isoformat()}" if due.held_from else ""
            print(f"{due.kind.value}\t{_words(due.days)}\t{due.rows}\toldest {oldest}{held}")

    run_verb(verb)


@app.command("run")
def run() -> None:
    """Erase what is due now, and do not wait for the night."""

    async def verb(work: Work) -> None:
        write_entry(work, AuditLog.ERASING_ASKED, "retention")
        for one in await running.run_now(work.ground):
            print(f"{one.kind}\t{one.rows}")

    run_verb(verb)


@app.command("hold")
def hold(
    code: Annotated[str, typer.Argument(help="the code of the record, such as K-7F3-9QD-2XC")],
    reason: Annotated[str, typer.Option(help="why it must not be erased; it is sealed")],
) -> None:
    """Hold a contact, case or referral: it is not erased until the hold is lifted."""

    async def verb(work: Work) -> None:
        kind, record_id = await holds.find_by_code(work, None, code)
        await holds.hold(work, None, kind, record_id, reason)

    run_verb(verb)


@app.command("lift")
def lift(code: Annotated[str, typer.Argument(help="the code of the record")]) -> None:
    """Lift the hold of a record."""

    async def verb(work: Work) -> None:
        kind, record_id = await holds.find_by_code(work, None, code)
        await holds.lift(work, None, kind, record_id)

    run_verb(verb)
