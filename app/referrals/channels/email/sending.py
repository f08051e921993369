"""Send an attempt by e-mail. A mail server cannot be asked whether it has a message."""

from datetime import timedelta

from app.log import log
from app.outbox.mail import send_mail
from app.outbox.responses import Refused, RequestFailed
from app.outbox.states import Sending
from app.referrals.channels.email.channel import ACCEPTED, CHANNEL, NOT_ACCEPTED, REFUSED
from app.referrals.channels.models import Attempt
from app.referrals.channels.sending import ReferralAttemptOnce
from app.referrals.escalation.results import note_result
from app.referrals.states import AttemptResult, Purpose
from app.work import Ground, Work

# After this many failed sends of one attempt the escalation goes on without it. Other messages,
# such as a withdrawal of consent, are tried for days.
_ESCALATION_ATTEMPTS, _ATTEMPTS = 3, 300


class EmailOnce(ReferralAttemptOnce):
    """An attempt by e-mail: repeated with the same Message-ID if it may not have arrived."""

    repeat_after = timedelta(seconds=60)

    def __init__(self, ground: Ground, attempt_id: str) -> None:
        super().__init__(attempt_id, CHANNEL.task)
        self._ground = ground

    async def is_possible(self, work: Work, attempt: Attempt) -> bool:
        if work.settings.smtp_url is not None:
            return True
        log().error("HELPLINE_SMTP_URL is not set: no e-mail is sent", area="referrals")
        return await self.give_up(work, attempt, AttemptResult.UNREACHABLE)

    async def send(self) -> None:
        await send_mail(self._ground, self.to, self.subject, self.body, message_id=self.attempt_id)

    async def accepted(self, work: Work, row: Attempt) -> None:
        await self._note(work, row, ACCEPTED)

    async def failed(self, work: Work, row: Attempt, error: Refused | None) -> None:
        log().warning("an e-mail was refused", area="referrals", cause=str(error)[:60])
        await self._note(work, row, REFUSED)

    async def put_off(self, work: Work, row: Attempt, error: RequestFailed) -> bool:
        most = _ESCALATION_ATTEMPTS if row.purpose == Purpose.ESCALATION else _ATTEMPTS
        if row.sends >= most:
            row.sending = Sending.FAILED.value
            await self._note(work, row, NOT_ACCEPTED)
            return True
        wait = timedelta(seconds=min(5 * 2 ** min(row.sends, 10), 1800))
        uncertain = row.sending == Sending.SENDING
        self.later(work, max(wait, self.repeat_after) if uncertain else wait)
        return True

    async def _note(self, work: Work, attempt: Attempt, report: str) -> None:
        result = CHANNEL.result_of(report)
        assert result is not None
        await note_result(work, self.referral, attempt, result)
