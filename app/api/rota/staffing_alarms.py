"""Alarms of the rota: lines without a counsellor, and shifts that no person has."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.rota.roster import Plans
from app.routing.rota import coverage, unstaffed_alarms
from app.web.access import InWork
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["roster"], route_class=StrictRoute)


class StaffingAlarmView(BaseModel):
    """Why a line has no counsellor in a language, and who has acknowledged it."""

    id: UUID
    line: str
    language: str
    kind: str
    begun_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None


@router.get("/staffing-alarms")
async def staffing_alarms(work: InWork, _staff: Plans) -> list[StaffingAlarmView]:
    """Return the open staffing alarms, and who has acknowledged them."""
    return [
        StaffingAlarmView(
            id=alarm.id,
            line=line,
            language=alarm.language,
            kind=alarm.kind,
            begun_at=alarm.begun_at,
            acknowledged_at=alarm.acknowledged_at,
            acknowledged_by=alarm.acknowledged_by,
        )
        for alarm, line in await unstaffed_alarms.open_alarms(work)
    ]


@router.post("/staffing-alarms/{alarm_id}/acknowledge", status_code=204)
async def acknowledge_staffing_alarm(work: InWork, staff: Plans, alarm_id: UUID) -> None:
    """Acknowledge a staffing alarm. No other person is rung for it."""
    await unstaffed_alarms.acknowledge(work, alarm_id, staff.name, staff)


@router.post("/roster/alarms/{alarm_id}/seen", status_code=204)
async def see_alarm(work: InWork, staff: Plans, alarm_id: UUID) -> None:
    """Mark the alarm about an uncovered shift as seen."""
    await coverage.see_alarm(work, staff, alarm_id)
