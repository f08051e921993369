"""What a child thought of a conversation: two questions at its end, linked to nothing.

They are never asked after danger: a child who was afraid is not asked how it was.
"""

from uuid import UUID, uuid4

from sqlalchemy import text

from app.calls import record
from app.calls.states import CallState
from app.chats.models import Access, Feedback
from app.errors import Conflict, Invalid
from app.work import Work

# Whether a conversation `c` was about danger: the child said so or wrote words of it, the urgency
# that was decided is a high one, or an urgent referral was opened for it. The last two are mostly
# decided after the child has left.
WAS_DANGER = """(c.danger OR c.alarming
  OR EXISTS (SELECT FROM contacts k WHERE k.call_id = c.id AND k.urgency IN ('immediate', 'urgent'))
  OR EXISTS (SELECT FROM referrals r LEFT JOIN contacts k ON k.id = r.contact_id
    WHERE (r.call_id = c.id OR k.call_id = c.id) AND r.urgency IN ('immediate', 'urgent')))"""
_WAS_DANGER = text(f"SELECT {WAS_DANGER} FROM calls c WHERE c.id = :call_id")  # noqa: S608


async def rate(work: Work, call_id: UUID, *, helped: int | None, again: int | None) -> None:
    """Keep what a child thought of a talk, once and linked to nothing. Never after danger.

    Raises Conflict, Invalid.
    """
    for value in (helped, again):
        if value is not None and not 1 <= value <= 5:
            raise Invalid("Choose a number from 1 to 5.")
    call = await record.lock_call(work, call_id)
    access = await work.session.get(Access, call_id, populate_existing=True)
    talked = CallState(call.state) is CallState.ENDED and call.answered_at is not None
    if access is None or not talked or await _was_danger(work, call_id):
        raise Conflict("There is nothing to ask about this conversation.")
    if access.rated or (helped is None and again is None):
        return
    access.rated = True
    work.session.add(
        Feedback(
            id=uuid4(),
            line_id=call.line_id,
            channel=call.channel,
            month=work.now.date().replace(day=1),
            helped=helped,
            again=again,
        )
    )


async def _was_danger(work: Work, call_id: UUID) -> bool:
    await work.session.flush()
    return bool(await work.session.scalar(_WAS_DANGER, {"call_id": call_id}))
