"""Send an attempt to reach a person of an agency: what is the same for every message channel."""

from app.calls.lines.finding_lines import any_line
from app.referrals.channels.attempt_once import AttemptOnce
from app.referrals.channels.attempts import payload_of
from app.referrals.channels.links import begin_code, may_carry_code
from app.referrals.channels.models import Attempt
from app.referrals.channels.registry import message_channel
from app.referrals.escalation.results import is_needed, note_result
from app.referrals.models import Referral
from app.referrals.scopes import lock_referral
from app.referrals.spoken import write
from app.referrals.states import AttemptResult, Purpose
from app.work import Work


class ReferralAttemptOnce(AttemptOnce[Attempt]):
    """An attempt to reach a person of an agency about a referral."""

    referral: Referral

    async def lock(self, work: Work) -> Attempt | None:
        attempt = await work.session.get(Attempt, self.attempt_id)
        if attempt is None:
            return None
        self.referral = await lock_referral(work, attempt.referral_id)
        await work.session.refresh(attempt, with_for_update=True)
        return attempt

    def is_wanted(self, row: Attempt) -> bool:
        stale = row.purpose == Purpose.ESCALATION and row.turn != self.referral.turn
        return not stale and is_needed(self.referral, row)

    async def prepare(self, work: Work, row: Attempt) -> bool:
        asked = row.purpose == Purpose.CODE and self.is_wanted(row)
        if asked and not may_carry_code(work, row.kind):
            # The helpline has decided against codes by this channel while this one waited.
            return await self.give_up(work, row, AttemptResult.FAILED)
        return await super().prepare(work, row)

    async def words(self, work: Work, row: Attempt) -> tuple[str, str]:
        row.sends += 1
        await begin_code(work, row, payload_of(work, row))
        return await words_of(work, self.referral, row)

    async def note(self, work: Work, row: Attempt, result: AttemptResult) -> None:
        await note_result(work, self.referral, row, result)


async def words_of(work: Work, referral: Referral, attempt: Attempt) -> tuple[str, str]:
    """Return subject and body of a message: a code, a link, and nothing about a child."""
    payload = payload_of(work, attempt)
    if not may_carry_code(work, attempt.kind):
        payload["code"] = None
    line = await any_line(work)
    token = payload.get("token", "")
    base = work.settings.public_url.rstrip("/")
    return write(
        attempt.language,
        Purpose(attempt.purpose),
        code=referral.code,
        urgency=referral.urgency,
        link=f"{base}/r/{token}" if token else "",
        between=message_channel(attempt.kind).between_paragraphs,
        payload=payload,
        phone=line.number if line else "",
    )
