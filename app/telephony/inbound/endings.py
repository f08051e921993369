"""How a caller's leg ended, and where a caller goes on after the provider got no document."""

from sqlalchemy import select

from app.calls import delivery_keys, record
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import CallState, EndedBy, LegStatus, is_over, read_leg_status
from app.errors import NotFound
from app.privacy.numbers import caller_of
from app.routing import offers, releasing
from app.routing.models import OfferState
from app.telephony.inbound.deciding import delivery_of
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import call_path
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


async def resume(work: Work, signed: Signed) -> str | None:
    """Return the path where a caller goes on after the provider got no document from us.

    None means from the beginning: there is no row yet, or no language was chosen.
    """
    call_id = await work.session.scalar(select(Call.id).where(Call.provider_sid == signed.call_sid))
    if call_id is None:
        return None
    call = await record.lock_call(work, call_id)
    code = signed.fields.get("ErrorCode", "")
    await record.record(work, call, CallLog.FALLBACK, error_code=code[:10], state=call.state)
    call.heard_at = work.now
    if CallState(call.state) is CallState.GREETING and call.language is None:
        return None
    offer = await offers.live_offer_of_call(work, call.id)
    if offer is not None and offer.state != OfferState.OPEN and offer.move_wanted_at is not None:
        return call_path(call.id, "bridge", o=offer.id, n=call.entries)
    call.entries += 1
    return call_path(call.id, "returned", n=call.entries)
