"""The roles of the database: one owns the tables and migrates, the other one is the program's.

The program's role reads and writes rows. It owns no table, so it can neither drop the triggers of
the logs nor switch them off, and of a log it may only read and append. `grant` is repeated after
each migration: what a role may do follows from the tables that there are.
"""

from typing import Any, NamedTuple

import psycopg
from psycopg import sql

# The roles of the program's own server.
SUPERUSER = "postgres"
OWNER = "helpline_owner"
PROGRAM = "helpline"
BACKUP = "helpline_backup"

# Migrations, roles and their rights are changed by one process at a time.
LOCK = 116_111

# Tables to which a role may only append: they refuse every change by a trigger of this name. To
# some of them the owner alone appends.
_TABLES = """
SELECT c.oid, c.relname AS name, c.relkind = 'S' AS counts,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'append_only')
         OR c.relname = 'alembic_version' AS is_log,
       c.relname IN ('alembic_version', 'kept_entries', 'log_beginnings') AS is_owners
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'S')
"""
# Who the program is in its database: the role `by` which it is a superuser or may do as much, and
# whether it owns a table or function of ours, their schema or the database. It counts who signed in
# and who that may become, also if a setting of the connection or of the role has put on another.
# PostgreSQL has roles that run programs of the server, read and write its files or the rows of all
# tables: all of them count but those that only look on, also those of versions to come. A role that
# copies the whole server reads as much; before PostgreSQL 16, a role that makes roles can give
# itself those rights; and a role that may set `session_replication_role` bypasses the triggers of
# the logs. `changes` is a role by which it may change or delete rows of a log, append to one of the
# owner's, set back what counts their rows or make what stands before our functions: `grant` takes
# such rights from the program's own role, and not from one of which it is a member.
STANDING = f"""
WITH mine AS (
  SELECT r.* FROM pg_roles r
  WHERE pg_has_role(session_user, r.oid, 'MEMBER') OR pg_has_role(r.oid, 'MEMBER'))
SELECT (SELECT r.rolname FROM mine r
         WHERE (r.rolsuper OR r.rolreplication
           OR starts_with(r.rolname, 'pg_') AND r.rolname NOT IN (
             'pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables',
             'pg_checkpoint', 'pg_use_reserved_connections', 'pg_database_owner')
           OR r.rolcreaterole AND current_setting('server_version_num')::int < 160000
           OR has_parameter_privilege(r.oid, 'session_replication_role', 'SET'))
         ORDER BY r.rolname <> session_user, NOT r.rolsuper, r.rolname LIMIT 1
       ) AS by,
       EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
                 AND c.relkind IN ('r', 'p') AND c.relowner IN (SELECT oid FROM mine))
       OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
                    AND p.proowner IN (SELECT oid FROM mine))
       OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'public'
                    AND n.nspowner IN (SELECT oid FROM mine))
       OR EXISTS (SELECT FROM pg_database d WHERE d.datname = current_database()
                    AND d.datdba IN (SELECT oid FROM mine)) AS owns,
       (SELECT r.rolname FROM mine r JOIN ({_TABLES}) AS one ON is_log OR counts
         WHERE has_schema_privilege(r.oid, 'public', 'CREATE') OR CASE
           WHEN counts THEN has_sequence_privilege(r.oid, one.oid, 'UPDATE')
           ELSE has_table_privilege(r.oid, one.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
             OR has_any_column_privilege(r.oid, one.oid, 'UPDATE')
             OR is_owners AND has_any_column_privilege(r.oid, one.oid, 'INSERT') END
         ORDER BY r.rolname = session_user, r.rolname LIMIT 1) AS changes
"""

# What the program calls, itself or by a trigger: all that runs with its own rights, and two that do
# one thing with those of the owner. By default every role may; an operator can take that away.
_FUNCTIONS = """
SELECT p.oid, p.oid::regprocedure::text AS function
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
  AND p.prorettype <> 'trigger'::regtype AND pg_has_role(p.proowner, 'USAGE')
  AND (NOT p.prosecdef OR p.proname IN ('change_log', 'erase_log'))
"""
_NOT_AS_GRANTED = f"""
SELECT EXISTS (
  SELECT FROM ({_TABLES}) AS one
  WHERE CASE WHEN counts THEN NOT has_sequence_privilege(%(role)s, oid, 'USAGE')
    ELSE NOT has_table_privilege(%(role)s, oid, 'SELECT')
      OR is_owners = has_table_privilege(%(role)s, oid, 'INSERT')
      OR is_log = has_table_privilege(%(role)s, oid, 'UPDATE')
      OR is_log = has_table_privilege(%(role)s, oid, 'DELETE')
      OR has_any_column_privilege(%(role)s, oid, 'UPDATE') = is_log
      OR has_table_privilege(%(role)s, oid, 'TRUNCATE')
      OR has_table_privilege(%(role)s, oid, 'TRIGGER')
    END)
  OR EXISTS (SELECT FROM ({_FUNCTIONS}) AS one
       WHERE NOT has_function_privilege(%(role)s, oid, 'EXECUTE'))
  OR NOT has_schema_privilege(%(role)s, 'public', 'USAGE')
  -- What another role owns is not ours to take away.
  OR EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public' AND pg_has_role(nspowner, 'USAGE')
       AND has_schema_privilege(%(role)s, oid, 'CREATE'))
  OR EXISTS (SELECT FROM pg_database WHERE datname = current_database()
       AND pg_has_role(datdba, 'USAGE') AND has_database_privilege(%(role)s, oid, 'TEMP'))
"""


class Standing(NamedTuple):
    """Who a role is in the database."""

    # The role, its own or another, by which it may do all.
    by: str | None
    owns: bool
    # The role by which it may change a log.
    changes: str | None

    @property
    def weakness(self) -> str:
        """Return what is wrong with it and what to do, as one sentence; empty if nothing is."""
        if self.by is not None:
            return (
                "The role of HELPLINE_DATABASE_URL is a superuser of the database, or may do as "
                f"much by the role {self.by}: run programs of the server, read or write its files "
                "or the rows of all tables. It could change the logs. Take that right away "
                "(REVOKE, or ALTER ROLE ... NOREPLICATION), or give the program a role of its own; "
                'see the operators\' guide, "The roles of the database".'
            )
        if self.owns:
            return (
                "The role of HELPLINE_DATABASE_URL owns its tables, their schema or the database: "
                "it could drop what protects the logs. Set HELPLINE_MIGRATION_DATABASE_URL for a "
                'role that owns them; see the operators\' guide, "The roles of the database".'
            )
        if self.changes is not None:
            return (
                "The role of HELPLINE_DATABASE_URL may change or delete rows of the logs by the "
                f"role {self.changes}. Take that right from it, or the program's role out of it "
                '(REVOKE); see the operators\' guide, "The roles of the database".'
            )
        return ""


def standing_of(url: str) -> Standing:
    """Return who the role of an address is."""
    with psycopg.connect(url) as connection:
        row = connection.execute(STANDING).fetchone()
    assert row is not None
    return Standing(*row)


def grant(owner_url: str, program_url: str) -> None:
    """Let the program's role work with the tables that the owner has made, and no more.

    Nothing is done if both are one role, or if everything is as it should be.
    """
    with psycopg.connect(program_url) as connection:
        role = connection.info.user
    with psycopg.connect(owner_url) as connection:
        if connection.info.user == role:
            return
        if _is_granted(connection, role):
            return
        # Two processes that grant at the same time would refuse each other.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if not _is_granted(connection, role):
            _grant(connection, role)


def _is_granted(connection: psycopg.Connection[Any], role: str) -> bool:
    row = connection.execute(_NOT_AS_GRANTED, {"role": role}).fetchone()
    return row == (False,)


def _grant(connection: psycopg.Connection[Any], role: str) -> None:
    to, database = sql.Identifier(role), sql.Identifier(connection.info.dbname)
    tables = connection.execute(_TABLES).fetchall()
    for statement in (
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        "REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC",
        "REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM {role}",
        "REVOKE ALL ON SCHEMA public FROM {role}",
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {role}",
        "GRANT USAGE ON SCHEMA public TO {role}",
    ):
        connection.execute(sql.SQL(statement).format(database=database, role=to))
    for _, function in connection.execute(_FUNCTIONS).fetchall():
        # As the database writes it, with its arguments.
        granted = f"GRANT EXECUTE ON FUNCTION {function} TO {to.as_string(connection)}"
        connection.execute(granted.encode())
    for _, name, counts, is_log, is_owners in tables:
        if counts:
            what = "USAGE, SELECT ON SEQUENCE"
        elif is_owners:
            what = "SELECT ON"
        else:
            what = "SELECT, INSERT ON" if is_log else "SELECT, INSERT, UPDATE, DELETE ON"
        connection.execute(
            sql.SQL("GRANT {what} public.{name} TO {role}").format(
                what=sql.SQL(what), name=sql.Identifier(name), role=to
            )
        )
