"""What a person holds that a colleague has to take over: counted without reading a word of it."""

from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, func, select

from app.calls.models import VoiceMessage
from app.chats import ended_without_counsellor
from app.chats.models import ReturnCode
from app.contacts import contacts
from app.contacts.cases.models import FollowUp
from app.contacts.models import Case, Contact
from app.referrals.models import Referral
from app.referrals.states import OVER
from app.routing.callbacks.callback_rows import OPEN, Callback, CallbackState
from app.routing.callbacks.callbacks import agreed_by
from app.routing.models import PresenceState
from app.routing.offers_held import in_hand
from app.routing.participants import participants
from app.routing.rota import giving
from app.staff.models import Staff
from app.staff.roles import Permission
from app.training.models import Practice
from app.work import Work


class WorkKind(StrEnum):
    """A kind of work that goes to another person when its owner leaves."""

    DRAFTS = "drafts"
    CASES = "cases"
    FOLLOW_UPS = "follow_ups"
    REFERRALS = "referrals"
    AGREED_CALLBACKS = "agreed_callbacks"
    CALLBACK_REPLIES = "callback_replies"
    VOICE_MESSAGES = "voice_messages"
    WRITTEN_MESSAGES = "written_messages"
    SHIFTS = "shifts"


# What a person must be allowed to do to hold work of a kind.
NEEDS: dict[WorkKind, Permission] = {
    WorkKind.DRAFTS: Permission.WRITE_CONTACTS,
    WorkKind.CASES: Permission.WRITE_CASES,
    WorkKind.FOLLOW_UPS: Permission.WRITE_CASES,
    WorkKind.REFERRALS: Permission.WRITE_REFERRALS,
    WorkKind.AGREED_CALLBACKS: Permission.TAKE_CALLS,
    WorkKind.CALLBACK_REPLIES: Permission.TAKE_CALLS,
    WorkKind.VOICE_MESSAGES: Permission.HEAR_MESSAGES,
    WorkKind.WRITTEN_MESSAGES: Permission.HEAR_MESSAGES,
    WorkKind.SHIFTS: Permission.TAKE_CALLS,
}


def _rows(model: Any, *which: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(model).where(*which)


async def count(work: Work, staff: Staff) -> dict[WorkKind, int]:
    """Return how much of each kind a person holds."""
    own = staff.id
    counted = {
        WorkKind.DRAFTS: _rows(Contact, Contact.owner_id == own, *contacts.OPEN),
        WorkKind.CASES: _rows(Case, Case.owner_id == own, Case.closed_at.is_(None)),
        # Those of own cases go with the case.
        WorkKind.FOLLOW_UPS: _rows(
            FollowUp,
            FollowUp.owner_id == own,
            FollowUp.done_at.is_(None),
            FollowUp.case_id.not_in(
                select(Case.id).where(Case.owner_id == own, Case.closed_at.is_(None))
            ),
        ),
        WorkKind.REFERRALS: _rows(Referral, Referral.owner_id == own, Referral.state.not_in(OVER)),
        WorkKind.AGREED_CALLBACKS: _rows(Callback, agreed_by(own)),
        WorkKind.CALLBACK_REPLIES: _rows(
            Callback, Callback.talked_by == own, Callback.state == CallbackState.SPOKEN
        ),
        WorkKind.VOICE_MESSAGES: _rows(
            VoiceMessage, VoiceMessage.owner_id == own, VoiceMessage.heard_at.is_(None)
        ),
        WorkKind.WRITTEN_MESSAGES: _rows(
            ReturnCode, ReturnCode.owner_id == own, ReturnCode.done_at.is_(None)
        ),
    }
    found = {kind: await work.session.scalar(rows) or 0 for kind, rows in counted.items()}
    unseen = select(func.count()).select_from(ended_without_counsellor.unseen_of(own).subquery())
    found[WorkKind.WRITTEN_MESSAGES] += await work.session.scalar(unseen) or 0
    return {**found, WorkKind.SHIFTS: await giving.count_ahead(work, staff)}


class Doing(NamedTuple):
    """What a person is in the middle of."""

    # A call rings at them, or they talk; with a scripted child, or in a colleague's talk.
    ringing: bool
    talking: bool
    practising: bool
    helping: bool
    # Call-backs that they agreed and that are still to be made: any counsellor of the line makes
    # them, and the colleague who takes them over answers for them.
    callbacks: int


async def doing(work: Work, staff: Staff) -> Doing:
    """Return what a person is in the middle of."""
    now = await in_hand(work, staff.id)
    practice = await work.session.scalar(
        _rows(Practice, Practice.trainee_id == staff.id, Practice.ended_at.is_(None))
    )
    agreed = await work.session.scalar(
        _rows(Callback, Callback.made_by == staff.id, Callback.state.in_(OPEN))
    )
    return Doing(
        ringing=now.state is PresenceState.OFFERED and not practice,
        talking=now.state in (PresenceState.ON_CALL, PresenceState.WRITING) and not practice,
        practising=bool(practice),
        helping=await participants.helps(work, staff.id),
        callbacks=agreed or 0,
    )
