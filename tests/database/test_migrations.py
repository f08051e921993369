"""The migrations make what the models say, once, and only go forward."""

import sys
from importlib import import_module
from pathlib import Path

import psycopg
import pytest

import migrations.versions
from app.cli import main
from app.database.migrate import migrate, newest
from app.database.own_server import as_role
from app.database.roles import OWNER, SUPERUSER


def test_the_migrations_make_what_the_models_say(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HELPLINE_DATABASE_URL", database)
    monkeypatch.setenv("HELPLINE_MIGRATION_DATABASE_URL", as_role(database, SUPERUSER))
    monkeypatch.setenv("HELPLINE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["helpline", "migrate", "--check"])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    assert (end.value.code, said.out) == (0, "The database is up to date.\n"), said


def test_migrating_twice_is_the_same(database: str) -> None:
    found = []
    for _ in range(2):
        migrate(as_role(database, OWNER))
        with psycopg.connect(database) as connection:
            rows = connection.execute(
                "SELECT version_num, (SELECT count(*) FROM pg_class) FROM alembic_version"
            )
            found.append(rows.fetchall())
    assert found[0] == found[1]
    assert len(found[0]) == 1, "one version is in force"


def test_no_migration_goes_back() -> None:
    folder = Path(migrations.versions.__file__).parent
    names = sorted(path.stem for path in folder.glob("0*.py"))
    assert names[0] == "0001_the_first_tables"
    loaded = {name: import_module(f"migrations.versions.{name}") for name in names}
    assert [name for name in names if not hasattr(loaded[name], "upgrade")] == []
    assert [name for name in names if hasattr(loaded[name], "downgrade")] == []
    assert "downgrade" not in (folder.parent / "script.py.mako").read_text()


def test_the_newest_migration_is_the_one_that_no_other_follows(database: str) -> None:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row == (newest(),)
