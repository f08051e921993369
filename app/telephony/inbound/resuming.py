"""Where a caller goes on after the provider got no document from us."""

from sqlalchemy import select

from app.calls import record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import CallState
from app.routing import offers
from app.routing.models import OfferState
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import call_path
from app.work import Work


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
