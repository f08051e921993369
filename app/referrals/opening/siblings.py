"""Brothers and sisters: one referral each, and one conversation about all of them.

Referrals that were opened together, for the same service, are offered to the same agency if it
fits. Its phone is rung for one child, and a person who takes that child takes all; the agency is
asked separately about a child who is left over.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update

from app.referrals.channels.models import Attempt
from app.referrals.models import Referral
from app.referrals.states import ReferralState
from app.work import Work

# From the ring for one child to the first ring for the next, if the first brought no reply: time
# for the phone to ring, for a person to listen, and for the key to be confirmed.
PATIENCE = timedelta(seconds=75)
ASKED = (ReferralState.SENT, ReferralState.DELIVERED)


def _together(referral: Referral) -> tuple[ColumnElement[bool], ...]:
    return (
        Referral.opened_alike == referral.opened_alike,
        Referral.id != referral.id,
    )


async def siblings_of(work: Work, referral: Referral) -> list[Referral]:
    """Return the referrals of the other children that were opened together, for this service."""
    await work.session.flush()
    rows = await work.session.scalars(
        select(Referral).where(*_together(referral)).order_by(Referral.code)
    )
    return list(rows)


async def asked_first(work: Work, referral: Referral) -> UUID | None:
    """Return the agency that is being asked about a brother or sister and has not replied yet."""
    await work.session.flush()
    found: UUID | None = await work.session.scalar(
        select(Referral.agency_id)
        .where(*_together(referral), Referral.state.in_(ASKED), Referral.agency_id.is_not(None))
        .order_by(Referral.sent_at)
        .limit(1)
    )
    return found


async def join_ring(work: Work, referral: Referral) -> None:
    """Add this child to the attempt that is ringing for a brother or sister."""
    others = select(Referral.id).where(*_together(referral))
    await work.session.execute(
        update(Attempt)
        .where(
            Attempt.referral_id.in_(others),
            Attempt.agency_id == referral.agency_id,
            Attempt.answered_at.is_(None),
            Attempt.ended_at.is_(None),
        )
        .values(children=Attempt.children + 1)
        .execution_options(synchronize_session=False)
    )


async def count_asked(work: Work, referral: Referral) -> int:
    """Return about how many children the agency is being asked, this one included."""
    found = await work.session.scalar(
        select(func.count()).where(
            *_together(referral),
            Referral.state.in_(ASKED),
            Referral.agency_id == referral.agency_id,
            Referral.withdrawal_at.is_(None),
        )
    )
    return 1 + (found or 0)
