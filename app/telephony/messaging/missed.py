"""Texts that never reached us: the provider does not bring a text again if we were away."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from app.calls.lines import finding_lines
from app.chats import by_carrier
from app.chats.carrier_rows import Arrival
from app.jobs.transaction import run_verb
from app.log import log
from app.outbox.responses import RequestFailed
from app.telephony.jobs import Parts
from app.telephony.messaging import receiving
from app.telephony.messaging.base import Carrier
from app.telephony.messaging.provider import ByProvider
from app.telephony.messaging.registry import CARRIERS
from app.telephony.provider.client import Came
from app.work import PROGRAM, Work

# How far back the provider's list is read: an outage is shorter.
_SINCE = timedelta(hours=6)
# A younger text may still be on its way to us.
_GRACE = timedelta(seconds=45)


async def hear_missed(parts: Parts) -> None:
    """Receive each text to a line that its webhook never brought, the oldest first."""
    async with parts.work() as work:
        since, until = work.now - _SINCE, work.now - _GRACE
        wanted = await _wanted(work)
    for number, carrier in wanted:
        try:
            came = await parts.platform.texts_to(carrier.prefix + number, since)
        except RequestFailed:
            # The next run asks again, a minute later.
            return
        for one in sorted(came, key=lambda one: one.at):
            if one.at <= until:
                await _receive(parts, carrier, one)


async def _wanted(work: Work) -> list[tuple[str, ByProvider]]:
    """Return the numbers to which children write, each with the carrier; also those to which they
    wrote in a conversation that is open, since a line may have been retired meanwhile."""
    numbers, in_use = await finding_lines.numbers_of(work), await by_carrier.numbers_in_use(work)
    found: list[tuple[str, ByProvider]] = []
    for carrier in CARRIERS:
        if isinstance(carrier, ByProvider):
            channel = carrier.channel
            taking = {one for one, line in numbers.items() if receiving.takes(line, channel)}
            taking |= {ours for by, ours in in_use if by == channel.value}
            found += [(number, carrier) for number in sorted(taking)]
    return found


async def _receive(parts: Parts, carrier: Carrier, came: Came) -> None:
    arrived = carrier.read(came.fields)
    if arrived is None:
        return

    async def verb(work: Work) -> bool:
        known = select(Arrival.sid).where(
            Arrival.channel == carrier.channel.value, Arrival.sid == came.sid
        )
        if await work.session.scalar(known) is not None:
            return False
        line = await receiving.line_of_child(work, carrier, came.fields)
        if line is None:
            return False
        await receiving.receive(work, carrier.channel, line, replace(arrived, at=came.at))
        return True

    if await run_verb(parts.ground, PROGRAM, verb):
        log().warning("found a text that never reached us", area="telephony")
