"""A PostgreSQL that is not the program's own: whether back-ups of it can be made.

Where its role, its rules or its settings stand in the way, the refusal has the statement or the
line that is missing.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row

from app.safekeeping.backups import slots
from app.safekeeping.backups.connecting import asked, parts_of, told_by
from app.safekeeping.backups.places import SEGMENT_SIZE, BackupRefused
from app.settings import Settings
from app.strength import is_this_machine

# The version of PostgreSQL that the program carries, and with which it restores.
VERSION = 18
_GUIDE = 'See the operators\' guide, "Back up and restore".'
_VERSION = "SELECT current_setting('server_version_num')::int"
_ASKED = """
SELECT pg_is_in_recovery() AS standby,
       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may,
       current_setting('wal_level') AS log,
       current_setting('max_wal_senders')::int AS senders,
       current_setting('max_replication_slots')::int AS slots,
       current_setting('max_slot_wal_keep_size') AS kept,
       pg_size_bytes(current_setting('wal_segment_size')) AS segment,
       EXISTS (SELECT FROM pg_database WHERE datlocprovider = 'i') AS icu
"""
_WHICH = """
SELECT system_identifier::text AS system, current_database()::text AS database,
       (SELECT oid FROM pg_database WHERE datname = current_database())::text AS number,
       (SELECT rolname FROM pg_roles WHERE oid = 10)::text AS superuser
FROM pg_control_system()
"""
_SUPERUSER = "As its superuser:"
_RESTART = "Then restart that server."


class _NotLetIn(BackupRefused):
    """The server cannot be reached, or does not let the role in."""


class KnownServer(NamedTuple):
    """Which server it is, and which of its databases is the program's."""

    system: str
    database: str
    # The database's number in that server.
    number: str
    # The role that the server was made with.
    superuser: str


def look(settings: Settings, address: str) -> KnownServer:
    """Return which server it is. Raises BackupRefused if back-ups of it cannot be made."""
    try:
        with _connected(address, "HELPLINE_BACKUP_DATABASE_URL") as connection:
            known = _checked(connection)
    except _NotLetIn as refused:
        raise as_the_program_sees_it(settings, refused) from None
    if settings.database_url is not None:
        with _connected(settings.database_url, "HELPLINE_DATABASE_URL") as connection:
            programs = KnownServer(*_ask(connection, _WHICH))
        if programs != known:
            raise BackupRefused(
                "HELPLINE_BACKUP_DATABASE_URL leads to another server or database than "
                "HELPLINE_DATABASE_URL: the back-ups would not be those of the program. Give the "
                "same host, port and database in both."
            )
    return known


def _checked(connection: psycopg.Connection[Any]) -> KnownServer:
    """Return which server it is. A refusal says what becomes of the slot. Raises BackupRefused."""
    try:
        version = _ask(connection, _VERSION)[0] // 10000
        if version != VERSION:
            raise BackupRefused(
                f"Your server is PostgreSQL {version}, and the program restores with PostgreSQL "
                f"{VERSION} alone. Bring the server to {VERSION} with pg_upgrade, or make its "
                "back-ups with its own tools and tell the program by `helpline backup note`. "
                f"{_GUIDE}"
            )
        check(_ask(connection, _ASKED), connection.info.user)
        return KnownServer(*_ask(connection, _WHICH))
    except BackupRefused as refused:
        raise slots.refused_with(refused, connection) from None


def as_the_program_sees_it(settings: Settings, refused: BackupRefused) -> BackupRefused:
    """Return a refusal without a connection for back-ups, with what becomes of the slot."""
    if settings.database_url is not None:
        with (
            contextlib.suppress(BackupRefused, psycopg.Error),
            _connected(settings.database_url, "HELPLINE_DATABASE_URL") as connection,
        ):
            return slots.refused_with(refused, connection)
    return refused


def _ask(connection: psycopg.Connection[Any], statement: LiteralString) -> Any:
    return connection.execute(statement).fetchone()


def check(asked: Any, role: str) -> None:
    """Refuse what stands in the way of a back-up, with what to do. Raises BackupRefused."""
    change = "ALTER SYSTEM SET"
    problems = (
        (
            asked.standby,
            "HELPLINE_BACKUP_DATABASE_URL leads to a standby. Give the address of the server to "
            "which the program writes.",
        ),
        (
            not asked.may,
            f'The role {role} may not replicate. {_SUPERUSER} ALTER ROLE "{role}" REPLICATION;',
        ),
        (
            asked.log == "minimal",
            "The server writes too little into its log for back-ups. "
            f"{_SUPERUSER} {change} wal_level = 'replica'; {_RESTART}",
        ),
        (
            asked.senders < 1,
            f"The server allows no replication. {_SUPERUSER} {change} max_wal_senders = 10; "
            f"{_RESTART}",
        ),
        (
            # That of every minute, and that of a copy while it is made.
            asked.slots < 2,
            "The server keeps nothing for those who copy its log. "
            f"{_SUPERUSER} {change} max_replication_slots = 10; {_RESTART}",
        ),
        (
            asked.kept == "-1",
            "The server would keep its log for the back-ups without an end, and its disk would "
            "fill if they were stopped. Set how much it may keep, less than what is free there. "
            f"{_SUPERUSER} {change} max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();",
        ),
        (
            asked.segment != SEGMENT_SIZE,
            "The server was made with segments of another size than 16 megabytes "
            "(wal_segment_size): use its own tools, and `helpline backup note`.",
        ),
        (
            asked.icu,
            "A database of the server sorts by ICU, which the program's own PostgreSQL cannot "
            "open: use the server's own tools, and `helpline backup note`, or make the databases "
            "anew with the locale provider libc or builtin.",
        ),
    )
    for is_so, words in problems:
        if is_so:
            raise BackupRefused(f"{words} {_GUIDE}")


@contextlib.contextmanager
def _connected(address: str, name: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection. Raises _NotLetIn if the server does not let the program in."""
    try:
        with asked(address, rows=namedtuple_row) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise _NotLetIn(_not_let_in(error, address, name)) from None


def _not_let_in(error: psycopg.Error, address: str, name: str) -> str:
    said = str(error)
    # The file is called so in every language in which a server speaks.
    if "pg_hba.conf" in said:
        parts = parts_of(address)
        from_ = re.search(r'host "([^"]+)"', said)
        host = from_[1] if from_ else ""
        where = f"{parts.get('dbname', 'all')} {parts.get('user', 'all')}"
        if host:
            kind = "host" if is_this_machine(host) and "SSL encryption" not in said else "hostssl"
            line = f"{kind} {where} {host}/{128 if ':' in host else 32}"
        else:
            line = f"local {where}"
        return (
            f"Your server does not let the role of {name} in. Add this line to its pg_hba.conf, "
            f"before the others, and let it read it (SELECT pg_reload_conf();): {line} "
            f"scram-sha-256. {_GUIDE}"
        )
    return f"The server of {name} cannot be reached: {told_by(error, address)}"
