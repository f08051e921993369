"""Duty phones in a live call: the call that they can join, those in it, and removing one."""

from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.calls.labels import duty_label
from app.calls.models import Call, RecordedEvent
from app.calls.states import CallState
from app.database.topics import Topic
from app.jobs.names import Task
from app.outbox.channels import ChannelKind
from app.referrals.channels.models import Attempt
from app.referrals.directory.models import Agency
from app.referrals.log_kinds import LogKind
from app.referrals.models import Referral
from app.referrals.scopes import lock_referral
from app.referrals.states import AttemptResult
from app.referrals.trail import By, Via, note
from app.routing import in_hand
from app.routing.participants import actions
from app.routing.participants.participants import Mode, ParticipantState, inside_by_events
from app.staff.models import Staff
from app.work import Work


async def live_talk(work: Work, referral: Referral) -> Call | None:
    """Return the call of this referral while the caller is still talking with us, else None."""
    if referral.call_id is None:
        return None
    call = await work.session.get(Call, referral.call_id, populate_existing=True)
    return call if call is not None and call.state == CallState.CONNECTED else None


class DutyInTalk(NamedTuple):
    """A duty phone that talks with the caller and the counsellor; shown like other participants."""

    id: UUID
    referral_id: UUID
    agency: str
    purpose: Literal["duty"] = "duty"
    mode: Mode = Mode.TALK
    state: ParticipantState = ParticipantState.IN


async def duty_in_talk(work: Work, call_id: UUID) -> list[DutyInTalk]:
    """Return the duty phones that are in the call now, by the events of its conference."""
    rows = await work.session.execute(
        select(Attempt.id, Attempt.referral_id, Agency.name)
        .join(Referral, Referral.id == Attempt.referral_id)
        .join(Agency, Agency.id == Attempt.agency_id)
        .where(
            Referral.call_id == call_id,
            Referral.warm,
            Attempt.kind == ChannelKind.PHONE,
            Attempt.result == AttemptResult.ACKNOWLEDGED,
        )
    )
    found = [DutyInTalk(*row) for row in rows]
    if not found:
        return []
    labels = {duty_label(one.id) for one in found}
    inside = await inside_by_events(
        work, call_id, RecordedEvent.detail["participant"].astext.in_(labels)
    )
    return [one for one in found if duty_label(one.id) in inside]


async def drop(work: Work, by: Staff, call: Call, who: UUID) -> None:
    """Remove one participant, or a duty phone, from a locked call; the others go on talking.

    The agency of a duty phone keeps the referral. Raises NotFound, NotAllowed.
    """
    there = {one.id: one for one in await duty_in_talk(work, call.id)}
    if who not in there:
        await actions.drop(work, by, call, who)
        return
    await in_hand.call_in_hand(work, by, call.id)
    referral = await lock_referral(work, there[who].referral_id)
    note(work, referral, LogKind.TAKEN_OUT_OF_THE_LIVE_CALL, By(Via.BY_HAND))
    work.defer(Task.END_DUTY_LEG, attempt_id=str(who))
    work.announce(Topic.CALLS, Topic.CALLS.of(call.id))
