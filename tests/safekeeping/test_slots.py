"""The slot of the back-ups is never left where it could fill the server's disk."""

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app.cli import main
from app.database.own_server import as_role
from app.database.roles import BACKUP, SUPERUSER
from app.jobs.transaction import transaction
from app.safekeeping.backups import making, nightly, slots, state
from app.safekeeping.backups.places import BackupRefused
from app.safekeeping.models import Backup
from app.settings import Settings
from app.work import PROGRAM, make_ground
from tests.support.sealing.keys import KEYS, SECRET, text_of

_GONE = "helpline_4000000000"


@dataclass(frozen=True)
class Server:
    """A server with a slot of ours, one of a database that is gone, and one of another helpline."""

    settings: Settings
    superuser: psycopg.Connection[Any]
    ours: str
    others: str

    def slots(self) -> set[str]:
        rows = self.superuser.execute("SELECT slot_name FROM pg_replication_slots").fetchall()
        return {str(row[0]) for row in rows}

    def runs_for_a_minute(self, **changed: Any) -> list[Backup]:
        """Let the worker's round of a minute come, and return what the page of back-ups shows."""

        async def run() -> list[Backup]:
            ground = make_ground(self.settings.model_copy(update=changed))
            try:
                await nightly.bring_log(ground)
                async with transaction(ground, PROGRAM) as work:
                    return await state.newest(work)
            finally:
                await ground.database.close()

        return asyncio.run(run())


@pytest.fixture
def theirs(database: str, tmp_path: Path) -> Iterator[Server]:
    settings = Settings(
        database_url=database,
        backup_database_url=as_role(database, BACKUP),
        backup_target=tmp_path / "target",
        secret_key=SECRET,
        field_keys=text_of((1, KEYS[1])),
    )
    with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as superuser:
        (ours, others) = (
            f"helpline_{oid}"
            for (oid,) in superuser.execute(
                "SELECT oid FROM pg_database WHERE datname IN (current_database(),"
                " 'template_helpline') ORDER BY datname <> current_database()"
            ).fetchall()
        )
        make = "SELECT pg_create_physical_replication_slot(%s, true)"
        for one in (ours, others, _GONE):
            superuser.execute(make, [one])
        yield Server(settings, superuser, ours, others)
        superuser.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


def test_a_slot_that_has_no_bound_any_more_is_let_go_and_the_page_says_so(theirs: Server) -> None:
    (row,) = theirs.runs_for_a_minute()
    assert theirs.slots() == {theirs.others}
    assert row.problem
    assert "had no bound any more, and was let go" in row.problem
    assert "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB';" in row.problem
    assert len(theirs.runs_for_a_minute()) == 1


def test_a_role_that_may_not_let_it_go_says_the_statement_once(theirs: Server) -> None:
    without = as_role(str(theirs.settings.backup_database_url), "helpline")
    (row,) = theirs.runs_for_a_minute(backup_database_url=without)
    assert len(theirs.runs_for_a_minute(backup_database_url=without)) == 1
    # Also when the role of the back-ups is not let in, and the program's own can see it.
    nowhere = "postgresql://nobody@127.0.0.1:1/nowhere"
    seen = theirs.runs_for_a_minute(backup_database_url=nowhere)[0].problem
    alone = theirs.runs_for_a_minute(backup_database_url=None)[0].problem
    off = theirs.runs_for_a_minute(backup_database_url=None, backup_target=None)[0].problem
    for problem in (row.problem, seen, alone, off):
        assert problem
        assert problem.startswith("The server keeps what is written for back-ups that are not made")
    said = re.findall(r"SELECT pg_drop_replication_slot\('[^']+'\);", str(row.problem))
    assert said
    theirs.superuser.execute(said[0].encode())
    assert len(theirs.slots()) == 2


def test_a_slot_with_a_bound_stays_when_a_back_up_is_refused_and_the_bound_is_said(
    theirs: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "LIMIT", "SELECT '20GB'")
    with pytest.raises(BackupRefused, match="at most 20GB of it"):
        making.drain(theirs.settings)
    assert theirs.ours in theirs.slots()


def test_back_ups_that_are_switched_off_leave_no_slot(theirs: Server) -> None:
    (row,) = theirs.runs_for_a_minute(backup_target=None)
    assert theirs.slots() == {theirs.others}
    assert row.problem
    assert row.problem.startswith("Back-ups are switched off.")
    assert len(theirs.runs_for_a_minute(backup_target=None)) == 1


def test_a_command_lets_it_go_when_back_ups_are_switched_off(
    theirs: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BackupRefused, match="a worker would begin again"):
        slots.stop(theirs.settings)
    assert theirs.ours in theirs.slots()
    monkeypatch.setenv("HELPLINE_DATABASE_URL", str(theirs.settings.database_url))
    monkeypatch.setenv("HELPLINE_BACKUP_DATABASE_URL", str(theirs.settings.backup_database_url))
    for says in (theirs.ours, "keeps nothing for back-ups"):
        monkeypatch.setattr(sys, "argv", ["helpline", "backup", "stop"])
        with contextlib.suppress(SystemExit):
            main()
        assert says in capsys.readouterr().out
    assert theirs.slots() == {theirs.others}
