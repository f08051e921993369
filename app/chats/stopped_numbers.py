"""Numbers that want no more messages: STOP was written from the phone."""

from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from app.calls.models import Call
from app.chats.carrier_rows import OptOut
from app.work import Work


async def opt_out(work: Work, call: Call) -> None:
    """Note that the number of a conversation wants no more messages. May run twice."""
    await work.session.execute(
        insert(OptOut)
        .values(
            id=uuid4(),
            line_id=call.line_id,
            channel=call.channel,
            caller_key=call.caller_key,
            at=work.now,
        )
        .on_conflict_do_nothing()
    )


async def opt_in(work: Work, line_id: UUID, channel: str, caller_key: bytes) -> None:
    """Note that a number writes again, so that it can be answered."""
    await work.session.execute(
        delete(OptOut).where(
            OptOut.line_id == line_id,
            OptOut.channel == channel,
            OptOut.caller_key == caller_key,
        )
    )


async def is_out(work: Work, call: Call) -> bool:
    """Return whether the number of a conversation wants no more messages."""
    found = await work.session.scalar(
        select(OptOut.id).where(
            OptOut.line_id == call.line_id,
            OptOut.channel == call.channel,
            OptOut.caller_key == call.caller_key,
        )
    )
    return found is not None
