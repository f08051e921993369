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

from app.errors import ChangedMeanwhile, Invalid
from app.retention.kinds import MOST_DAYS, DataKind, Decider, default_days, least_days
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


class Coming(NamedTuple):
    """A shorter rule that waits, and from when on it holds."""

    days: int
    at: datetime


class Decision(NamedTuple):
    """For how many days a kind shall be kept (None: for ever), and whose rule that is."""

    days: int | None
    by: Decider = Decider.HELPLINE


@dataclass(frozen=True)
class Rules:
    """For how many days each kind is kept now (None: for ever), the shorter rules that wait, whose
    rule each is, and the revision of all."""

    days: Mapping[DataKind, int | None]
    coming: Mapping[DataKind, Coming]
    deciders: Mapping[DataKind, Decider]
    revision: int

    def decided(self, kind: DataKind) -> int | None:
        """Return what was decided last: the rule that waits, or the one in force."""
        return self.coming[kind].days if kind in self.coming else self.days[kind]

    def decision(self, kind: DataKind) -> Decision:
        """Return what was decided last, and by whom."""
        return Decision(self.decided(kind), self.deciders[kind])


async def alone(work: Work) -> None:
    """Wait until no batch is being erased, and let none begin before the commit."""
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def beside_others(work: Work) -> None:
    """Wait until no rule and no hold is being changed, before a batch is erased."""
    await work.session.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))


async def read_rules(work: Work, *, at: datetime | None = None) -> Rules:
    """Return the rules in force now, or at an instant if nothing changes until then: those that
    were decided, and the defaults of the others."""
    now = at or work.now
    days = {kind: default_of(work, kind) for kind in DataKind}
    deciders = dict.fromkeys(DataKind, Decider.PROGRAM)
    coming: dict[DataKind, Coming] = {}
    revision = 0
    for row in await work.session.scalars(
        select(RetentionRule).execution_options(populate_existing=True)
    ):
        kind, revision = DataKind(row.kind), revision + row.revision
        deciders[kind] = Decider(row.decided_by)
        days[kind], waits = _read(row, days[kind], now)
        if waits is not None:
            coming[kind] = waits
    return Rules(days, coming, deciders, revision)


def _read(
    row: RetentionRule, default: int | None, now: datetime
) -> tuple[int | None, Coming | None]:
    """Return for how many days a kind is kept now, and the shorter rule that waits, if any."""
    last = row.days if row.next_at is None else row.next_days
    if row.decided_by == Decider.PROGRAM:
        last = default
    if row.next_at is None or row.next_at <= now or last is None or not is_shorter(last, row.days):
        return last, None
    return row.days, Coming(last, row.next_at)


def default_of(work: Work, kind: DataKind) -> int | None:
    """Return for how many days a kind is kept until a decision; None: for ever."""
    return default_days(kind, work.settings.number_retention_days)


async def set_rules(
    work: Work,
    wanted: Mapping[DataKind, int | None],
    *,
    revision: int | None = None,
    at_once: bool = False,
) -> Rules:
    """Change rules; kinds that are left out stay. A longer one holds at once, a shorter one after
    `WAITS`, and the colleagues who could object are told: what is erased cannot be brought back.
    What is changed is the helpline's own rule from now on.

    `revision` is that of the reader's page. `at_once`: for the operator at the command line. Raises
    Invalid, ChangedMeanwhile.
    """
    for kind, days in wanted.items():
        _check(kind, days)
    await alone(work)
    before = await read_rules(work)
    if revision is not None and before.revision != revision:
        raise ChangedMeanwhile()
    # A page sends all of its fields: what was only shown is no decision.
    different = {
        kind: Decision(days) for kind, days in wanted.items() if before.decided(kind) != days
    }
    return await decide(work, before, different, at_once=at_once)


async def decide(
    work: Work,
    before: Rules,
    wanted: Mapping[DataKind, Decision],
    *,
    at_once: bool = False,
    source: str | None = None,
) -> Rules:
    """Store rules, and write them to the log and to the colleagues.

    Call it in the transaction that waited in `alone`, and then read `before`. `source`: why the
    country says so.
    """
    different = {kind: one for kind, one in wanted.items() if before.decision(kind) != one}
    if not different:
        return before
    for kind, one in different.items():
        values = next_of(before, kind, one.days, work.now, at_once=at_once)
        await _store(work, kind, {**values, "decided_by": one.by.value})
    after = await read_rules(work)
    # Nothing is announced if the days stay and only the one who decides them is another.
    waiting = _waiting(
        after, [kind for kind, one in different.items() if before.decided(kind) != one.days]
    )
    write_entry(
        work,
        AuditLog.RETENTION_CHANGED,
        "retention",
        before=_for_log({kind: before.decision(kind) for kind in different}),
        after=_for_log(different),
        **({"source": source} if source is not None else {}),
        **waiting,
    )
    if waiting:
        await tell_colleagues(work, datetime.fromisoformat(waiting["from"]))
    return after


def _for_log(decisions: Mapping[DataKind, Decision]) -> dict[str, int | str]:
    """Return for the log what was decided of each kind, and whose rule it is."""
    days = {kind.value: one.days or "for_ever" for kind, one in decisions.items()}
    return {**days, **{f"{kind.value}_decided_by": one.by.value for kind, one in decisions.items()}}


def _check(kind: DataKind, days: int | None) -> None:
    least = least_days(kind)
    if days is not None and not least <= days <= MOST_DAYS:
        raise Invalid(
            "%(kind)s: keep it %(least)s to %(most)s days, or for ever.",
            kind=kind.value,
            least=least,
            most=MOST_DAYS,
        )


def is_shorter(days: int | None, than: int | None) -> bool:
    """Return whether a rule erases what another one keeps; None: for ever."""
    return days is not None and (than is None or days < than)


def next_of(
    rules: Rules, kind: DataKind, days: int | None, at: datetime, *, at_once: bool
) -> dict[str, Any]:
    """Return a rule that is decided at an instant as it is stored: what holds then, and the shorter
    one that waits, if any."""
    now, earlier = rules.days[kind], rules.coming.get(kind)
    if earlier is not None and earlier.days == days and not at_once:
        # Another decides the same days: the rule waits no longer for it.
        return {"days": now, "next_days": days, "next_at": earlier.at}
    if at_once or days is None or not is_shorter(days, now):
        return {"days": days, "next_days": None, "next_at": None}
    # If a rule that waits is made longer, its seven days do not start again.
    kept = earlier is not None and earlier.days < days
    next_at = earlier.at if earlier is not None and kept else at + WAITS
    return {"days": now, "next_days": days, "next_at": next_at}


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
