"""Folders, keys and lines of the log for tests of back-ups."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from pyrage import x25519

from app.jobs.transaction import transaction
from app.sealing.knowing import learn
from app.settings import Settings
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM, make_ground


@contextmanager
def a_folder() -> Iterator[Path]:
    # A short path: the server listens on a socket in it.
    with tempfile.TemporaryDirectory(prefix="hlb", dir="/tmp") as name:
        yield Path(name)


def a_key(folder: Path, name: str = "key") -> tuple[Path, str]:
    made = x25519.Identity.generate()
    path = folder / name
    path.write_text(f"# made for a test\n{made}\n")
    return path, str(made.to_public())


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


def subjects(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT subject FROM audit_entries ORDER BY id").fetchall()
    return [row[0] for row in rows]
