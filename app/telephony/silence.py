"""Whether a waiting caller has been silent: their leg has asked us for nothing."""

from datetime import datetime, timedelta

from sqlalchemy import select

from app.calls.models import Call, RecordedEvent
from app.work import Work

# What a leg asks for while its caller waits, as kinds of the log.
_HEARD_OF = (
    "wait",
    "waits_on",
    "enter_queue",
    "returned",
    "danger",
    "dial",
    "dialled",
    "partner_rung",
)


async def is_silent(work: Work, call: Call) -> bool:
    """Return whether a waiting caller's leg has not asked for the next words for too long."""
    last: datetime | None = await work.session.scalar(
        select(RecordedEvent.at)
        .where(RecordedEvent.call_id == call.id, RecordedEvent.kind.in_(_HEARD_OF))
        .order_by(RecordedEvent.id.desc())
        .limit(1)
    )
    return last is None or work.now - last >= timedelta(seconds=work.settings.silence_seconds)
