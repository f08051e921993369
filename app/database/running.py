"""The database of a process: its address from the settings, or the embedded server."""

import contextlib
from collections.abc import Iterator

import psycopg

from app.database import migrate as migrations
from app.database import roles
from app.database.embedded import EmbeddedPostgres
from app.errors import BadSettings
from app.log import log
from app.settings import Settings
from app.strength import WITHOUT

# Characters of what the connection says that are told.
_TOLD = 300


@contextlib.contextmanager
def database_of(settings: Settings) -> Iterator[Settings]:
    """Yield the settings with a database that is running and migrated.

    Raises BadSettings.
    """
    with contextlib.ExitStack() as stack:
        if settings.database_url is None:
            seconds = settings.backup_log_seconds if settings.backup_target else None
            server = stack.enter_context(EmbeddedPostgres(settings.data_dir, seconds))
            settings = settings.model_copy(
                update={"database_url": server.url, "migration_database_url": server.owner_url}
            )
        assert settings.database_url is not None
        _refuse_sole_role(settings, settings.database_url)
        make_ready(settings.database_url, settings.owner_url, settings)
        look_at_role(settings, settings.database_url)
        yield settings


def make_ready(url: str, owner_url: str | None, settings: Settings | None = None) -> None:
    """Bring a database up to date, and let the program's role work with it.

    `settings`: with the keys of a database that has rows already.

    Raises BadSettings.
    """
    with _reaching(f"HELPLINE_{'' if owner_url is None else 'MIGRATION_'}DATABASE_URL"):
        migrations.migrate(owner_url or url, settings)
    if owner_url is not None:
        with _reaching("HELPLINE_DATABASE_URL"):
            roles.grant(owner_url, url)


@contextlib.contextmanager
def _reaching(name: str) -> Iterator[None]:
    """Say in one sentence that a database is not there, or lets the program not in."""
    try:
        yield
    except psycopg.OperationalError as error:
        if error.sqlstate is not None:
            raise
        # What libpq says names host, port, role and database, and no password.
        raise BadSettings(
            f"The database of {name} cannot be reached ({' '.join(str(error).split())[:_TOLD]}). "
            "Look whether it runs, and whether host, port, name, role and password are right."
        ) from None


def _refuse_sole_role(settings: Settings, url: str) -> None:
    """Refuse, before anything is changed, one role for all in production that was not decided."""
    if not settings.in_production or settings.migration_database_url == WITHOUT:
        return
    owner = settings.owner_url
    if owner is not None and psycopg.conninfo.conninfo_to_dict(owner).get("user") != (
        psycopg.conninfo.conninfo_to_dict(url).get("user")
    ):
        return
    look_at_role(settings, url)
    with _reaching("HELPLINE_DATABASE_URL"):
        would_own = not migrations.is_up_to_date(url) and migrations.may_migrate(url)
    if would_own:
        raise BadSettings(
            "The role of HELPLINE_DATABASE_URL would own the tables that are made now, and could "
            "drop what protects the logs. Nothing was changed. Set HELPLINE_MIGRATION_DATABASE_URL "
            f"for another role, that owns them, or to {WITHOUT} to go on with one role; see the "
            'operators\' guide, "The roles of the database".'
        )


def look_at_role(settings: Settings, url: str) -> None:
    """Say that the program's role may do too much.

    In production a superuser is refused, and so is one that may change the logs; one that owns the
    tables is, unless that was decided.
    """
    with _reaching("HELPLINE_DATABASE_URL"):
        standing = roles.standing_of(url)
    changes_logs = standing.changes is not None and not standing.owns
    if settings.in_production and (standing.by is not None or changes_logs):
        raise BadSettings(standing.weakness)
    if standing.owns and settings.in_production and settings.migration_database_url != WITHOUT:
        raise BadSettings(f"{standing.weakness} To go on with one role, set it to {WITHOUT}.")
    if standing.weakness:
        log().warning(standing.weakness, area="database")
