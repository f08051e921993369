"""SMS to an agency. It is sent by the telephony edge, through the provider."""

from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.base import MessageChannel
from app.referrals.directory.models import Agency
from app.referrals.states import AttemptResult

# By the provider's word for the state of a message.
_RESULTS = {
    "delivered": AttemptResult.DELIVERED,
    "read": AttemptResult.DELIVERED,
    "undelivered": AttemptResult.FAILED,
    "failed": AttemptResult.FAILED,
    "canceled": AttemptResult.FAILED,
}


class Sms(MessageChannel):
    kind = ChannelKind.SMS
    task = Task.SEND_MESSAGE
    alarm_task = Task.SEND_ALARM_MESSAGE

    def address_of(self, agency: Agency) -> str | None:
        return agency.sms or None

    def result_of(self, report: str) -> AttemptResult | None:
        return _RESULTS.get(report)


CHANNEL = Sms()
