"""How long a turn of an escalation waits: for a ring that goes on, and while the keeper is away."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from app.outbox.channels import ChannelKind
from app.referrals.channels.models import Attempt
from app.referrals.escalation.next_step import AT_LEAST, Act, Turn
from app.referrals.models import Referral
from app.referrals.opening.offering import Following
from app.referrals.reasons import WhyNoAgency
from app.referrals.states import Purpose
from app.work import Work

_AT_LEAST = timedelta(seconds=AT_LEAST)
# A restarted keeper is usually back within this time.
KEEPER_IS_BACK = timedelta(seconds=5)
# The keeper of the keys is away: which services are asked for cannot be read.
NOT_KNOWN = Following(None, WhyNoAgency.NONE_IN_TIME)


async def too_early(
    work: Work, referral: Referral, turn: Turn, following: Following
) -> timedelta | None:
    """Return how long to wait before a turn that is asked for again and again; None if it is time.

    While it is not known which agency is next, our own people are rung meanwhile: one after the
    other, and with the same pause before each round.
    """
    until: datetime | None = None
    if turn.act is Act.AROUND and following is NOT_KNOWN:
        last = await _last_tried(work, referral)
        # Without an attempt in this round there is no person to go round to.
        until = work.now + KEEPER_IS_BACK if last is None else last + timedelta(seconds=turn.wait)
    until = await _on_call_ring_until(work, referral) or until
    if turn.act is Act.NEXT_AGENCY or until is None or until <= work.now:
        return None
    wait = until - work.now
    return min(wait, KEEPER_IS_BACK) if following is NOT_KNOWN else wait


async def _last_tried(work: Work, referral: Referral) -> datetime | None:
    """Return when the last attempt of this round was made or ended; None if there was none."""
    await work.session.flush()
    found: datetime | None = await work.session.scalar(
        select(func.max(func.coalesce(Attempt.ended_at, Attempt.wanted_at))).where(
            Attempt.referral_id == referral.id,
            Attempt.round == referral.escalation_round,
            Attempt.purpose == Purpose.ESCALATION,
        )
    )
    return found


async def _on_call_ring_until(work: Work, referral: Referral) -> datetime | None:
    """Return until when the phone of our own people that this turn rings may ring; None if none."""
    if (referral.escalation_step, referral.escalation_phone) == (0, -1):
        # It has just begun with another agency: a ring that is being ended is in no one's way.
        return None
    await work.session.flush()
    found = await work.session.scalar(
        select(Attempt)
        .where(
            Attempt.referral_id == referral.id,
            Attempt.recipient_id.is_(None),
            Attempt.turn == referral.turn,
            Attempt.kind == ChannelKind.PHONE,
            Attempt.purpose == Purpose.ESCALATION,
            Attempt.answered_at.is_(None),
            Attempt.ended_at.is_(None),
        )
        .limit(1)
    )
    return None if found is None else _end_of_ring(found.wanted_at, found.seconds)


def _end_of_ring(begins: datetime, seconds: int) -> datetime:
    """Return when a ring is over: the provider rings a little longer than asked.

    The result comes by itself before that.
    """
    return begins + timedelta(seconds=seconds + 15)


async def too_soon(work: Work, referral: Referral, target: str) -> timedelta | None:
    """Return how long to wait before this target may be tried again; None if it may be now."""
    await work.session.flush()
    last = await work.session.scalar(
        select(func.max(Attempt.wanted_at)).where(
            Attempt.referral_id == referral.id,
            Attempt.target == target,
            Attempt.purpose == Purpose.ESCALATION,
        )
    )
    if last is None or work.now - last >= _AT_LEAST:
        return None
    return last + _AT_LEAST - work.now
