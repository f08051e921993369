"""What attempts to reach a person have in common, of an agency or of our own people on call."""

from typing import TypeVar

from app.outbox.once import Row
from app.referrals.channels.models import Attempt
from app.routing.alarm_rows import AlarmAttempt
from app.telephony.counsellor import pacing
from app.telephony.counsellor.pacing import LegUrgency
from app.telephony.outgoing import AtProvider
from app.telephony.platforms.base import Platform
from app.work import Work

R = TypeVar("R", Attempt, AlarmAttempt)


class ByTelephone(AtProvider[R]):
    """An attempt by phone: its leg waits for its turn."""

    from_: str
    seconds: int

    async def has_its_turn(self, work: Work, row: R, urgency: LegUrgency) -> bool:
        """Return whether the leg may be rung now. If not, the attempt is made later."""
        wait = await pacing.take_turn(work, row.id, urgency)
        if wait is not None:
            self.later(work, wait)
        return wait is None


class BySms:
    """Sends an SMS to a person who is reached by phone otherwise."""

    platform: Platform
    to: str
    from_: str
    body: str

    def is_message(self) -> bool:
        return True

    async def has_its_turn(self, work: Work, row: Row, urgency: LegUrgency) -> bool:
        # Only legs wait for one another.
        return True

    def told(self) -> str:
        """Return the path at which the provider reports what became of the message."""
        raise NotImplementedError

    async def send(self) -> str:
        return await self.platform.send_message(
            to=self.to, from_=self.from_, body=self.body, told=self.told()
        )
