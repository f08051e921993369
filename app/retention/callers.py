"""Forgetting callers: the keyed hash by which a number is known again.

Whether a number had rung before is counted. It is written down before the hash goes, for every
call of the number, so that every figure stays as it is.
"""

from secrets import token_bytes
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from app.calls.models import Call
from app.routing.callbacks.callback_rows import Callback
from app.work import Work

# As `facts.py` reads it.
_KEEP_COUNTED = text("""
UPDATE calls c SET called_before = EXISTS (
  SELECT FROM calls e LEFT JOIN lines el ON el.id = e.line_id
  WHERE e.caller_key = c.caller_key AND e.opened_at < c.opened_at
    AND NOT coalesce(el.practice, false) AND e.direction = 'inbound')
WHERE c.direction = 'inbound' AND c.called_before IS NULL
  AND c.caller_key IN (SELECT k.caller_key FROM calls k WHERE k.id = ANY(:ids))
""").bindparams(bindparam("ids", type_=ARRAY(Uuid())))


async def forget_callbacks(work: Work, which: ColumnElement[bool]) -> None:
    """Forget the numbers of call-backs, which are counted all the same: each gets a hash of its
    own that no number has."""
    ids = await work.session.scalars(select(Callback.id).where(which))
    for id_ in ids.all():
        await work.session.execute(
            update(Callback)
            .where(Callback.id == id_)
            .values(number_sealed=None, caller_key=token_bytes(32))
            .execution_options(synchronize_session=False)
        )


async def forget_callers(work: Work, call_ids: list[UUID]) -> None:
    """Forget number and hash of these calls, in a transaction that erases."""
    await work.session.flush()
    await work.session.execute(_KEEP_COUNTED, {"ids": call_ids})
    await work.session.execute(
        update(Call)
        .where(Call.id.in_(call_ids))
        .values(caller_number_sealed=None, caller_key=None)
        .execution_options(synchronize_session=False)
    )
