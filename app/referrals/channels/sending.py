"""Send an attempt to reach a person of an agency: what is the same for every message channel."""

from uuid import UUID

from app.calls.lines import any_line
from app.outbox.once import Outgoing
from app.outbox.states import Sending
from app.referrals.channels.attempts import payload_of
from app.referrals.channels.models import Attempt
from app.referrals.channels.registry import message_channel
from app.referrals.escalation.trying import is_needed, note_result
from app.referrals.models import Referral
from app.referrals.scopes import lock_referral
from app.referrals.spoken import write
from app.referrals.states import AttemptResult, Purpose
from app.work import Work


class AttemptOnce(Outgoing[Attempt]):
    """An attempt to reach a person. A channel says how it is sent and what its result means."""

    referral: Referral
    to: str
    subject: str
    body: str

    def __init__(self, attempt_id: str, task: str) -> None:
        super().__init__(task, attempt_id=attempt_id)
        self.attempt_id = UUID(attempt_id)

    async def lock(self, work: Work) -> Attempt | None:
        attempt = await work.session.get(Attempt, self.attempt_id)
        if attempt is None:
            return None
        self.referral = await lock_referral(work, attempt.referral_id)
        await work.session.refresh(attempt, with_for_update=True)
        return attempt

    def is_over(self, row: Attempt) -> bool:
        return row.ended_at is not None

    async def prepare(self, work: Work, row: Attempt) -> bool:
        stale = row.purpose == Purpose.ESCALATION and row.turn != self.referral.turn
        if stale or not is_needed(self.referral, row):
            return await self.give_up(work, row, AttemptResult.STOPPED)
        if not await self.is_possible(work, row):
            return False
        row.tries += 1
        self.to = row.target
        self.subject, self.body = await words_of(work, self.referral, row)
        return True

    async def is_possible(self, work: Work, attempt: Attempt) -> bool:
        """Return whether it can be sent now; else give it up, or plan it for later."""
        return True

    async def give_up(self, work: Work, attempt: Attempt, result: AttemptResult) -> bool:
        """End an attempt that was not sent. Return False."""
        attempt.sending = Sending.FAILED.value
        await note_result(work, self.referral, attempt, result)
        return False


async def words_of(work: Work, referral: Referral, attempt: Attempt) -> tuple[str, str]:
    """Return subject and body of a message: a code, a link, and nothing about a child."""
    payload = payload_of(work, attempt)
    line = await any_line(work)
    token = payload.get("token", "")
    base = work.settings.public_url.rstrip("/")
    return write(
        attempt.language,
        attempt.purpose,
        code=referral.code,
        urgency=referral.urgency,
        link=f"{base}/r/{token}" if token else "",
        between=message_channel(attempt.kind).between_paragraphs,
        payload=payload,
        phone=line.number if line else "",
    )
