"""A brother and a sister in one record, or in one case, and a request of one of them."""

import json
from typing import Any
from uuid import UUID

from app.contacts.models import Case, Contact, Filled
from app.contacts.saving import Change, save_answers
from app.jobs.transaction import flush
from app.referrals.models import Referral
from app.retention.data_requests import requests
from app.retention.data_requests.kinds import AskingPerson, RequestKind
from app.retention.data_requests.models import DataRequest, RequestItem
from app.retention.data_requests.reports import report
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.retention.requested import approved, release
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor

OF_BROTHER, OF_SISTER = str(planted.CHILD["child.a1.phone"]), "+381649998887"
# Every word that a record has of the brother is planted; of the sister this one.
SISTER = "Sestra"
TWO = planted.CHILD | {
    "child.a2": 2,
    "child.a2.name": f"{SISTER} name",
    "child.a2.phone": OF_SISTER,
    "child.a2.incident": f"{SISTER} saw it",
    "child.a2.wants": f"{SISTER} wants out",
}
# A third child, who may take the place of one of them.
ANOTHER = {"child.a3": 1, "child.a3.name": "Treci"}


@once
async def one_record(work: Work) -> tuple[Staff, Contact, Referral]:
    """A contact about a brother and a sister, and a referral of the brother."""
    return await one_record_with(work, OF_SISTER)


async def one_record_with(work: Work, phone: str) -> tuple[Staff, Contact, Referral]:
    """The same, in which this is the number of the sister."""
    await a_line(work)
    boss = await a_supervisor(work)
    contact = await planted.a_contact(work, boss, None, TWO | {"child.a2.phone": phone})
    referral = await planted.an_open_referral(work, boss, contact)
    referral.child_entry = "a1"
    planted.a_disclosure(work, referral, "child.name")
    await planted.close_referral(work, referral)
    await flush(work)
    return boss, contact, referral


async def asked(
    work: Work,
    boss: Staff,
    typed: str,
    kind: RequestKind = RequestKind.ACCESS,
    person: AskingPerson = AskingPerson.CHILD,
) -> tuple[DataRequest, dict[UUID, RequestItem]]:
    as_person(work, boss)
    request = await requests.find(work, boss, kind, person, typed)
    return request, {one.subject_id: one for one in await requests.items_of(work, request)}


async def told_in(work: Work, boss: Staff, request: DataRequest) -> str:
    await release(work, boss, request)
    await approved(work, boss, request)
    work.actor = PROGRAM
    page = await report.read_all(work, request)
    files = await report.files_of(page)
    assert files["pdf"].startswith(b"%PDF")
    assert json.loads(files["json"]) == page, "both are made of the same page"
    return json.dumps(page, ensure_ascii=False)


async def remove(work: Work, contact: Contact, entry: str) -> None:
    gone = [path for path in TWO if f"{path}.".startswith(f"child.{entry}.")]
    await write(work, contact, dict.fromkeys(gone))


async def write(work: Work, record: Filled, answers: dict[str, Any]) -> None:
    changes = [Change(path, value, record.revision) for path, value in answers.items()]
    saved = await save_answers(work, record, changes)
    assert (saved.refused, saved.conflicts) == ({}, {})
    await flush(work)


@once
async def siblings(work: Work) -> tuple[Staff, Contact, Contact, Case]:
    """A brother and a sister have a contact each, and one case, whose form names the brother."""
    await a_line(work)
    boss = await a_supervisor(work)
    of_sister = {
        "child.a1.name": f"{SISTER} name",
        "child.a1.phone": OF_SISTER,
        "child.a1.incident": f"{SISTER} saw it",
        "actions.summary": SISTER,
    }
    brother = await planted.a_contact(work, boss)
    sister = await planted.a_contact(work, boss, None, planted.CHILD | of_sister)
    case = await planted.a_case(work, boss, brother, sister)
    return boss, brother, sister, case
