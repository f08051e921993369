"""A file is written in constant memory, by a command that loads only what it needs.

Each is measured in a process of its own: memory that other tests have used does not count.
"""

import subprocess
import sys

import pytest

from tests.support.profile import WHOLE, nightly
from tests.support.program import sources

pytestmark = pytest.mark.whole

# Writes as many rows as are told, a day at a time, and prints the peak memory in megabytes: after
# a tenth of the days, when everything is loaded and at its size, and at the end.
_WRITER = """
import asyncio, resource, sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import uuid4
from app.statistics.exports.tables import OutTable, batch_of
from app.statistics.exports.record_tables import record_columns
from app.statistics.exports.writers import write
import pyarrow as pa

days, columns, peaks = int(sys.argv[2]), record_columns(("call", "staff")), []
table = OutTable("Calls", columns, [])
AT = datetime(2030, 1, 1, tzinfo=UTC)
PLAIN = {"instant": AT, "wall": AT.replace(tzinfo=None), "whole": 7, "number": 0.5, "yes_no": True,
         "texts": ["one", "two"], "text": "a word"}

def day():
    return [[PLAIN.get(c.kind, "") for c in columns] for _ in range(2700)]

async def batches():
    # The same rows each day, with other ids: making new rows would take longer than writing them.
    batch = batch_of(table, day())
    for number in range(days):
        ids = pa.array([str(uuid4()) for _ in range(batch.num_rows)])
        batch = batch.set_column(0, table.schema.field(0), ids)
        if number in (days // 10, days - 1):
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        yield batch

async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async for _ in write(table, batches(), sys.argv[1]):
        pass

asyncio.run(main())
print(*peaks, pa.mimalloc_memory_pool().max_memory(), pa.system_memory_pool().max_memory())
"""


def _run(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not WHOLE, reason="with TESTS=whole: hundreds of days are written")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_of_many_days_takes_no_more_memory_than_one_of_few(kind: str) -> None:
    early, late, kept, returned = map(float, _run(_WRITER, kind, "150"))
    assert late - early < 12, f"{late - early:.0f} MB more for 150 days than for 15"
    if kind == "parquet":
        assert kept == 0, "the writer leaves the heap alone that keeps what was freed"
        assert returned > 0


_HEAVY = {"fastapi", "uvicorn", "icalendar", "alembic", "twilio", "app.worker", "app.demo"}


def test_a_command_that_exports_loads_neither_the_server_nor_calendars() -> None:
    loaded = sources.loaded_with("app.cli.commands")
    assert "app.statistics.exports.writers" in loaded
    assert not _HEAVY & loaded


@nightly
def test_nor_does_what_it_loads_of_libraries() -> None:
    """By day it is read what our own files load."""
    loaded = set(_run("import sys, app.cli.commands; print(*sys.modules)"))
    assert "app.statistics.exports.writers" in loaded
    assert not _HEAVY & loaded
