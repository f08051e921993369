"""Folders, keys and lines of the log for tests of back-ups."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from pyrage import x25519

from app.abilities import EndpointKind
from app.database.embedded import folder_of
from app.jobs.transaction import transaction
from app.sealing.knowing import learn
from app.settings import Settings
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import LinkKind, PasswordLink, Staff, StaffSession
from app.staff.roles import Role
from app.work import PROGRAM, make_ground
from tests.support.kept.places import short_folder
from tests.support.sealing.keys import KEYS, SECRET, text_of


@contextmanager
def a_folder() -> Iterator[Path]:
    # A short path: the server listens on a socket in it.
    with tempfile.TemporaryDirectory(prefix="hlb", dir=short_folder()) as name:
        yield Path(name)


def a_key(folder: Path, name: str = "key") -> tuple[Path, str]:
    made = x25519.Identity.generate()
    path = folder / name
    path.write_text(f"# made for a test\n{made}\n")
    return path, str(made.to_public())


def settings_in(folder: Path, migrated: Path, **given: Any) -> Settings:
    """Return the settings of a server of its own in a folder, whose database is migrated."""
    (folder / "var").mkdir()
    # With its owners: the server runs as a user of its own.
    subprocess.run(["cp", "-a", folder_of(migrated), folder_of(folder / "var")], check=True)
    return Settings(
        data_dir=folder / "var", secret_key=SECRET, field_keys=text_of((1, KEYS[1])), **given
    )


async def say(settings: Settings, subject: str, *, seal: bool = False) -> None:
    """Append a line to the log; `seal` a text, too."""
    ground = make_ground(settings)
    async with transaction(ground, PROGRAM) as work:
        write_entry(work, AuditLog.LOG_CHECK_ASKED, subject)
        if seal:
            await learn(work)
            row = uuid4()
            sealed = work.keys.seal(b"a text", table="push_keys", column="private_sealed", row=row)
            connection = await work.session.connection()
            await connection.exec_driver_sql(
                "INSERT INTO push_keys (id, private_sealed, public, created_at)"
                " VALUES (%s, %s, '', now())",
                (row, sealed),
            )
    await ground.database.close()


async def let_in(settings: Settings) -> None:
    """Add a person who is signed in, and has an open link for a password."""
    ground = make_ground(settings)
    async with transaction(ground, PROGRAM) as work:
        person = Staff(
            id=uuid4(),
            name="gone",
            role=Role.COUNSELLOR,
            endpoint_kind=EndpointKind.BROWSER,
            identity="gone",
            languages=[],
            skills=[],
            created_at=work.now,
        )
        work.session.add(person)
        await work.session.flush()
        until = work.now + timedelta(hours=1)
        signed_in = StaffSession(
            token_key=b"k", staff_id=person.id, created_at=work.now, expires_at=until
        )
        link = PasswordLink(
            id=uuid4(),
            staff_id=person.id,
            kind=LinkKind.RESET,
            by_mail=False,
            token_key=b"l",
            made_at=work.now,
            expires_at=until,
        )
        work.session.add_all([signed_in, link])
    await ground.database.close()


def ways_in(url: str) -> tuple[int, int]:
    """Return how many sessions and how many open links for a password there are."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM staff_sessions), count(*) FROM password_links"
            " WHERE used_at IS NULL AND withdrawn_at IS NULL"
        ).fetchone()
    assert row is not None
    return row


def subjects(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT subject FROM audit_entries ORDER BY id").fetchall()
    return [row[0] for row in rows]
