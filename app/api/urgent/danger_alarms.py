"""Alarms about danger on record, in JSON."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from app.api.urgent.referral_bodies import WordsIn
from app.referrals.escalation import alarms, dangers
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, Requires
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["referrals"], route_class=StrictRoute)
Sees = Annotated[Staff, Depends(Requires(Permission.SEE_REFERRALS), scope="function")]


class DangerView(BaseModel):
    id: UUID
    kind: str
    # referral, contact or case
    about: str
    subject_id: UUID
    begun_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None


@router.get("/danger-alarms")
async def danger_alarms(work: InWork, staff: Sees) -> list[DangerView]:
    """Return the danger alarms that you are responsible for, the oldest first."""
    return [
        DangerView(
            id=alarm.id,
            kind=alarm.kind,
            about=dangers.subject_kind(alarm),
            subject_id=alarm.subject_id,
            begun_at=alarm.begun_at,
            acknowledged_at=alarm.acknowledged_at,
            acknowledged_by=alarm.acknowledged_by,
        )
        for alarm in await dangers.open_dangers(work, staff)
        if alarm.subject_id is not None
    ]


@router.post("/danger-alarms/{alarm_id}/acknowledge", status_code=204)
async def acknowledge_danger(work: InWork, staff: Sees, alarm_id: UUID) -> None:
    """Acknowledge an alarm; without a decision the escalation resumes after the protocol's time."""
    await dangers.lock_own_alarm(work, staff, alarm_id)
    await alarms.acknowledge(work, alarm_id, staff.name, staff)


@router.post("/danger-alarms/{alarm_id}/decide", status_code=204)
async def decide_danger(work: InWork, staff: Sees, alarm_id: UUID, body: WordsIn) -> None:
    """Record the decision that no more action is needed, and the reason."""
    await dangers.decide(work, staff, alarm_id, body.words)
