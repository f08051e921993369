"""How a caller's leg ended, by the status callback of our number."""

from app.calls import delivery_keys, record
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.states import EndedBy, LegStatus, is_over, read_leg_status
from app.errors import NotFound
from app.privacy.numbers import caller_of
from app.routing import releasing
from app.telephony.inbound.deciding import delivery_of
from app.telephony.provider.signature import Signed
from app.work import Work


async def number_status(work: Work, signed: Signed) -> None:
    """Handle the status callback of our number: how the caller's leg ended."""
    status = read_leg_status(signed.fields.get("CallStatus"))
    line = await finding_lines.line_of_number(work, signed.fields.get("To"))
    word = status.value if status else "unknown"
    sequence = signed.fields.get("SequenceNumber", "")
    key = delivery_keys.status(signed.call_sid, word, sequence)
    delivery = delivery_of(signed, key)
    try:
        call, earlier = await record.lock_for_delivery(work, key, sid=signed.call_sid)
        if earlier is not None:
            return
    except NotFound:
        # A ring that never reached us becomes a record, too.
        told_at = signed.told_at if signed.told_at and signed.told_at < work.now else None
        call, _ = await record.open_call(
            work,
            provider_sid=signed.call_sid,
            raw_from=caller_of(signed.fields),
            line_id=line.id if line else None,
            greeted=False,
            opened_at=told_at,
        )
    if status is None or not is_over(status):
        await record.record(work, call, CallLog.STATUS, delivery=delivery)
        return
    at = delivery.happened_at(work.now, not_before=call.opened_at)
    by = EndedBy.PROVIDER if status in (LegStatus.FAILED, LegStatus.BUSY) else EndedBy.CALLER
    await releasing.end_call(work, call, ended_by=by, at=at, delivery=delivery)
