"""A server whose command of the archive hangs is told of, as one whose command fails."""

import asyncio
import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import psycopg
import pytest

from app.clock import SystemClock
from app.database.embedded import folder_of
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.database.running import database_of
from app.safekeeping.backups import making
from app.safekeeping.backups.places import BackupRefused
from app.settings import Settings
from tests.support.profile import by_day
from tests.support.safekeeping.kept_lines import a_folder, a_key, say, settings_in

pytestmark = pytest.mark.whole

HOUR = 3600
# As of a server that was started long ago.
_STARTED_LONG_AGO = making.OVERDUE.replace("pg_postmaster_start_time()", "'-infinity'")


@pytest.fixture(scope="module")
def hanging(migrated: Path) -> Iterator[tuple[Settings, Path]]:
    """A server whose command hangs from its start, and the file of a segment that waits for it."""
    with a_folder() as folder:
        settings = settings_in(
            folder,
            migrated,
            backup_target=folder / "target",
            backup_recipients=a_key(folder)[1],
            backup_log_seconds=HOUR,
        )
        server, hangs = folder_of(settings.data_dir), settings.data_dir / "hangs"
        hangs.touch()
        with (server / "postgresql.auto.conf").open("a") as file:
            file.write(f"archive_command = 'while test -e {hangs}; do sleep 0.1; done'\n")
        with database_of(settings) as running:
            asyncio.run(say(running, "waits"))
            superuser = as_role(running.database_url or "", SUPERUSER)
            with psycopg.connect(superuser, autocommit=True) as connection:
                connection.execute("SELECT pg_switch_wal()")
            (waits,) = (server / "pg_wal" / "archive_status").glob("*.ready")
            yield running, waits
            # Else its server would wait for the command when it stops.
            hangs.unlink()


@pytest.mark.parametrize(("is_old", "has_tried"), by_day(product([True, False], [False, True]), 2))
def test_a_segment_that_waits_for_longer_than_the_bound_is_told(
    hanging: tuple[Settings, Path],
    monkeypatch: pytest.MonkeyPatch,
    is_old: bool,
    has_tried: bool,
) -> None:
    settings, waits = hanging
    monkeypatch.setattr(making, "HANGS_AFTER", HOUR)
    if not has_tried:
        monkeypatch.setattr(making, "OVERDUE", _STARTED_LONG_AGO)
    since = SystemClock().now().timestamp() - (2 * HOUR if is_old else 0)
    os.utime(waits, (since, since))
    if is_old and not has_tried:
        with pytest.raises(BackupRefused, match="cannot put aside what it writes"):
            making.drain(settings)
    else:
        assert making.drain(settings) == 0


def test_a_clock_that_was_set_back_hides_no_command_that_hangs(
    hanging: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, waits = hanging
    tomorrow = _STARTED_LONG_AGO.replace("last_archived_time", "now() + interval '1 day'")
    monkeypatch.setattr(making, "OVERDUE", tomorrow)
    os.utime(waits, (0, 0))
    with pytest.raises(BackupRefused, match="cannot put aside what it writes"):
        making.drain(settings)
