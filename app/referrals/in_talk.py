"""Duty phones that were brought into a live talk: who is in it, and out of it again."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.calls.models import Call, RecordedEvent
from app.referrals.models import Agency, Referral, Rung
from app.referrals.scopes import lock_referral
from app.referrals.states import RungKind, RungResult
from app.referrals.trail import By, note
from app.routing import desk, parties
from app.staff.models import Staff
from app.work import Work


class DutyInTalk(NamedTuple):
    """Somebody of an agency who talks with child and counsellor; shown as others in a talk are."""

    id: UUID
    referral_id: UUID
    agency: str
    purpose: str = "duty"
    mode: str = "talk"
    state: str = "in"


def duty_label(rung_id: UUID) -> str:
    """What a duty phone is called in a conference."""
    return f"duty-{rung_id}"


async def duty_in_talk(work: Work, call_id: UUID) -> list[DutyInTalk]:
    """Whose duty phones are in the talk now, as its conference tells."""
    rows = await work.session.execute(
        select(Rung.id, Rung.referral_id, Agency.name)
        .join(Referral, Referral.id == Rung.referral_id)
        .join(Agency, Agency.id == Rung.agency_id)
        .where(
            Referral.call_id == call_id, Referral.warm, Rung.kind == RungKind.PHONE,
            Rung.result == RungResult.ACKNOWLEDGED,
        )
    )  # fmt: skip
    found = [DutyInTalk(*row) for row in rows]
    if not found:
        return []
    labels = {duty_label(one.id) for one in found}
    events = await work.session.scalars(
        select(RecordedEvent).where(
            RecordedEvent.call_id == call_id,
            RecordedEvent.kind.in_(("participant-join", "participant-leave")),
            RecordedEvent.detail["party"].astext.in_(labels),
        )
    )
    last: dict[str, str] = {}
    for event in sorted(events, key=lambda e: int(e.detail.get("sequence", 0))):
        last[event.detail["party"]] = event.kind
    return [one for one in found if last.get(duty_label(one.id)) == "participant-join"]


async def drop(work: Work, by: Staff, call: Call, who: UUID) -> None:
    """One leg of a locked call's talk ends, the others go on: whoever was asked in, or a duty
    phone, whose agency keeps the referral. Raises NotFound, NotAllowed.
    """
    there = {one.id: one for one in await duty_in_talk(work, call.id)}
    if who not in there:
        await parties.drop(work, by, call, who)
        return
    await desk.call_in_hand(work, by, call.id)
    referral = await lock_referral(work, there[who].referral_id)
    note(work, referral, "taken out of the live call", By("by_hand"))
    work.defer("telephony:end_duty_leg", rung_id=str(who))
    work.announce("calls")
