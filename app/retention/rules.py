"""The rules of retention: for how many days each kind of data is kept.

What is erased cannot be brought back, so one person alone does not shorten a rule and run it the
same evening: a shorter rule waits. A second person is not asked for, because a small helpline may
have one administrator, and a rule that no person can shorten keeps children's data for ever.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from app.errors import Conflict, Invalid
from app.retention.kinds import MOST_DAYS, DataKind, default_days, least_days
from app.retention.letters import tell_colleagues
from app.retention.models import RetentionRule
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work

# A person who changes a rule or holds a record waits for the batch that is being erased, and the
# next batch sees the change.
_LOCK = 116_120
# How long a shorter rule waits, so that a colleague can object before anything is erased by it.
WAITS = timedelta(days=7)


class ChangedMeanwhile(Conflict):
    default = (
        "Another person has changed these rules since you opened them. Look at what they say now, "
        "then save again."
    )


class Coming(NamedTuple):
    """A shorter rule that waits, and from when on it holds."""

    days: int
    at: datetime


@dataclass(frozen=True)
class Rules:
    """For how many days each kind is kept now (None: for ever), the shorter rules that wait, and
    the revision of all."""

    days: Mapping[DataKind, int | None]
    coming: Mapping[DataKind, Coming]
    revision: int

    def decided(self, kind: DataKind) -> int | None:
        """Return what was decided last: the rule that waits, or the one in force."""
        return self.coming[kind].days if kind in self.coming else self.days[kind]


async def alone(work: Work) -> None:
    """Wait until no batch is being erased, and let none begin before the commit."""
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def beside_others(work: Work) -> None:
    """Wait until no rule and no hold is being changed, before a batch is erased."""
    await work.session.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))


async def read_rules(work: Work) -> Rules:
    """Return the rules in force: those that were decided, and the defaults of the others."""
    number_days = work.settings.number_retention_days
    days = {kind: default_days(kind, number_days) for kind in DataKind}
    coming: dict[DataKind, Coming] = {}
    revision = 0
    for row in await work.session.scalars(
        select(RetentionRule).execution_options(populate_existing=True)
    ):
        kind = DataKind(row.kind)
        days[kind], revision = row.days, revision + row.revision
        if row.next_at is not None and row.next_days is not None:
            if row.next_at <= work.now:
                days[kind] = row.next_days
            else:
                coming[kind] = Coming(row.next_days, row.next_at)
    return Rules(days, coming, revision)


async def set_rules(
    work: Work,
    wanted: Mapping[DataKind, int | None],
    *,
    revision: int | None = None,
    at_once: bool = False,
) -> Rules:
    """Change rules; kinds that are left out stay. A longer one holds at once, a shorter one after
    `WAITS`, and the colleagues who could object are told: what is erased cannot be brought back.

    `revision` is that of the reader's page. `at_once`: for the operator at the command line. Raises
    Invalid, ChangedMeanwhile.
    """
    for kind, days in wanted.items():
        _check(kind, days)
    await alone(work)
    before = await read_rules(work)
    if revision is not None and before.revision != revision:
        raise ChangedMeanwhile()
    different = {kind: days for kind, days in wanted.items() if before.decided(kind) != days}
    if not different:
        return before
    for kind, days in different.items():
        await _store(work, kind, _next_of(work, before, kind, days, at_once=at_once))
    after = await read_rules(work)
    waiting = _waiting(after, different)
    write_entry(
        work,
        AuditLog.RETENTION_CHANGED,
        "retention",
        before={kind.value: _said(before.decided(kind)) for kind in different},
        after={kind.value: _said(days) for kind, days in different.items()},
        **waiting,
    )
    if waiting:
        await tell_colleagues(work, datetime.fromisoformat(waiting["from"]))
    return after


def _said(days: int | None) -> int | str:
    return "for_ever" if days is None else days


def _check(kind: DataKind, days: int | None) -> None:
    least = least_days(kind)
    if days is not None and not least <= days <= MOST_DAYS:
        raise Invalid(
            "%(kind)s: keep it %(least)s to %(most)s days, or for ever.",
            kind=kind.value,
            least=least,
            most=MOST_DAYS,
        )


def _is_shorter(days: int | None, than: int | None) -> bool:
    return days is not None and (than is None or days < than)


def _next_of(
    work: Work, rules: Rules, kind: DataKind, days: int | None, *, at_once: bool
) -> dict[str, Any]:
    """Return a rule as it is stored: what holds now, and the shorter one that waits, if any."""
    now = rules.days[kind]
    if at_once or days is None or not _is_shorter(days, now):
        return {"days": days, "next_days": None, "next_at": None}
    earlier = rules.coming.get(kind)
    # If a rule that waits is made longer, its seven days do not start again.
    kept = earlier is not None and earlier.days < days
    at = earlier.at if earlier is not None and kept else work.now + WAITS
    return {"days": now, "next_days": days, "next_at": at}


async def _store(work: Work, kind: DataKind, values: dict[str, Any]) -> None:
    await work.session.execute(
        insert(RetentionRule)
        .values(kind=kind.value, revision=1, **values)
        .on_conflict_do_update(
            index_elements=["kind"],
            set_={**values, "revision": text("retention_rules.revision + 1")},
        )
    )


def _waiting(rules: Rules, kinds: Iterable[DataKind]) -> dict[str, str]:
    """Return for the log from when on the shorter rules hold, if one of them waits."""
    instants = [rules.coming[kind].at for kind in kinds if kind in rules.coming]
    return {"from": max(instants).isoformat()} if instants else {}
