"""The secret address of a person's own calendar: made, revoked, found.

`calendars.read_feed` writes the calendar itself.
"""

import secrets
from uuid import uuid4

from sqlalchemy import select, update

from app.routing.rota.models import CalendarFeed
from app.staff.audit import write_entry
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work


def address_of(work: Work, token: str) -> str:
    """Return the secret address of a calendar."""
    return f"{work.settings.public_url.rstrip('/')}/calendar/{token}.ics"


async def make_feed(work: Work, staff: Staff) -> str:
    """Create the secret of a counsellor's own calendar feed, and revoke the old one."""
    await revoke_feed(work, staff)
    token = secrets.token_urlsafe(32)
    work.session.add(
        CalendarFeed(
            id=uuid4(),
            staff_id=staff.id,
            token_key=work.keys.session_key(token),
            made_at=work.now,
        )
    )
    await work.session.flush()
    after = {"from_at": work.now.isoformat()}
    write_entry(work, AuditLog.CALENDAR_FEED_MADE, str(staff.id), before=None, after=after)
    return token


async def revoke_feed(work: Work, staff: Staff) -> bool:
    """Revoke a counsellor's feed. Return whether there was one."""
    gone = await work.session.scalar(
        update(CalendarFeed)
        .where(CalendarFeed.staff_id == staff.id, CalendarFeed.revoked_at.is_(None))
        .values(revoked_at=work.now)
        .returning(CalendarFeed.made_at)
    )
    if gone is not None:
        before = {"from_at": gone.isoformat()}
        write_entry(work, AuditLog.CALENDAR_FEED_REVOKED, str(staff.id), before=before, after=None)
    return gone is not None


async def feed_of(work: Work, staff: Staff) -> CalendarFeed | None:
    """Return the current feed of a counsellor, if any."""
    return await work.session.scalar(
        select(CalendarFeed).where(
            CalendarFeed.staff_id == staff.id, CalendarFeed.revoked_at.is_(None)
        )
    )
