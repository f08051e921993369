"""Databases for tests: one is emptied and used again, because making one takes half a second."""

from dataclasses import dataclass, replace
from itertools import count

import psycopg

from app.database.roles import OWNER
from tests.support.kept.connections import close_kept, kept_processes

# How many tests share a database one after the other: what was deleted leaves its pages behind.
# A new one costs a quarter of a second, and its connections have planned each statement only after
# some forty tests.
TESTS = 150


_NUMBERS = count(1)


@dataclass(frozen=True)
class _Kept:
    """A database between two tests: for how many it was used, and its fingerprint.

    The connection stays: on a new one, to look at each table takes ten times as long.
    """

    used: int
    print_: str
    connection: psycopg.Connection


_free: dict[str, list[tuple[str, _Kept]]] = {}


# By the name of a database that a test has.
_in_use: dict[str, _Kept] = {}


# Everything of a database that a test could change besides rows.
_FINGERPRINT = """
SELECT sum(known) FROM (
    SELECT hash_record_extended(ROW(oid, relkind, reloptions), 1) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT hash_record_extended(ROW(oid, tgenabled), 2) FROM pg_trigger
    WHERE NOT tgisinternal
    UNION ALL SELECT hash_record_extended(ROW(attrelid, attnum, atttypid, attnotnull), 3)
    FROM pg_attribute WHERE attrelid > 16383
    UNION ALL SELECT hash_record_extended(ROW(oid, prosrc), 4) FROM pg_proc WHERE oid > 16383
    UNION ALL SELECT hash_record_extended(ROW(oid, conbin::text), 5) FROM pg_constraint
    WHERE oid > 16383
    UNION ALL SELECT hash_record_extended(ROW(setdatabase, setconfig), 6) FROM pg_db_role_setting
) AS seen(known)
"""


_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)
AND backend_type = 'client backend'
"""


def database_for_a_test(server: str) -> str:
    """The name of a database that is migrated and empty."""
    free = _free.setdefault(server, [])
    if free:
        name, _in_use[name] = free.pop()
        return name
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_helpline OWNER {OWNER}")
    # Logs cannot be deleted from, and rows refer to one another: not here. To say so once and not
    # before each emptying keeps the plans of what it asks.
    replica = "-c session_replication_role=replica"
    connection = psycopg.connect(named(server, name), autocommit=True, options=replica)
    _in_use[name] = _Kept(0, _fingerprint(connection), connection)
    return name


def put_back(server: str, name: str) -> None:
    """Empty a database for the next test, or drop it."""
    kept = _in_use.pop(name)
    if kept.used + 1 < TESTS and _emptied(name, kept):
        _free[server].append((name, replace(kept, used=kept.used + 1)))
        return
    close_kept(name)
    kept.connection.close()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def let_go(server: str) -> None:
    """Close the connections to the databases that wait on a server."""
    for _, kept in _free.pop(server, []):
        kept.connection.close()


def _emptied(name: str, kept: _Kept) -> bool:
    connection = kept.connection
    try:
        connection.execute(_END_OTHERS, [kept_processes(name)])
        if _fingerprint(connection) != kept.print_:
            return False
        steps = [step for (step,) in connection.execute(_steps(connection), prepare=True)]
        connection.execute("; ".join(steps))
    except psycopg.Error:
        return False
    return True


def _fingerprint(connection: psycopg.Connection) -> str:
    row = connection.execute(_FINGERPRINT, prepare=True).fetchone()
    assert row is not None
    return str(row[0])


_statements: list[str] = []


def _steps(connection: psycopg.Connection) -> str:
    """One statement that looks at each table and counter, and gives what empties those in use."""
    if not _statements:
        named = "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        kinds: dict[str, str] = dict(connection.execute(named).fetchall())
        tables = [n for n, kind in kinds.items() if kind == "r" and n != "alembic_version"]
        looks = [f"SELECT 'DELETE FROM {t}' WHERE EXISTS (SELECT FROM {t})" for t in tables]
        counters = [n for n, kind in kinds.items() if kind == "S"]
        for n in counters:
            again = f"SELECT $$SELECT setval('{n}', 1, false)$$ FROM {n}"
            looks.append(f"{again} WHERE is_called OR last_value > 1")
        _statements.append(" UNION ALL ".join(looks))
    return _statements[0]


def named(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")
