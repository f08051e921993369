"""`helpline bench statistics`: a year of one million calls, and one of ten million.

Calls, offers, events, contacts and presences are written straight into the tables; then their days
are kept as the worker keeps them. The measures are summaries of the whole year, as a page requests
them, and the export of a million calls, against PostgreSQL's own COPY of a table with the same
columns prepared. Both run in a process of their own, so that its memory can be measured.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg

from app.database.embedded import EmbeddedPostgres
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.database.running import make_ready
from app.definitions.library import load
from app.demo.bench.processes import environment_of
from app.demo.results import report
from app.demo.stage import MONDAY, stage_on
from app.demo.stepped_clock import SteppedClock
from app.statistics.facts.days import days_to_keep, keep_days

YEAR = datetime(2029, 1, 1, tzinfo=UTC)
NOW = MONDAY
COUNSELLORS = 60
# Seconds that a summary of the year may take, by the number of calls.
TARGETS = {1_000_000: 1.0, 10_000_000: 3.0}
_TABLES = ("calls", "offers", "call_events", "contacts", "presence_changes")
SUMMARIES: dict[str, dict[str, Any]] = {
    "the whole year": {},
    "by month": {"period": "month"},
    "by day": {"period": "day"},
    "by weekday and hour": {"period": "weekday_hour"},
    "by line and outcome": {"by": ["line", "outcome"]},
    "by counsellor and place": {"by": ["counsellor", "place"]},
    "by category and sex": {"by": ["category", "sex"]},
    "by age band and channel": {"by": ["age_band", "channel"]},
    "by month, category and age band": {"period": "month", "by": ["category", "age_band"]},
}


def run_statistics_bench(sizes: tuple[int, ...] = (1_000_000, 10_000_000)) -> None:
    """Fill, keep, measure, report. HELPLINE_BENCH_CALLS sets another number of calls."""
    chosen = os.environ.get("HELPLINE_BENCH_CALLS")
    known: dict[str, float] = {}
    for size in (int(chosen),) if chosen else sizes:
        with (
            tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder,
            EmbeddedPostgres(Path(folder)) as server,
        ):
            make_ready(server.url, server.owner_url)
            found = asyncio.run(_measure(server.url, size))
        for name, seconds in found.items():
            if name in known:
                report(
                    f"statistics: {name}, ten times the calls",
                    seconds / known[name],
                    None,
                    "times the seconds",
                    None,
                )
        known = found


async def _measure(url: str, size: int) -> dict[str, float]:
    begun = time.monotonic()
    async with stage_on(url, clock=SteppedClock(NOW), with_server=False) as stage:
        await stage.add_line()
        await stage.add_line("+38111000111", name="Second line")
    fill(url, size)
    _say(f"{size} calls are in the tables", begun)
    await _keep(url, size)
    _say("their days are kept", begun)
    found = await _summaries(url, size)
    if size <= 1_000_000:
        await _exports(url)
    return found


def _say(words: str, begun: float) -> None:
    print(f"# {words} after {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


# -- filling -------------------------------------------------------------------------------------

_FILL = [
    # People, so that every day has its counsellors.
    """
    INSERT INTO staff (id, name, role, endpoint_kind, identity, languages, skills, created_at)
    SELECT gen_random_uuid(), 'bench ' || n, 'counsellor', 'browser', 'b' || n, '{}', '{}', %(year)s
    FROM generate_series(1, %(counsellors)s) AS n
    """,
    "CREATE TEMP TABLE who AS SELECT row_number() OVER () - 1 AS n, id FROM staff"
    " WHERE name LIKE 'bench %%'",
    """
    CREATE TEMP TABLE made AS
    SELECT gen_random_uuid() AS id, n, (n %% 2) AS l, random() AS fate, random() AS luck,
      %(year)s + (n * 31536000.0 / %(size)s) * interval '1 second' AS at,
      (random() * %(counsellors)s)::int %% %(counsellors)s AS c,
      (exp(random() * 4) * 1.5)::int AS wait, (60 + random() * 900)::int AS talk
    FROM generate_series(0, %(size)s - 1) AS n
    """,
    """
    INSERT INTO calls (id, provider_sid, line_id, state, outcome, language, danger, caller_kind,
      caller_number_sealed, caller_key, greeted, opened_at, queued_at, entries, answered_at,
      ended_at, ended_by, heard_at, event_count)
    SELECT m.id, 'CA' || m.n, l.id, 'ended',
      CASE WHEN fate < 0.62 THEN 'answered' WHEN fate < 0.72 THEN 'abandoned_in_greeting'
        WHEN fate < 0.78 THEN 'short_abandon' WHEN fate < 0.95 THEN 'abandoned_in_queue'
        WHEN fate < 0.98 THEN 'voicemail' ELSE 'out_of_hours' END,
      CASE WHEN luck < 0.8 THEN 'sr' ELSE 'en' END, luck < 0.02, 'e164', NULL,
      int4send((random() * %(size)s / 3)::int), true, m.at,
      CASE WHEN fate < 0.62 OR fate >= 0.72 AND fate < 0.95 THEN m.at + interval '12 s' END, 1,
      CASE WHEN fate < 0.62 THEN m.at + (12 + wait) * interval '1 s' END,
      m.at + CASE WHEN fate < 0.62 THEN 12 + wait + talk ELSE 12 + wait END * interval '1 s',
      'caller', m.at, 5
    FROM made m JOIN (SELECT id, row_number() OVER (ORDER BY number) - 1 AS n FROM lines) l
      ON l.n = m.l
    """,
    """
    INSERT INTO offers (id, call_id, counsellor_id, state, opened_at, expires_at, accepted_at,
      connected_at, released_at)
    SELECT gen_random_uuid(), m.id, w.id, 'connected', m.at + interval '13 s',
      m.at + interval '33 s', m.at + (12 + wait) * interval '1 s',
      m.at + (12 + wait) * interval '1 s', m.at + (12 + wait + talk) * interval '1 s'
    FROM made m JOIN who w ON w.n = m.c WHERE fate < 0.62
    """,
    """
    INSERT INTO offers (id, call_id, counsellor_id, state, opened_at, expires_at, released_at)
    SELECT gen_random_uuid(), m.id, w.id, 'missed', m.at + interval '13 s',
      m.at + interval '33 s', m.at + interval '33 s'
    FROM made m JOIN who w ON w.n = (m.c + 1) %% %(counsellors)s WHERE luck < 0.1 AND fate < 0.95
      AND fate >= 0.62
    """,
    """
    INSERT INTO call_events (call_id, kind, source, at, detail, previous, hash)
    SELECT m.id, e.kind, 'provider', m.at + e.after * interval '1 s', '{}', '', ''
    FROM made m CROSS JOIN (VALUES ('ring', 0), ('enter_queue', 12), ('offer', 13), ('connect', 20),
      ('end', 400)) AS e (kind, after)
    """,
    """
    INSERT INTO call_events (call_id, kind, source, at, detail, previous, hash)
    SELECT m.id, e.kind, 'person', m.at + (12 + wait + e.after) * interval '1 s', '{}', '', ''
    FROM made m CROSS JOIN (VALUES ('hold', 20), ('resume', 45)) AS e (kind, after)
    WHERE fate < 0.62 AND luck > 0.95
    """,
    """
    INSERT INTO presence_changes (counsellor_id, at, before, after, cause)
    SELECT w.id, m.at + (12 + wait + talk) * interval '1 s' + e.after * interval '1 s',
      e.before, e.now, ''
    FROM made m JOIN who w ON w.n = m.c CROSS JOIN (VALUES (0, 'on_call', 'wrap_up'),
      (40, 'wrap_up', 'available')) AS e (after, before, now)
    WHERE fate < 0.62
    """,
    """
    INSERT INTO contacts (id, code, form, form_version, categories, categories_version, places,
      places_version, team, opened_at, answers, owner_id, call_id, state, channel, source, taken_at,
      kind, place, urgency, closed_as, completed_at)
    SELECT gen_random_uuid(), 'K-' || m.n, 'contact', %(form)s, 'chi', 1, 'rs', 1, '', m.at,
      jsonb_build_object(
        'contact.kind', 'child', 'contact.place', p.code,
        'contact.categories', CASE WHEN luck < 0.3 THEN jsonb_build_array(k.code, 'FR-GENERAL')
          ELSE jsonb_build_array(k.code) END,
        'child.a', 1, 'child.a.age', m.n %% 18,
        'child.a.gender', CASE WHEN luck < 0.55 THEN 'girl' ELSE 'boy' END),
      w.id, m.id, 'complete', 'call', 'live', m.at, 'child', p.code, 'routine', NULL, m.at
    FROM made m JOIN who w ON w.n = m.c
    JOIN (VALUES (0, 'RS-BG'), (1, 'RS-01'), (2, 'RS-08'), (3, 'RS-09'), (4, 'RS-16'))
      AS p (n, code)
      ON p.n = m.n %% 5
    JOIN (VALUES (0, 'V-PHYSICAL'), (1, 'MH-FEAR'), (2, 'PR-FRIENDS'), (3, 'EO-SCHOOL'),
      (4, 'MH-SUICIDE'), (5, 'V-BULLYING'), (6, 'S-BEHAVIOUR')) AS k (n, code) ON k.n = m.n %% 7
    WHERE fate < 0.62
    """,
    "DROP TABLE made",
]


def fill(url: str, size: int) -> None:
    """Write rows like those of the verbs, without triggers; create the indexes afterwards."""
    form = load(None).form_for("contact").version
    values = {"year": YEAR, "size": size, "counsellors": COUNSELLORS, "form": form}
    with psycopg.connect(as_role(url, SUPERUSER), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("SET max_parallel_maintenance_workers = 1")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s)"
            " AND schemaname = 'public' AND indexname NOT LIKE 'pk_%%'"
            " AND indexname NOT LIKE 'uq_%%'",
            (list(_TABLES),),
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for statement in _FILL:
            connection.execute(statement, values)
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute("VACUUM ANALYZE")


async def _keep(url: str, size: int) -> None:
    async with stage_on(url, clock=SteppedClock(NOW), with_server=False) as stage:
        begun, days = time.monotonic(), 0
        while made := await keep_days(stage.ground, await days_to_keep(stage.ground, NOW, 62), NOW):
            days += made
        spent = time.monotonic() - begun
        report(f"statistics: a day of {size // 365} calls kept", spent / days, None, "s", None)


# -- summaries -----------------------------------------------------------------------------------


async def _summaries(url: str, size: int) -> dict[str, float]:
    """Time summaries in a process like a web process; report the median of three."""
    answer = await asyncio.to_thread(_run_child, url, "summaries")
    rows = json.loads(answer.strip().splitlines()[-1])
    for name, seconds in rows["seconds"].items():
        report(
            f"statistics: {size} calls, {name}",
            seconds,
            None,
            "s",
            TARGETS.get(size),
            at_least=False,
        )
    report(f"statistics: {size} calls, most memory of a summary", rows["mb"], None, "MB", None)
    found: dict[str, float] = rows["seconds"]
    return found


def _run_child(url: str, what: str, *more: str) -> str:
    environment = environment_of(url, "http://127.0.0.1:1")
    done = subprocess.run(
        [sys.executable, "-m", "app.demo.bench.statistics", what, *more],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return done.stdout


async def _child_summaries() -> dict[str, Any]:
    from app.jobs.transaction import transaction
    from app.reading_settings import read_settings
    from app.statistics.counting.summary import FiguresWanted, summarise
    from app.statistics.exports.exporting import read_by, read_period
    from app.statistics.periods import Window
    from app.work import PROGRAM, make_ground

    ground = make_ground(read_settings(), SteppedClock(NOW))
    window = Window(YEAR.date(), YEAR.replace(year=YEAR.year + 1).date())
    seconds: dict[str, float] = {}
    try:
        for name, given in SUMMARIES.items():
            options = given
            asked = FiguresWanted(
                window, read_period(options.get("period")), read_by(options.get("by") or [])
            )
            times = []
            for _ in range(3):
                begun = time.monotonic()
                async with transaction(ground, PROGRAM) as work:
                    summary = await summarise(work, asked)
                times.append(time.monotonic() - begun)
                assert summary.total.sums["calls"] > 0
            seconds[name] = sorted(times)[1]
    finally:
        await ground.database.close()
    return {"seconds": seconds, "mb": _peak()}


def _peak() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- exports -------------------------------------------------------------------------------------


async def _exports(url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="hl", dir="/tmp") as folder:
        path = Path(folder) / "calls.csv"
        whole, memory, rows = await asyncio.to_thread(_export, url, "csv", path)
        floor = await asyncio.to_thread(_copy, url, path)
        ours = float(await asyncio.to_thread(_run_child, url, "csv", str(path)))
        report("statistics: calls to CSV", rows / ours, rows / floor, "rows/s", 0.5)
        report("statistics: the whole command, from its start", whole, None, "s", None)
        report("statistics: memory of that export", memory, None, "MB", 200.0, at_least=False)
        for kind in ("parquet", "json"):
            spent, memory, rows = await asyncio.to_thread(
                _export, url, kind, Path(folder) / f"calls.{kind}"
            )
            report(f"statistics: calls to {kind}", rows / spent, None, "rows/s", None)
            report(
                f"statistics: memory of that export ({kind})",
                memory,
                None,
                "MB",
                200.0,
                at_least=False,
            )
        spent, memory, few = await asyncio.to_thread(
            _export, url, "xlsx", Path(folder) / "calls.xlsx", days=60
        )
        report("statistics: calls to XLSX", few / spent, None, "rows/s", None)


def _export(url: str, kind: str, path: Path, days: int = 365) -> tuple[float, float, int]:
    """Run the command. Return its seconds, its peak memory in megabytes, and the rows."""
    until = (YEAR + timedelta(days=days)).date()
    begun = time.monotonic()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "app.cli",
            "export",
            "calls",
            "--from",
            str(YEAR.date()),
            "--to",
            str(until),
            "--format",
            kind,
            "--output",
            str(path),
        ],
        env=environment_of(url, "http://127.0.0.1:1"),
        stderr=subprocess.DEVNULL,
    )
    watched, most = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            most = max(most, watched.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.02)
    spent = time.monotonic() - begun
    if process.wait():
        raise RuntimeError(f"the export of {kind} failed")
    return spent, most / 1024 / 1024, _rows_of(kind, path)


def _rows_of(kind: str, path: Path) -> int:
    if kind != "csv":
        import pyarrow.parquet as pq

        if kind == "parquet":
            return int(pq.read_metadata(path).num_rows)
        if kind == "json":
            with path.open("rb") as file:
                return sum(line.startswith(b'{"id"') for line in file)
        with zipfile.ZipFile(path) as book, book.open("xl/worksheets/sheet1.xml") as sheet:
            return (
                sum(piece.count(b"<row ") for piece in iter(lambda: sheet.read(1 << 20), b"")) - 1
            )
    with path.open("rb") as file:
        return sum(1 for line in file if not line.startswith(b"#")) - 1


def _copy(url: str, path: Path) -> float:
    """Time PostgreSQL's own COPY of a table with the same columns prepared."""
    with path.open("rb") as file:
        lines = (line for line in file if not line.startswith(b"#"))
        header = next(lines).decode().strip().replace('"', "").split(",")
        with psycopg.connect(as_role(url, SUPERUSER), autocommit=True) as connection:
            columns = ", ".join(f'"{name}" {_type_of(name)}' for name in header)
            connection.execute(f"CREATE TABLE flat_calls ({columns})")
            with connection.cursor() as cursor:
                with cursor.copy("COPY flat_calls FROM STDIN CSV") as copy:
                    for line in lines:
                        copy.write(line)
                connection.execute("VACUUM ANALYZE flat_calls")
                begun = time.monotonic()
                with (
                    Path(f"{path}.floor").open("wb") as out,
                    cursor.copy("COPY flat_calls TO STDOUT CSV HEADER") as copy,
                ):
                    for piece in copy:
                        out.write(piece)
                return time.monotonic() - begun


def _type_of(name: str) -> str:
    if name.endswith("_at"):
        return "timestamptz"
    if name == "arrived_local":
        return "timestamp"
    if name.endswith("_seconds") or name in (
        "offers",
        "missed_offers",
        "declined_offers",
        "transfers",
        "returned_to_queue",
    ):
        return "int"
    return "boolean" if name in ("is_call", "danger", "called_before") else "text"


async def _child_export(path: Path) -> float:
    """Return the seconds from the first query to the last byte, as for a COPY."""
    from app.jobs.transaction import transaction
    from app.reading_settings import read_settings
    from app.statistics.exports.exporting import made, read_wanted
    from app.statistics.exports.files import File
    from app.work import PROGRAM, make_ground

    ground = make_ground(read_settings(), SteppedClock(NOW))
    days = str(YEAR.date()), str(YEAR.replace(year=YEAR.year + 1).date())
    try:
        begun = time.monotonic()
        async with (
            transaction(ground, PROGRAM) as work,
            made(work, read_wanted(File.CALLS, *days, "csv")) as one,
        ):
            with path.open("wb") as file:
                async for piece in one.pieces("csv"):
                    file.write(piece)
        return time.monotonic() - begun
    finally:
        await ground.database.close()


if __name__ == "__main__":
    if sys.argv[1] == "summaries":
        print(json.dumps(asyncio.run(_child_summaries())))
    else:
        print(asyncio.run(_child_export(Path(sys.argv[2]))))
