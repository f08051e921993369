"""Accounts and partners of lines that wait for a second person, lines without their partner, and
numbers of lines that one can put back: parts of several pages."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.administration import number_changes
from app.calls.lines import lost_partners
from app.dashboard.settings.lines.line_change_views import change_rows
from app.dashboard.templating import page
from app.people.approval import deciding
from app.privacy import ends
from app.routing import partners
from app.staff.models import AccessKind, Staff
from app.staff.roles import Permission, may
from app.staff.second_person import could_be_approved
from app.web.access import InWork, reader_with
from app.words.pages import N_, _
from app.work import Work

router = APIRouter(include_in_schema=False)
Sees = Annotated[Staff, reader_with(Permission.SEE_ACCESS_REQUESTS)]
_KINDS = {
    AccessKind.ACCOUNT: N_("the account becomes active"),
    AccessKind.CHANGE: N_("another role, address, team or phone"),
    AccessKind.LINK: N_("a link to choose a password"),
    AccessKind.FACTOR: N_("the second factor is reset"),
    AccessKind.PHONE_CODE: N_("a code for the phone"),
    AccessKind.IDENTITY: N_("sign-in through the identity provider"),
}


@router.get("/access-requests")
async def access_requests_fragment(
    request: Request, work: InWork, staff: Sees, of: UUID | None = None
) -> Response:
    """Render what waits: all of it, or that of one account."""
    values = await access_request_values(work, staff, of)
    return page(request, "fragments/people/access_requests.html", staff=staff, **values)


async def access_request_values(work: Work, staff: Staff, of: UUID | None = None) -> dict[str, Any]:
    """Return what waits for a second person, for those who may see it."""
    sees = may(staff.role, Permission.SEE_ACCESS_REQUESTS)
    changed = await number_changes.to_take_back(work, staff) if sees and of is None else []
    return {
        "sees_access_requests": sees,
        "access_requests": await deciding.waiting(work, staff, of) if sees else [],
        "access_kinds": _KINDS,
        "partner_requests": await partners.waiting(work, staff) if sees and of is None else [],
        "lost_partners": await lost_partners.all_lost(work) if sees and of is None else [],
        "number_changes": [(one, change_rows([one.change])[0]) for one in changed],
        "perhaps_of_leaver": _(partners.PerhapsOfALeaver.default),
        "perhaps": _(partners.PERHAPS),
        "ends_of_email": ends.of_email,
        "ends_of_number": ends.of_number,
    }


async def is_alone(work: Work) -> bool:
    """Return whether no account could ever approve: then an administrator gives access alone."""
    return not await could_be_approved(work)
