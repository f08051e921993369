"""Who is at work: in a talk, about to be in one, writing one up, or waiting for the next call.

The limit of a session must not end a call, and no caller may ring at a page that was signed out:
`goes_on` in `app/staff/sessions.py` says which sessions of a person at work go on.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.abilities import EndpointKind
from app.routing.models import Offer, Presence, PresenceChange, PresenceState, TelephoneState
from app.routing.participants.participants import LIVE, Participant
from app.staff.models import Staff, StaffSession
from app.staff.sessions import Duty

P, T = PresenceState, TelephoneState
_IN_CALL = (P.OFFERED, P.ON_CALL, P.WRITING, P.WRAP_UP)
_ON_DUTY = (*_IN_CALL, P.AVAILABLE, P.BREAK)
_CONNECTED = (T.ASKING, T.READY, T.RINGING, T.TALKING, T.RECONNECTING)
# A page says more often than this that it is there. Browsers slow down hidden pages.
_HEARD_WITHIN = timedelta(minutes=3)


def _begun(states: Collection[PresenceState]) -> ColumnElement[datetime]:
    """Return since when a person has been in these states without a gap."""
    last = (
        select(func.max(PresenceChange.at))
        .where(
            PresenceChange.counsellor_id == Presence.counsellor_id,
            PresenceChange.before.not_in(states),
        )
        .scalar_subquery()
    )
    return func.coalesce(last, Presence.since)


def _acted_last() -> ColumnElement[bytes]:
    """Return the session in which a person whose calls ring in no page acted last."""
    return (
        select(StaffSession.token_key)
        .join(Staff, Staff.id == StaffSession.staff_id)
        .where(
            StaffSession.staff_id == Presence.counsellor_id,
            StaffSession.awaits.is_(None),
            Staff.endpoint_kind != EndpointKind.BROWSER,
        )
        .order_by(
            func.coalesce(StaffSession.active_at, StaffSession.created_at).desc(), StaffSession.id
        )
        .limit(1)
        .scalar_subquery()
    )


async def at_work(
    session: AsyncSession, people: Collection[UUID], now: datetime
) -> Mapping[UUID, Duty]:
    """Return which of some people are at work, and since when without a gap."""
    connected = and_(
        Presence.state.in_(_ON_DUTY),
        Presence.telephone.in_(_CONNECTED),
        Presence.heartbeat_at > now - _HEARD_WITHIN,
    )
    in_call = Presence.state.in_(_IN_CALL)
    offer, helps, unknown = Offer.opened_at, Participant.wanted_at, (literal(None), literal(None))
    statements = (
        select(Offer.counsellor_id, offer, offer, *unknown).where(
            Offer.counsellor_id.in_(people), Offer.released_at.is_(None)
        ),
        select(Participant.staff_id, helps, helps, *unknown).where(
            Participant.staff_id.in_(people), Participant.state.in_(LIVE)
        ),
        select(
            Presence.counsellor_id,
            _begun(_ON_DUTY),
            case((in_call, _begun(_IN_CALL))),
            Presence.telephone_session,
            case((in_call, _acted_last())),
        ).where(Presence.counsellor_id.in_(people), or_(in_call, connected)),
    )
    found: dict[UUID, Duty] = {}
    for statement in statements:
        for who, *row in (await session.execute(statement)).all():
            if who is not None:
                found[who] = Duty(*row).with_other(found.get(who))
    return found
