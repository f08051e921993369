"""What a child asks about their data touches neither another child nor who reported.

A number and its profile belong to whom they ring: a teacher rings about several children.
"""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from app.calls.models import Call
from app.contacts import contacts
from app.contacts.models import Contact, Profile, ProfileNumber
from app.contacts.saving import Change, save_answers
from app.contacts.states import ContactChannel
from app.jobs.transaction import flush
from app.retention import records
from app.retention.data_requests import copies, requests
from app.retention.data_requests.kinds import (
    AskingPerson,
    Copy,
    CopyKind,
    ItemKind,
    Keep,
    RequestKind,
)
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.reports import report
from app.retention.holds import hold
from app.retention.kinds import DataKind, HeldKind
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.profile import by_day
from tests.support.retention.requested import (
    NUMBER,
    a_person,
    approved,
    erase,
    found_by,
    rang_itself,
    release,
    wrote,
)
from tests.support.retention.written_once import once
from tests.support.verbs import a_line, a_supervisor

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

Kind, OTHER = ItemKind, Keep.ANOTHER_PERSON
OF_CHILD, OF_ANOTHER = str(planted.CHILD["child.a1.phone"]), "+381649998887"
SECRET, SAID = "Drugo dete", "Ja sam komsija sa treceg sprata"


@once
async def two_children(work: Work) -> tuple[Staff, list[Call], list[Contact]]:
    """A neighbour has rung twice from one number, about two children."""
    await a_line(work)
    boss = await a_supervisor(work)
    of_another = {
        "child.a1.name": SECRET,
        "child.a1.phone": OF_ANOTHER,
        "child.a1.incident": SECRET,
    }
    calls = [await planted.a_call(work, sid) for sid in ("CA1", "CA2")]
    contacts = [
        await planted.a_contact(work, boss, call, planted.CHILD | more)
        for call, more in zip(calls, ({}, of_another), strict=True)
    ]
    profile = Profile(id=uuid4(), code="P-AAA-AAA-AAA", created_at=work.now)
    work.session.add(profile)
    await work.session.flush()
    work.session.add(ProfileNumber(profile_id=profile.id, caller_key=calls[0].caller_key))
    await work.session.execute(text("UPDATE contacts SET profile_id = :p"), {"p": profile.id})
    for contact in contacts:
        await work.session.refresh(contact)
    await flush(work)
    return boss, calls, contacts


async def asked(
    work: Work, boss: Staff, typed: str, kind: RequestKind = RequestKind.ACCESS
) -> DataRequest:
    as_person(work, boss)
    return await requests.find(work, boss, kind, AskingPerson.CHILD, typed)


async def keeps_of(work: Work, request: DataRequest) -> dict[tuple[ItemKind, Any], str | None]:
    items = await requests.items_of(work, request)
    return {(ItemKind(one.kind), one.subject_id): one.keep for one in items}


async def told_in(work: Work, boss: Staff, request: DataRequest) -> str:
    await approved(work, boss, request)
    work.actor = PROGRAM
    return json.dumps(await report.read_all(work, request), ensure_ascii=False)


@pytest.mark.situation(by=two_children)
async def test_a_childs_report_leads_to_no_other_child_of_the_same_reporter(work: Work) -> None:
    boss, calls, (one, other) = await two_children(work)
    # From its own telephone, which stands in its record.
    request = await asked(work, boss, OF_CHILD)
    keeps = await keeps_of(work, request)
    assert keeps[Kind.CONTACT, one.id] is None
    assert keeps[Kind.CALL, calls[0].id] == OTHER, "the neighbour rang"
    assert (Kind.CONTACT, other.id) not in keeps
    assert (Kind.CALL, calls[1].id) not in keeps
    assert Kind.PROFILE not in {kind for kind, _ in keeps}
    told = await told_in(work, boss, request)
    assert f"{WORD} was beaten" in told
    for hidden in (SECRET, NUMBER, other.code):
        assert hidden not in told


@pytest.mark.parametrize("by_code", by_day([False, True]))
@pytest.mark.situation(by=two_children)
async def test_a_childs_erasure_erases_no_other_child_of_the_same_reporter(
    work: Work, by_code: bool
) -> None:
    boss, calls, (one, other) = await two_children(work)
    typed = one.code if by_code else OF_CHILD
    request = await asked(work, boss, typed, RequestKind.ERASURE)
    await approved(work, boss, request)
    await erase(work, request)
    for contact in (one, other):
        await work.session.refresh(contact)
    assert one.erased_at is not None
    assert other.erased_at is None
    for call in calls:
        await work.session.refresh(call)
        assert call.caller_key is not None, "the number of the neighbour"


@pytest.mark.situation(by=two_children)
async def test_what_came_from_a_searched_number_is_marked_where_another_rang(work: Work) -> None:
    """A household: the child rang once, a neighbour once, and once no contact says who."""
    boss, calls, (own, other) = await two_children(work)
    await rang_itself(work, own)
    unknown = await planted.a_call(work, "CA3")
    keeps = await keeps_of(work, await asked(work, boss, NUMBER))
    assert keeps[Kind.CONTACT, own.id] is None
    assert keeps[Kind.CALL, calls[0].id] is None
    for row in (
        (Kind.CONTACT, other.id),
        (Kind.CALL, calls[1].id),
        (Kind.CALL, unknown.id),
        (Kind.PROFILE, own.profile_id),
    ):
        assert keeps[row] == OTHER, row[0]
    messages_kept = sorted(
        str(keep) for (kind, _), keep in keeps.items() if kind == "voice_message"
    )
    assert messages_kept == ["None", OTHER, OTHER]


@pytest.mark.situation(by=two_children)
async def test_a_record_of_the_childs_own_call_leads_to_its_number_and_all_of_it_is_marked(
    work: Work,
) -> None:
    """A sister may ring from the same telephone. Only the one whose name stands in a record that
    was named by its code is told apart."""
    boss, calls, contacts = await two_children(work)
    for contact in contacts:
        await rang_itself(work, contact)
    one, other = contacts
    keeps = await keeps_of(work, await asked(work, boss, one.code))
    assert keeps[Kind.CONTACT, one.id] is None
    assert keeps[Kind.CALL, calls[0].id] is None
    assert keeps[Kind.CONTACT, other.id] == keeps[Kind.CALL, calls[1].id] == OTHER
    for typed in (NUMBER, "P-AAA-AAA-AAA"):
        keeps = await keeps_of(work, await asked(work, boss, typed))
        assert {one.id for one in contacts} <= {id_ for _, id_ in keeps}
        assert set(keeps.values()) == {OTHER}, keeps
    keeps = await keeps_of(work, await asked(work, boss, f"{one.code}, {NUMBER}"))
    assert keeps[Kind.CONTACT, one.id] is None
    assert keeps[Kind.CALL, calls[0].id] is None
    assert keeps[Kind.CONTACT, other.id] == keeps[Kind.CALL, calls[1].id] == OTHER
    # Twice the same child, or no name: all of it is the child's.
    for name in (f"{WORD}", None):
        await save_answers(work, other, [Change("child.a1.name", name, other.revision)])
        await flush(work)
        assert set((await keeps_of(work, await asked(work, boss, NUMBER))).values()) == {None}


@pytest.mark.situation(by=two_children)
async def test_the_number_of_the_caller_in_a_record_names_no_child(work: Work) -> None:
    """A mother's number stands as hers in a record about another child."""
    boss, _, (one, other) = await two_children(work)
    of_mother = planted.CHILD | {"caller.phone": OF_CHILD, "child.a1.phone": OF_ANOTHER}
    sibling = await planted.a_contact(work, boss, None, of_mother)
    keeps = await keeps_of(work, await asked(work, boss, OF_CHILD))
    assert keeps[Kind.CONTACT, one.id] is None
    assert keeps[Kind.CONTACT, sibling.id] == OTHER
    assert (Kind.CONTACT, other.id) not in keeps


@pytest.mark.situation(by=two_children)
async def test_the_number_of_a_household_in_a_case_names_no_child(work: Work) -> None:
    """A sister asks from their mother's telephone, which the case of her brother names."""
    boss, _, (one, _) = await two_children(work)
    mothers = {
        "household.a1": 1,
        "household.a1.phone": OF_CHILD,
        "child.a1.name": SECRET,
        "child.a1.phone": OF_ANOTHER,
    }
    of_brother = await planted.a_case(work, boss, more=mothers)
    keeps = await keeps_of(work, await asked(work, boss, OF_CHILD))
    assert keeps[Kind.CASE, of_brother.id] == OTHER
    # Whom the case is about, by their own number or by its code, sees it.
    for typed in (OF_ANOTHER, f"{of_brother.code}, {OF_CHILD}"):
        keeps = await keeps_of(work, await asked(work, boss, typed))
        assert keeps[Kind.CASE, of_brother.id] is None, typed
    assert (Kind.CONTACT, one.id) in keeps


@pytest.mark.parametrize(
    "kind", by_day(["about_child", "child", None, "professional", "information"], 2)
)
async def test_a_draft_of_another_caller_is_not_the_childs(work: Work, kind: str | None) -> None:
    """The counsellor has chosen who rings, and not come to who it was."""
    await a_line(work)
    boss = await a_supervisor(work)
    call = await planted.a_call(work)
    as_person(work, boss)
    begun = {"contact.headline": "Begun"} | ({"contact.kind": kind} if kind else {})
    draft, saved = await contacts.create_contact(
        work, boss, channel=ContactChannel.EMAIL, changes=planted.changes_of(begun)
    )
    assert saved.refused == {}
    await flush(work)
    await work.session.execute(
        text("UPDATE contacts SET call_id = :call WHERE id = :id"),
        {"call": call.id, "id": draft.id},
    )
    keeps = await keeps_of(work, await asked(work, boss, NUMBER))
    expected = None if kind == "child" else OTHER
    assert keeps[Kind.CONTACT, draft.id] == keeps[Kind.CALL, call.id] == expected


@pytest.mark.parametrize("who", by_day(["adult", "child", None]))
@pytest.mark.situation
async def test_a_form_that_asks_nothing_of_the_caller_says_who_rang_by_its_options(
    work: Work, who: str | None
) -> None:
    """A mother rings from the telephone of the family, and a short form has her words."""
    boss, call, contact = await a_person(work)
    await work.session.execute(
        text(
            "UPDATE contacts SET form = 'short', form_version = 2, sealed = '{}',"
            " answers = jsonb_strip_nulls(jsonb_build_object('note.who', CAST(:who AS text)))"
        ),
        {"who": who},
    )
    await work.session.refresh(contact)
    keeps = await keeps_of(work, await asked(work, boss, NUMBER))
    expected = None if who == "child" else OTHER
    assert keeps[Kind.CONTACT, contact.id] == keeps[Kind.CALL, call.id] == expected
    request = await asked(work, boss, contact.code, RequestKind.ERASURE)
    # Its profile is followed unless another rang, and what comes of it is marked.
    keeps = await keeps_of(work, request)
    assert ((Kind.PROFILE, contact.profile_id) in keeps) is (who != "adult")
    assert keeps.get((Kind.PROFILE, contact.profile_id), OTHER) == OTHER
    assert keeps[Kind.CONTACT, contact.id] is None
    assert keeps[Kind.CALL, call.id] == expected


@pytest.mark.situation(by=two_children)
async def test_a_call_of_which_the_contact_is_erased_is_marked(work: Work) -> None:
    """A neighbour rang: a rule has erased what said so, and the call is still there."""
    boss, calls, (one, _) = await two_children(work)
    work.actor = PROGRAM
    await records.erase_records(work, DataKind.CONTACTS, [one.id], None)
    await flush(work)
    await work.session.refresh(one)
    assert one.erased_at is not None
    await work.session.execute(
        text("UPDATE contacts SET call_id = NULL WHERE call_id = :id"), {"id": calls[1].id}
    )
    keeps = await keeps_of(work, await asked(work, boss, NUMBER))
    assert keeps[Kind.CALL, calls[0].id] == OTHER


@pytest.mark.situation
async def test_a_reporter_who_did_not_agree_stays_hidden_in_what_the_officer_releases(
    work: Work,
) -> None:
    boss, call, contact = await a_person(work)
    await wrote(work, call, SAID)
    request = await asked(work, boss, f"{contact.code}, {NUMBER}")
    assert (await keeps_of(work, request))[Kind.CALL, call.id] == OTHER
    await release(work, boss, request)
    told = await told_in(work, boss, request)
    assert "another person may have written it" in told
    assert '"contact.headline"' in told
    for hidden in (SAID, NUMBER, f"{WORD} caller", "neighbour", "Neighbour", '"contact.kind"'):
        assert hidden not in told
    # With their agreement both are told.
    await work.session.execute(
        text("""UPDATE contacts SET answers = answers || '{"caller.may_be_named": "yes"}'""")
    )
    await work.session.refresh(contact)
    again = await asked(work, boss, f"{contact.code}, {NUMBER}")
    await release(work, boss, again)
    told = await told_in(work, boss, again)
    for said in (SAID, NUMBER, f"{WORD} caller"):
        assert said in told
    # Once the contact is erased that is not known any more: only that it was the child would be.
    work.actor = PROGRAM
    await records.erase_records(work, DataKind.CONTACTS, [contact.id], None)
    await flush(work)
    for is_told in (False, True):
        if is_told:
            await rang_itself(work, contact)
        await work.session.refresh(contact)
        again = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
        told = await told_in(work, boss, again)
        assert (SAID in told, NUMBER in told) == (is_told, is_told)


@pytest.mark.situation
async def test_that_a_hidden_reporter_had_to_report_is_not_told(work: Work) -> None:
    boss, _, _ = await a_person(work)
    role = {
        "contact.kind": "professional",
        "caller.role": "teacher",
        "caller.organisation": f"{SECRET} school",
        "caller.duty_to_report": "yes",
        "caller.wants_feedback": "yes",
        "caller.may_be_named": "no",
    }
    answers = {path: one for path, one in planted.CHILD.items() if path[:7] != "caller."} | role
    contact = await planted.a_contact(work, boss, None, answers)
    told = await told_in(work, boss, await asked(work, boss, contact.code))
    assert f"{WORD} was beaten" in told
    for hidden in ('"caller.', '"contact.kind"', "rofession", "feedback", SECRET):
        assert hidden not in told, hidden
    changes = [Change("caller.may_be_named", "yes", contact.revision)]
    await save_answers(work, contact, changes)
    await flush(work)
    told = await told_in(work, boss, await asked(work, boss, contact.code))
    for said in ("caller.role", "caller.duty_to_report", "caller.wants_feedback", "contact.kind"):
        assert f'"{said}"' in told


@pytest.mark.parametrize("person", [AskingPerson.CHILD, AskingPerson.GUARDIAN])
@pytest.mark.situation(by=two_children)
async def test_no_report_tells_of_the_household_or_of_people_of_concern(
    work: Work, person: AskingPerson
) -> None:
    """A mother who has fled, and why the uncle is a concern."""
    boss, _, _ = await two_children(work)
    others = {
        "household.a1": 1,
        "household.a1.name": f"{SECRET} mother",
        "household.a1.phone": OF_ANOTHER,
        "household.a1.caregiver": "yes",
        "concern.a1": 1,
        "concern.a1.why": f"{SECRET} uncle",
        "concern.a1.has_access": "yes",
    }
    case = await planted.a_case(work, boss, more=others | {"plan.goals": f"{WORD} is safe"})
    request = await requests.find(work, boss, RequestKind.ACCESS, person, case.code)
    wanted = {
        (ItemKind(one.kind), one.subject_id): None for one in await requests.items_of(work, request)
    }
    await requests.set_kept(work, boss, request.id, wanted)
    told = await told_in(work, boss, request)
    of_child = person is AskingPerson.CHILD
    assert (f"{WORD} is safe" in told) is of_child
    assert ("5 answers are left out" in told) is of_child
    for hidden in (SECRET, OF_ANOTHER, "household.a1", "concern.a1"):
        assert hidden not in told


@pytest.mark.situation
async def test_a_number_that_was_not_looked_for_is_in_no_report(work: Work) -> None:
    boss, _, contact = await a_person(work)
    await rang_itself(work, contact)
    for typed, is_told in ((contact.code, False), (NUMBER, True)):
        request = await found_by(work, boss, typed, RequestKind.ACCESS)
        told = await told_in(work, boss, request)
        assert (NUMBER in told) is is_told
        # What the child answered by key is its own.
        assert f"{WORD} no" in told


@pytest.mark.situation
async def test_a_hold_takes_no_mark_away(work: Work) -> None:
    """A report shows what is held, too, and not what is another person's."""
    boss, call, contact = await a_person(work)
    as_person(work, boss)
    await hold(work, None, HeldKind.CONTACT, contact.id, "A court asks for it.")
    keeps = await keeps_of(work, await asked(work, boss, contact.code))
    assert keeps[Kind.CONTACT, contact.id] is None
    assert keeps[Kind.CALL, call.id] == OTHER


@pytest.mark.situation
async def test_what_only_the_provider_has_of_a_hidden_reporter_is_in_no_report(work: Work) -> None:
    """A recording of a call that is shown belongs to it; a text may be the reporter's."""
    boss, _, contact = await a_person(work)
    sections = []
    for rang in (True, False):
        request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
        await approved(work, boss, request)
        at = work.now
        found = [
            Copy(CopyKind.MESSAGE, "SMOLD", at),
            Copy(CopyKind.RECORDING, "RENOROW", at, "CA1"),
            # These we know, and a leg belongs to its call.
            Copy(CopyKind.CALL, "CA1", at),
            Copy(CopyKind.CALL, "CACHILD", at, "CA1"),
        ]
        await copies.note_copies(work, request.id, found, asked=True)
        work.actor = PROGRAM
        page = await report.read_all(work, request)
        sections += [
            [block["title"] for block in one["blocks"]]
            for one in page["sections"]
            if one["title"] == "What only the telephony provider has"
        ]
        if rang:
            await rang_itself(work, contact)
    recordings, texts = "Recordings at the telephony provider", "Texts at the telephony provider"
    assert sections == [[recordings], [recordings, texts]]
