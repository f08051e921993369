"""The SMS to a duty phone: sent once. If the provider does not answer, it is asked what became of
the message; one that it reports as undelivered is not sent again, and the escalation goes on.
"""

from uuid import UUID

from procrastinate import JobContext

from app.jobs.names import Task
from app.outbox.once import send_once
from app.referrals.channels.models import Attempt
from app.referrals.channels.sending import ReferralAttemptOnce
from app.referrals.channels.sms.channel import CHANNEL as SMS
from app.referrals.escalation.results import note_result
from app.telephony.duty_phones.attempts import BySms
from app.telephony.duty_phones.duty import DutyCall, learn_sid, lock_attempt
from app.telephony.jobs import Parts, parts_of, task
from app.telephony.provider.signature import Signed
from app.telephony.provider.urls import message_path
from app.work import Work


class DutySms(BySms, DutyCall):
    """An attempt by SMS."""

    def __init__(self, parts: Parts, attempt_id: str) -> None:
        ReferralAttemptOnce.__init__(self, attempt_id, SMS.task)
        self.platform = parts.platform

    def told(self) -> str:
        return message_path(self.attempt_id)

    async def accepted(self, work: Work, row: Attempt) -> None:
        # The provider has the message, so its payload is not needed any more, delivered or not.
        row.payload_sealed = None


@task(Task.SEND_MESSAGE)
async def send_message(context: JobContext, attempt_id: str) -> None:
    """Send an SMS."""
    parts = parts_of(context)
    await send_once(parts.ground, DutySms(parts, attempt_id))


async def message_status(work: Work, attempt_id: UUID, signed: Signed) -> None:
    """Handle the delivery status of an SMS."""
    referral, attempt = await lock_attempt(work, attempt_id)
    learn_sid(attempt, signed.fields.get("MessageSid", "")[:64])
    result = SMS.result_of(signed.fields.get("MessageStatus", ""))
    if result is not None and attempt.result is None:
        await note_result(work, referral, attempt, result)
