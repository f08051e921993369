"""Running the migrations, one process at a time, and comparing them with the models."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import Connection, Engine, MetaData, create_engine, text

import migrations
from app.database.engine import for_sqlalchemy
from app.database.roles import LOCK
from app.errors import BadSettings
from app.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(migrations.__file__).parent


def config_of(
    connection: Connection, metadata: MetaData | None = None, settings: Settings | None = None
) -> "Config":
    """Return how Alembic migrates the database of a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    # With them, a migration seals what was readable before.
    config.attributes["settings"] = settings
    return config


def engine_for(url: str) -> Engine:
    return create_engine(for_sqlalchemy(url))


_REVISION = re.compile(r'^(down_)?revision = "(\d+)"', re.MULTILINE)


def newest() -> str:
    """Return the number of the newest migration: the one that no other follows.

    It is not always the highest number: migrations may be merged in another order.
    """
    found = [
        _REVISION.findall(path.read_text()) for path in (_FOLDER / "versions").glob("[0-9]*.py")
    ]
    followed = {str(number) for one in found for down, number in one if down}
    own = (str(number) for one in found for down, number in one if not down)
    return next(number for number in own if number not in followed)


def is_up_to_date(url: str) -> bool:
    """Return whether there is nothing to do; a quick check, as loading the migrations is slow."""
    try:
        with psycopg.connect(url) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return False
    return found == [(newest(),)]


def may_migrate(url: str) -> bool:
    """Return whether the role of an address may make and change the tables."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT has_schema_privilege('public', 'CREATE') AND NOT EXISTS (SELECT FROM pg_class"
            " WHERE relname = 'alembic_version' AND relnamespace = 'public'::regnamespace"
            " AND NOT pg_has_role(relowner, 'USAGE'))"
        ).fetchone()
    return row == (True,)


def migrate(url: str, settings: Settings | None = None) -> None:
    """Bring the database up to date, under an advisory lock: the other processes wait.

    `settings` has the field keys, for a migration that seals what is stored.

    Raises BadSettings if the role may not.
    """
    if is_up_to_date(url):
        return
    if not may_migrate(url):
        raise BadSettings(
            "The database is older than this program, and the role of HELPLINE_DATABASE_URL does "
            "not own its tables. Run `helpline migrate` with HELPLINE_MIGRATION_DATABASE_URL set "
            "to the address for the role that owns them."
        )
    from alembic import command

    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            connection.commit()
            try:
                command.upgrade(config_of(connection, settings=settings), "head")
                connection.commit()
            finally:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
                connection.commit()
    finally:
        engine.dispose()


# All that defines a table, as text that can be compared.
_SHAPE = """
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || a.attidentity::text
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
  AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', c.relname, o.conname, pg_get_constraintdef(o.oid)
FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid AND o.contype <> 't'
WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""


def shape(url: str) -> set[tuple[str, str, str, str]]:
    """Return the columns, constraints and indexes of our tables in a database, as text.

    The tables of the job store and of the migration tool are left out.
    """
    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            rows = connection.execute(text(_SHAPE)).all()
    finally:
        engine.dispose()
    ours = {tuple(row) for row in rows}
    return {r for r in ours if not r[1].startswith(("procrastinate_", "alembic_"))}


def differences(migrated_url: str, fresh_url: str, metadata: MetaData) -> list[str]:
    """Return what differs between a migrated database and one made from the models."""
    engine = engine_for(fresh_url)
    try:
        metadata.create_all(engine)
    finally:
        engine.dispose()
    migrated, modelled = shape(migrated_url), shape(fresh_url)
    return [f"only in the migrations: {' '.join(r)}" for r in sorted(migrated - modelled)] + [
        f"only in the models: {' '.join(r)}" for r in sorted(modelled - migrated)
    ]
