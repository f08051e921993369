"""One try to reach one person by one channel: what is the same for a referral and for an alarm."""

from abc import abstractmethod
from typing import Any, Protocol, TypeVar
from uuid import UUID

from app.jobs.names import Task
from app.outbox.once import Outgoing, Row
from app.outbox.states import Sending
from app.referrals.states import AttemptResult
from app.work import Work


class AttemptRow(Row, Protocol):
    """What a row of an attempt has besides."""

    target: Any
    ended_at: Any


A = TypeVar("A", bound=AttemptRow)


class AttemptOnce(Outgoing[A]):
    """An attempt to reach a person. A channel says how it is sent and what its result means."""

    to: str
    subject: str
    body: str

    def __init__(self, attempt_id: str, task: Task) -> None:
        super().__init__(task, attempt_id=attempt_id)
        self.attempt_id = UUID(attempt_id)

    def is_over(self, row: A) -> bool:
        return row.ended_at is not None

    async def prepare(self, work: Work, row: A) -> bool:
        if not self.is_wanted(row):
            return await self.give_up(work, row, AttemptResult.STOPPED)
        if not await self.is_possible(work, row):
            return False
        self.to = row.target
        self.subject, self.body = await self.words(work, row)
        return True

    @abstractmethod
    def is_wanted(self, row: A) -> bool:
        """Return whether the person still has to be reached."""

    async def is_possible(self, work: Work, attempt: A) -> bool:
        """Return whether it can be sent now; else give it up, or plan it for later."""
        return True

    @abstractmethod
    async def words(self, work: Work, row: A) -> tuple[str, str]:
        """Return the subject and the body of a message."""

    @abstractmethod
    async def note(self, work: Work, row: A, result: AttemptResult) -> None:
        """Note what came of the attempt."""

    async def give_up(self, work: Work, attempt: A, result: AttemptResult) -> bool:
        """End an attempt that was not sent. Return False."""
        attempt.sending = Sending.FAILED.value
        await self.note(work, attempt, result)
        return False
