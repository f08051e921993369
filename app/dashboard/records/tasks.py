"""The reader's own tasks: drafts, follow-ups that are due, requests to decide."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response

from app.contacts import reading_contacts
from app.contacts.cases import case_requests, follow_ups
from app.dashboard.templating import page
from app.staff.models import Staff
from app.staff.roles import Permission
from app.web.access import InWork, reader_with
from app.web.lean import LeanRoute
from app.work import Work

router = APIRouter(include_in_schema=False, route_class=LeanRoute)
Reads = Annotated[Staff, reader_with(Permission.READ_RECORDS)]


async def tasks_values(work: Work, staff: Staff) -> dict[str, Any]:
    """Return open drafts, follow-ups that are due, and requests that wait for a decision."""
    drafts = await reading_contacts.open_drafts(work, staff)
    return {
        "drafts": drafts,
        "practised": await reading_contacts.of_practice(work, [draft.id for draft in drafts]),
        "bells": await follow_ups.bells_of(work, staff),
        "requests": await case_requests.waiting_for(work, staff),
        "now": work.now,
    }


@router.get("/board/tasks")
async def tasks_fragment(request: Request, work: InWork, staff: Reads) -> Response:
    return page(request, "fragments/desk/tasks.html", **await tasks_values(work, staff))
