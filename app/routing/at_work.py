"""Who is at work: in a talk, about to be in one, writing one up, or waiting for the next call.

The session of a person at work has no limits. It must not end a call, and no caller may ring at a
page that was signed out.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.routing.models import Offer, Presence, PresenceChange, PresenceState, TelephoneState
from app.routing.participants.participants import LIVE, Participant

P, T = PresenceState, TelephoneState
_IN_CALL = (P.OFFERED, P.ON_CALL, P.WRITING, P.WRAP_UP)
_ON_DUTY = (*_IN_CALL, P.AVAILABLE, P.BREAK)
_CONNECTED = (T.ASKING, T.READY, T.RINGING, T.TALKING, T.RECONNECTING)
# A page says more often than this that it is there. Browsers slow down hidden pages.
_HEARD_WITHIN = timedelta(minutes=3)


async def at_work(
    session: AsyncSession, people: Collection[UUID], now: datetime
) -> Mapping[UUID, datetime]:
    """Return which of some people are at work, and since when without a gap."""
    begun = (
        select(func.max(PresenceChange.at))
        .where(
            PresenceChange.counsellor_id == Presence.counsellor_id,
            PresenceChange.before.in_((P.OFF_DUTY, P.AWAY)),
        )
        .scalar_subquery()
    )
    statements = (
        select(Offer.counsellor_id, Offer.opened_at).where(
            Offer.counsellor_id.in_(people), Offer.released_at.is_(None)
        ),
        select(Participant.staff_id, Participant.wanted_at).where(
            Participant.staff_id.in_(people), Participant.state.in_(LIVE)
        ),
        select(Presence.counsellor_id, func.coalesce(begun, Presence.since)).where(
            Presence.counsellor_id.in_(people),
            or_(
                Presence.state.in_(_IN_CALL),
                and_(
                    Presence.state.in_(_ON_DUTY),
                    Presence.telephone.in_(_CONNECTED),
                    Presence.heartbeat_at > now - _HEARD_WITHIN,
                ),
            ),
        ),
    )
    found: dict[UUID, datetime] = {}
    for statement in statements:
        for who, since in (await session.execute(statement)).all():
            if who is not None:
                found[who] = min(since, found.get(who, since))
    return found
