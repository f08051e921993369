"""The page of a case. Its forms are saved through the JSON API."""

from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import APIRouter, Request, Response

from app.contacts.cases import cases, documents, people
from app.contacts.cases.printing import HandOutGround, PrintPurpose
from app.contacts.events import earlier_of, events_of, events_of_contacts
from app.contacts.registry import sheet_of, workflow_of
from app.dashboard.records import case_views
from app.dashboard.records.form_values import children_of, form_values
from app.dashboard.records.holds import hold_values
from app.dashboard.templating import page
from app.definitions.answers import Sheet
from app.definitions.risk import Risk, Urgency
from app.definitions.trees import label_in
from app.referrals.reading import referred_from
from app.referrals.states import OWN_SERVICES, Service
from app.retention.kinds import HeldKind
from app.staff import accounts
from app.staff.models import Staff
from app.staff.roles import Permission, may
from app.web.access import InWork, reader_with
from app.web.form_language import language_of

router = APIRouter(include_in_schema=False)
Reads = Annotated[Staff, reader_with(Permission.READ_RECORDS)]


@router.get("/cases/{case_id}")
async def case_page(request: Request, work: InWork, staff: Reads, case_id: UUID) -> Response:
    """Show a case: its form, contacts, people, dates, documents and history."""
    opened = await cases.open_case_record(work, staff, case_id)
    case, language = opened.record, language_of(request, work)
    flow = workflow_of(work, case)
    linked = await cases.contacts_in(work, staff, case)
    # One timeline: the case's own events with their words, its contacts' events without words.
    timeline = [("", event, words) for event, words in await events_of(opened)]
    timeline += [(code, event, "") for event, code in await events_of_contacts(work, linked)]
    timeline.sort(key=lambda line: (line[1].at, line[1].id), reverse=True)
    open_ = not flow.status(case.status).ends
    return page(
        request,
        "case.html",
        **form_values(work, staff, opened, language),
        **await hold_values(opened, staff, HeldKind.CASE),
        case=case,
        risks=list(Risk),
        writable=open_ and may(staff.role, Permission.WRITE_CASES),
        may_write=may(staff.role, Permission.WRITE_CASES) and case.erased_at is None,
        status=label_in(flow.status(case.status).label, language),
        moves=[
            (m.to, label_in(flow.status(m.to).label, language), m.needs_reason, m.approved_by)
            for m in flow.moves_from(case.status, staff.role)
            if case.erased_at is None
        ],
        members=await people.members_of(work, case),
        linked=linked,
        referred=await referred_from(work, staff, case_id=case_id),
        urgencies=list(Urgency),
        services=[service for service in Service if service not in OWN_SERVICES],
        children=children_of(opened, sheet_of(work, case), language),
        may_refer=may(staff.role, Permission.WRITE_REFERRALS) and open_,
        **await case_views.plan_values(opened),
        **await case_views.shared_values(work, staff, opened),
        documents=await documents.documents_of(opened),
        colleagues=await accounts.colleagues(work, staff),
        earlier=await earlier_of(opened),
        printable=printable(sheet_of(work, case), language),
        megabytes=work.settings.document_megabytes,
        timeline=timeline,
        names=await accounts.names_of(work, {e.staff_id for _, e, _ in timeline if e.staff_id}),
        purposes=list(PrintPurpose),
        grounds=list(HandOutGround),
    )


class Printable(NamedTuple):
    """A section and its fields that a reader can choose for printing."""

    title: str
    fields: list[tuple[str, str]]


def printable(sheet: Sheet, language: str) -> list[Printable]:
    """Return the sections of a form that can be printed."""
    return [
        Printable(
            label_in(section.title, language),
            [(f"{section.code}.{f.code}", label_in(f.label, language)) for f in section.fields],
        )
        for section in sheet.form.sections
    ]
