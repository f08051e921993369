"""Whether a person can have a stretch of duty: neither absent, nor on duty already."""

from datetime import datetime
from zoneinfo import ZoneInfo

from app.abilities import EndpointKind
from app.errors import Conflict, Invalid
from app.routing.rota import on_duty, roster
from app.routing.rota.on_duty import ChangeKind, Rota
from app.routing.rota.shifts import ALWAYS_UNTIL, Duty, Layer, Place
from app.staff.models import Staff
from app.work import Work


class OnDutyAlready(Conflict):
    default = "This person is on duty already at that time."


class AbsentThen(Conflict):
    default = "This person is absent at that time."


async def check_free(
    work: Work, found: Rota, staff: Staff, to: Place, besides: Duty | None = None
) -> None:
    """Check that a person can have a stretch of duty: neither absent, nor on duty in that layer.

    Raises Invalid, OnDutyAlready, AbsentThen.
    """
    if to.layer is Layer.ON_CALL and staff.endpoint_kind == EndpointKind.BROWSER:
        raise Invalid(
            "%(name)s has no phone, so they cannot have an on-call shift.", name=staff.name
        )
    zone = await roster.home_zone(work)
    for change in found.changes:
        absent = change.kind is ChangeKind.ABSENCE and change.counsellor_id == staff.id
        if absent and change.start < to.end and change.end > to.start:
            raise AbsentThen(
                "%(name)s is absent from %(begin)s to %(end)s. Withdraw the absence first, or "
                "choose a colleague.",
                name=staff.name,
                begin=_words(change.start, zone),
                end=_words(change.end, zone),
            )
    for duty in on_duty.stretches(found.of([staff.id]), to.start, to.end):
        if duty.counsellor_id == staff.id and duty.layer is to.layer and duty != besides:
            raise OnDutyAlready(
                "%(name)s is on duty already from %(begin)s to %(end)s. Move that duty first, or "
                "choose other times.",
                name=staff.name,
                begin=_words(duty.start, zone),
                end=_words(duty.end, zone),
            )


def _words(at: datetime, zone: ZoneInfo) -> datetime | str:
    return at.astimezone(zone) if at < ALWAYS_UNTIL else "…"
