"""Rings that began and ended while we could not answer, from the provider's list of ended calls.

A row holds the instant up to which that list has been compared. So a long outage is made up for
hour by hour, and an interrupted comparison goes on where it stopped.
"""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from app.calls import record
from app.calls.lines import finding_lines
from app.calls.log_kinds import CallLog
from app.calls.models import Call, Reconciled
from app.calls.states import CallState, EndedBy, LegStatus, Outcome, read_leg_status
from app.jobs.names import Task
from app.log import log
from app.routing import releasing
from app.telephony.jobs import Parts
from app.telephony.provider.client import ProviderLeg
from app.work import Work

# The provider's lists are complete only after a while, and a callback may still be on its way.
SETTLED_AFTER = timedelta(seconds=45)
# How much is compared at once, so that an outage of days is made up for step by step. After a step
# without a ring the next one is longer.
_STEP, _LONGEST_STEP = timedelta(hours=1), timedelta(days=1)
# The provider's timestamps are in whole seconds, and its clock may differ from ours.
_OVERLAP = timedelta(seconds=10)


async def open_unreachable(parts: Parts) -> None:
    """Open a record for every ring that ended since the last comparison and never reached us."""
    async with parts.work() as work:
        since = await _since(work)
        until_now = work.now - SETTLED_AFTER
    step = _STEP
    while since < until_now:
        until = min(since + step, until_now)
        ended = await parts.platform.ended_rings(since - _OVERLAP, until)
        for leg in await _unknown(parts, ended) if ended else ():
            await _open(parts, leg)
        async with parts.work() as work:
            await work.session.execute(update(Reconciled).values(until_at=until))
        since = until
        step = _STEP if ended else min(2 * step, _LONGEST_STEP)


async def _since(work: Work) -> datetime:
    """Return the instant up to which the list was compared; a new installation begins now."""
    found: datetime | None = await work.session.scalar(select(Reconciled.until_at))
    if found is not None:
        return found
    await work.session.execute(
        pg_insert(Reconciled)
        .values(id=1, until_at=work.now - SETTLED_AFTER)
        .on_conflict_do_nothing()
    )
    return (await work.session.scalars(select(Reconciled.until_at))).one()


async def _unknown(parts: Parts, ended: list[ProviderLeg]) -> list[ProviderLeg]:
    """Return the legs that have no row; reconcile each row that has not ended on its own."""
    sids = [leg.sid for leg in ended]
    async with parts.work() as work:
        rows = await work.session.execute(
            select(Call.provider_sid, Call.id, Call.state, Call.outcome).where(
                Call.provider_sid.in_(sids)
            )
        )
        known = {sid: (call_id, state, outcome) for sid, call_id, state, outcome in rows}
        for call_id, state, _ in known.values():
            if state != CallState.ENDED:
                work.defer(Task.RECONCILE_CALL, call_id=str(call_id))
        for leg in ended:
            found = known.get(leg.sid)
            if found is not None and found[2] == Outcome.UNREACHABLE:
                # Only the end was reported to us, but the provider knows when the call rang.
                await work.session.execute(
                    update(Call)
                    .where(Call.id == found[0], Call.opened_at > leg.since)
                    .values(opened_at=leg.since)
                )
        return [
            leg
            for leg in ended
            if leg.sid not in known and await finding_lines.line_of_number(work, leg.to) is not None
        ]


async def open_found(work: Work, leg: ProviderLeg) -> Call | None:
    """Open the record of a ring that the provider lists. None if it has a record by now."""
    line = await finding_lines.line_of_number(work, leg.to)
    call, fresh = await record.open_call(
        work,
        provider_sid=leg.sid,
        raw_from=leg.from_,
        line_id=line.id if line else None,
        greeted=False,
        opened_at=leg.since,
    )
    if not fresh:
        return None
    await record.record(work, call, CallLog.FOUND_AT_THE_PROVIDER, status=leg.status)
    return call


async def _open(parts: Parts, leg: ProviderLeg) -> None:
    async with parts.work() as work:
        call = await open_found(work, leg)
        if call is None:
            return
        status = read_leg_status(leg.status)
        by = EndedBy.PROVIDER if status in (LegStatus.FAILED, LegStatus.BUSY) else EndedBy.CALLER
        await releasing.end_call(work, call, ended_by=by, at=leg.ended_at)
    log().warning("a ring began and ended while we could not answer", area="telephony")
