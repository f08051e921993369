"""`helpline audit verify --anchor`, and commands of back-ups that need no server."""

import asyncio
from pathlib import Path

import psycopg
import pytest

from app.database.own_server import as_role
from app.database.roles import SUPERUSER
from app.jobs.transaction import flush, transaction
from app.log import set_up_logging
from app.reading_settings import read_settings
from app.safekeeping import anchors
from app.safekeeping.models import Way
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM, make_ground
from tests.support.command_line import run_main
from tests.support.documents.shell import documented


async def _anchor() -> None:
    """Make an anchor of three entries, and send it to the file."""
    ground = make_ground(read_settings())
    async with transaction(ground, PROGRAM) as work:
        work.now = work.now.replace(hour=12)
        for n in range(3):
            write_entry(work, AuditLog.LOG_CHECK_ASKED, f"s{n}")
        await flush(work)
        made = await anchors.make_anchor(work)
    assert made is not None
    await anchors.deliver(ground, made, Way.FILE)
    await ground.database.close()


def test_a_cut_log_is_told_by_the_file_of_anchors(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "anchors.jsonl"
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("HELPLINE_ANCHOR_FILE", str(file))
    asyncio.run(_anchor())
    kept = {"/mnt/elsewhere/anchors.jsonl": str(file)}
    ((*words,),) = documented("audit verify --anchor", kept)
    verify = ("audit", *words)
    code, said = run_main(capsys, *verify)
    assert (code, "1 anchors, the last of" in said, "BROKEN" in said) == (0, True, False)
    with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM audit_entries WHERE id >= 2")
    # Without the anchor the chain is whole: its end is gone.
    assert run_main(capsys, "audit", "verify")[0] == 0
    code, said = run_main(capsys, *verify)
    assert code == 1
    # The check has written its own entry since.
    assert "Entries 3 are missing." in said
    file.write_text("{cut")
    code, said = run_main(capsys, *verify)
    assert (code, "no anchor that this program wrote" in said) == (2, True)
    set_up_logging("ERROR")


def test_keys_are_made_and_a_tool_of_the_operators_is_noted(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path / "var"))
    key = tmp_path / "key"
    code, said = run_main(capsys, "backup", "key", "--output", str(key))
    assert (code, said.startswith("HELPLINE_BACKUP_RECIPIENTS=age1")) == (0, True)
    assert key.stat().st_mode & 0o777 == 0o600
    assert said.strip().partition("=")[2] in key.read_text()
    assert run_main(capsys, "backup", "key", "--output", str(key))[0] == 2, "it is not written over"
    assert run_main(capsys, "backup", "note", "dump of Monday") == (0, "")
    monkeypatch.setenv("HELPLINE_BACKUP_RECIPIENTS", said.strip().partition("=")[2])
    code, said = run_main(capsys, "backup", "make", str(tmp_path / "target"))
    assert (code, "HELPLINE_BACKUP_DATABASE_URL" in said) == (2, True)
    set_up_logging("ERROR")
