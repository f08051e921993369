"""Send an attempt to reach a person on call about an alarm; the e-mail is sent from here."""

from datetime import timedelta

from app.jobs.names import Task
from app.log import log
from app.outbox.mail import send_mail
from app.outbox.responses import Refused
from app.referrals.channels.attempt_once import AttemptOnce
from app.referrals.escalation.alarms import is_open, lock_alarm, message_of, note_result
from app.referrals.states import AttemptResult
from app.routing.alarm_rows import Alarm, AlarmAttempt
from app.work import Ground, Work


class AlarmAttemptOnce(AttemptOnce[AlarmAttempt]):
    """An attempt to reach a person on call; a channel says how it is sent."""

    alarm: Alarm

    async def lock(self, work: Work) -> AlarmAttempt | None:
        attempt = await work.session.get(AlarmAttempt, self.attempt_id)
        alarm = await lock_alarm(work, attempt.alarm_id) if attempt is not None else None
        if attempt is None or alarm is None:
            return None
        await work.session.refresh(attempt, with_for_update=True)
        self.alarm = alarm
        return attempt

    def is_wanted(self, row: AlarmAttempt) -> bool:
        return is_open(self.alarm)

    async def words(self, work: Work, row: AlarmAttempt) -> tuple[str, str]:
        return await message_of(work, self.alarm, row.language)

    async def note(self, work: Work, row: AlarmAttempt, result: AttemptResult) -> None:
        await note_result(work, self.alarm, row, result)

    async def failed(self, work: Work, row: AlarmAttempt, error: Refused | None) -> None:
        await note_result(work, self.alarm, row, AttemptResult.FAILED)


class AlarmEmailOnce(AlarmAttemptOnce):
    """An alarm by e-mail: repeated with the same Message-ID if it may not have arrived."""

    repeat_after = timedelta(seconds=60)

    def __init__(self, ground: Ground, attempt_id: str) -> None:
        super().__init__(attempt_id, Task.MAIL_STAFFING_ALARM)
        self._ground = ground

    async def is_possible(self, work: Work, attempt: AlarmAttempt) -> bool:
        if work.settings.smtp_url is not None:
            return True
        log().warning("an alarm is not mailed: HELPLINE_SMTP_URL is not set", area="routing")
        return await self.give_up(work, attempt, AttemptResult.FAILED)

    async def send(self) -> None:
        await send_mail(self._ground, self.to, self.subject, self.body, message_id=self.attempt_id)

    async def accepted(self, work: Work, row: AlarmAttempt) -> None:
        await note_result(work, self.alarm, row, AttemptResult.DELIVERED)

    async def failed(self, work: Work, row: AlarmAttempt, error: Refused | None) -> None:
        log().warning("an alarm was not mailed", area="routing", cause=str(error)[:60])
        await super().failed(work, row, error)
