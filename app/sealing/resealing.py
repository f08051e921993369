"""Another key seals, everything is sealed anew with it, and the old key retires.

Values are sealed anew a few at a time, each batch in a transaction of its own. Which are still to
be done is read from the values themselves, so it can be interrupted at any moment.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import MetaData, select, text

from app.database.logs import WITH_SEALS, Why, change_rows
from app.database.topics import Topic
from app.errors import Conflict, Invalid
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.privacy.keys import Bound
from app.privacy.models import FieldKey
from app.sealing.knowing import learn
from app.sealing.places import SealedColumn, Shape, sealed_places, stored_as, values_of
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import PROGRAM, Ground, Work

# Until a new key seals, every process has heard of it.
NOTICE = timedelta(seconds=60)
# A process that was cut off from the database may still have written with the old key.
SETTLED = timedelta(minutes=5)
_AT_ONCE = 200
# Bytes: a longer value is read and sealed by itself.
_LONG = 50_000
# What is sealed anew has not changed: kept figures stay, and rows of logs may take it.
_QUIET = text("SELECT set_config('helpline.resealing', 'on', true)")


@dataclass(frozen=True)
class Count:
    """How many values of a place are sealed with a key."""

    place: str
    number: int
    values: int


async def rotate_key(work: Work) -> int:
    """Let the first key of the settings seal, in a minute, and have everything sealed anew.

    Return its number. May run twice. Raises Conflict.
    """
    await learn(work)
    keys = work.ground.keys
    if keys.problem:
        raise Conflict(keys.problem)
    key = await work.session.get_one(FieldKey, keys.first, with_for_update=True)
    if keys.first == keys.current:
        raise Conflict(
            "The first key in HELPLINE_FIELD_KEYS seals already. Put a new one before it, restart "
            "all processes, and repeat this command."
        )
    if key.seals_from is None or key.seals_from <= work.now:
        key.seals_from = work.now + NOTICE
        write_entry(work, AuditLog.KEY_ROTATED, "field_keys", before=keys.current, after=key.number)
        work.announce(Topic.KEYS)
        work.defer(Task.RESEAL, delay=NOTICE)
    return key.number


async def reseal(
    ground: Ground,
    metadata: MetaData,
    said: Callable[[str, int], None] = lambda place, values: None,
    most: int | None = None,
) -> int:
    """Seal everything anew that another key has sealed, or `most` batches of it.

    Return how many values that were. Raises Conflict if the keys are wrong.
    """
    async with transaction(ground, PROGRAM) as work:
        await learn(work)
    if ground.keys.problem:
        raise Conflict(ground.keys.problem)
    total = batches = 0
    for place in sealed_places(metadata):
        done, after = 0, None
        while most is None or batches < most:
            async with transaction(ground, PROGRAM, long=True) as work:
                some, after = await reseal_some(work, place, after)
            done += some
            batches += some > 0
            if after is None:
                break
        if done:
            said(place.name, done)
        total += done
    return total


async def reseal_some(
    work: Work, place: SealedColumn, after: tuple[Any, ...] | None
) -> tuple[int, tuple[Any, ...] | None]:
    """Seal the next values of a place anew; rows that are being changed are left out.

    Return how many values these were, and the last row, or None at the end.
    """
    await work.session.execute(_QUIET)
    rows = await _next_rows(work, place, after)
    if not rows:
        return 0, None
    done, changes = 0, []
    for row in rows:
        stored = row["stored"]
        if stored is None:
            stored = await _long_value(work, place, row)
        values = values_of(place, stored)
        others = [path for path, value in values.items() if value[1] != work.keys.current]
        bound = [(Bound(**place.bound_to(row, path)), values[path]) for path in others]
        values |= zip(others, await work.keys.seal_anew(bound), strict=True)
        done += len(others)
        keys = {key: row[key] for key in place.keys}
        changes.append({"was": stored, "value": stored_as(place, values)} | keys)
        if len(values.get("", b"")) > _LONG:
            await _write(work, place, changes)
            changes = []
    if changes:
        await _write(work, place, changes)
    return done, tuple(rows[-1][key] for key in place.keys)


async def _next_rows(
    work: Work, place: SealedColumn, after: tuple[Any, ...] | None
) -> list[dict[str, Any]]:
    keys = ", ".join(place.keys)
    columns = ", ".join(dict.fromkeys(place.also()))
    beyond = ""
    values: dict[str, Any] = {"current": work.keys.current, "most": _AT_ONCE}
    if after is not None:
        beyond = f"AND ({keys}) > ({', '.join(f':after_{key}' for key in place.keys)})"
        values |= {f"after_{key}": value for key, value in zip(place.keys, after, strict=True)}
    # Rows of logs cannot be locked: whether one was changed meanwhile is seen when it is written.
    locked = "" if place.table in WITH_SEALS else "FOR UPDATE SKIP LOCKED"
    short = "true" if place.shape is not Shape.BYTES else f"octet_length({place.column}) < {_LONG}"
    rows = await work.session.execute(
        text(
            f"SELECT {columns}, CASE WHEN {short} THEN {place.column} END AS stored "
            f"FROM {place.table} WHERE {place.of_another_key} {beyond} "
            f"ORDER BY {keys} LIMIT :most {locked}"
        ),
        values,
    )
    return [dict(row) for row in rows.mappings()]


def _this_row(place: SealedColumn) -> str:
    return " AND ".join(f"{key} = :{key}" for key in place.keys)


async def _long_value(work: Work, place: SealedColumn, row: dict[str, Any]) -> bytes:
    statement = text(f"SELECT {place.column} FROM {place.table} WHERE {_this_row(place)}")
    found = await work.session.scalar(statement, {key: row[key] for key in place.keys})
    return bytes(found or b"")


async def _write(work: Work, place: SealedColumn, changes: list[dict[str, Any]]) -> None:
    if place.table in WITH_SEALS:
        await _write_log(work, place, changes)
        return
    value = "CAST(:value AS jsonb)" if place.shape is Shape.ANSWERS else ":value"
    statement = text(f"UPDATE {place.table} SET {place.column} = {value} WHERE {_this_row(place)}")
    for change in changes:
        change.pop("was")
    await work.session.execute(statement, changes)


async def _write_log(work: Work, place: SealedColumn, changes: list[dict[str, Any]]) -> None:
    """Write to rows of a log that hold what was read: erased words stay gone."""

    def shaped(value: Any) -> Any:
        return json.loads(value) if place.shape is Shape.ANSWERS else value

    await change_rows(
        work.session,
        Why.RESEALING,
        place.table,
        [
            (
                {key: change[key] for key in place.keys} | {place.column: change["was"]},
                {place.column: shaped(change["value"])},
            )
            for change in changes
        ],
    )


# -- what is left ------------------------------------------------------------------------------


async def counts(work: Work, metadata: MetaData) -> list[Count]:
    """Return how many values of each place are sealed with which key."""
    found = []
    for place in sealed_places(metadata):
        rows = await work.session.execute(
            text(f"SELECT {place.number}, count(*) FROM {place.source} GROUP BY 1 ORDER BY 1")
        )
        found += [Count(place.name, number, values) for number, values in rows]
    return found


async def is_left(work: Work, metadata: MetaData) -> bool:
    """Return whether anything is sealed with another key than the present one."""
    for place in sealed_places(metadata):
        statement = text(f"SELECT EXISTS (SELECT FROM {place.table} WHERE {place.of_another_key})")
        if await work.session.scalar(statement, {"current": work.keys.current}):
            return True
    return False


async def retire_key(work: Work, metadata: MetaData, number: int) -> None:
    """Retire a key: it opens nothing any more, and may be removed from the settings.

    May run twice. Raises Invalid, Conflict.
    """
    await learn(work)
    key = await work.session.get(FieldKey, number, with_for_update=True)
    if key is None:
        raise Invalid("There is no key with this number. See `helpline keys status`.")
    if key.retired_at is not None:
        return
    waits = await work.session.scalar(
        select(FieldKey.number).where(FieldKey.seals_from > work.now - SETTLED).limit(1)
    )
    if number == work.keys.current:
        raise Conflict("This key seals. Put a new key first and run `helpline keys rotate`.")
    if waits is not None:
        raise Conflict("The keys were changed just now. Repeat this command in five minutes.")
    left = [one for one in await counts(work, metadata) if one.number == number]
    if left:
        raise Conflict(
            "%(values)s values are still sealed with this key, the first of them in %(place)s. "
            "Run `helpline keys reseal`, and then repeat this command.",
            values=sum(one.values for one in left),
            place=left[0].place,
        )
    key.retired_at = work.now
    before, after = {"retired": False}, {"retired": True}
    write_entry(work, AuditLog.KEY_RETIRED, "field_keys", number=number, before=before, after=after)
    work.announce(Topic.KEYS)
