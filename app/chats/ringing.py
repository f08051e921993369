"""A child who writes may be rung, at the number from which it writes or at one that it gives: the
call-back belongs to the conversation, and is made like any other."""

from datetime import datetime
from uuid import UUID

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import Channel
from app.chats import reading, stopped_numbers
from app.chats.models import Author
from app.chats.noticing import personal_in
from app.dialling import outward
from app.errors import Conflict, NotFound
from app.privacy.hash_kinds import HashOf
from app.privacy.numbers import CallerKind
from app.routing import in_hand
from app.routing.callbacks import callbacks
from app.routing.callbacks.callback_rows import Callback
from app.routing.callbacks.choices import Who
from app.sealing.hashes import carry_caller
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


class WantsNoMore(Conflict):
    default = "The child wants no more messages here. It can be rung once it has written again."


def writes_from_a_number(call: Call) -> bool:
    """Return whether the child of a conversation writes from a phone number that is known."""
    by_telephone = Channel(call.channel).is_carried and call.caller_kind == CallerKind.E164
    return by_telephone and call.caller_number_sealed is not None


async def own_number(work: Work, staff: Staff, call_id: UUID) -> Call:
    """Return a conversation that a counsellor has, locked, whose child writes from a phone
    number. Raises NotYours, NotFound."""
    call = await record.lock_call(work, call_id)
    if not await in_hand.has_in_hand(work, staff, call_id):
        raise reading.NotYours()
    if not may(staff.role, Permission.KNOW_CALLERS) or not writes_from_a_number(call):
        raise NotFound("This child does not write from a phone number that is known.")
    return call


async def given_number(work: Work, staff: Staff, call_id: UUID, message: int) -> tuple[Call, str]:
    """Return a conversation that a counsellor has, locked, and the first phone number in a
    message of its child. Raises NotYours, NotFound."""
    call = await record.lock_call(work, call_id)
    if not await in_hand.has_in_hand(work, staff, call_id):
        raise reading.NotYours()
    line = await finding_lines.line_of_id(work, call.line_id)
    country, own = (line.country, line.own_numbers) if line else ("", ())
    words = await reading.read_as_staff(work, staff, call_id, max(message - 1, 0))
    for one in words[:1]:
        if one.number == message and one.words and one.author is Author.CHILD:
            for part in personal_in(one.words, country, own):
                if part.number is not None:
                    return call, part.number
    raise NotFound("There is no phone number in this message.")


async def agree_known(
    work: Work, call: Call, who: Who, window: tuple[datetime, datetime], *, safe: bool
) -> Callback:
    """Agree on a call-back to the number of a locked call, or to that of a locked conversation.

    Raises Invalid, Conflict; WantsNoMore if the child has stopped the messages since it last wrote.
    """
    await _check_wanted(work, call)
    return await callbacks.agree(work, call, who, window, safe=safe)


async def _check_wanted(work: Work, call: Call) -> None:
    if Channel(call.channel).is_carried and await stopped_numbers.is_out(work, call):
        raise WantsNoMore()


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
    alone has the number. Raises Invalid, Conflict, WantsNoMore.
    """
    if not call.is_written:
        raise Conflict("A caller is called back at the number of the call.")
    await outward.check(work, number)
    given = None
    if callbacks.number_of(work, call) == number:
        await _check_wanted(work, call)
    else:
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
    call.caller_key = work.keys.match_key(HashOf.CALLER, number)
    call.caller_kind = CallerKind.E164.value
    await work.session.flush()
    await record.record(work, call, CallLog.NUMBER_GIVEN)
