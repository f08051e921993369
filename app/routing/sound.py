"""Hold and mute: what a counsellor does with the sound of a talk, where the platform can do it."""

from app.abilities import Ability
from app.calls import platform, record
from app.calls.log_kinds import CallLog
from app.calls.models import Call
from app.calls.states import CallState
from app.database.topics import Topic
from app.errors import Conflict
from app.jobs.names import Task
from app.routing.models import Offer
from app.work import Work


class NothingToHear(Conflict):
    default = "This conversation is in writing. It cannot be held, muted, or heard."


def need_voice(call: Call) -> None:
    """Refuse for a written conversation what is done with sound. Raises NothingToHear."""
    if call.is_written:
        raise NothingToHear()


async def set_hold(work: Work, call: Call, held: bool) -> None:
    """Hold or resume a talk; tell the provider after the commit. Raises Conflict."""
    need_voice(call)
    if CallState(call.state) is not CallState.CONNECTED:
        raise Conflict("Only a connected call can be held or resumed.")
    if (call.held_at is not None) == held:
        return
    if held:
        platform.need(work, Ability.HOLD)
    call.held_at = work.now if held else None
    await record.record(work, call, CallLog.HOLD if held else CallLog.RESUME)
    work.defer(Task.SET_HOLD, call_id=str(call.id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))


async def set_mute(work: Work, call: Call, offer: Offer, muted: bool) -> None:
    """Mute or unmute the counsellor; tell the provider after the commit. Raises Conflict."""
    need_voice(call)
    if CallState(call.state) is not CallState.CONNECTED:
        raise Conflict("Only a connected call can be muted.")
    if (offer.muted_at is not None) == muted:
        return
    platform.need(work, Ability.MUTE)
    offer.muted_at = work.now if muted else None
    await record.record(
        work, call, CallLog.MUTED if muted else CallLog.UNMUTED, offer_id=str(offer.id)
    )
    work.defer(Task.SET_MUTE, offer_id=str(offer.id))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))
