"""The key of the hashes is rotated: stored hashes are carried to the next generation.

A hash of the next generation is made from the stored one, so numbers that were forgotten long ago
are carried over, too. Meanwhile values are looked for in both forms. A caller's hashes are carried
over in all tables at once, and those of a caller who rings at that moment before the call is
entered: a flag or a wish is never missed.
"""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import MetaData, PrimaryKeyConstraint, UniqueConstraint, select, text

from app.database.base import Base
from app.database.topics import Topic
from app.errors import Conflict
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.privacy.hash_kinds import HashOf
from app.privacy.keys import generation_of
from app.privacy.models import HashKey
from app.sealing.knowing import learn
from app.sealing.places import hashed_columns
from app.sealing.resealing import NOTICE, SETTLED
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM, Ground, Work

_AT_ONCE = 500
# The first byte of a hash is the number of its generation.
_MOST_GENERATIONS = 255
_QUIET = text("SELECT set_config('helpline.resealing', 'on', true)")


async def rotate_hashes(work: Work) -> int:
    """Make the key of the next generation of hashes, and have the stored ones carried over.

    Return its number. Raises Conflict.
    """
    await learn(work)
    newest = await work.session.scalar(
        select(HashKey).order_by(HashKey.generation.desc()).limit(1).with_for_update()
    )
    if work.keys.problem or newest is None:
        raise Conflict(work.keys.problem)
    if newest.complete_at is None:
        raise Conflict("The hashes are being carried over. See `helpline keys status`.")
    if newest.generation >= _MOST_GENERATIONS:
        raise Conflict("The hashes were rotated as often as they can be.")
    key_id, generation = uuid4(), newest.generation + 1
    work.session.add(
        HashKey(
            generation=generation,
            id=key_id,
            secret_sealed=work.keys.hash_secret(key_id),
            added_at=work.now,
            used_from=work.now + NOTICE,
        )
    )
    await work.session.flush()
    write_entry(
        work, AuditLog.HASHES_ROTATED, "hash_keys", before=newest.generation, after=generation
    )
    work.announce(Topic.KEYS)
    work.defer(Task.CARRY_HASHES, delay=NOTICE)
    return generation


async def carry_hashes(ground: Ground, metadata: MetaData, most: int | None = None) -> bool:
    """Carry all stored hashes over, or `most` batches of them. Return whether this is complete.

    It is complete when nothing was left some minutes after the new key came into use: a process
    that was cut off may have written an old hash until then.
    """
    async with transaction(ground, PROGRAM) as work:
        await learn(work)
    if ground.keys.problem or not ground.keys.rotates_hashes:
        return not ground.keys.problem
    left = batches = 0
    for columns in hashed_columns(metadata).values():
        for column in columns:
            after = b""
            while most is None or batches < most:
                async with transaction(ground, PROGRAM, long=True) as work:
                    some = await carry_some(work, column, columns, after)
                if not some:
                    break
                left, after, batches = left + len(some), some[-1], batches + 1
    async with transaction(ground, PROGRAM) as work:
        newest = await work.session.get_one(
            HashKey, work.keys.generation, with_for_update=True, populate_existing=True
        )
        if left or newest.used_from > work.now - SETTLED:
            work.defer(Task.CARRY_HASHES, delay=timedelta(seconds=0) if left else SETTLED)
            return False
        newest.complete_at = work.now
        work.announce(Topic.KEYS)
    return True


async def carry_some(work: Work, column: str, columns: list[str], after: bytes) -> list[bytes]:
    """Carry the next hashes of a column over, in all columns that are compared with it.

    Return the hashes as they were.
    """
    table, _, name = column.partition(".")
    rows = await work.session.scalars(
        text(
            f"SELECT {name} FROM {table} WHERE {name} > :after "
            f"AND NOT (octet_length({name}) = 33 AND get_byte({name}, 0) = :generation) "
            f"ORDER BY {name} LIMIT :most"
        ),
        {"after": after, "generation": work.keys.generation, "most": _AT_ONCE},
    )
    found = [bytes(row) for row in rows]
    await _carry(work, columns, sorted(set(found)))
    return found


async def _carry(work: Work, columns: list[str], stored: list[bytes]) -> None:
    if not stored:
        return
    await work.session.execute(_QUIET)
    carried = work.keys.carried(stored, work.keys.generation)
    for column in columns:
        table, _, name = column.partition(".")
        for others in _unique_with(table, name):
            await work.session.execute(
                text(
                    f"DELETE FROM {table} AS old USING {table} AS new, "
                    "unnest(CAST(:stored AS bytea[]), CAST(:carried AS bytea[])) "
                    f"AS made (stored, carried) WHERE old.{name} = made.stored "
                    f"AND new.{name} = made.carried"
                    + "".join(f" AND old.{one} = new.{one}" for one in others)
                ),
                {"stored": stored, "carried": carried},
            )
        await work.session.execute(
            text(
                f"UPDATE {table} SET {name} = made.carried "
                "FROM unnest(CAST(:stored AS bytea[]), CAST(:carried AS bytea[])) "
                f"AS made (stored, carried) WHERE {table}.{name} = made.stored"
            ),
            {"stored": stored, "carried": carried},
        )


def _unique_with(table: str, name: str) -> list[list[str]]:
    """Return the other columns of each key that holds a hash.

    A row that was written in the next form meanwhile says the same as the one that is stored: only
    one of them can be carried over.
    """
    found = Base.metadata.tables[table]
    keys = [
        [column.name for column in key.columns]
        for key in found.constraints
        if isinstance(key, (PrimaryKeyConstraint, UniqueConstraint)) and name in key.columns
    ]
    return [[one for one in key if one != name] for key in sorted(keys)]


async def carry_caller(work: Work, number: str) -> None:
    """Carry over what is stored of a caller who rings while the hashes are being rotated."""
    keys = work.keys
    if not keys.rotates_hashes:
        return
    stored = [
        one
        for one in keys.match_keys(HashOf.CALLER, number)
        if generation_of(one) < keys.generation
    ]
    # Committed before the call is entered: what is known of the caller is read by itself.
    async with transaction(work.ground, PROGRAM, aside=True) as own:
        await _carry(own, hashed_columns(Base.metadata)["caller"], stored)
