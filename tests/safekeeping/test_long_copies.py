"""A copy of a server may take as long as it likes: what is written meanwhile is kept for it."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.clock import SystemClock
from app.database.own_server import as_role
from app.database.roles import BACKUP, SUPERUSER
from app.database.running import database_of
from app.safekeeping.backups import making, replicating, restoring
from app.safekeeping.backups.places import BackupRefused, places_in
from app.settings import Settings
from tests.support.profile import nightly
from tests.support.safekeeping.kept_lines import a_folder, a_key, say, settings_in, subjects

pytestmark = pytest.mark.whole


@dataclass(frozen=True)
class Running:
    """A running server, with the private key of its back-ups."""

    folder: Path
    settings: Settings
    key: Path
    superuser: psycopg.Connection[Any]

    def slots(self) -> list[str]:
        rows = self.superuser.execute("SELECT slot_name FROM pg_replication_slots").fetchall()
        return [str(row[0]) for row in rows]

    def keeps_nothing(self) -> bool:
        """Return whether no slot is left once the server has noticed that a connection ended."""
        until = time.monotonic() + 20
        while self.slots() and time.monotonic() < until:
            time.sleep(0.05)
        return not self.slots()

    def drop_slots(self) -> None:
        """Remove those that stay, once the server has noticed that their connections ended."""
        self.superuser.execute(
            "SELECT pg_terminate_backend(active_pid, 20000) FROM pg_replication_slots WHERE active"
        )
        self.superuser.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE NOT temporary"
        )

    def goes_on_for_long(self) -> None:
        """Do what an ordinary server does in ten minutes: segments end, and checkpoints come."""
        for _ in range(3):
            asyncio.run(say(self.settings, "meanwhile"))
            self.superuser.execute("SELECT pg_switch_wal()")
            self.superuser.execute("CHECKPOINT")


@pytest.fixture(scope="module")
def own(migrated: Path) -> Iterator[Running]:
    with a_folder() as folder:
        key, public = a_key(folder)
        settings = settings_in(folder, migrated, backup_recipients=public)
        with (
            database_of(settings) as running,
            psycopg.connect(
                as_role(running.database_url or "", SUPERUSER), autocommit=True
            ) as superuser,
        ):
            yield Running(folder, running, key, superuser)


def during_the_copy(monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:
    """Let something happen when the first piece of a copy has come."""
    copied = replicating.copied

    def slowly(*given: Any) -> Iterator[bytes]:
        pieces = copied(*given)
        yield next(pieces)
        happens()
        yield from pieces

    monkeypatch.setattr(making, "copied", slowly)


def test_what_is_written_during_a_slow_copy_is_kept_until_its_end(
    own: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []

    def happens() -> None:
        own.goes_on_for_long()
        held.extend(own.slots())

    during_the_copy(monkeypatch, happens)
    making.make_base(own.settings, SystemClock().now(), own.folder / "target")
    assert len(held) == 1
    assert own.keeps_nothing()
    restored = own.folder / "restored"
    restoring.restore(own.folder / "target", restored, own.key)
    again = own.settings.model_copy(update={"data_dir": restored, "database_url": None})
    with database_of(again) as running:
        assert subjects(running.database_url or "") == subjects(own.settings.database_url or "")


@nightly
def test_what_is_brought_during_a_slow_copy_of_another_server_is_kept_for_the_copy(
    own: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker brings every minute what was written, and lets the server forget it."""
    settings = own.settings.model_copy(
        update={
            "backup_database_url": as_role(own.settings.database_url or "", BACKUP),
            "backup_target": own.folder / "theirs",
        }
    )

    def happens() -> None:
        for _ in range(2):
            own.goes_on_for_long()
            making.drain(settings)
        own.goes_on_for_long()

    during_the_copy(monkeypatch, happens)
    try:
        making.make_base(settings, SystemClock().now())
    finally:
        own.drop_slots()
    assert own.keeps_nothing()
    (place,) = places_in(own.folder / "theirs")
    assert len(place.all()) == 1
    assert place.gaps() == []


def test_a_copy_whose_process_is_killed_leaves_nothing_that_fills_the_disk(own: Running) -> None:
    with replicating.linked(as_role(own.settings.database_url or "", BACKUP)) as link:
        replicating.hold(link)
        pieces = replicating.copied(link, "killed")
        next(pieces)
        assert len(own.slots()) == 1
        # What the system does with the connection of a process that is gone.
        with socket.socket(fileno=os.dup(link.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)
        assert own.keeps_nothing()
        with pytest.raises((BackupRefused, psycopg.Error)):
            list(pieces)


def test_a_copy_that_holds_too_much_ends_before_the_disk_is_full(
    own: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    row: Any = own.superuser.execute("SHOW max_slot_wal_keep_size").fetchone()
    assert re.fullmatch(r"\d+GB", row[0])
    own.superuser.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    own.superuser.execute("SELECT pg_reload_conf()")
    try:
        during_the_copy(monkeypatch, own.goes_on_for_long)
        with pytest.raises(BackupRefused):
            making.make_base(own.settings, SystemClock().now(), own.folder / "small")
    finally:
        own.superuser.execute("ALTER SYSTEM RESET max_slot_wal_keep_size")
        own.superuser.execute("SELECT pg_reload_conf()")
    assert own.keeps_nothing()
    (place,) = places_in(own.folder / "small")
    assert list(place.bases.iterdir()) == []
