"""The roles of the program's own server: their addresses, and making them."""

import re

import psycopg
from psycopg import sql

from app.database.roles import BACKUP, LOCK, OWNER, PROGRAM

# -- the program's own server ------------------------------------------------------------------


def as_role(url: str, role: str) -> str:
    """Return the address of the program's own server for another of its roles."""
    return re.sub(r"^postgresql://[^@/]*@", f"postgresql://{role}@", url, count=1)


# Objects in `public` that belong to another role than the owner, such as of a dump that was read in
# by another role. Sequences of a column follow their table.
_STRANGERS = """
SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END,
       c.oid::regclass::text
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
  AND c.relowner <> %(owner)s::regrole
  AND NOT EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))
UNION ALL
SELECT 'ROUTINE', p.oid::regprocedure::text FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.proowner <> %(owner)s::regrole
UNION ALL
SELECT 'TYPE', t.oid::regtype::text FROM pg_type t
WHERE t.typnamespace = 'public'::regnamespace AND t.typowner <> %(owner)s::regrole
  AND t.typtype IN ('e', 'd', 'c') AND (t.typrelid = 0 OR EXISTS (
    SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
"""
_MAKE = """
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
    CREATE ROLE {role} LOGIN;
  END IF;
END $$
"""


def set_up(superuser_url: str) -> None:
    """Make the roles of the program's own server, and hand over what a superuser owned before."""
    with psycopg.connect(superuser_url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        row = connection.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname = ANY(%s)", [[OWNER, PROGRAM, BACKUP]]
        ).fetchone()
        if row != (3,):
            for role in (OWNER, PROGRAM, BACKUP):
                connection.execute(_MAKE.format(role=role))
            # Migrations are compared with the models in a database of their own.
            connection.execute(f"ALTER ROLE {OWNER} CREATEDB")
            connection.execute(f"ALTER ROLE {BACKUP} REPLICATION")
            connection.execute(f"GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {BACKUP}")
            connection.execute(
                f"GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO {BACKUP}"
            )
        name = sql.Identifier(connection.info.dbname)
        row = connection.execute(
            "SELECT datdba = %s::regrole FROM pg_database WHERE datname = current_database()",
            [OWNER],
        ).fetchone()
        if row != (True,):
            connection.execute(
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(OWNER))
            )
        for kind, object_ in connection.execute(_STRANGERS, {"owner": OWNER}).fetchall():
            # Names come quoted from the server.
            connection.execute(f"ALTER {kind} {object_} OWNER TO {OWNER}")
