"""Whose caller a person may know: of calls, call-backs, and messages that were spoken or written.

It is beside the messages that children left in writing because these belong to teams, too.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, or_, select

from app.calls import messages
from app.calls.models import Call, VoiceMessage
from app.calls.states import CallState
from app.chats.left import answering
from app.chats.models import ReturnCode
from app.routing import in_hand
from app.routing.callbacks import callbacks
from app.routing.callbacks.callback_rows import Callback
from app.routing.models import Offer, OfferState
from app.routing.supervision import supervised
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.work import Work


def known_callers(staff: Staff) -> Select[Any]:
    """Select the calls whose caller a person may know: number, flags, wishes and call-backs.

    A counsellor's own calls. For a supervisor those of the team, those that no person took, and
    those in which a counsellor called for help that they may give. What came of a call belongs to
    a team as well: its message or call-back.
    """
    if not may(staff.role, Permission.KNOW_CALLERS):
        return select(Call).where(false())
    if not may(staff.role, Permission.SUPERVISE):
        return select(Call).where(Call.id.in_(in_hand.own_calls(staff)))
    taken = (
        select(Offer.id)
        .where(
            Offer.call_id == Call.id,
            Offer.state.in_((OfferState.ACCEPTED, OfferState.CONNECTED)),
        )
        .correlate(Call)
    )
    of_team = taken.join(Staff, Staff.id == Offer.counsellor_id).where(Staff.team == staff.team)
    helped = or_(
        and_(Call.state == CallState.CONNECTED, supervised.open_call_for_help()),
        supervised.TAKEN_BY.is_not_distinct_from(str(staff.id)),
    )
    untaken = and_(~taken.exists(), _of_no_other_team(staff.team))
    return select(Call).where(or_(untaken, of_team.exists(), helped))


def _of_no_other_team(team: str) -> ColumnElement[bool]:
    """Return whether a call has no message or call-back, or one of the team or of all teams."""
    spoken = select(VoiceMessage.id).where(VoiceMessage.call_id == Call.id)
    written = select(ReturnCode.call_id).where(ReturnCode.call_id == Call.id)
    rung_back = select(Callback.id).where(
        or_(Callback.call_id == Call.id, Callback.id == Call.callback_id)
    )
    found = (
        (spoken, messages.of_team(team)),
        (written, answering.of_team(team)),
        (rung_back, callbacks.of_team(team)),
    )
    return and_(
        *(
            or_(~rows.correlate(Call).exists(), rows.where(ours).correlate(Call).exists())
            for rows, ours in found
        )
    )


async def may_know_caller(work: Work, staff: Staff, call_id: UUID) -> bool:
    """Return whether a reader of a message sees what is known of its number: the person who has it,
    or may take it as the first, as in a talk; and those who may know the callers of colleagues."""
    if not may(staff.role, Permission.KNOW_CALLERS):
        return False
    found = await work.session.get_one(ReturnCode, call_id, populate_existing=True)
    if found.owner_id == staff.id or (found.taken_at is None and found.done_at is None):
        return True
    known = known_callers(staff).where(Call.id == call_id).with_only_columns(Call.id)
    return await work.session.scalar(known) is not None
