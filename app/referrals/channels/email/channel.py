"""E-mail to an agency, through the server of `HELPLINE_SMTP_URL`; `sending.py` sends it."""

from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.base import MessageChannel
from app.referrals.directory.models import Agency
from app.referrals.states import AttemptResult

# By what the mail server said.
ACCEPTED, REFUSED, NOT_ACCEPTED = "accepted", "refused", "not accepted"
_RESULTS = {
    # Nothing tells us whether a person has it: the server's word is the last that we hear.
    ACCEPTED: AttemptResult.DELIVERED,
    REFUSED: AttemptResult.FAILED,
    NOT_ACCEPTED: AttemptResult.UNREACHABLE,
}


class Email(MessageChannel):
    kind = ChannelKind.EMAIL
    task = Task.SEND_MAIL
    alarm_task = Task.MAIL_STAFFING_ALARM
    between_paragraphs = "\n\n"

    def address_of(self, agency: Agency) -> str | None:
        return agency.email or None

    def result_of(self, report: str) -> AttemptResult | None:
        return _RESULTS.get(report)


CHANNEL = Email()
