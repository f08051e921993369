"""Every command except `serve`; the commands about one noun are in a file of that name.

Modules that only some commands need (server, worker, calendars) are imported by those commands:
an export stays small.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from app import tables
from app.cli import (
    agencies,
    audit_log,
    backups,
    connections,
    data_requests,
    definitions,
    demo,
    dialling,
    emergency,
    export,
    keys,
    languages,
    line_partners,
    line_writing,
    lines,
    own_settings,
    provider,
    reports,
    retention,
    tokens,
    wallboards,
)
from app.cli.health import health
from app.cli.keeper import keeper
from app.cli.rota import roster
from app.cli.running import prepared, run_verb, sealed_database
from app.cli.serve import serve
from app.cli.staff import accounts
from app.database import migrate as migrations
from app.database.running import database_of
from app.errors import Invalid
from app.log import set_up_logging
from app.people.log_check import check_log
from app.reading_settings import read_settings
from app.settings import Settings
from app.staff.log_checks.beginnings import ChainReport, beginning_of
from app.staff.log_checks.sealed_words import BEFORE_SUMS, WORDS_OF
from app.work import Work

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="The backend of a child helpline.",
)
telephony_app = typer.Typer(no_args_is_help=True, help="The telephony provider.")
audit_app = typer.Typer(no_args_is_help=True, help="The append-only logs.")
app.add_typer(accounts.app, name="staff")
app.add_typer(emergency.app, name="emergency")
app.add_typer(provider.app, name="provider")
lines.app.add_typer(line_writing.app)
lines.app.add_typer(line_partners.app, name="partner")
app.add_typer(lines.app, name="line")
app.add_typer(roster.app, name="shift")
app.add_typer(agencies.app, name="agency")
app.add_typer(audit_app, name="audit")
app.add_typer(tokens.app, name="token")
app.add_typer(wallboards.app, name="wallboard")
app.add_typer(reports.app, name="report")
app.add_typer(backups.app, name="backup")
app.add_typer(dialling.app, name="dialling")
app.add_typer(own_settings.app, name="settings")
app.add_typer(data_requests.app, name="data-requests")
app.add_typer(retention.app, name="retention")
app.add_typer(connections.app, name="connections")
app.add_typer(definitions.app, name="definitions")
app.add_typer(languages.app, name="language")
app.add_typer(keys.app, name="keys")
app.add_typer(telephony_app, name="telephony")
app.command("export")(export.export)
audit_app.command("log")(audit_log.read_log)
app.command("serve")(serve)
app.command("health")(health)
app.command("keeper")(keeper)
app.command("demo")(demo.demo)
app.command("bench")(demo.bench)


# -- server and worker -------------------------------------------------------------------


@app.command()
def worker() -> None:
    """Run jobs, the sweep and matching."""
    with sealed_database() as settings:
        set_up_logging(settings.log_level)
        asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    from app.administration import own_settings as decided
    from app.administration.languages import watch as words_following
    from app.country import following
    from app.database.bus import Bus
    from app.sealing.knowing import watch
    from app.worker import Worker

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with prepared(settings) as ground:
        await following.learn_now(ground, anew=True)
        await decided.learn_now(ground)
        bus = Bus(ground.database.url)
        bus.on_topic(ground.memory.forget)
        watching = [
            asyncio.create_task(watch(ground, bus), name="keys"),
            asyncio.create_task(following.watch(ground, bus), name="definitions"),
            asyncio.create_task(words_following(ground, bus), name="words"),
            asyncio.create_task(decided.watch(ground, bus), name="settings"),
        ]
        async with bus.running(), Worker(ground, bus).running():
            await stop.wait()
        for one in watching:
            one.cancel()


@app.command("first-steps")
def first_steps() -> None:
    """Say what is left until a call is answered, how the first administrator begins, and which
    words of danger mark nothing."""
    from app.administration import unmarked
    from app.people.setting_up import first_administrator, first_steps

    async def verb(work: Work) -> None:
        if not await first_administrator.has_accounts(work):
            code = await first_administrator.code_of(work)
            print(f"Open {work.settings.public_url}/setup and enter {code}")
        for one in await first_steps.steps(work):
            state = "done" if one.done else "can wait" if one.can_wait else "to do"
            print(f"{one.key}\t{state}\t{one.why or ''}".rstrip())
        for said in await unmarked.unmarked(work):
            marks_nothing = f"{said.language}: {', '.join(said.words)}"
            print(f"danger_words\tto do\t{unmarked.WORDS[said.why]} {marks_nothing}")

    run_verb(verb)


@app.command()
def migrate(
    check: Annotated[bool, typer.Option(help="Compare the migrations with the models.")] = False,
) -> None:
    """Bring the database up to date: our own tables and those of the job store."""
    with database_of(read_settings()) as settings:
        assert settings.database_url is not None
        if check:
            _compare(settings.owner_url or settings.database_url)
    print("The database is up to date.")


def _compare(url: str) -> None:
    """Create the models' tables in a second database, and compare the two."""
    from sqlalchemy import make_url, text

    scratch = "helpline_models"
    engine = migrations.engine_for(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {scratch}"))
        connection.execute(text(f"CREATE DATABASE {scratch}"))
        fresh = make_url(url).set(database=scratch).render_as_string(hide_password=False)
        found = migrations.differences(url, fresh, tables.metadata)
        connection.execute(text(f"DROP DATABASE {scratch}"))
    engine.dispose()
    for difference in found:
        print(difference)
    if found:
        raise typer.Exit(1)


# -- the provider and the logs ------------------------------------------------------------


@telephony_app.command("setup")
def telephony_setup(
    install: Annotated[bool, typer.Option(help="Install the fallback at the provider.")] = True,
) -> None:
    """Point the provider's numbers at this helpline, with a fallback for when it is down."""
    from app.calls.lines.number_setup import SetupReport
    from app.telephony.provider.setup import carry_out

    async def verb(work: Work) -> SetupReport:
        return await carry_out(work, install=install)

    report = run_verb(verb)
    for sentence in report.done:
        print(sentence)
    for sentence in report.problems:
        print(f"To do: {sentence}", file=sys.stderr)
    raise typer.Exit(1 if report.problems else 0)


@audit_app.command("verify")
def verify(
    anchor: Annotated[
        Path | None, typer.Option(help="a file of anchors, or one that was mailed")
    ] = None,
) -> None:
    """Recompute the chains of the logs; exit code 1 if a row was changed or is missing.

    With an anchor, also say which entries are missing or altered since it was made.
    """
    kept = _read_anchors(anchor) if anchor is not None else None

    async def verb(work: Work) -> bool:
        whole = True
        for report in await check_log(work):
            print(_said_of(report))
            whole = whole and not report.broken
        if (begins := await beginning_of(work.session)) is not None:
            print(
                f"The log begins on {begins.at.isoformat()}: {begins.entries} earlier entries "
                f"were erased after {begins.days} days"
            )
        return await _compare_anchors(work, kept) and whole if kept is not None else whole

    if not run_verb(verb):
        raise typer.Exit(1)


def _said_of(report: ChainReport) -> str:
    state = f"BROKEN at {report.broken}" if report.broken else "whole"
    if report.table == BEFORE_SUMS:
        state = f"do not open: {report.broken}" if report.broken else "open"
    elif report.broken and report.table.startswith(WORDS_OF):
        state += ": these are not the words that were written, or they are gone"
    return f"{report.table}: {report.rows} rows, {state} {report.head}".rstrip()


def _read_anchors(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise Invalid("The file of anchors cannot be read: %(path)s.", path=str(path)) from None


async def _compare_anchors(work: Work, file: bytes) -> bool:
    """Print what is missing or altered since the anchors. Return whether nothing is."""
    from app.safekeeping.verifying import verdict_of

    found = await verdict_of(work, file)
    for one in found.findings:
        print(f"{one.log}, anchor of {one.at}: {one.sentence}")
    if found.before:
        print(f"{found.before} anchors are from before the beginning of the log")
    state = "whole" if found.is_whole else "BROKEN"
    print(f"{found.anchors} anchors, the last of {found.last}: {state}")
    return found.is_whole
