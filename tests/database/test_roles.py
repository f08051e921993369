"""The program's role in the database can neither change its logs nor what protects them."""

from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from app.database import migrate as migrations
from app.database import own_server, roles, running
from app.database.embedded import write_rules
from app.database.logs import WITH_SEALS
from app.database.own_server import as_role
from app.database.roles import BACKUP, OWNER, PROGRAM, SUPERUSER
from app.demo.stage import Stage
from app.errors import BadSettings
from app.settings import Settings
from app.strength import WITHOUT
from tests.support.kept.databases import named

_LOGS = """
SELECT c.relname, (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = 2)
FROM pg_class c WHERE EXISTS (
  SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'append_only')
"""
_OF_LOGS: tuple[LiteralString, ...] = (
    "UPDATE {log} SET {column} = {column}",
    "DELETE FROM {log}",
    "TRUNCATE {log}",
    "SELECT * FROM {log} FOR UPDATE",
    "DROP TRIGGER append_only ON {log}",
    "ALTER TABLE {log} DISABLE TRIGGER ALL",
    "ALTER TABLE {log} DROP COLUMN {column}",
    "ALTER TABLE {log} OWNER TO helpline",
    "CREATE TRIGGER mine BEFORE INSERT ON {log} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE RULE mine AS ON INSERT TO {log} DO INSTEAD NOTHING",
    "DROP TABLE {log} CASCADE",
)
_OF_THE_DATABASE: tuple[LiteralString, ...] = (
    "SET session_replication_role = replica",
    "SET ROLE helpline_owner",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "CREATE TABLE public.audit (n int)",
    "CREATE TEMP TABLE audit_entries (n int)",
    "CREATE SCHEMA mine",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION refuse_change() CASCADE",
    "ALTER FUNCTION chain_audit_entry() RESET search_path",
    "ALTER ROLE helpline SUPERUSER",
    "CREATE ROLE other",
    "ALTER DATABASE {database} OWNER TO helpline",
    "ALTER SYSTEM SET log_error_verbosity = 'verbose'",
    "COPY staff TO PROGRAM 'cat'",
    "UPDATE alembic_version SET version_num = '0001'",
    "SELECT setval('audit_entries_id_seq', 1)",
)
_TAKES = "receives_work(uuid, bigint)"
_EVENT = (
    "INSERT INTO record_events (subject_kind, subject_id, kind, at, detail, previous, hash)"
    " VALUES ('case', gen_random_uuid(), 'reopened', now(), '{}', '', '')"
)
# All tables, routines and types belong to the superuser.
_AS_BEFORE = """
DO $$
DECLARE statement text;
BEGIN
  FOR statement IN
    SELECT format('ALTER TABLE %s OWNER TO postgres', oid::regclass) FROM pg_class
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL SELECT format('ALTER ROUTINE %s OWNER TO postgres', oid::regprocedure) FROM pg_proc
      WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT format('ALTER TYPE %s OWNER TO postgres', oid::regtype) FROM pg_type
      WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
  LOOP EXECUTE statement; END LOOP;
END $$
"""


def _is_refused(connection: psycopg.Connection, statement: sql.Composed) -> bool:
    try:
        connection.execute(statement)
    except InsufficientPrivilege:
        return True
    return False


def test_the_programs_role_changes_no_log_and_nothing_that_protects_one(database: str) -> None:
    running.make_ready(database, as_role(database, OWNER))
    with psycopg.connect(database, autocommit=True) as connection:
        logs = connection.execute(_LOGS).fetchall()
        assert WITH_SEALS | {"audit_entries", "call_events", "consents", "disclosures"} <= {
            log for log, _ in logs
        }
        done = []
        # What retention sets in its own transaction opens nothing either.
        connection.execute("SELECT set_config('helpline.erasing', 'on', false)")
        for log, column in logs:
            for statement in _OF_LOGS:
                names = {"log": sql.Identifier(log), "column": sql.Identifier(column)}
                written = sql.SQL(statement).format(**names)
                if not _is_refused(connection, written):
                    done.append(written.as_string())
        for statement in _OF_THE_DATABASE:
            database_name = sql.Identifier(connection.info.dbname)
            written = sql.SQL(statement).format(database=database_name)
            if not _is_refused(connection, written):
                done.append(written.as_string())
        assert done == []


def test_one_function_changes_rows_of_logs_and_only_as_their_trigger_allows(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        found = connection.execute(
            "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE t.tgname = 'append_only_but_seals'"
        ).fetchall()
        assert {name for (name,) in found} == WITH_SEALS
        subject = uuid4()
        connection.execute(
            "INSERT INTO record_events (subject_kind, subject_id, kind, at, detail, words_sealed,"
            " words_id, previous, hash) VALUES ('case', %s, 'reopened', now(), '{}', '\\x0101aa',"
            " gen_random_uuid(), '', '')",
            [subject],
        )
        by_subject = psycopg.types.json.Jsonb({"subject_id": str(subject)})
        change = "SELECT change_log(%s, %s, %s, %s)"
        for why, log, put in (
            ("erasing", "record_events", {"words_sealed": None}),
            ("erasing", "record_events", {"kind": "note"}),
            ("resealing", "record_events", {"words_sealed": None}),
            ("resealing", "record_events", {"hash": "\\x00"}),
            ("resealing", "audit_entries", {"action": "x"}),
            ("resealing", "staff", {"role": "administrator"}),
            ("anything", "record_events", {"words_sealed": None}),
        ):
            with pytest.raises(RestrictViolation):
                connection.execute(change, [why, log, by_subject, psycopg.types.json.Jsonb(put)])
        sealed = psycopg.types.json.Jsonb({"words_sealed": "\\x0102bb"})
        row = connection.execute(
            change, ["resealing", "record_events", by_subject, sealed]
        ).fetchone()
        assert row == (1,)
        row = connection.execute("SELECT current_setting('helpline.resealing', true)").fetchone()
        assert row is not None
        assert row[0] in (None, "")


def test_a_database_from_before_is_carried_over(server: str) -> None:
    """Its tables belonged to the superuser, as whom the program worked."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE before_roles TEMPLATE template_helpline")
    superuser = named(server, "before_roles")
    owner, program = as_role(superuser, OWNER), as_role(superuser, PROGRAM)
    try:
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute(_AS_BEFORE)
            connection.execute(f"DROP OWNED BY {PROGRAM}")
            connection.execute(f"ALTER DATABASE before_roles OWNER TO {SUPERUSER}")
        with pytest.raises(InsufficientPrivilege), psycopg.connect(program) as connection:
            connection.execute("SELECT * FROM staff")
        for _ in range(2):
            own_server.set_up(superuser)
            running.make_ready(program, owner)
        with psycopg.connect(superuser) as connection:
            left = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND pg_get_userbyid(relowner) <> %s UNION ALL "
                "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
                " AND pg_get_userbyid(proowner) <> %s",
                [OWNER, OWNER],
            ).fetchall()
            assert left == []
        assert roles.standing_of(program).weakness == ""
        with psycopg.connect(program) as connection:
            connection.execute("UPDATE staff SET name = name")
            with pytest.raises(InsufficientPrivilege):
                connection.execute("DELETE FROM audit_entries")
        # An operator takes away what every role may call by default.
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC")
            connection.execute(f"REVOKE EXECUTE ON FUNCTION {_TAKES} FROM {PROGRAM}")
        running.make_ready(program, owner)
        with psycopg.connect(program) as connection:
            row = connection.execute("SELECT receives_work(gen_random_uuid(), 1)").fetchone()
            assert row == (False,)
            connection.execute(_EVENT)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("DROP DATABASE before_roles WITH (FORCE)")


def test_no_connection_is_trusted_also_in_a_folder_from_before(server: str) -> None:
    with psycopg.connect(server) as connection:
        rules = connection.execute(
            "SELECT type, database, user_name, auth_method FROM pg_hba_file_rules"
        ).fetchall()
        assert {rule[3] for rule in rules} == {"peer"}
        assert {rule[0] for rule in rules} == {"local"}
        folder = connection.execute("SHOW data_directory").fetchone()
    assert folder is not None
    path = Path(folder[0]) / "pg_hba.conf"
    written = path.read_text()
    path.write_text("local all all trust\n")
    write_rules(Path(folder[0]))
    assert path.read_text() == written


def test_with_one_address_the_program_works_where_that_was_decided_and_says_what_is_weak(
    database: str,
) -> None:
    owner = as_role(database, OWNER)
    running.make_ready(owner, None)
    assert "owns its tables" in roles.standing_of(owner).weakness
    running.look_at_role(Settings(database_url=owner), owner)
    superuser = as_role(database, SUPERUSER)
    production = Settings(database_url=superuser).model_copy(update={"env": "production"})
    with pytest.raises(BadSettings, match="superuser"):
        running.look_at_role(production, superuser)
    production = production.model_copy(update={"database_url": owner})
    with pytest.raises(BadSettings, match=r"owns its tables.* set it to without"):
        running.look_at_role(production, owner)
    decided = production.model_copy(update={"migration_database_url": WITHOUT})
    with running.database_of(decided) as settings:
        assert settings.database_url == owner


@pytest.mark.parametrize("is_said_twice", [False, True])
def test_with_one_role_that_was_not_decided_no_table_is_made(
    server: str, is_said_twice: bool
) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE empty OWNER {SUPERUSER}")
    try:
        with psycopg.connect(named(server, "empty"), autocommit=True) as connection:
            connection.execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}")
        owner = as_role(named(server, "empty"), OWNER)
        both = {"migration_database_url": owner} if is_said_twice else {}
        production = Settings(database_url=owner).model_copy(update={"env": "production", **both})
        refused = pytest.raises(BadSettings, match=r"would own the tables .* Nothing was changed")
        with refused, running.database_of(production):
            pass
        with psycopg.connect(owner) as connection:
            made = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
            assert made.fetchone() == (0,)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("DROP DATABASE empty WITH (FORCE)")


@pytest.mark.parametrize("what", ["DATABASE {}", "SCHEMA public"])
def test_a_role_that_owns_the_database_or_the_schema_could_drop_the_logs(
    database: str, what: str
) -> None:
    owned = what.format(psycopg.conninfo.conninfo_to_dict(database)["dbname"])
    owner = OWNER if what.startswith("DATABASE") else "pg_database_owner"
    with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as connection:
        connection.execute(f"ALTER {owned} OWNER TO {PROGRAM}")
        found = roles.standing_of(as_role(database, PROGRAM)).weakness
        connection.execute(f"ALTER {owned} OWNER TO {owner}")
    assert "owns its tables" in found
    assert roles.standing_of(as_role(database, PROGRAM)).weakness == ""


@pytest.mark.parametrize(
    "right",
    [
        SUPERUSER,
        "pg_execute_server_program",
        "pg_write_server_files",
        "pg_read_server_files",
        "pg_write_all_data",
        "pg_read_all_data",
        "pg_signal_backend",
        # It copies the whole server.
        BACKUP,
    ],
)
def test_a_role_that_may_become_a_superuser_counts_as_one(database: str, right: str) -> None:
    superuser = as_role(database, SUPERUSER)
    # By another role, which gives its members nothing before they ask for it.
    names = {"right": sql.Identifier(right), "program": sql.Identifier(PROGRAM)}
    given = "CREATE ROLE of_operators NOINHERIT; GRANT {right} TO of_operators;"
    given += "GRANT of_operators TO {program}"
    production = Settings(database_url=database).model_copy(update={"env": "production"})
    with psycopg.connect(superuser, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL(given).format(**names))
            with pytest.raises(BadSettings, match=f"superuser .* by the role {right}"):
                running.look_at_role(production, database)
        finally:
            connection.execute("DROP ROLE of_operators")
    running.look_at_role(production, database)


@pytest.mark.parametrize(
    "right",
    [
        "DELETE ON audit_entries",
        "UPDATE (at) ON audit_entries",
        "TRUNCATE ON audit_entries",
        "INSERT ON kept_entries",
        "UPDATE ON SEQUENCE audit_entries_id_seq",
        "CREATE ON SCHEMA public",
    ],
)
@pytest.mark.parametrize("inherits", ["TRUE", "FALSE"])
def test_a_right_on_a_log_that_another_role_gives_is_seen(
    database: str, right: str, inherits: str
) -> None:
    given = f"CREATE ROLE of_reports; GRANT {right} TO of_reports;"
    given += f"GRANT of_reports TO {PROGRAM} WITH INHERIT {inherits}"
    production = Settings(database_url=database).model_copy(update={"env": "production"})
    with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as connection:
        try:
            connection.execute(given)
            with pytest.raises(BadSettings, match="logs by the role of_reports"):
                running.look_at_role(production, database)
        finally:
            connection.execute("DROP OWNED BY of_reports; DROP ROLE of_reports")
    running.look_at_role(production, database)


@pytest.mark.parametrize("by", ["address", "role"])
def test_a_superuser_that_put_on_another_role_counts_as_one(database: str, by: str) -> None:
    superuser = as_role(database, SUPERUSER)
    masked = f"{superuser}{'&' if '?' in superuser else '?'}options=-c%20role%3D{PROGRAM}"
    if by == "address":
        assert roles.standing_of(masked).by == SUPERUSER
        return
    with psycopg.connect(superuser, autocommit=True) as connection:
        try:
            connection.execute("CREATE ROLE disguised SUPERUSER LOGIN")
            connection.execute(f"ALTER ROLE disguised SET role = {PROGRAM}")
            connection.execute("SET SESSION AUTHORIZATION disguised")
            connection.execute(f"SET ROLE {PROGRAM}")
            row = connection.execute(roles.STANDING).fetchone()
        finally:
            connection.execute("RESET SESSION AUTHORIZATION")
            connection.execute("DROP ROLE disguised")
    assert row is not None
    assert row[0] == "disguised"


def test_a_role_that_may_pass_the_triggers_by_counts_as_a_superuser(database: str) -> None:
    parameter = "SET ON PARAMETER session_replication_role"
    with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as connection:
        try:
            connection.execute(f"GRANT {parameter} TO {PROGRAM}")
            found = roles.standing_of(database)
        finally:
            connection.execute(f"REVOKE {parameter} FROM {PROGRAM}")
    assert found.by == PROGRAM
    assert roles.standing_of(database).weakness == ""


@pytest.mark.parametrize("what", ["TABLE audit_entries", "FUNCTION refuse_change()"])
@pytest.mark.parametrize("is_member", [False, True])
def test_a_role_that_owns_one_table_or_function_could_drop_what_protects_the_logs(
    database: str, what: str, is_member: bool
) -> None:
    """Also by another role, which gives its members nothing before they ask for it."""
    with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as connection:
        try:
            connection.execute("CREATE ROLE of_owners")
            if is_member:
                connection.execute(f"ALTER ROLE {PROGRAM} NOINHERIT")
                connection.execute(f"GRANT of_owners TO {PROGRAM}")
            owner = "of_owners" if is_member else PROGRAM
            connection.execute(f"ALTER {what} OWNER TO {owner}".encode())
            found = roles.standing_of(database).weakness
        finally:
            connection.execute(f"ALTER {what} OWNER TO {OWNER}".encode())
            connection.execute(f"ALTER ROLE {PROGRAM} INHERIT")
            connection.execute("DROP ROLE of_owners")
            # What it was granted went over to the other owner.
            roles.grant(as_role(database, OWNER), database)
    assert "owns its tables" in found
    assert roles.standing_of(database).weakness == ""


@pytest.mark.parametrize("right", ["pg_monitor", "pg_read_all_stats", "pg_checkpoint"])
def test_a_role_that_looks_on_is_well(database: str, right: str) -> None:
    names = {"right": sql.Identifier(right), "program": sql.Identifier(PROGRAM)}
    with psycopg.connect(as_role(database, SUPERUSER), autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("GRANT {right} TO {program}").format(**names))
            assert roles.standing_of(database).weakness == ""
        finally:
            connection.execute(sql.SQL("REVOKE {right} FROM {program}").format(**names))


def test_a_role_that_owns_nothing_does_not_migrate(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE without_tables")
        try:
            with pytest.raises(BadSettings, match="HELPLINE_MIGRATION_DATABASE_URL"):
                migrations.migrate(as_role(named(server, "without_tables"), PROGRAM))
        finally:
            connection.execute("DROP DATABASE without_tables WITH (FORCE)")


async def test_readiness_says_that_the_role_is_well(stage: Stage) -> None:
    ready = await stage.client.get(f"{stage.settings.public_url}/readyz")
    assert ready.json()["role"] == "well"
