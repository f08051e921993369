"""A server whose segments hang on the way to the back-ups is told, as one whose segments fail."""

import asyncio
import subprocess
from pathlib import Path

import psycopg
import pytest

from app.clock import SystemClock
from app.database.embedded import folder_of
from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.database.running import database_of
from app.safekeeping.backups import making
from app.safekeeping.backups.places import BackupRefused, places_in
from app.settings import Settings
from tests.safekeeping.kept_lines import a_folder, a_key, say
from tests.safekeeping.test_backups import kill
from tests.support.sealing.keys import KEYS, SECRET, text_of


def test_a_segment_that_is_not_put_aside_in_time_is_told(
    migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "ARCHIVED_WITHIN", 2)
    with a_folder() as folder:
        (folder / "var").mkdir()
        # With its owners: the server runs as a user of its own.
        subprocess.run(["cp", "-a", folder_of(migrated), folder_of(folder / "var")], check=True)
        settings = Settings(
            data_dir=folder / "var",
            secret_key=SECRET,
            field_keys=text_of((1, KEYS[1])),
            backup_target=folder / "target",
            backup_recipients=a_key(folder)[1],
            backup_log_seconds=3600,
        )
        with database_of(settings) as running:
            making.make_base(running, SystemClock().now())
            assert making.drain(running) == 0
            superuser = as_role(running.database_url or "", SUPERUSER)
            with psycopg.connect(superuser, autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET archive_command = 'sleep 30'")
                connection.execute("SELECT pg_reload_conf()")
            asyncio.run(say(running, "hangs"))
            with pytest.raises(BackupRefused, match="cannot put aside what it writes"):
                making.make_base(running, SystemClock().now())
            with pytest.raises(BackupRefused, match="cannot put aside what it writes"):
                making.drain(running)
            kill(settings.data_dir)
        (place,) = places_in(folder / "target")
        # A copy has what was written while it was made: it is there, and can be restored.
        assert len(place.all()) == 2
