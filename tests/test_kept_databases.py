"""A database that tests share is empty for the next one, or dropped if more than rows changed."""

import psycopg
import pytest

from tests.support.kept import databases
from tests.support.kept.databases import database_for_a_test, named, put_back
from tests.support.profile import WHOLE


@pytest.fixture
def name(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database whose last test this is not, however many have used it."""
    monkeypatch.setattr(databases, "TESTS", 1_000)
    return database_for_a_test(server)


def _given_again(server: str, name: str, sql: str) -> bool:
    """Return whether a database in which this was done is the next test's, too."""
    with psycopg.connect(named(server, name), autocommit=True) as connection:
        connection.execute(sql)
    put_back(server, name)
    again = database_for_a_test(server)
    with psycopg.connect(named(server, again), autocommit=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM rate_limits), nextval('audit_entries_id_seq')"
        ).fetchone()
    put_back(server, again)
    assert row == (0, 1)
    return again == name


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO rate_limits (key_hash, hits, expires_at) VALUES ('a', '{}', now())",
        "SELECT nextval('audit_entries_id_seq')",
        "SELECT setval('audit_entries_id_seq', 7, false)",
    ],
)
def test_rows_and_counters_are_put_back(server: str, name: str, sql: str) -> None:
    assert _given_again(server, name, sql)


# Each makes a database. The first three change a column, a trigger and what is no table.
_CHANGES = [
    "ALTER TABLE calls ALTER COLUMN line_id SET NOT NULL",
    "ALTER TABLE audit_entries DISABLE TRIGGER USER",
    "CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE calls ADD COLUMN more int",
    "CREATE TABLE more (id int)",
    "ALTER TABLE calls SET (fillfactor = 50)",
    "ALTER TABLE calls ADD CHECK (state <> 'more')",
    "CREATE INDEX more ON calls (state)",
]


@pytest.mark.parametrize("sql", _CHANGES if WHOLE else _CHANGES[:3])
def test_a_database_of_which_more_has_changed_is_given_to_no_test(
    server: str, name: str, sql: str
) -> None:
    assert not _given_again(server, name, sql)


def test_a_connection_that_a_test_has_left_open_is_ended(server: str, name: str) -> None:
    with psycopg.connect(named(server, name), autocommit=True) as left:
        assert _given_again(server, name, "SELECT 1")
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
