"""Counsellors with only a phone: whose phone a number is."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.abilities import EndpointKind
from app.database.topics import Topic
from app.privacy.numbers import e164
from app.routing.rota.takers import TAKERS
from app.staff.models import Staff
from app.work import Work

_BELIEVED = timedelta(seconds=10)


async def owner_of(work: Work, number: str | None) -> UUID | None:
    """Return the active counsellor whose phone has this number, if there is one."""
    valid = e164(number or "")
    if valid is None:
        return None
    memory = work.ground.memory
    known: dict[str, UUID] | None = memory.recall(Topic.ROSTER, "phones", work.now)
    if known is None:
        rows = await work.session.execute(
            select(Staff.endpoint, Staff.id).where(
                Staff.active, Staff.endpoint_kind == EndpointKind.PHONE, Staff.role.in_(TAKERS)
            )
        )
        known = {endpoint: staff_id for endpoint, staff_id in rows if endpoint}
        memory.keep(Topic.ROSTER, "phones", known, work.now + _BELIEVED)
    return known.get(valid)
