"""Every command except `serve`.

Modules that only some commands need (worker, demo) are imported by those commands: an export
stays small.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from app import tables
from app.calls import lines
from app.calls.speech import LineScript
from app.cli.agencies import agency_commands
from app.cli.roster import shift_commands
from app.cli.serve import serve
from app.cli.statistics import export_command, token_commands
from app.clock import SystemClock
from app.database import migrate as migrations
from app.database.embedded import EmbeddedPostgres
from app.errors import BadSettings, NotFound
from app.jobs.transaction import transaction
from app.log import set_up_logging
from app.routing import people
from app.server import database_of, settle_memory
from app.settings import Settings, read_settings
from app.staff import accounts
from app.staff.audit import verify_chains
from app.staff.roles import Role
from app.work import PROGRAM, Work, make_ground

T = TypeVar("T")
Verb = Callable[[Work], Awaitable[T]]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="The backend of a child helpline.",
)
staff_app = typer.Typer(no_args_is_help=True, help="Accounts.")
line_app = typer.Typer(no_args_is_help=True, help="Lines: the numbers that children ring.")
shift_app = shift_commands(lambda verb: _run(verb))
agency_app = agency_commands(lambda verb: _run(verb))
token_app = token_commands(lambda verb: _run(verb))
telephony_app = typer.Typer(no_args_is_help=True, help="The telephony provider.")
audit_app = typer.Typer(no_args_is_help=True, help="The append-only logs.")
app.add_typer(staff_app, name="staff")
app.add_typer(line_app, name="line")
app.add_typer(shift_app, name="shift")
app.add_typer(agency_app, name="agency")
app.add_typer(audit_app, name="audit")
app.add_typer(token_app, name="token")
app.add_typer(telephony_app, name="telephony")
app.command("export")(export_command(lambda verb: _run(verb)))
app.command("serve")(serve)


# -- what every command uses -------------------------------------------------------------


def _run(verb: Verb[T]) -> T:
    """Run one verb in a transaction of its own."""
    set_up_logging("WARNING")

    async def run(settings: Settings) -> T:
        ground = make_ground(settings)
        try:
            async with transaction(ground, PROGRAM) as work:
                return await verb(work)
        finally:
            await ground.database.close()

    with database_of(read_settings()) as settings:
        return asyncio.run(run(settings))


def _words(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


# -- server and worker -------------------------------------------------------------------


@app.command()
def worker() -> None:
    """Run jobs, the sweep and matching."""
    settings = read_settings()
    set_up_logging(settings.log_level)
    with database_of(settings) as settings:
        asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    from app.database.bus import Bus
    from app.worker import Worker

    ground = make_ground(settings)
    bus = Bus(ground.database.url)
    bus.on_topic(ground.memory.forget)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with bus.running(), Worker(ground, bus).running():
        await stop.wait()
    await ground.database.close()


@app.command()
def migrate(
    check: Annotated[bool, typer.Option(help="Compare the migrations with the models.")] = False,
) -> None:
    """Bring the database up to date: our own tables and those of the job store."""
    with database_of(read_settings()) as settings:
        assert settings.database_url is not None
        if check:
            _compare(settings.database_url)
    print("The database is up to date.")


def _compare(url: str) -> None:
    """Create the models' tables in a second database, and compare the two."""
    from sqlalchemy import make_url, text

    beside = "helpline_models"
    engine = migrations.engine_for(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {beside}"))
        connection.execute(text(f"CREATE DATABASE {beside}"))
        fresh = make_url(url).set(database=beside).render_as_string(hide_password=False)
        found = migrations.differences(url, fresh, tables.metadata)
        connection.execute(text(f"DROP DATABASE {beside}"))
    engine.dispose()
    for difference in found:
        print(difference)
    if found:
        raise typer.Exit(1)


# -- people, lines, shifts ---------------------------------------------------------------


@staff_app.command("add")
def add_staff(
    name: str,
    role: Annotated[Role, typer.Option()] = Role.COUNSELLOR,
    endpoint: Annotated[
        str, typer.Option(help="browser, client:ID, +PHONE or sip:URI")
    ] = "browser",
    languages: Annotated[str, typer.Option(help="sr,en; default: every language")] = "",
    line_numbers: Annotated[
        str, typer.Option("--lines", help="numbers, comma-separated; default: every line")
    ] = "",
    skills: Annotated[str, typer.Option(help="violence,lgbt:2")] = "",
    training: Annotated[
        bool, typer.Option("--training", help="takes calls only while a supervisor is there")
    ] = False,
    team: Annotated[
        str, typer.Option(help="the team whose supervisors read this person's records")
    ] = "",
    email: Annotated[
        str | None, typer.Option(help="address to which reports are announced")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="read the password from standard input")
    ] = False,
) -> None:
    """Add an account."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise BadSettings("Give the password on standard input with --password-stdin.")

    async def verb(work: Work) -> str:
        for language in _words(languages):
            lines.check_language(language)
        numbers = [(await _line(work, number)).number for number in _words(line_numbers)]
        people.check_skills(_words(skills))
        staff = await accounts.add_staff(
            work,
            name=name,
            role=role,
            endpoint=endpoint,
            languages=_words(languages),
            lines=numbers,
            skills=_words(skills),
            training=training,
            team=team,
            email=email,
            password=password,
        )
        return str(staff.id)

    print(_run(verb))


async def _line(work: Work, number: str) -> LineScript:
    line = await lines.line_of_number(work, number)
    if line is None:
        raise NotFound(f"There is no line {number}. Add it with: helpline line add {number}")
    return line


@staff_app.command("change")
def change_staff(
    name: str,
    languages: Annotated[str | None, typer.Option(help="'' means every language")] = None,
    line_numbers: Annotated[
        str | None, typer.Option("--lines", help="numbers; '' means every line")
    ] = None,
    skills: Annotated[str | None, typer.Option(help="violence,lgbt:2")] = None,
    training: Annotated[
        bool | None,
        typer.Option("--training/--trained", help="takes calls only while a supervisor is there"),
    ] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
) -> None:
    """Change which calls a person can take; options that are left out stay as they are."""

    async def verb(work: Work) -> None:
        await people.change_staff(
            work,
            name,
            languages=None if languages is None else _words(languages),
            line_numbers=None if line_numbers is None else _words(line_numbers),
            skills=None if skills is None else _words(skills),
            training=training,
            active=active,
        )

    _run(verb)


_SECONDS = "seconds from the caller's arrival"


@line_app.command("plan")
def line_plan(
    number: str,
    backup_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    supervisor_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    on_call_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    any_skill_after: Annotated[
        int | None, typer.Option(help="seconds until the line's skills are no longer required")
    ] = None,
    preferred_for: Annotated[
        int | None,
        typer.Option(help="seconds that a caller waits for the counsellor they asked for"),
    ] = None,
    partner_after: Annotated[int | None, typer.Option(help=_SECONDS)] = None,
    partner_number: Annotated[
        str | None, typer.Option(help="+NUMBER of another service; '' for none")
    ] = None,
    ring_at_once: Annotated[
        int | None, typer.Option(help="counsellors to ring at once for a child in danger")
    ] = None,
    night_from: Annotated[
        int | None, typer.Option(help="hour of the day from which no call-back is made")
    ] = None,
    night_until: Annotated[
        int | None, typer.Option(help="hour of the day until which no call-back is made")
    ] = None,
    longest_wait: Annotated[
        int | None, typer.Option(help="seconds of waiting after which an alarm is raised")
    ] = None,
    priority: Annotated[
        int | None, typer.Option(help="seconds by which its callers are ahead of others")
    ] = None,
    skills: Annotated[
        str | None, typer.Option(help="skills that its calls need: violence,lgbt:2")
    ] = None,
) -> None:
    """Show or change a line's plan: who else is offered a call as it waits, and what calls need."""

    async def verb(work: Work) -> str:
        line = await _line(work, number)
        plan = await people.change_plan(
            work,
            line,
            backup_after=backup_after,
            supervisor_after=supervisor_after,
            on_call_after=on_call_after,
            any_skill_after=any_skill_after,
            preferred_for=preferred_for,
            partner_after=partner_after,
            partner_number=partner_number,
            ring_at_once=ring_at_once,
            night_from=night_from,
            night_until=night_until,
            longest_wait=longest_wait,
            priority=priority,
            skills=None if skills is None else people.check_skills(_words(skills)),
        )
        return json.dumps(asdict(plan))

    print(_run(verb))


@line_app.command("add")
def add_line(
    number: str,
    name: Annotated[str, typer.Option()] = "Child helpline",
    country: Annotated[str, typer.Option(help="two letters")] = "RS",
    languages: Annotated[str, typer.Option(help="the first is spoken if none is chosen")] = "sr,en",
    timezone: Annotated[str, typer.Option()] = "Europe/Belgrade",
    practice: Annotated[
        bool, typer.Option("--practice", help="for training; left out of statistics")
    ] = False,
    leads_here: Annotated[
        str, typer.Option(help="for a short NUMBER: the provider's +NUMBERS behind it")
    ] = "",
    shown: Annotated[
        str, typer.Option(help="+NUMBER that phones of counsellors and agencies show")
    ] = "",
) -> None:
    """Add a line."""

    async def verb(work: Work) -> str:
        line = await lines.add_line(
            work,
            number=number,
            name=name,
            country=country,
            languages=_words(languages),
            timezone=timezone,
            practice=practice,
            leads_here=_words(leads_here),
            shown_number=shown or None,
        )
        return str(line.id)

    print(_run(verb))


@line_app.command("prompt")
def set_prompt(
    key: Annotated[str, typer.Argument(help="the prompt; an unknown key lists them all")],
    language: Annotated[str, typer.Option()],
    line: Annotated[str, typer.Option(help="+NUMBER; default: every line")] = "",
    text: Annotated[str | None, typer.Option(help="text to be spoken")] = None,
    file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
) -> None:
    """Change what callers hear: a text, or an MP3 or WAV file."""
    kinds = {".mp3": "audio/mpeg", ".wav": "audio/wav"}

    async def verb(work: Work) -> None:
        await lines.set_prompt(
            work,
            line=await _line(work, line) if line else None,
            language=language,
            key=key,
            text=text,
            audio=file.read_bytes() if file else None,
            audio_type=kinds.get(file.suffix.lower()) if file else None,
        )

    _run(verb)


@line_app.command("hours")
def set_hours(
    number: str,
    hours: Annotated[str, typer.Argument(help="24/7, or Mo-Fr 08:00-20:00; PH off")],
) -> None:
    """Set when a line should be staffed; times in it without a shift are reported as uncovered."""

    async def verb(work: Work) -> None:
        await lines.set_opening_hours(work, await _line(work, number), hours)

    _run(verb)


@telephony_app.command("setup")
def telephony_setup(
    install: Annotated[bool, typer.Option(help="Install the fallback at the provider.")] = True,
) -> None:
    """Point the provider's numbers at this helpline, with a fallback for when it is down."""
    from app.telephony.provider.client import Provider, ProviderError
    from app.telephony.provider.setup import read_lines, set_up

    settings = read_settings()
    numbers = _run(read_lines)
    try:
        report = asyncio.run(set_up(settings, Provider(settings), numbers, install=install))
    except ProviderError as error:
        raise BadSettings(
            f"The provider refused the request ({error}). Check HELPLINE_TWILIO_ACCOUNT_SID and "
            "the token or API key."
        ) from None
    for sentence in report.done:
        print(sentence)
    for sentence in report.problems:
        print(f"To do: {sentence}", file=sys.stderr)
    raise typer.Exit(1 if report.problems else 0)


@line_app.command("numbers")
def line_numbers_of(
    number: str,
    leads_here: Annotated[
        str | None, typer.Option(help="the provider's +NUMBERS, comma-separated")
    ] = None,
    shown: Annotated[
        str | None, typer.Option(help="+NUMBER that counsellors and agencies see; '' for its own")
    ] = None,
) -> None:
    """Change which of the provider's numbers lead to a line, and which number phones show."""

    async def verb(work: Work) -> None:
        line = await _line(work, number)
        leads = None if leads_here is None else _words(leads_here)
        await lines.change_numbers(work, line, leads_here=leads, shown_number=shown)

    _run(verb)


@audit_app.command("verify")
def verify() -> None:
    """Recompute the chains of the logs; exit code 1 if a row was changed or is missing."""

    async def verb(work: Work) -> bool:
        whole = True
        for report in await verify_chains(work.session):
            state = f"BROKEN at {report.broken}" if report.broken else "whole"
            print(f"{report.table}: {report.rows} rows, {state} {report.head}".rstrip())
            whole = whole and not report.broken
        return whole

    if not _run(verb):
        raise typer.Exit(1)


# -- demo and bench ----------------------------------------------------------------------


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="play a scripted hour and stop")] = False,
    seed: Annotated[int, typer.Option(help="which hour is played by --once")] = 7,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
) -> None:
    """Run a live helpline with the practice exchange, or play a scripted hour."""
    if once:
        from app.demo.once import run_once

        set_up_logging("ERROR")
        settle_memory()
        happened = run_once(seed)
        print(json.dumps(happened))
        raise typer.Exit(1 if happened["broken"] else 0)
    from app.demo.live import run_live

    set_up_logging("WARNING")
    settings = read_settings()
    folder = settings.data_dir / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(folder) as server:
        migrations.migrate(server.url)
        run_live(server.url, folder, port, SystemClock())


@app.command()
def bench(
    name: Annotated[
        str, typer.Argument(help="calls, contacts, referrals, routing, statistics, or all")
    ] = "all",
) -> None:
    """Run benchmarks; print one JSON line per measure."""
    from app.demo.bench import run_bench
    from app.demo.bench_records import run_records_bench
    from app.demo.bench_referrals import run_referrals_bench
    from app.demo.bench_routing import run_routing_bench
    from app.demo.bench_statistics import run_statistics_bench

    set_up_logging("ERROR")
    measures = {
        "calls": run_bench,
        "contacts": run_records_bench,
        "referrals": run_referrals_bench,
        "routing": run_routing_bench,
        "statistics": run_statistics_bench,
    }
    if name not in ("all", *measures):
        raise BadSettings(f"There is no benchmark {name!r}. Choose {', '.join(measures)} or all.")
    for measure, run in measures.items():
        if name in ("all", measure):
            run()
