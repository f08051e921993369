"""What few calls have, and every desk would show: others in the talk, questions by key, call-backs,
referrals.

One question says which of them there are, and only those are read: a desk is drawn again with every
change of a talk.
"""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, exists, select

from app.calls.models import CallQuestion
from app.database.quick import Question, is_one_of
from app.jobs.transaction import rows_of
from app.referrals.models import Referral
from app.routing.callbacks import callbacks
from app.routing.participants.participants import LIVE, Participant
from app.work import Work


class Extras(NamedTuple):
    """Whether there may be something of a kind. Its own rules say who sees it."""

    others: bool = False
    questions: bool = False
    backs: bool = False
    referrals: bool = False


_CALL = bindparam("call_id", type_=Uuid())
_EXTRAS = Question(
    select(
        exists().where(Participant.call_id == _CALL, is_one_of(Participant.state, LIVE)),
        exists().where(CallQuestion.call_id == _CALL),
        callbacks.ON_DESK.exists(),
        # A duty phone in the talk is one of a referral.
        exists().where(Referral.call_id == _CALL),
    )
)


async def extras_of(work: Work, staff_id: UUID, call_id: UUID | None) -> Extras:
    """Return what there is of a call, and whether its counsellor has a call-back on the desk."""
    (row,) = await rows_of(work, _EXTRAS, call_id=call_id, who=staff_id)
    others, questions, backs, referrals = row.values()
    return Extras(others or referrals, questions, backs, referrals)
