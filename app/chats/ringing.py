"""A child who writes gives a number at which it may be rung: the call-back belongs to the
conversation, and is made like any other."""

from datetime import datetime

from app.calls import record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import Channel
from app.dialling import outward
from app.errors import Conflict
from app.routing import callbacks
from app.routing.callbacks import Callback, Who
from app.sealing.hashes import carry_caller
from app.work import Work


async def agree(
    work: Work,
    call: Call,
    number: str,
    who: Who,
    window: tuple[datetime, datetime],
    *,
    safe: bool,
) -> Callback:
    """Agree on a call-back to a number that a child wrote, on its locked conversation.

    `number`: in international form. The conversation keeps it sealed, as a call keeps that of its
    caller; one by a carrier keeps the address at which its child is answered, and the call-back
    alone has the number. Raises Invalid, Conflict.
    """
    if not call.is_written:
        raise Conflict("A caller is called back at the number of the call.")
    await outward.check(work, number)
    given = None
    if callbacks.number_of(work, call) != number:
        if Channel(call.channel).is_carried:
            given = number
            await carry_caller(work, number)
            await record.record(work, call, CallLog.NUMBER_GIVEN)
        else:
            await _keep(work, call, number)
    return await callbacks.agree(work, call, who, window, safe=safe, given=given)


async def _keep(work: Work, call: Call, number: str) -> None:
    await carry_caller(work, number)
    call.caller_number_sealed = work.keys.seal(
        number.encode(), table="calls", column="caller_number_sealed", row=call.id
    )
    call.caller_key = work.keys.match_key("caller", number)
    call.caller_kind = "e164"
    await work.session.flush()
    await record.record(work, call, CallLog.NUMBER_GIVEN)
