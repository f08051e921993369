"""Callers whose talk is over, and flags on them, for tests."""

from typing import Any
from uuid import UUID, uuid4

from app.calls import record
from app.calls.states import EndedBy
from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.routing import offers, releasing
from app.staff.models import Staff
from app.telephony.counsellor import conference
from app.work import PROGRAM
from tests.support.talks import CHILD, talk
from tests.support.verbs import joins_the_queue, offered, rings


async def talked(stage: Stage, who: Counsellor, from_: str = CHILD) -> Any:
    """Have a talk that is over, its counsellor free again. Return the id of the call."""
    leg = await talk(stage, who, from_=from_)
    await stage.exchange.hang_up(leg)
    await stage.advance(1)
    await who.be("available")
    return (await stage.call_of(leg))["id"]


async def talks_unheard(
    stage: Stage, who: Counsellor, from_: str = CHILD, *, over: bool = False
) -> UUID:
    """Let a counsellor talk with a caller by the verbs alone, for which no telephone is needed.

    Return the id of the call. `over`: the caller has hung up.
    """
    async with transaction(stage.ground, PROGRAM) as work:
        call, _ = await rings(work, f"CA{uuid4().hex}", From=from_)
        await joins_the_queue(work, call)
        (offer,) = await offered(work, call, await work.session.get_one(Staff, who.id))
        await offers.accept_offer(work, call, offer)
        await conference.connect(work, call, offer, at=work.now)
        if over:
            await releasing.end_call(work, call, ended_by=EndedBy.CALLER)
    made: UUID = call.id
    return made


async def hangs_up_unheard(stage: Stage, call_id: UUID) -> None:
    """End a talk as a caller who hangs up does, by the verb alone."""
    async with transaction(stage.ground, PROGRAM) as work:
        call = await record.lock_call(work, call_id)
        await releasing.end_call(work, call, ended_by=EndedBy.CALLER)


async def flag(who: Counsellor, call: Any, kind: str, hours: int = 24, status: int = 201) -> Any:
    body = {"kind": kind, "reason": "shouts at whoever answers", "hours": hours}
    answer = await who.ask("POST", f"/calls/{call}/flags", body)
    assert answer.status_code == status, answer.text
    return answer.json().get("id")
