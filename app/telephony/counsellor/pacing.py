"""Begin legs one after the other, the most urgent first: one queue for all processes.

An ordinary account may begin one call a second. Further requests would wait at the provider in
order of arrival, even for a child in danger, while our offers run out.
"""

from datetime import timedelta
from enum import IntEnum
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.calls.models import LegPace, LegRequest
from app.telephony.platforms.choose import platform_of
from app.work import Work

# A request that has not asked for its turn for this long was given up.
_GIVEN_UP = timedelta(seconds=10)


class LegUrgency(IntEnum):
    """Which leg goes first: the lowest value."""

    DANGER = 0
    RESCUE = 1  # a counsellor whose line died, a supervisor called for help
    OFFER = 2
    OTHER = 3


async def take_turn(work: Work, key: UUID, urgency: LegUrgency) -> timedelta | None:
    """Take the next turn for a leg. Return None if it may begin now, or how long to wait."""
    rate = platform_of(work.settings).legs_a_second
    if rate is None:
        return None
    between = timedelta(seconds=1 / rate)
    await work.session.execute(
        pg_insert(LegPace).values(id=1, next_at=work.now).on_conflict_do_nothing()
    )
    next_at = (await work.session.scalars(select(LegPace.next_at).with_for_update())).one()
    await work.session.execute(
        pg_insert(LegRequest)
        .values(id=key, urgency=urgency.value, wanted_at=work.now, seen_at=work.now)
        .on_conflict_do_update(index_elements=["id"], set_={"seen_at": work.now})
    )
    if next_at > work.now:
        return next_at - work.now
    first = await work.session.scalar(
        select(LegRequest.id)
        .where(LegRequest.seen_at > work.now - _GIVEN_UP)
        .order_by(LegRequest.urgency, LegRequest.wanted_at, LegRequest.id)
        .limit(1)
    )
    if first != key:
        return min(between, timedelta(seconds=0.25))
    await give_up(work, key)
    await work.session.execute(update(LegPace).values(next_at=work.now + between))
    return None


async def give_up(work: Work, key: UUID) -> None:
    """Take a leg's request out of the queue: it has its turn, or is no longer needed."""
    await work.session.execute(delete(LegRequest).where(LegRequest.id == key))
