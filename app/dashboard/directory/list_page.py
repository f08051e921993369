"""The page of the directory, with the agencies that fit a child."""

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request, Response

from app.dashboard.directory.address_changes import address_changes_values
from app.dashboard.records.lists import labels_of, places_of
from app.dashboard.templating import page
from app.referrals.directory import agencies, right_agency
from app.referrals.directory.finding import Matches
from app.referrals.library import protocols_of
from app.referrals.states import Service
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.work import Work

router = APIRouter(include_in_schema=False)
SeesDirectory = Annotated[Staff, reader_with(Permission.SEE_DIRECTORY)]


@router.get("/agencies")
async def agencies_page(request: Request, work: InWork, staff: SeesDirectory) -> Response:
    """Show the directory."""
    return await _directory(request, work, staff)


@router.post("/agencies/right")
async def right_agencies(
    request: Request,
    work: InWork,
    staff: SeesDirectory,
    service: Annotated[Service, Form()],
    place: Annotated[str, Form(max_length=40)] = "",
    age: Annotated[str, Form(max_length=2)] = "",
) -> Response:
    """Show the directory with the agencies that fit a child, whose data are in no address."""
    years = int(age) if age.isascii() and age.isdigit() else None
    found = await right_agency.find_right(work, service.value, place or None, years)
    return await _directory(
        request, work, staff, found=found, service=service.value, place=place, age=age
    )


async def _directory(
    request: Request,
    work: Work,
    staff: Staff,
    *,
    found: Matches | None = None,
    service: str = "",
    place: str = "",
    age: str = "",
) -> Response:
    rows = await agencies.entries(work)
    return page(
        request,
        "agencies.html",
        staff=staff,
        rows=rows,
        doubted=await agencies.doubted_phones(work),
        **await address_changes_values(work, staff),
        found=found,
        service=service,
        place=place,
        age=age,
        services=list(Service),
        places=places_of(request, work),
        labels=labels_of(request, work),
        may_keep=may(staff.role, Permission.KEEP_DIRECTORY),
        today=_local_today(work),
    )


def _local_today(work: Work) -> date:
    """Return today's date where the helpline is."""
    return work.now.astimezone(ZoneInfo(protocols_of(work.ground).current.timezone)).date()
