"""What the report shows a child, a guardian and another caller, and nothing of others."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, union

from app.calls.models import VoiceMessage
from app.contacts.cases.models import CaseContact
from app.errors import Conflict, NotAllowed
from app.jobs.transaction import flush
from app.retention.data_requests import answering, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    ItemKind,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.reports import report
from app.routing.callbacks.callback_rows import Callback
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.retention.requested import (
    NUMBER,
    a_person,
    another_caller,
    approved,
    found_by,
)
from tests.support.verbs import a_supervisor

pytestmark = [
    pytest.mark.whole,
    pytest.mark.situation,
    pytest.mark.usefixtures("readings_at_once"),
]


async def report_of(work: Work, person: AskingPerson, *chosen: ItemKind) -> dict[str, Any]:
    boss, _, _ = await a_person(work)
    return await report_for(work, boss, person, *chosen)


async def report_for(
    work: Work, boss: Staff, person: AskingPerson, *chosen: ItemKind | UUID
) -> dict[str, Any]:
    as_person(work, boss)
    request = await requests.find(work, boss, RequestKind.ACCESS, person, NUMBER)
    if chosen:
        items = await requests.items_of(work, request)
        wanted = {
            (ItemKind(one.kind), one.subject_id): None
            for one in items
            if one.kind in chosen or one.subject_id in chosen
        }
        await requests.set_kept(work, boss, request.id, wanted)
    await approved(work, boss, request)
    work.actor = PROGRAM
    files = await report.files_of(await report.read_all(work, request))
    assert files["pdf"].startswith(b"%PDF")
    await answering.keep_files(work, request.id, files)
    await flush(work)
    as_person(work, boss)
    opened = await answering.open_report(work, boss, request.id, "json")
    assert opened == files["json"]
    with pytest.raises(NotAllowed):
        await answering.open_report(work, await a_supervisor(work, "nora"), request.id, "pdf")
    work.now += answering.LASTS
    with pytest.raises(Conflict, match="its days are over"):
        await answering.open_report(work, boss, request.id, "pdf")
    assert await answering.expire_files(work) == 1
    assert await answering.expire_files(work) == 0
    found: dict[str, Any] = json.loads(opened)
    return found


def lines_of(shown: dict[str, Any]) -> dict[str, str]:
    return {
        line["path"]: line["value"]
        for section in shown["sections"]
        for block in section["blocks"]
        for line in block["lines"]
        if "path" in line
    }


async def test_the_child_sees_what_is_about_them_and_nothing_of_others(work: Work) -> None:
    shown = await report_of(work, AskingPerson.CHILD, *ItemKind)
    # A neighbour rang, and answered by key.
    assert f"{WORD} no" not in json.dumps(shown)
    lines = lines_of(shown)
    assert lines["child.a1.name"] == f"{WORD} child"
    assert lines["child.a1.incident"] == f"{WORD} was beaten"
    # The reporter did not agree to be named; the suspect is another person.
    assert "caller.name" not in lines
    assert "caller.relationship" not in lines
    assert "incident.who_name" not in lines
    text_of = json.dumps(shown, ensure_ascii=False)
    assert NUMBER not in text_of, "the number of the reporter"
    assert "First" in text_of, "the agency that was told"
    assert "answers are left out" in text_of
    assert "may name other people" in text_of
    assert f"{WORD} note" not in text_of, "a note of the helpline's own work"
    assert "vera" not in text_of, "a name of staff"


async def test_a_report_that_cannot_be_made_says_so_and_forgets_the_person(work: Work) -> None:
    boss, _, _ = await a_person(work)
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await approved(work, boss, request)
    for _ in range(2):
        await answering.fail(work, request.id)
    assert (request.state, request.sought_sealed) == (RequestState.FAILED, None)
    assert await requests.items_of(work, request) == []
    with pytest.raises(Conflict, match="no report to open"):
        await answering.open_report(work, boss, request.id, "pdf")


async def test_a_guardian_sees_what_the_family_may_have(work: Work) -> None:
    shown = await report_of(work, AskingPerson.GUARDIAN, *ItemKind)
    assert f"{WORD} no" not in json.dumps(shown)
    lines = lines_of(shown)
    assert lines["child.a1.name"] == f"{WORD} child"
    for path in ("child.a1.incident", "child.a1.phone", "wishes.safe_to_contact", "caller.name"):
        assert path not in lines


async def test_a_guardian_learns_nothing_that_the_officer_has_not_chosen(work: Work) -> None:
    """A person who hurts a child may ask, to learn whether it rang and who was told."""
    shown = await report_of(work, AskingPerson.GUARDIAN, ItemKind.CONTACT)
    assert lines_of(shown)["child.a1.name"] == f"{WORD} child"
    told = json.dumps(shown, ensure_ascii=False)
    assert "First" not in told, "which agency was told"
    assert NUMBER not in told
    titles = [one["title"] for one in shown["sections"]]
    assert len(titles) == 1, "the record: not even how much is left out"


async def test_a_guardian_is_not_told_that_another_person_contacted_the_helpline(
    work: Work,
) -> None:
    """The other caller of the case may be the child itself."""
    boss, _, contact = await a_person(work)
    other = await planted.a_contact(work, boss, await another_caller(work))
    case_id = await work.session.scalar(
        select(CaseContact.case_id).where(CaseContact.contact_id == contact.id)
    )
    work.session.add(CaseContact(case_id=case_id, contact_id=other.id, linked_at=work.now))
    await flush(work)
    as_person(work, boss)
    found = await requests.find(work, boss, RequestKind.ACCESS, AskingPerson.GUARDIAN, NUMBER)
    items = await requests.items_of(work, found)
    assert other.id in {one.subject_id for one in items}
    assert {one.keep for one in items} == {"protects_child"}
    await requests.withdraw(work, boss, found.id)
    shown = await report_for(work, boss, AskingPerson.GUARDIAN, ItemKind.CASE)
    titles = [one["title"] for one in shown["sections"]]
    assert [title[:6] for title in titles] == ["Case C"]
    for said in (contact.code, other.code, "Not shown"):
        assert said not in json.dumps(shown)


async def test_a_caller_learns_of_no_row_that_the_officer_has_not_released(work: Work) -> None:
    """A household shares a telephone, and who hurts a child may ask as another caller.

    The contact says that a neighbour rang; so it would say of a brother of the child.
    """
    boss, own, contact = await a_person(work)
    work.now += timedelta(days=3)
    childs = await planted.a_call(work, "CA2")
    assert childs.caller_key == own.caller_key
    as_person(work, boss)
    found = await requests.find(work, boss, RequestKind.ACCESS, AskingPerson.CALLER, NUMBER)
    items = await requests.items_of(work, found)
    assert {own.id, childs.id} < {one.subject_id for one in items}
    assert {one.keep for one in items} == {"another_person"}
    with pytest.raises(Conflict, match="Nothing was found"):
        await requests.ask(
            work,
            boss,
            found.id,
            RequestBasis.RIGHT_OF_ACCESS,
            IdentityCheck.DOCUMENT,
            "A passport.",
        )
    of_own = await work.session.scalars(
        union(*[select(one.id).where(one.call_id == own.id) for one in (VoiceMessage, Callback)])
    )
    await requests.withdraw(work, boss, found.id)
    shown = await report_for(work, boss, AskingPerson.CALLER, own.id, *of_own)
    titles = [one["title"] for one in shown["sections"]]
    assert titles == ["Calls", "Voice messages", "Call-backs"]
    assert [len(one["blocks"]) for one in shown["sections"]] == [1, 1, 1]
    told = json.dumps(shown["sections"])
    for said in (contact.code, "R-", "C-", "at risk", "another person", "Not shown"):
        assert said not in told


async def test_a_caller_sees_only_themselves(work: Work) -> None:
    shown = await report_of(work, AskingPerson.CALLER, ItemKind.CONTACT)
    lines = lines_of(shown)
    assert lines["caller.name"] == f"{WORD} caller"
    assert not [path for path in lines if path.startswith("child.")]
    assert "First" not in json.dumps(shown)
