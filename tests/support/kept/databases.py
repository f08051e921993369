"""Databases for tests: one is emptied and used again, because making one takes half a second."""

from itertools import count

import psycopg

from app.database.roles import OWNER
from tests.support.kept.connections import close_kept, kept_processes

# So many tests share a database one after the other: what was deleted leaves its pages behind.
_TESTS = 40


_NUMBERS = count(1)


_free: dict[str, list[tuple[str, int, str]]] = {}


# By the name of a database that a test has: for how many it was used, and its fingerprint.
_in_use: dict[str, tuple[int, str]] = {}


# Everything of a database that a test could change besides rows.
_FINGERPRINT = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
    SELECT format('%s %s %s', oid, relkind, reloptions) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT format('%s %s', oid, tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT format('%s %s %s %s', attrelid, attnum, atttypid, attnotnull)
    FROM pg_attribute WHERE attrelid > 16383
    UNION ALL SELECT format('%s %s', oid, md5(prosrc)) FROM pg_proc WHERE oid > 16383
    UNION ALL SELECT format('%s %s', oid, conbin) FROM pg_constraint WHERE oid > 16383
    UNION ALL SELECT format('%s %s', setdatabase, setconfig) FROM pg_db_role_setting
) AS known(line)
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
        name, used, print_ = free.pop()
        _in_use[name] = (used, print_)
        return name
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_helpline OWNER {OWNER}")
    with psycopg.connect(named(server, name), autocommit=True) as connection:
        _in_use[name] = (0, _fingerprint(connection))
    return name


def put_back(server: str, name: str) -> None:
    """Empty a database for the next test, or drop it."""
    used, print_ = _in_use.pop(name)
    if used + 1 < _TESTS and _emptied(server, name, print_):
        _free[server].append((name, used + 1, print_))
        return
    close_kept(name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _emptied(server: str, name: str, print_: str) -> bool:
    try:
        with psycopg.connect(named(server, name), autocommit=True) as connection:
            connection.execute(_END_OTHERS, [kept_processes(name)])
            if _fingerprint(connection) != print_:
                return False
            # Logs cannot be deleted from, and rows refer to one another: not here.
            connection.execute("SET session_replication_role = replica")
            connection.execute(_emptying(connection))
    except psycopg.Error:
        return False
    return True


def _fingerprint(connection: psycopg.Connection) -> str:
    row = connection.execute(_FINGERPRINT).fetchone()
    assert row is not None
    return str(row[0])


_statements: list[str] = []


def _emptying(connection: psycopg.Connection) -> str:
    """One statement that looks at each table, and deletes where there is something."""
    if not _statements:
        named = "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        kinds: dict[str, str] = dict(connection.execute(named).fetchall())
        tables = [n for n, kind in kinds.items() if kind == "r" and n != "alembic_version"]
        steps = [f"IF EXISTS (SELECT FROM {t}) THEN DELETE FROM {t}; END IF;" for t in tables]
        steps += [f"PERFORM setval('{n}', 1, false);" for n, kind in kinds.items() if kind == "S"]
        _statements.append(f"DO $$ BEGIN {' '.join(steps)} END $$")
    return _statements[0]


def named(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")
