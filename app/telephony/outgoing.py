"""Legs and messages that we request: sent once, and found at the provider if no response came."""

from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select

from app.calls.models import Call, Leg
from app.calls.states import Direction
from app.chats.carrier_rows import Sent
from app.dialling import outward
from app.dialling.models import DialledFor, DialWay
from app.outbox.once import Outgoing, Row
from app.people.connection_rows import ConnectionTest
from app.referrals.channels.models import Attempt
from app.routing.alarm_rows import AlarmAttempt
from app.telephony.platforms.base import Platform
from app.work import Work

R = TypeVar("R", bound=Row)


class AtProvider(Outgoing[R]):
    """A request for a leg or a message: the provider can be asked whether it has it."""

    platform: Platform
    # What the number is dialled for.
    purpose: DialledFor
    # What was sent, for `find`: to whom, since when, and the ids that are known already.
    _to: str
    _since: datetime
    _known: set[str]

    async def address(self, work: Work, row: R) -> str:
        """Return the number or address that is rung or written to."""
        raise NotImplementedError

    def is_message(self) -> bool:
        return False

    def counted_as(self, row: Any) -> UUID:
        """Return the id under which the dialled number is counted once."""
        found: UUID = row.id
        return found

    async def may_go(self, work: Work, row: R) -> bool:
        way = DialWay.SMS if self.is_message() else DialWay.CALL
        to = await self.address(work, row)
        return await outward.may_dial(work, to, self.counted_as(row), self.purpose, way)

    async def prepare_to_ask(self, work: Work, row: R, since: datetime) -> None:
        self._to, self._since = await self.address(work, row), since
        self._known = await known_sids(work, since)

    async def find(self) -> str | None:
        look = self.platform.find_message if self.is_message() else self.platform.find_leg
        return await look(to=self._to, since=self._since, known=self._known)


async def known_sids(work: Work, since: datetime) -> set[str]:
    """Return the ids of all legs and messages of ours from six hours before `since` on.

    An id at the provider that is none of these belongs to a request that got no response.
    """
    begun = since - timedelta(hours=6)
    legs = select(Leg.provider_sid).where(Leg.provider_sid.is_not(None), Leg.created_at >= begun)
    attempts = select(Attempt.provider_sid).where(
        Attempt.provider_sid.is_not(None), Attempt.wanted_at >= begun
    )
    alarms = select(AlarmAttempt.provider_sid).where(
        AlarmAttempt.provider_sid.is_not(None), AlarmAttempt.wanted_at >= begun
    )
    tests = select(ConnectionTest.provider_sid).where(
        ConnectionTest.provider_sid.is_not(None), ConnectionTest.wanted_at >= begun
    )
    chats = select(Sent.provider_sid).where(Sent.provider_sid.is_not(None), Sent.wanted_at >= begun)
    rows = await work.session.scalars(legs.union(attempts, alarms, tests, chats))
    ours = select(Call.provider_sid).where(
        Call.direction == Direction.OUTBOUND, Call.opened_at >= begun
    )
    return {sid for sid in (*rows, *(await work.session.scalars(ours))) if sid}
