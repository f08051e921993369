"""The page of connections: what the program is connected to, and whether it works."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from app.dashboard.templating import page
from app.errors import Refusal
from app.people.connections import Means, all_connections, send_test_letter
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.words.pages import N_, _, refusal_words
from app.work import Work

router = APIRouter(include_in_schema=False)
Keeps = Annotated[Staff, reader_with(Permission.KEEP_CONNECTIONS)]
MEANS_WORDS = {
    Means.TELEPHONY: N_("Telephony"),
    Means.SMS: N_("Texts to agencies and people on call"),
    Means.MAIL: N_("Mail to agencies and people on call"),
    Means.PUSH: N_("Messages to browsers of people on call"),
    Means.WEBHOOKS: N_("Signed events to agencies' systems"),
    Means.CASE_SYSTEMS: N_("Case management systems of agencies"),
}
# Where each is set up; None: in the settings of the server.
PLACES = {
    Means.TELEPHONY: "/admin/numbers",
    Means.SMS: "/admin/numbers",
    Means.MAIL: None,
    Means.PUSH: None,
    Means.WEBHOOKS: "/agencies",
    Means.CASE_SYSTEMS: "/agencies",
}


@router.get("/admin/connections")
async def connections_page(request: Request, work: InWork, staff: Keeps) -> Response:
    """Show every connection."""
    return await _show(request, work, staff)


async def _show(
    request: Request, work: Work, staff: Staff, *, told: str = "", problem: str = ""
) -> Response:
    return page(
        request,
        "settings/connections.html",
        staff=staff,
        connections=await all_connections(work),
        means_words=MEANS_WORDS,
        places=PLACES,
        told=told,
        problem=problem,
    )


@router.post("/admin/connections/mail")
async def test_mail(request: Request, work: InWork, staff: Keeps) -> Response:
    """Send a test letter to one's own address."""
    try:
        to = await send_test_letter(work, staff)
    except Refusal as refusal:
        await work.undo()
        return await _show(request, work, staff, problem=refusal_words(refusal))
    told = _("The mail server took a letter to %(address)s. Look whether it arrives.", address=to)
    return await _show(request, work, staff, told=told)
