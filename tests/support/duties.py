"""Duties of the rota, for tests of single verbs."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from app.routing.rota import on_duty, roster
from app.routing.rota.models import ShiftRow
from app.routing.rota.shifts import Layer, Place
from app.staff import accounts
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.verbs import logged


async def a_taker(work: Work, name: str) -> Staff:
    return await accounts.add_staff(work, name=name, role=Role.COUNSELLOR, endpoint="browser")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return an instant of January 2030 by the clock of Belgrade."""
    return datetime(2030, 1, day, hour, minute, tzinfo=UTC) - timedelta(hours=1)


def place(staff: Staff, day: int, begins: int, ends: int, layer: Layer = Layer.PRIMARY) -> Place:
    return Place(staff.id, at(day, begins), at(day, ends), layer)


async def daily(work: Work, staff: Staff, begins: int = 8, hours: int = 8) -> ShiftRow:
    return await roster.add_shift(
        work,
        staff,
        recurrence="FREQ=DAILY",
        starts_at=time(begins),
        minutes=hours * 60,
        timezone="Europe/Belgrade",
    )


async def duties_on(work: Work, day: int) -> set[Place]:
    found = await roster.rota_now(work)
    return {duty.place for duty in on_duty.stretches(found, at(day, 0), at(day + 1, 0))}


def log_of(work: Work, action: AuditLog) -> Any:
    return [detail for kind, detail in logged(work) if kind == action][-1]
