"""Days of facts: kept once a day is over, made again when the record has changed, never stale.

A kept day is a copy. Triggers delete it in the transaction that changes what it counts
(`statistics_of_...` in the first migration). A writer takes a shared lock on the day, and the job
that makes the copy takes an exclusive one, so that no change slips in between. A day that is not
kept is counted from the record each time.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg.rows import tuple_row

from app.contacts.registry import library_of
from app.database.engine import LONG_SECONDS, with_limits
from app.definitions import in_force
from app.definitions.library import Library
from app.errors import TooMany
from app.privacy.keys import Keys
from app.staff.audit import write_reading_of
from app.staff.log_kinds import AuditLog
from app.statistics.facts import held_time
from app.statistics.facts.columns import Block, Packed, Words, unpack
from app.statistics.facts.facts import SEALED, day_bounds, facts_of
from app.statistics.facts.presence_time import time_columns
from app.statistics.facts.questions import Questions, read_questions, version_of
from app.statistics.protection.guard import Rounding, rounding_of
from app.work import PROGRAM, Ground

# A day is kept once it has been over for this long: by then its talks and wrap-ups have ended.
REST = timedelta(hours=2)
# How many facts are joined into one block, and how many days are fetched in one query.
AT_ONCE = 20_000
_DAYS_AT_ONCE = 14
_LOCK = 710007
# Readings that one process runs at the same time; further ones wait for a place.
_READINGS = 4
# Seconds that a reading waits for a place.
_PATIENCE = 30
_EPOCH = date(2000, 1, 1)
_PLACE = {"table": "statistic_columns", "column": "data_sealed"}
# Within this time, counting a day once more adds no row to the log.
_ONE_READING = timedelta(hours=1)
_MOST_REMEMBERED = 5_000

Connection = psycopg.AsyncConnection[Any]


@dataclass
class Reading:
    """One reading of the facts: everything in it is as of one instant."""

    ground: Ground
    connection: Connection
    now: datetime
    library: Library
    asked: Questions
    words: dict[str, Words] = field(default_factory=dict)

    rounding: Rounding | None = None
    # The first day with any record; None: there are no records.
    first: date | None = None
    # Days that are over but not kept yet: a job should keep them.
    not_kept: list[date] = field(default_factory=list)

    @property
    def version(self) -> int:
        """The version of the way in which facts are derived now."""
        return version_of(self.asked, self.library.form_for("contact"))

    async def blocks(
        self, since: datetime, until: datetime, names: Iterable[str], at_once: int = AT_ONCE
    ) -> AsyncIterator[Block]:
        """Yield the facts of a window, some days at a time.

        The days may begin before the window and end after it.
        """
        wanted = list(names)
        gathered: list[tuple[int, dict[str, Packed]]] = []
        size = 0
        async for _, records, columns in self.each_day(since, until, wanted):
            gathered.append((records, columns))
            size += records
            if size >= at_once:
                yield unpack(gathered, self.words)
                gathered, size = [], 0
        if gathered:
            yield unpack(gathered, self.words)

    async def times(self, since: datetime, until: datetime, prefix: str) -> AsyncIterator[Block]:
        """Yield counsellors' time, the lines' coverage or the conversations held, like `blocks`."""
        names = [name for name in (*_TIME, *_HELD) if name.startswith(prefix)]
        gathered = []
        async for _, _, columns in self.each_day(since, until, names):
            count = len(unpack_count(columns[names[0]]))
            gathered.append((count, columns))
        yield unpack(gathered, self.words)

    async def each_day(
        self, since: datetime, until: datetime, names: list[str]
    ) -> AsyncIterator[tuple[date, int, dict[str, Packed]]]:
        """Yield every day of a window (in UTC) with the wanted columns."""
        days = self.days(since, until)
        chunks = [days[n : n + _DAYS_AT_ONCE] for n in range(0, len(days), _DAYS_AT_ONCE)]
        coming: asyncio.Task[dict[date, tuple[int, dict[str, Packed]]]] | None = None
        try:
            for n, some in enumerate(chunks):
                kept = await (coming or self.kept(some[0], some[-1], names))
                # The next days are fetched while these are counted.
                coming = None
                if n + 1 < len(chunks):
                    after = chunks[n + 1]
                    coming = asyncio.create_task(self.kept(after[0], after[-1], names))
                for day in some:
                    if day in kept:
                        yield day, *kept.pop(day)
                    else:
                        records, columns = await self.count(day, names)
                        yield day, records, columns
        finally:
            if coming is not None and not coming.done():
                coming.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await coming

    def days(self, since: datetime, until: datetime) -> list[date]:
        """Return the days (in UTC) of a window that may hold records."""
        if self.first is None:
            return []
        return list(days_of(max(since, day_bounds(self.first)[0]), until))

    async def kept(
        self, first: date, last: date, names: list[str]
    ) -> dict[date, tuple[int, dict[str, Packed]]]:
        """Return the days that are kept with all these columns, the last day included."""
        cursor = self.connection.cursor(row_factory=tuple_row, binary=True)
        await cursor.execute(
            "SELECT d.day, d.records, c.name, c.kind, c.words, c.offsets, c.data, c.id,"
            " c.data_sealed"
            " FROM statistic_days d JOIN statistic_columns c ON c.day = d.day"
            " WHERE d.day BETWEEN %s AND %s AND d.version = %s AND c.name = ANY(%s)",
            (first, last, self.version, names),
        )
        found: dict[date, tuple[int, dict[str, Packed]]] = {}
        for day, records, name, kind, words, offsets, data, row, sealed in await cursor.fetchall():
            packed = Packed(name, kind, words, offsets, data)
            if sealed is not None:
                packed = _opened(self.ground.keys, name, kind, row, sealed)
            found.setdefault(day, (records, {}))[1][name] = packed
        # In the order of `names`, whatever the order on the disk.
        return {
            day: (records, {name: columns[name] for name in names})
            for day, (records, columns) in found.items()
            if len(columns) == len(names)
        }

    async def count(self, day: date, names: list[str]) -> tuple[int, dict[str, Packed]]:
        """Count a day that is not kept: how many records, and these columns."""
        if is_over(day, self.now):
            self.not_kept.append(day)
        since, until = day_bounds(day)
        records = 0
        columns: dict[str, Packed] = {}
        if any(name in _TIME for name in names):
            columns |= await time_columns(self.connection, since, until, self.now)
        if any(name in _HELD for name in names):
            columns |= await held_time.held_columns(self.connection, since, until, self.now)
        if any(name not in _TIME and name not in _HELD for name in names):
            keys = self.ground.keys if SEALED & set(names) else None
            if keys is not None:
                await note_facts(self.ground, day, self.now)
            records, facts = await facts_of(
                self.connection, since, until, self.library, self.asked, keys
            )
            columns |= facts
        return records, {name: columns[name] for name in names}


_FIRST = """
SELECT (least((SELECT min(opened_at) FROM calls), (SELECT min(taken_at) FROM contacts),
  (SELECT min(at) FROM presence_changes)) AT TIME ZONE 'UTC')::date
"""
_HELD = held_time.COLUMNS
_TIME = (
    "time_counsellor",
    "time_at",
    "time_available",
    "time_offered",
    "time_on_call",
    "time_writing",
    "time_wrap_up",
    "time_break",
    "time_away",
    "covered_line",
    "covered_at",
    "covered_seconds",
)


def unpack_count(packed: Packed) -> range:
    """Return a range as long as the column has rows."""
    width = int(packed.kind.partition(":")[2][1:])
    return range(len(packed.data) // width)


def days_of(since: datetime, until: datetime) -> Iterable[date]:
    """Yield the days in UTC that a window touches."""
    day = since.astimezone(UTC).date()
    while datetime(day.year, day.month, day.day, tzinfo=UTC) < until:
        yield day
        day += timedelta(days=1)


def is_over(day: date, now: datetime) -> bool:
    return day_bounds(day)[1] + REST <= now


@asynccontextmanager
async def _place(ground: Ground) -> AsyncIterator[None]:
    """Hold one of the few places of this process. Raises TooMany after `_PATIENCE` seconds."""
    places: asyncio.Semaphore = ground.kept.setdefault("statistics", asyncio.Semaphore(_READINGS))
    try:
        await asyncio.wait_for(places.acquire(), _PATIENCE)
    except TimeoutError:
        raise TooMany("Too many statistics are being counted. Try again in a minute.") from None
    try:
        yield
    finally:
        places.release()


@asynccontextmanager
async def reading(ground: Ground, now: datetime) -> AsyncIterator[Reading]:
    """Open one reading of the facts, in its own database snapshot. Raises TooMany."""
    library = library_of(ground)
    asked = read_questions(in_force.folder_of(ground))
    async with (
        _place(ground),
        await psycopg.AsyncConnection.connect(
            ground.database.url,
            connect_timeout=3,
            application_name="helpline statistics",
            options=with_limits(ground.database.url, statement_seconds=LONG_SECONDS),
        ) as connection,
    ):
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        row = await (await connection.execute(_FIRST)).fetchone()
        rounding = rounding_of(ground.keys)
        yield Reading(
            ground,
            connection,
            now,
            library,
            asked,
            rounding=rounding,
            first=row[0] if row else None,
        )


async def keep_days(ground: Ground, days: Iterable[date], now: datetime) -> int:
    """Make the copies of days that are over and not kept; return how many were made.

    A day that a writer is changing at the moment is left for the next run.
    """
    library = library_of(ground)
    asked = read_questions(in_force.folder_of(ground))
    made = 0
    async with await psycopg.AsyncConnection.connect(
        ground.database.url,
        connect_timeout=3,
        application_name="helpline statistics",
        options=with_limits(ground.database.url, statement_seconds=LONG_SECONDS),
    ) as connection:
        for day in days:
            if is_over(day, now):
                async with connection.transaction():
                    made += await keep(ground, connection, day, library, asked, now)
    return made


async def keep(
    ground: Ground,
    connection: Connection,
    day: date,
    library: Library,
    asked: Questions,
    now: datetime,
) -> bool:
    """Keep a day, unless it is kept already or another process does so. Return whether it was."""
    row = await (
        await connection.execute(
            # Exclusive for this day; shared with other days, but not with a deletion of all days.
            "SELECT pg_try_advisory_xact_lock(%s, %s) AND pg_try_advisory_xact_lock_shared(%s, -1)",
            (_LOCK, (day - _EPOCH).days, _LOCK),
        )
    ).fetchone()
    if row is None or not row[0]:
        return False
    known = await connection.execute("SELECT version FROM statistic_days WHERE day = %s", (day,))
    found = await known.fetchone()
    version = version_of(asked, library.form_for("contact"))
    if found is not None and found[0] == version:
        return False
    await connection.execute("DELETE FROM statistic_days WHERE day = %s", (day,))
    since, until = day_bounds(day)
    await note_facts(ground, day, now)
    records, columns = await facts_of(connection, since, until, library, asked, ground.keys)
    columns |= await time_columns(connection, since, until, now)
    columns |= await held_time.held_columns(connection, since, until, now)
    await connection.execute(
        "INSERT INTO statistic_days (day, made_at, records, version) VALUES (%s, %s, %s, %s)",
        (day, now, records, version),
    )
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO statistic_columns (day, name, kind, words, offsets, data, id, data_sealed)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [(day, *_stored(ground.keys, column)) for column in columns.values()],
        )
    return True


def _stored(keys: Keys, column: Packed) -> tuple[Any, ...]:
    """Return a column as its row holds it: sealed, if it is made of what a child told."""
    row = uuid4()
    if column.name not in SEALED:
        return column.name, column.kind, column.words, column.offsets, column.data, row, None
    parts = [column.offsets, column.data]
    head = json.dumps([column.words, *(None if p is None else len(p) for p in parts)])
    body = head.encode() + b"\n" + b"".join(p or b"" for p in parts)
    return column.name, column.kind, None, None, b"", row, keys.seal(body, **_PLACE, row=row)


def _opened(keys: Keys, name: str, kind: str, row: UUID, sealed: bytes) -> Packed:
    head, _, body = keys.open(bytes(sealed), **_PLACE, row=row).partition(b"\n")
    words, offsets, _data = json.loads(head)
    if offsets is None:
        return Packed(name, kind, words, None, body)
    return Packed(name, kind, words, body[:offsets], body[offsets:])


async def note_facts(ground: Ground, day: date, now: datetime) -> None:
    """Write to the log that the statistics open the special codes of a day, before they do.

    A day that is counted again and again, such as the present one, has a row an hour.
    """
    known: dict[date, datetime] = ground.kept.setdefault("facts read", {})
    if known.get(day, now) <= now:
        await write_reading_of(ground, PROGRAM, now, AuditLog.FACTS_READ, f"facts:{day}")
        if len(known) > _MOST_REMEMBERED:
            known.clear()
        known[day] = now + _ONE_READING


async def days_to_keep(ground: Ground, now: datetime, limit: int = 62) -> list[date]:
    """Return days since the first record that are over and not kept, the newest first."""
    asked = read_questions(in_force.folder_of(ground))
    version = version_of(asked, library_of(ground).form_for("contact"))
    async with await psycopg.AsyncConnection.connect(
        ground.database.url,
        options=with_limits(ground.database.url, statement_seconds=LONG_SECONDS),
    ) as connection:
        rows = await connection.execute(
            "WITH first AS (SELECT least((SELECT min(opened_at) FROM calls),"
            " (SELECT min(taken_at) FROM contacts), (SELECT min(at) FROM presence_changes)) AS at)"
            " SELECT d::date FROM first, generate_series("
            "   (first.at AT TIME ZONE 'UTC')::date::timestamp,"
            "   (%(now)s AT TIME ZONE 'UTC')::date::timestamp, '1 day') AS d"
            " WHERE NOT EXISTS (SELECT FROM statistic_days k WHERE k.day = d::date"
            "   AND k.version = %(version)s)"
            " ORDER BY d DESC LIMIT %(limit)s",
            {"now": now, "version": version, "limit": limit},
        )
        return [row[0] for row in await rows.fetchall() if is_over(row[0], now)]
