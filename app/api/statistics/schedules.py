"""Scheduled reports, and the roles that receive them."""

from datetime import date
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.statistics.statistics import Publishes, SeesNumbers
from app.statistics.models import ReportSchedule
from app.statistics.reports import sending
from app.web.access import InWork
from app.web.strict_bodies import StrictRoute

router = APIRouter(tags=["statistics"], route_class=StrictRoute)


class WantedSchedule(BaseModel):
    report: str = Field(max_length=40)
    every: str = Field(max_length=10)
    role: str = Field(max_length=30)
    # None, or empty: in the language of each reader.
    language: str | None = Field(default=None, max_length=20)


class ScheduleView(BaseModel):
    id: UUID
    report: str
    every: str
    role: str
    language: str | None
    next_on: date


def schedule_view(row: ReportSchedule) -> ScheduleView:
    return ScheduleView(
        id=row.id,
        report=row.report,
        every=row.every,
        role=row.role,
        language=row.language,
        next_on=row.next_on,
    )


@router.get("/statistics/schedules")
async def list_schedules(work: InWork, _staff: SeesNumbers) -> list[ScheduleView]:
    """List the scheduled reports and the roles that receive them."""
    return [schedule_view(row) for row in await sending.schedules(work)]


@router.post("/statistics/schedules", status_code=201)
async def add_schedule(work: InWork, _staff: Publishes, body: WantedSchedule) -> ScheduleView:
    """Schedule a report: it is sent to all with a role when each period is over."""
    row = await sending.schedule(work, body.report, body.every, body.role, body.language)
    return schedule_view(row)


@router.post("/statistics/schedules/{schedule_id}/end", status_code=204)
async def end_schedule(work: InWork, _staff: Publishes, schedule_id: UUID) -> None:
    """Stop sending a scheduled report."""
    await sending.unschedule(work, schedule_id)
