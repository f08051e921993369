"""What the telephone in a counsellor's page can do now, by one rule for pages and routing.

A page whose session has ended is no telephone, whatever it said last: its person may have been
signed out there, while another page of theirs is open. Nor is one whose session still awaits a
second step; it is one again with that step.
"""

from sqlalchemy import ColumnElement, and_, case, exists, or_, select

from app.abilities import EndpointKind
from app.routing.models import Presence, TelephoneState
from app.staff.models import Staff, StaffSession
from app.work import Work


def state_now() -> ColumnElement[str]:
    """Return the state of the telephone in the page, for a query of presences."""
    there = exists().where(
        StaffSession.token_key == Presence.telephone_session, StaffSession.awaits.is_(None)
    )
    signed_out = and_(Presence.telephone_session.is_not(None), ~there)
    return case((signed_out, TelephoneState.OFF.value), else_=Presence.telephone)


def may_ring() -> ColumnElement[bool]:
    """Return the condition that a free counsellor's telephone can ring, for a query of both.

    No call rings at a page whose session has ended.
    """
    return or_(Staff.endpoint_kind != EndpointKind.BROWSER, state_now() == TelephoneState.READY)


async def state_of(work: Work, presence: Presence) -> TelephoneState:
    """Return the state of the telephone in the page of a presence that was read already."""
    if presence.telephone_session is not None:
        there = exists().where(
            StaffSession.token_key == presence.telephone_session, StaffSession.awaits.is_(None)
        )
        if not await work.session.scalar(select(there)):
            return TelephoneState.OFF
    return TelephoneState(presence.telephone)


async def is_ready(work: Work, staff: Staff, presence: Presence | None) -> bool:
    """Return whether a counsellor's telephone can ring. Telephones outside a page always can."""
    if staff.endpoint_kind != EndpointKind.BROWSER:
        return True
    return presence is not None and await state_of(work, presence) is TelephoneState.READY
