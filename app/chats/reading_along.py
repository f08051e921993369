"""A supervisor reads along in a conversation of the team, and whispers to its counsellor."""

from datetime import timedelta
from uuid import UUID

from app.chats import reading
from app.routing.supervision import supervised
from app.staff.audit import write_reading
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.work import Work

# The page draws what is read along again with each message. For this time it is one reading.
_ONE_READING = timedelta(minutes=10)


async def read_along(work: Work, staff: Staff, call_id: UUID) -> list[reading.ShownMessage]:
    """Return what was said and whispered so far. The reading is logged first. Raises NotFound."""
    await supervised.check_supervises(work, staff, call_id)
    key = (staff.id, call_id)
    if work.ground.memory.recall("reads along", key, work.now) is None:
        await write_reading(work, AuditLog.CONVERSATION_READ, str(call_id), along=True)
        work.ground.memory.keep("reads along", key, True, work.now + _ONE_READING)
    return await reading.all_of(work, call_id)
