"""Changed addresses of agencies that wait for a second person."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from app.dashboard.referrals import referral_views
from app.dashboard.settings.hours_words import hours_words
from app.dashboard.templating import page
from app.referrals.directory import addresses
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.work import Work

router = APIRouter(include_in_schema=False)
KeepsDirectory = Annotated[Staff, reader_with(Permission.KEEP_DIRECTORY)]


@router.get("/agencies/address-changes")
async def address_changes_fragment(
    request: Request, work: InWork, staff: KeepsDirectory
) -> Response:
    """Render the changed addresses that wait for a second person."""
    values = await address_changes_values(work, staff)
    return page(request, "fragments/team/address_changes.html", **values)


async def address_changes_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return the changed addresses that wait, by agency, for those who keep the directory."""
    if not may(staff.role, Permission.KEEP_DIRECTORY):
        return {"address_changes": [], "plain": referral_views.plain}
    by_agency: dict[str, list[addresses.WaitingAddress]] = {}
    for one in await addresses.waiting(work, staff):
        by_agency.setdefault(one.agency.code, []).append(one)
    return {
        "address_changes": list(by_agency.values()),
        "address_words": _address_words,
        "plain": referral_views.plain,
    }


def _address_words(value: Any) -> str:
    """Return an address as the directory shows it."""
    match value:
        case None:
            return "–"
        case dict():
            return " | ".join(f"{name}={text}" for name, text in value.items())
        case list():
            shown = [
                f"{p['number']} ({hours_words(p['hours'])})" if p["hours"] else p["number"]
                for p in value
            ]
            return " | ".join(shown) or "–"
    return str(value)
