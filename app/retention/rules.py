"""The rules of retention: for how many days each kind of data is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from app.errors import Conflict, Invalid
from app.retention.kinds import MOST_DAYS, DataKind, default_days, least_days
from app.retention.models import RetentionRule
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.work import Work

# A person who changes a rule or holds a record waits for the batch that is being erased, and the
# next batch sees the change.
_LOCK = 116_120


class ChangedMeanwhile(Conflict):
    default = (
        "Another person has changed these rules since you opened them. Look at what they say now, "
        "then save again."
    )


@dataclass(frozen=True)
class Rules:
    """For how many days each kind is kept (None: for ever), and the revision of the rules."""

    days: Mapping[DataKind, int | None]
    revision: int


async def alone(work: Work) -> None:
    """Wait until no batch is being erased, and let none begin before the commit."""
    await work.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


async def beside_others(work: Work) -> None:
    """Wait until no rule and no hold is being changed, before a batch is erased."""
    await work.session.execute(select(func.pg_advisory_xact_lock_shared(_LOCK)))


async def read_rules(work: Work) -> Rules:
    """Return the rules in force: those that were decided, and the defaults of the others."""
    rows = await work.session.execute(
        select(RetentionRule.kind, RetentionRule.days, RetentionRule.revision)
    )
    decided = {kind: (days, revision) for kind, days, revision in rows}
    number_days = work.settings.number_retention_days
    return Rules(
        {
            kind: decided[kind][0] if kind in decided else default_days(kind, number_days)
            for kind in DataKind
        },
        sum(revision for _, revision in decided.values()),
    )


async def set_rules(
    work: Work, wanted: Mapping[DataKind, int | None], *, revision: int | None = None
) -> Rules:
    """Change rules; kinds that are left out stay. The next night works by them.

    `revision` is that of the reader's page. Raises Invalid, ChangedMeanwhile.
    """
    for kind, days in wanted.items():
        least = least_days(kind)
        if days is not None and not least <= days <= MOST_DAYS:
            raise Invalid(
                "%(kind)s: keep it %(least)s to %(most)s days, or for ever.",
                kind=kind.value,
                least=least,
                most=MOST_DAYS,
            )
    await alone(work)
    before = await read_rules(work)
    if revision is not None and before.revision != revision:
        raise ChangedMeanwhile()
    different = {kind: days for kind, days in wanted.items() if before.days[kind] != days}
    for kind, days in different.items():
        await work.session.execute(
            insert(RetentionRule)
            .values(kind=kind.value, days=days, revision=1)
            .on_conflict_do_update(
                index_elements=["kind"],
                set_={"days": days, "revision": text("retention_rules.revision + 1")},
            )
        )
    if different:
        write_entry(
            work,
            AuditLog.RETENTION_CHANGED,
            "retention",
            before={kind.value: _said(before.days[kind]) for kind in different},
            after={kind.value: _said(days) for kind, days in different.items()},
        )
    return await read_rules(work)


def _said(days: int | None) -> int | str:
    return "for_ever" if days is None else days
