"""What a channel to an agency is: the one contract that every folder beside this file fulfils.

A *message channel* reaches a person and carries no word about the child. A *system channel* reaches
the agency's program and carries the fields that the service is told. See
`docs/developers/add-a-channel.md`.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.models import Attempt
from app.referrals.directory.models import Agency
from app.referrals.models import Recipient, Referral
from app.referrals.states import AgencyEvent, AttemptResult, Purpose
from app.work import Work


class AgencyChannel(ABC):
    """One way to an agency."""

    kind: ClassVar[ChannelKind]

    @abstractmethod
    def address_of(self, agency: Agency) -> str | None:
        """Return where the agency is reached by this channel, or None if it is not."""


class MessageChannel(AgencyChannel):
    """A way to a person. Each message or call is an `Attempt`, sent once by a job."""

    # The job that sends an attempt to an agency, and the one that sends an alarm to our own people.
    task: ClassVar[Task]
    alarm_task: ClassVar[Task]
    # Whether it can hold a link; a spoken channel can only say a code.
    is_written: ClassVar[bool] = True
    # What stands between the paragraphs of a message.
    between_paragraphs: ClassVar[str] = "\n"

    @abstractmethod
    def result_of(self, report: str) -> AttemptResult | None:
        """Return the result of an attempt, by what the other side reports; None: not over yet."""

    def stop(self, work: Work, attempt: Attempt) -> None:
        """Stop an attempt that is on its way, if this channel can."""

    def stop_alarm(self, work: Work, attempt_id: str) -> None:
        """Stop an alarm that is on its way, if this channel can."""


class SystemChannel(AgencyChannel):
    """A way to an agency's program, with rows and retries of its own."""

    @abstractmethod
    async def offer(
        self, work: Work, referral: Referral, agency: Agency, recipient: Recipient
    ) -> None:
        """Tell the program of a referral that its agency is asked to take."""

    @abstractmethod
    async def update(
        self, work: Work, referral: Referral, agency: Agency, recipient: Recipient
    ) -> None:
        """Tell the program that more was written."""

    @abstractmethod
    async def take_back(
        self,
        work: Work,
        referral: Referral,
        agency: Agency,
        recipient: Recipient,
        purpose: Purpose,
        *,
        again: bool,
    ) -> bool:
        """Tell the program that its agency is no longer asked. Return whether it is likely to hear.

        With `again` the agency was told before, of another offer of the same referral.
        """

    async def announce(
        self,
        work: Work,
        referral: Referral,
        agency: Agency,
        event: AgencyEvent,
        detail: dict[str, Any],
    ) -> None:
        """Tell the program what its agency said by another channel, if it can be told."""
