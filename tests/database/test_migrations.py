from uuid import uuid4

import psycopg
import pytest
from alembic import command
from sqlalchemy import make_url

from app import tables
from app.database.migrate import _config, differences, engine_for, migrate, newest
from app.database.roles import OWNER, SUPERUSER, as_role


def test_the_migrations_make_what_the_models_say(database: str, server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE modelled")
        fresh = make_url(server).set(database="modelled").render_as_string(hide_password=False)
        try:
            assert differences(database, fresh, tables.metadata) == []
        finally:
            connection.execute("DROP DATABASE modelled WITH (FORCE)")


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


_ROWS = """
INSERT INTO record_events (subject_kind, subject_id, kind, at, detail, words_sealed, words_id,
                           previous, hash)
VALUES ('case', %s, 'reopened', now(), '{}', %s, gen_random_uuid(), '', '')
"""
_VERIFY = """
SELECT count(*) FROM (
  SELECT hash, record_events_digest(record_events) AS computed, previous,
         lag(hash, 1, ''::bytea) OVER (PARTITION BY subject_id ORDER BY id) AS expected
  FROM record_events
) AS linked WHERE hash <> computed OR previous <> expected
"""


@pytest.mark.parametrize("forged", [False, True])
def test_the_chain_of_records_is_linked_anew_unless_it_is_broken(
    database: str, forged: bool
) -> None:
    owner = as_role(database, OWNER)
    engine = engine_for(owner)
    with engine.connect() as connection:
        command.downgrade(_config(connection), "0011")
        connection.commit()
    with psycopg.connect(as_role(database, SUPERUSER)) as rows:
        for subject in (uuid4(), uuid4()):
            for words in (b"\x01\x01sealed", None, b"\x01\x01more"):
                rows.execute(_ROWS, [subject, words])
        if forged:
            rows.execute("SET session_replication_role = replica")
            rows.execute("UPDATE record_events SET kind = 'x' WHERE id = 2")
    if forged:
        with pytest.raises(RuntimeError, match="1 rows of record_events"):
            migrate(owner)
    else:
        migrate(owner)
        with psycopg.connect(database) as rows:
            assert rows.execute(_VERIFY).fetchall() == [(0,)]
            found = rows.execute("SELECT count(words_digest), count(*) FROM record_events")
            assert found.fetchall() == [(4, 6)]
    engine.dispose()


def test_the_newest_migration_is_the_one_that_no_other_follows(database: str) -> None:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row == (newest(),)
