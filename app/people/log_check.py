"""The check of the logs: every chain is worked out again, and the finding is a line of the log.

A person asks for it on the page of the log, by the API or by a command. A large log takes minutes,
so a job does it.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from app.database.topics import Topic
from app.jobs.names import Task
from app.log import log
from app.staff.audit import write_entry
from app.staff.log_checks.beginnings import ChainReport
from app.staff.log_checks.chains import verify_chains
from app.staff.log_checks.sealed_words import verify_words
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work

_SUBJECT = "audit_entries"


class Chain(NamedTuple):
    """What a check found in one log: its rows, and the first rows that do not match."""

    name: str
    rows: int
    broken: list[int | str]
    # The hash of the newest row, in hexadecimal. Kept elsewhere, it shows later if rows are gone.
    head: str


class Check(NamedTuple):
    """The last check that ended, and since when another one is under way."""

    at: datetime | None
    chains: list[Chain]
    under_way_since: datetime | None

    @property
    def is_whole(self) -> bool:
        return not any(chain.broken for chain in self.chains)


def ask_for_check(work: Work) -> None:
    """Let a job check the logs."""
    write_entry(work, AuditLog.LOG_CHECK_ASKED, _SUBJECT)
    work.defer(Task.CHECK_LOG)
    work.announce(Topic.LOG)


async def check_log(work: Work) -> list[ChainReport]:
    """Check every log, and write down what was found. Two checks at once do no harm."""
    reports = [*await verify_chains(work.session), *await verify_words(work)]
    broken = [report.table for report in reports if report.broken]
    if broken:
        log().error(
            "a log is broken: rows were changed or are missing",
            area="staff",
            where=", ".join(broken),
        )
    write_entry(
        work,
        AuditLog.LOG_CHECKED,
        _SUBJECT,
        rows={report.table: report.rows for report in reports},
        broken={report.table: report.broken for report in reports if report.broken},
        heads={report.table: report.head for report in reports if report.head},
    )
    work.announce(Topic.LOG)
    return reports


async def last_check(work: Work) -> Check:
    """Return the last check, and whether another one is under way."""
    ended = await _newest(work, AuditLog.LOG_CHECKED)
    asked = await _newest(work, AuditLog.LOG_CHECK_ASKED)
    is_over = asked is None or (ended is not None and ended.id > asked.id)
    since = None if is_over or asked is None else asked.at
    if ended is None:
        return Check(None, [], since)
    rows, broken, heads = (ended.detail[name] for name in ("rows", "broken", "heads"))
    chains = [Chain(t, rows[t], broken.get(t, []), heads.get(t, "")) for t in sorted(rows)]
    return Check(ended.at, chains, since)


async def _newest(work: Work, kind: AuditLog) -> AuditEntry | None:
    found: AuditEntry | None = await work.session.scalar(
        select(AuditEntry)
        .where(AuditEntry.action == kind.value)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    return found
