"""The counsellor with whom a caller talked last: the caller may ask for them."""

from uuid import UUID

from sqlalchemy import BindParameter, LargeBinary, Uuid, bindparam, select

from app.calls.models import Call
from app.database.quick import Question
from app.routing.models import Offer
from app.routing.rota import staffing
from app.work import Work

# Only the last calls of a number: one caller may have rung a thousand times.
_KEY: BindParameter[bytes] = bindparam("key", type_=LargeBinary())
_LATEST = (
    select(Call.id)
    .where(Call.caller_key == _KEY, Call.id != bindparam("call_id", type_=Uuid()))
    .order_by(Call.opened_at.desc())
    .limit(20)
)
LAST_WITH = (
    select(Offer.counsellor_id)
    .where(Offer.call_id.in_(_LATEST.scalar_subquery()), Offer.connected_at.is_not(None))
    .order_by(Offer.connected_at.desc())
    .limit(1)
)
_LAST_TALK = Question(LAST_WITH)


async def last_counsellor(work: Work, call: Call) -> UUID | None:
    """Return the counsellor whom this number talked with last, if they are on shift and the caller
    does not refuse them."""
    if call.caller_key is None:
        return None
    quick = work.ground.database.quick
    rows = await quick.rows(_LAST_TALK, key=call.caller_key, call_id=call.id)
    return await if_there(work, call, rows[0]["counsellor_id"] if rows else None)


async def if_there(work: Work, call: Call, who: UUID | None) -> UUID | None:
    """Return this counsellor if they are on shift and the caller does not refuse them."""
    if who is None or who in call.excluded_ids:
        return None
    there = {free.counsellor_id for free in (await staffing.room(work)).there}
    return who if who in there else None
