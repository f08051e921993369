"""The search of the log of people's acts: one for the page, programs and the command line."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.calls.lines import finding_lines
from app.people.log_names import subjects_named
from app.staff.audit import EntriesWanted, list_entries, write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.work import Work


@dataclass(frozen=True)
class Sought:
    """What a reader of the log looks for; what is empty does not narrow it.

    `subject` is a name, the code of a record, or a subject as the log has it. A day is one of the
    helpline, and `until` a day includes it; an instant is taken as it is, and `until` excludes it.
    """

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: date | datetime | None = None
    until: date | datetime | None = None


async def search_log(
    work: Work, sought: Sought, *, before: int | None = None, limit: int = 100
) -> list[AuditEntry]:
    """Return a page of the log, newest first. The reading is logged, too."""
    zone = await _zone(work)
    about = sought.subject.strip()
    wanted = EntriesWanted(
        actor=sought.actor,
        action=sought.action,
        subject=about,
        also=await subjects_named(work, about) if about else (),
        since=_instant(sought.since, zone),
        until=_instant(sought.until, zone, days=1),
    )
    write_entry(work, AuditLog.AUDIT_LOG_READ, "audit_entries")
    return await list_entries(work, wanted, before=before, limit=limit)


async def _zone(work: Work) -> ZoneInfo:
    """Return the zone of the first line: the days of the log are those of the helpline."""
    found = await finding_lines.all_lines(work)
    return ZoneInfo(found[0].timezone if found else "UTC")


def _instant(at: date | datetime | None, zone: ZoneInfo, days: int = 0) -> datetime | None:
    """Return an instant, or when a day begins, `days` later; None for a day far from our time."""
    if at is None or isinstance(at, datetime):
        return at
    if not 1900 < at.year < 9000:
        return None
    return datetime.combine(at + timedelta(days=days), time(), zone)
