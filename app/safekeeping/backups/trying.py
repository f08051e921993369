"""Trying a restored back-up: the chains of the logs are whole, and the keys open what is sealed."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import MetaData, text

from app.database.engine import LONG_SECONDS
from app.database.running import database_of
from app.safekeeping.backups.places import BackupRefused, Made
from app.safekeeping.backups.restoring import restore
from app.sealing.knowing import check_keys, learn_now
from app.sealing.places import sealed_places, values_of
from app.settings import Settings
from app.staff.log_checks.chains import verify_chains
from app.staff.log_checks.sealed_words import verify_words
from app.work import PROGRAM, Work, make_ground


@dataclass(frozen=True)
class Tried:
    """What was found in a restored back-up."""

    # Rows of each log.
    rows: dict[str, int]
    broken: dict[str, list[int | str]]
    # Sealed values that were opened, one of each column that holds any.
    opened: int
    newest: datetime | None

    @property
    def is_whole(self) -> bool:
        return not any(self.broken.values())


async def look_into(settings: Settings, folder: Path, metadata: MetaData) -> Tried:
    """Look into a server that was restored into a folder. Raises BadSettings if a key is wrong.

    `settings` has the keys; they are not in the back-up.
    """
    own = settings.model_copy(
        update={
            "data_dir": folder,
            "database_url": None,
            "migration_database_url": None,
            "backup_database_url": None,
            # It puts nothing aside: these are the back-ups of another server.
            "backup_target": None,
        }
    )
    with database_of(own) as running:
        check_keys(running, lambda: metadata)
        ground = make_ground(running, statement_seconds=LONG_SECONDS)
        try:
            await learn_now(ground)
            if ground.keys.problem:
                raise BackupRefused(ground.keys.problem)
            async with ground.database.sessions() as session:
                work = Work(session, ground.clock.now(), PROGRAM, ground)
                reports = [*await verify_chains(session), *await verify_words(work)]
                newest = await session.scalar(text("SELECT max(at) FROM audit_entries"))
                return Tried(
                    {one.table: one.rows for one in reports},
                    {one.table: one.broken for one in reports if one.broken},
                    await _open_some(work, metadata),
                    newest,
                )
        finally:
            await ground.database.close()


async def _open_some(work: Work, metadata: MetaData) -> int:
    """Open one value of each column that holds any, and return how many these were."""
    done = 0
    for place in sealed_places(metadata):
        also = ", ".join(dict.fromkeys((*place.also(), place.column)))
        row = (
            (
                await work.session.execute(
                    text(
                        f"SELECT {also} FROM {place.table} WHERE {place.column} IS NOT NULL LIMIT 1"
                    )
                )
            )
            .mappings()
            .first()
        )
        if row is None:
            continue
        for path, value in values_of(place, row[place.column]).items():
            work.keys.check_opens(value, **place.bound_to(dict(row), path))
            done += 1
    return done


async def drill(
    settings: Settings, source: Path, key: Path, metadata: MetaData
) -> tuple[Made, Tried]:
    """Restore the newest back-up into a folder that is deleted afterwards, and check it."""
    # A short path: the server listens on a socket in it.
    with tempfile.TemporaryDirectory(prefix="hld", dir="/tmp") as folder:
        to = Path(folder) / "restored"
        made = restore(source, to, key)
        return made, await look_into(settings, to, metadata)
