"""What is known of the keys: which one seals, what each has sealed, when all was last sealed anew.

Nothing of a key itself is in it.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import MetaData, delete, insert, select

from app.jobs.names import Task
from app.privacy.models import FieldKey, HashKey, SealedCount
from app.sealing import resealing
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Ground, Work


class KeyUse(StrEnum):
    """What a key does."""

    SEALS = "seals"
    # It seals from a moment on, of which every process hears before.
    SEALS_SOON = "seals_soon"
    OPENS = "opens"
    RETIRED = "retired"
    # Values are sealed with it, and neither the settings nor the database know it.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class KeyState:
    """A key. `values`: how many were sealed with it when they were counted, None if they never
    were; `since`: when it began to seal, or retired."""

    number: int
    use: KeyUse
    values: int | None
    since: datetime | None

    @property
    def can_retire(self) -> bool:
        return self.use is KeyUse.OPENS and self.values == 0


@dataclass(frozen=True)
class Hashes:
    """A generation of keyed hashes; without `complete_at` hashes are being carried over to it."""

    generation: int
    complete_at: datetime | None


@dataclass(frozen=True)
class KeysState:
    # What keeps this process from opening what is stored; empty if all is well.
    problem: str
    # The number of the first key of the settings, and of the one that seals.
    first: int
    current: int
    keys: list[KeyState]
    hashes: list[Hashes]
    # When values were last counted; None: never.
    counted_at: datetime | None
    # When everything was last sealed anew, and since when that is asked for and not done.
    resealed_at: datetime | None
    under_way_since: datetime | None

    @property
    def can_rotate(self) -> bool:
        """Whether the operator has put a new key first, which does not seal yet."""
        soon = any(key.use is KeyUse.SEALS_SOON for key in self.keys)
        return not self.problem and self.first != self.current and not soon

    @property
    def left(self) -> int:
        """How many values were sealed with another key than the present one."""
        return sum(key.values or 0 for key in self.keys if key.number != self.current)


async def count(work: Work, metadata: MetaData) -> None:
    """Count what each key has sealed, and keep it. A large database takes seconds."""
    values: dict[int, int] = defaultdict(int)
    for one in await resealing.counts(work, metadata):
        values[one.number] += one.values
    numbers = {*values, *await work.session.scalars(select(FieldKey.number))}
    await work.session.execute(delete(SealedCount))
    await work.session.execute(
        insert(SealedCount),
        [{"number": n, "values": values[n], "counted_at": work.now} for n in sorted(numbers)],
    )


async def read(work: Work) -> KeysState:
    """Return what is known of the keys; what each has sealed as it was counted last."""
    counted = {
        one.number: one
        for one in await work.session.scalars(
            select(SealedCount).execution_options(populate_existing=True)
        )
    }
    values: dict[int, int] = {number: one.values for number, one in counted.items()}
    rows = (await work.session.scalars(select(FieldKey).order_by(FieldKey.number))).all()
    keys = [
        KeyState(
            row.number,
            _use(work, row),
            values.pop(row.number, 0 if counted else None),
            row.retired_at or row.seals_from,
        )
        for row in rows
    ]
    keys += [KeyState(number, KeyUse.UNKNOWN, count, None) for number, count in values.items()]
    made = await work.session.scalars(select(HashKey).order_by(HashKey.generation))
    asked = await _last(work, AuditLog.RESEALING_ASKED, AuditLog.KEY_ROTATED)
    done = await _last(work, AuditLog.KEYS_RESEALED)
    return KeysState(
        problem=work.keys.problem,
        first=work.keys.first,
        current=work.keys.current,
        keys=keys,
        counted_at=max((one.counted_at for one in counted.values()), default=None),
        hashes=[Hashes(one.generation, one.complete_at) for one in made],
        resealed_at=done,
        under_way_since=asked if asked is not None and (done is None or done < asked) else None,
    )


_TABLES = "all tables"


def compose(ground: Ground, metadata: MetaData) -> None:
    """Let this process count in all tables."""
    ground.kept[_TABLES] = metadata


def all_tables(work: Work) -> MetaData:
    """Return the tables of the program, with which the process was composed."""
    found: MetaData = work.ground.kept[_TABLES]
    return found


def _use(work: Work, key: FieldKey) -> KeyUse:
    if key.retired_at:
        return KeyUse.RETIRED
    if key.number == work.keys.current:
        return KeyUse.SEALS
    if key.seals_from is not None and key.seals_from > work.now:
        return KeyUse.SEALS_SOON
    return KeyUse.OPENS


async def _last(work: Work, *actions: AuditLog) -> datetime | None:
    found: datetime | None = await work.session.scalar(
        select(AuditEntry.at)
        .where(AuditEntry.action.in_([one.value for one in actions]))
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    return found


def ask_for_resealing(work: Work) -> None:
    """Let a job seal everything anew that another key than the present one has sealed."""
    write_entry(work, AuditLog.RESEALING_ASKED, "field_keys")
    work.defer(Task.RESEAL, asked=True)


def note_resealed(work: Work, values: int) -> None:
    """Log that nothing is left which another key has sealed."""
    write_entry(work, AuditLog.KEYS_RESEALED, "field_keys", number=work.keys.current, rows=values)
