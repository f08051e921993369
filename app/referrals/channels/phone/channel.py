"""The duty phones of an agency. The call is made by the telephony edge."""

from app.calls.states import LegStatus
from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.base import MessageChannel
from app.referrals.channels.models import Attempt
from app.referrals.directory.models import Agency
from app.referrals.states import AttemptResult
from app.work import Work

_RESULTS = {
    LegStatus.NO_ANSWER: AttemptResult.NO_ANSWER,
    LegStatus.BUSY: AttemptResult.BUSY,
    LegStatus.FAILED: AttemptResult.UNREACHABLE,
    LegStatus.CANCELED: AttemptResult.NO_ANSWER,
    LegStatus.COMPLETED: AttemptResult.NO_KEY,
}


class Phone(MessageChannel):
    kind = ChannelKind.PHONE
    task = Task.RING_DUTY_PHONE
    alarm_task = Task.RING_ALARM_PHONE
    is_written = False

    def address_of(self, agency: Agency) -> str | None:
        # An agency has several numbers, each with hours: see `phones_on_duty`.
        return None

    def result_of(self, report: str) -> AttemptResult | None:
        """Return the result of a leg that ended without a key; a key says more."""
        return _RESULTS.get(LegStatus(report))

    def stop(self, work: Work, attempt: Attempt) -> None:
        work.defer(Task.END_DUTY_LEG, attempt_id=str(attempt.id))

    def stop_alarm(self, work: Work, attempt_id: str) -> None:
        work.defer(Task.END_ALARM_LEG, attempt_id=attempt_id)


CHANNEL = Phone()
