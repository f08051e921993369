"""Shifts of the pure tests of the rota."""

from datetime import date, time
from uuid import uuid4

from app.routing.rota.shifts import Shift

ANA, BORIS = uuid4(), uuid4()


ZONES = [
    "Europe/Belgrade",
    "Europe/London",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]


def shift(
    zone: str, start: str, hours: float, who: object = ANA, rule: str = "FREQ=DAILY"
) -> Shift:
    return Shift(
        counsellor_id=who,  # type: ignore[arg-type]
        recurrence=rule,
        starts_at=time.fromisoformat(start),
        minutes=int(hours * 60),
        timezone=zone,
        first_on=date(2026, 1, 1),
    )
