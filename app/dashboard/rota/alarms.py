"""The open alarms of the team's page, as pages show them."""

from typing import Any
from zoneinfo import ZoneInfo

from app.dashboard.rota.week_blocks import span_words
from app.dashboard.views import language_words
from app.database.quick import Listed
from app.referrals.escalation.alarms import reason_of
from app.routing import volume
from app.routing.alarm_rows import AlarmKind
from app.routing.alarms import of_lines
from app.routing.rota import coverage, unstaffed_alarms
from app.safekeeping import notices
from app.safekeeping.models import AdministratorNoticeKind
from app.words.pages import said
from app.work import Work

# What `alarm_values` lists, to be counted. The time is `now`.
LISTED: tuple[Listed, ...] = (
    volume.OPEN_ALARMS,
    of_lines.open_of(AlarmKind.MESSAGE_NOT_TAKEN),
    of_lines.open_of(AlarmKind.CALLBACK_NOT_MADE),
    unstaffed_alarms.OPEN_ALARMS,
    notices.OPEN_NOTICES,
    coverage.OPEN_ALARMS,
)


async def alarm_values(work: Work) -> dict[str, Any]:
    """Return the open alarms: of lines without a counsellor, uncovered shifts, what waits at a
    line, dialling, and what is late of back-ups and anchors."""
    return {
        "much_dialled": [
            (alarm, said(reason_of(alarm))) for alarm in await volume.open_alarms(work)
        ],
        "untaken": [
            (alarm, line, said(reason_of(alarm)))
            for alarm, line in await of_lines.open_alarms(work, AlarmKind.MESSAGE_NOT_TAKEN)
        ],
        "overdue": [
            (alarm, line, said(reason_of(alarm)))
            for alarm, line in await of_lines.open_alarms(work, AlarmKind.CALLBACK_NOT_MADE)
        ],
        "staffing": [
            (alarm, f"{line}, {language_words(alarm.language)}", said(reason_of(alarm)))
            for alarm, line in await unstaffed_alarms.open_alarms(work)
        ],
        "late": [
            (notice, said(notices.WORDS[AdministratorNoticeKind(notice.kind)]))
            for notice in await notices.open_notices(work)
        ],
        "now": work.now,
        "alarms": [
            (
                alarm,
                f"{line}, {language_words(alarm.language)}",
                span_words((alarm.from_at, alarm.until_at), ZoneInfo(zone)),
            )
            for alarm, line, zone in await coverage.open_alarms(work)
        ],
    }
