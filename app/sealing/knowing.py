"""What the database says about the keys: read by every process, at the start and after a change.

A wrong or lost key is noticed here: by the check values of the keys, and in a database that has
none yet by opening one value of each column.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import MetaData, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from app.database.bus import Bus, Subscription
from app.database.engine import for_libpq, with_limits
from app.database.topics import Topic
from app.errors import BadSettings
from app.jobs.transaction import transaction
from app.log import log
from app.privacy.keys import CannotOpen, InForce, Keys, read_keys
from app.privacy.models import FieldKey, HashKey
from app.privacy.safe import Secret
from app.sealing.places import SealedColumn, sealed_places, values_of
from app.settings import Settings
from app.work import PROGRAM, Ground, Work

# Seconds until a process that could not ask the database asks again.
_AGAIN = 1.0
# Seconds that the keeper may take to start: both are often started at the same moment.
_KEEPER_STARTS_WITHIN = 30.0
# Seconds until a connection at the start is made.
_CONNECTS_WITHIN = 10


class KnownKey(NamedTuple):
    """A key as the database knows it."""

    number: int
    check_value: bytes
    seals_from: datetime | None
    retired_at: datetime | None


def problem_of(keys: Keys, known: Iterable[KnownKey]) -> str:
    """Return what is wrong with the keys of the settings, and what to do; empty if nothing is."""
    for key in known:
        given = key.number in keys.numbers
        if key.seals_from is None and key.retired_at is None:
            # It has sealed nothing: it may go, or be another one.
            continue
        if given and keys.check_value(key.number) != key.check_value:
            if key.retired_at is not None:
                return (
                    f"Key {key.number} in HELPLINE_FIELD_KEYS is new, but its number belonged to a "
                    "key that was retired. Give it a number that was never used."
                )
            return (
                f"Key {key.number} in HELPLINE_FIELD_KEYS is not the key {key.number} of this "
                "database: what is stored could not be read. Put the right key back, from the "
                "copy that you keep away from the machine."
            )
        if not given and key.retired_at is None:
            return (
                f"HELPLINE_FIELD_KEYS has no key {key.number}, and values in the database may be "
                "sealed with it. Put it back, from the copy that you keep away from the machine. "
                f"A key can go when `helpline keys retire {key.number}` has said so."
            )
    retired = {key.number for key in known if key.retired_at is not None}
    if keys.first in retired:
        return (
            f"Key {keys.first} was retired, and is the first in HELPLINE_FIELD_KEYS. Remove it, "
            "or put a key before it that was never used."
        )
    return ""


# -- at the start ------------------------------------------------------------------------------


def check_keys(settings: Settings, metadata: Callable[[], MetaData]) -> None:
    """Refuse to start with keys that do not open what is stored.

    `metadata` is needed only for a database that knows no keys yet: loading it takes time.

    Raises BadSettings with a sentence that says what to do.
    """
    assert settings.database_url is not None
    keys = read_keys(settings)
    if keys.keeper is None:
        _check_keys(settings.database_url, keys, metadata)
        return
    with contextlib.closing(keys.keeper) as keeper:
        keeper.wait(_KEEPER_STARTS_WITHIN)
        _check_keys(settings.database_url, keys, metadata)


def _check_keys(database_url: str, keys: Keys, metadata: Callable[[], MetaData]) -> None:
    with psycopg.connect(
        for_libpq(database_url),
        row_factory=dict_row,
        connect_timeout=_CONNECTS_WITHIN,
        options=with_limits(database_url),
        # Milliseconds until a machine that is gone is noticed.
        tcp_user_timeout=30_000,
    ) as connection:
        rows = connection.execute(
            "SELECT number, check_value, seals_from, retired_at FROM field_keys ORDER BY number"
        ).fetchall()
        if rows:
            problem = problem_of(keys, [KnownKey(**row) for row in rows])
        else:
            problem = cannot_open(connection, keys, sealed_places(metadata()))
    if problem:
        raise BadSettings(problem)


def cannot_open(connection: psycopg.Connection[Any], keys: Keys, places: list[SealedColumn]) -> str:
    """Return what is wrong if a stored value cannot be opened: there are no check values yet."""
    for place in places:
        also = ", ".join(dict.fromkeys((*place.also(), place.column)))
        row = connection.execute(
            f"SELECT {also} FROM {place.table} WHERE {place.column} IS NOT NULL LIMIT 1"
        ).fetchone()
        for path, value in values_of(place, row[place.column]).items() if row else ():
            try:
                keys.check_opens(value, **place.bound_to(row or {}, path))
            except CannotOpen:
                # A value that was cut short does not say its key.
                by = f"key {value[1]}" if len(value) > 1 else "another key"
                return (
                    f"The keys in HELPLINE_FIELD_KEYS do not open what is stored in {place.name}. "
                    f"It was sealed with {by}: put that key back, from the copy that you keep "
                    "away from the machine."
                )
    return ""


# -- in every process --------------------------------------------------------------------------


async def learn(work: Work) -> datetime | None:
    """Read what the database says, and work by it from now on.

    Keys of the settings that the database does not know are entered. Return when the next key
    comes into force, if one waits.
    """
    keys = work.ground.keys
    await keys.look()
    known = await _field_keys(work)
    keys.problem = problem_of(keys, [_as_known(key) for key in known])
    if keys.problem:
        return None
    sealing = [
        (key.seals_from, key.number) for key in known if key.seals_from and not key.retired_at
    ]
    hashes = list(await work.session.scalars(select(HashKey).order_by(HashKey.generation)))
    if not hashes:
        hashes = [await _first_hash_key(work)]
    # The process that entered the first key may have a clock that is ahead of ours.
    begun = [pair for pair in sealing if pair[0] <= work.now] or [min(sealing)]
    facts = InForce(
        sealing=max(begun)[1],
        retired=[key.number for key in known if key.retired_at],
        hash_secrets={h.generation: Secret(h.secret_sealed, h.id) for h in hashes},
        written=max((h.generation for h in hashes if h.used_from <= work.now), default=1),
        oldest=max((h.generation for h in hashes if h.complete_at), default=1),
        check_values={number: keys.check_value(number) for _, number in sealing},
    )
    try:
        keys.work_by(facts)
    except CannotOpen:
        keys.problem = (
            "The keys in HELPLINE_FIELD_KEYS do not open the key of the hashes. Put the right keys "
            "back, from the copy that you keep away from the machine."
        )
        return None
    moments = (*(at for at, _ in sealing), *(h.used_from for h in hashes))
    return min((at for at in moments if at > work.now), default=None)


async def _field_keys(work: Work) -> list[FieldKey]:
    known = list(await work.session.scalars(select(FieldKey).order_by(FieldKey.number)))
    keys = work.ground.keys
    for key in known:
        if key.number in keys.numbers and key.seals_from is None and key.retired_at is None:
            key.check_value = keys.check_value(key.number)
    missing = set(keys.numbers) - {key.number for key in known}
    if not missing:
        return known
    for number in missing:
        await work.session.execute(
            insert(FieldKey)
            .values(
                number=number,
                check_value=keys.check_value(number),
                added_at=work.now,
                # In a database without keys the first one seals, and the others may have before.
                seals_from=None if known else work.now - timedelta(seconds=number != keys.first),
            )
            .on_conflict_do_nothing()
        )
    found = await work.session.scalars(select(FieldKey).order_by(FieldKey.number))
    return list(found)


def _as_known(key: FieldKey) -> KnownKey:
    return KnownKey(key.number, key.check_value, key.seals_from, key.retired_at)


async def _first_hash_key(work: Work) -> HashKey:
    """Enter the secret from which hashes were made so far: it came from the last field key."""
    key_id = uuid4()
    await work.session.execute(
        insert(HashKey)
        .values(
            generation=1,
            id=key_id,
            secret_sealed=work.ground.keys.hash_secret(key_id, first=True),
            added_at=work.now,
            used_from=work.now,
            complete_at=work.now,
        )
        .on_conflict_do_nothing()
    )
    return (await work.session.scalars(select(HashKey).where(HashKey.generation == 1))).one()


async def learn_now(ground: Ground) -> datetime | None:
    """Read what the database says, in a transaction of its own."""
    async with transaction(ground, PROGRAM) as work:
        return await learn(work)


async def watch(ground: Ground, bus: Bus) -> None:
    """Read it again after each change, and when a key comes into force. Runs for ever."""
    with bus.listening(Subscription(), {Topic.KEYS, Topic.EVERYTHING}) as news:
        keeper, looking = ground.keys.keeper, None
        if keeper is not None:
            # A keeper that is back may have another key in front.
            looking = asyncio.create_task(keeper.watch(lambda: news.put(Topic.KEYS)), name="keeper")
        try:
            while True:
                await news.take()
                try:
                    await _learn_until_settled(ground)
                except (SQLAlchemyError, psycopg.Error, OSError) as error:
                    kind = type(error).__name__
                    log().warning(
                        "the keys could not be read", area="database", exception_type=kind
                    )
                    await ground.clock.sleep(_AGAIN)
                    news.put(Topic.KEYS)
        finally:
            if looking is not None:
                looking.cancel()


async def _learn_until_settled(ground: Ground) -> None:
    """Read it, and again each time when a key comes into force."""
    following = await learn_now(ground)
    while following is not None:
        wait = (following - ground.clock.now()).total_seconds()
        await ground.clock.sleep(max(wait, 0))
        following = await learn_now(ground)
