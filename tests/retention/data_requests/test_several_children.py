"""A record about several children belongs to each of them: what one asks touches no other."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select, text

from app.api.data_requests import one_request
from app.contacts.cases.models import CaseContact
from app.contacts.consent.same_child import link_child
from app.contacts.models import Contact
from app.contacts.saving import Change, save_answers
from app.dashboard.settings import data_request_pages
from app.dashboard.templating import templates
from app.errors import NotFound
from app.jobs.transaction import flush
from app.retention.data_requests import (
    again,
    lists,
    report,
    requests,
    sought,
)
from app.retention.data_requests.kinds import (
    AskingPerson,
    IdentityCheck,
    ItemKind,
    Keep,
    RequestBasis,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.meant import Meant, Standing, children_meant
from app.retention.data_requests.models import DataRequest
from app.sealing import hashes, resealing
from app.sealing.knowing import learn
from app.staff.log_kinds import AuditLog
from app.staff.models import AuditEntry
from app.staff.roles import Role
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.profile import by_day
from tests.support.retention.requested import (
    WORDS,
    a_person,
    approved,
    erase,
    found_by,
    release,
)
from tests.support.retention.siblings import (
    OF_BROTHER,
    OF_SISTER,
    SISTER,
    TWO,
    asked,
    one_record,
    remove,
    siblings,
    told_in,
    write,
)

pytestmark = pytest.mark.usefixtures("readings_at_once")

Kind, OTHER = ItemKind, Keep.ANOTHER_PERSON


@pytest.mark.parametrize("by_code", by_day([True, False]))
async def test_a_record_about_several_children_is_marked_with_its_referrals(
    work: Work, by_code: bool
) -> None:
    boss, contact, referral = await one_record(work)
    _, items = await asked(work, boss, contact.code if by_code else OF_SISTER)
    for one in (contact, referral):
        assert (items[one.id].keep, items[one.id].children) == (OTHER, 2)
    # Also a referral that was named by its own code.
    _, items = await asked(work, boss, referral.code)
    assert items[referral.id].keep == items[contact.id].keep == OTHER


@pytest.mark.parametrize("by_place", [False, True])
async def test_a_sister_reads_her_own_entry_and_nothing_of_her_brother(
    work: Work, by_place: bool
) -> None:
    boss, contact, _ = await one_record(work)
    typed = f"{contact.code}/2" if by_place else OF_SISTER
    request, _ = await asked(work, boss, typed)
    told = await told_in(work, boss, request)
    for said in ("name", "saw it", "wants out"):
        assert f"{SISTER} {said}" in told
    assert "Only what is about the one who asks is shown" in told
    # Neither his entry and his referral, nor what is said of both, nor which agency was told.
    for hidden in (WORD, OF_BROTHER, "Violence", "own_home", "Own home", "First"):
        assert hidden not in told, hidden
    # He reads his own, with the referral.
    request, _ = await asked(work, boss, f"{contact.code}/1" if by_place else OF_BROTHER)
    told = await told_in(work, boss, request)
    for said in (f"{WORD} child", f"{WORD} was beaten", f"{WORD} why", "First", "whom to ask"):
        assert said in told
    for hidden in (SISTER, OF_SISTER, f"{WORD} whispers", f"{WORD} new headline"):
        assert hidden not in told


async def test_of_a_record_in_which_it_is_not_known_who_asks_nothing_is_shown(work: Work) -> None:
    """The code names the record alone, and a telephone of their mother is that of both."""
    boss, contact, _ = await one_record(work, OF_BROTHER)
    for typed in (contact.code, OF_BROTHER):
        request, _ = await asked(work, boss, typed)
        told = await told_in(work, boss, request)
        assert "it is not known which of them asks" in told
        for hidden in (WORD, SISTER, OF_SISTER, "First"):
            assert hidden not in told
    for place in ("0", "3", "X"):
        code = f"{contact.code}/{place}"
        with pytest.raises(NotFound, match=f"^{code}: This record has no such child"):
            await asked(work, boss, code)
    with pytest.raises(NotFound, match="There is no record with the code K-000-000-000/1"):
        await asked(work, boss, "K-000-000-000/1")


@pytest.mark.parametrize("by_place", by_day([True, False]))
async def test_a_record_whose_other_child_is_gone_still_is_about_several(
    work: Work, by_place: bool
) -> None:
    """His entry goes while her report waits: the rest of it may tell of him, and is not hers."""
    boss, contact, _ = await one_record(work)
    for typed, shown in (
        (f"{contact.code}/2" if by_place else OF_SISTER, True),
        (f"{contact.code}/1" if by_place else OF_BROTHER, False),
    ):
        request, _ = await asked(work, boss, typed)
        await remove(work, contact, "a1")
        told = await told_in(work, boss, request)
        assert (f"{SISTER} name" in told) is shown
        for hidden in (WORD, OF_BROTHER, "Violence", "First"):
            assert hidden not in told, hidden
        of_him = {key: TWO[key] for key in TWO if f"{key}.".startswith("child.a1.")}
        await write(work, contact, of_him)


async def test_a_place_names_the_child_who_stood_there_when_it_was_written(work: Work) -> None:
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, f"{contact.code}/2")
    await write(work, contact, {"child.a1": 2, "child.a2": 1})
    told = await told_in(work, boss, request)
    assert f"{SISTER} name" in told
    assert f"{WORD} child" not in told
    # The only child was entered anew as another one: nothing of it goes to the first.
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    request, _ = await asked(work, boss, f"{lone.code}/1")
    await remove(work, lone, "a1")
    await write(work, lone, {"child.a2": 1, "child.a2.name": SISTER})
    told = await told_in(work, boss, request)
    for hidden in (SISTER, WORD):
        assert hidden not in told


async def test_it_is_shown_which_child_a_place_meant_and_whether_it_is_still_there(
    work: Work,
) -> None:
    boss, contact, _ = await one_record(work)
    # Her date of birth is written down, his, too.
    await write(work, contact, {"child.a2.birth_date": "2018-07-01"})
    request, _ = await asked(work, boss, f"{contact.code}/2")
    (told,) = await children_meant(work, request)
    assert told == Meant(contact.code, 2, Standing.THERE, 2)
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.name, shown.born) == (f"{SISTER} name", "2018")
    # The log has the reading, and the name is nowhere in it.
    await flush(work)
    entries = (await work.session.scalars(select(AuditEntry))).all()
    read = [one for one in entries if one.subject == f"contact:{contact.id}"]
    assert read[-1].action == AuditLog.CONTACT_READ
    assert not [one for one in entries if SISTER in str(one.detail)]
    # She stands at another place now, and then in none.
    await write(work, contact, {"child.a1": 2, "child.a2": 1})
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.place, shown.now, shown.name) == (2, 1, f"{SISTER} name")
    both, _ = await asked(work, boss, f"{contact.code}/1, {contact.code}/2")
    assert [one.now for one in await children_meant(work, both)] == [1, 2]
    await remove(work, contact, "a2")
    (shown,) = await children_meant(work, request, with_words=True)
    assert shown == Meant(contact.code, 2, Standing.GONE)
    assert [one.standing for one in await children_meant(work, both)] == ["gone", "there"]
    # A number names no place; and what is over is forgotten.
    of_number, _ = await asked(work, boss, OF_BROTHER)
    assert await children_meant(work, of_number) == []
    await requests.withdraw(work, boss, request.id)
    assert await children_meant(work, request) == []


async def test_who_is_no_officer_any_more_reads_no_more_whom_their_request_is_about(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator sees requests, but reads no records: neither on the page nor by the API."""

    nothing: Any = None

    def shown(_request: Any, _name: str, values: dict[str, Any]) -> Any:
        return SimpleNamespace(headers={}, values=values)

    monkeypatch.setattr(templates, "TemplateResponse", shown)
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, f"{contact.code}/2")
    by_law, passport = RequestBasis.RIGHT_OF_ACCESS, IdentityCheck.DOCUMENT
    await release(work, boss, request)
    await requests.ask(work, boss, request.id, by_law, passport, WORDS)
    readings = []
    for role, reads in ((Role.SUPERVISOR, True), (Role.ADMINISTRATOR, False)):
        boss.role = role.value
        page: Any = await data_request_pages.request_page(nothing, work, boss, request.id)
        (child,) = page.values["meant"]
        assert (child.standing, child.name) == (Standing.THERE, f"{SISTER} name" if reads else "")
        assert (page.values["sought"] is not None, page.values["words"]) == (
            reads,
            WORDS if reads else "",
        )
        answer = await one_request(work, boss, request.id)
        code = [f"{contact.code}/2"]
        assert (answer.codes, answer.words) == ((code, WORDS) if reads else (None, None))
        await flush(work)
        of_contact = AuditEntry.action == AuditLog.CONTACT_READ
        readings.append(await work.session.scalar(select(func.count()).where(of_contact)))
    assert readings[0] == readings[1]


async def test_of_an_erased_record_no_child_is_said_to_be_there(work: Work) -> None:
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, f"{contact.code}/1")
    contact.erased_at = work.now
    await flush(work)
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.standing, shown.name) == (Standing.GONE, "")
    # Neither can this server say it of a form that it has not read.
    contact.erased_at, contact.form_version = None, 9999
    await flush(work)
    (shown,) = await children_meant(work, request, with_words=True)
    assert (shown.standing, shown.name) == (Standing.UNKNOWN, "")


async def test_a_shared_number_tells_of_none_also_when_one_of_them_is_gone(work: Work) -> None:
    boss, contact, _ = await one_record(work, OF_BROTHER)
    request, _ = await asked(work, boss, OF_BROTHER)
    await remove(work, contact, "a2")
    told = await told_in(work, boss, request)
    assert WORD not in told


async def test_a_report_that_an_earlier_version_searched_shows_no_other_child(work: Work) -> None:
    """It has kept neither which entry was meant nor of how many children a record told."""
    boss, contact, _ = await one_record(work)
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    by_place, _ = await asked(work, boss, f"{lone.code}/1")
    by_number, items = await asked(work, boss, OF_SISTER)
    for request in (by_place, by_number):
        kept = sought.sought_of(work, request)._replace(entries={})
        request.sought_sealed = sought.seal_sought(work, request.id, kept)
    for item in items.values():
        item.children = None
    for one in (contact, lone):
        await remove(work, one, "a1")
    await write(work, lone, {"child.a2": 1, "child.a2.name": SISTER})
    for request in (by_place, by_number):
        told = await told_in(work, boss, request)
        for hidden in (WORD, SISTER, "Violence", OF_BROTHER):
            assert hidden not in told, hidden


async def test_a_guardian_reads_no_other_child_either(work: Work) -> None:
    boss, _, _ = await one_record(work)
    request, items = await asked(work, boss, OF_SISTER, person=AskingPerson.GUARDIAN)
    wanted = {(Kind(one.kind), one.subject_id): None for one in items.values()}
    await requests.set_kept(work, boss, request.id, wanted)
    told = await told_in(work, boss, request)
    assert f"{SISTER} name" in told
    for hidden in (WORD, OF_SISTER, OF_BROTHER, f"{SISTER} saw", "several", "left out: "):
        assert hidden not in told, hidden


async def test_an_erasure_keeps_what_several_children_need_until_the_officer_decides(
    work: Work,
) -> None:
    boss, contact, referral = await one_record(work)
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    request, items = await asked(work, boss, f"{contact.code}, {lone.code}", RequestKind.ERASURE)
    assert (items[lone.id].keep, items[lone.id].children) == (None, 1)
    await approved(work, boss, request)
    await erase(work, request)
    for one in (contact, referral, lone):
        await work.session.refresh(one)
    assert lone.erased_at is not None
    assert contact.erased_at is referral.erased_at is None
    assert request.kept == {OTHER: 2}
    # All of them ask: the officer says so, and it goes.
    request, _ = await asked(work, boss, contact.code, RequestKind.ERASURE)
    await release(work, boss, request)
    await approved(work, boss, request)
    await erase(work, request)
    await work.session.refresh(contact)
    assert contact.erased_at is not None


async def test_a_record_that_tells_of_more_children_since_it_was_approved_stays(work: Work) -> None:
    boss, _, _ = await one_record(work)
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    request, _ = await asked(work, boss, lone.code, RequestKind.ERASURE)
    await approved(work, boss, request)
    more = [Change("child.a2", 2, lone.revision), Change("child.a2.name", SISTER, lone.revision)]
    await save_answers(work, lone, more)
    await flush(work)
    await erase(work, request)
    await work.session.refresh(lone)
    assert lone.erased_at is None
    assert request.kept == {OTHER: 1}


async def test_a_record_of_which_it_is_not_known_what_was_told_stays_if_it_has_several(
    work: Work,
) -> None:
    """It was found before it was counted of how many children a record tells."""
    boss, contact, referral = await one_record(work)
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    request, items = await asked(work, boss, f"{contact.code}, {lone.code}", RequestKind.ERASURE)
    await release(work, boss, request)
    for item in items.values():
        item.children = None
    await approved(work, boss, request)
    await erase(work, request)
    for one in (contact, referral, lone):
        await work.session.refresh(one)
    assert contact.erased_at is referral.erased_at is None
    assert lone.erased_at is not None
    assert request.kept == {OTHER: 2}


async def test_what_was_decided_about_several_children_is_erased_again(work: Work) -> None:
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, contact.code, RequestKind.ERASURE)
    await release(work, boss, request)
    await approved(work, boss, request)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    await work.session.execute(text("DELETE FROM data_requests"))
    work.session.expunge_all()
    await again.begin(work, listed)
    await erase(work, await work.session.get_one(DataRequest, listed.head.id))
    contact = await work.session.get_one(Contact, contact.id)
    assert contact.erased_at is not None


ANOTHER = {"child.a3": 1, "child.a3.name": "Treci"}


async def test_a_record_that_tells_of_another_child_since_it_was_searched_stays(work: Work) -> None:
    """With all that belongs to it; what is the number's alone goes."""
    boss, call, contact = await a_person(work)
    erased = {"flag": 1, "wish": 1}
    changes: tuple[dict[str, Any], ...] = (
        # Written over; their number was a mistake; removed, and entered anew.
        {"child.a1.name": f"{WORD} Treci"},
        {"child.a1.birth_date": "2025-03-02", "child.a1.age": 4},
        {"child.a1.phone": "+381649990000"},
        {"child.a1.name": None},
        {path: None for path in planted.CHILD if path[:5] == "child"} | ANOTHER,
    )
    for change in changes:
        request = await found_by(work, boss)
        rows = len(await requests.items_of(work, request))
        await write(work, contact, change)
        await approved(work, boss, request)
        await erase(work, request)
        assert (request.counts, request.kept) == (erased, {OTHER: rows - len(erased)}), change
        erased = {}
        for one in (call, contact):
            await work.session.refresh(one)
        assert contact.erased_at is None
        assert None not in (call.caller_key, contact.profile_id)


async def test_a_record_of_which_more_is_written_about_the_same_child_goes(work: Work) -> None:
    """Also if the key of the hashes was rotated meanwhile."""
    await learn(work)
    boss, _, contact = await a_person(work)
    request = await found_by(work, boss)
    await hashes.rotate_hashes(work)
    work.now += resealing.NOTICE
    await learn(work)
    while await hashes.carry_some(work, "match_keys.key", ["match_keys.key"], b""):
        pass
    more = {"child.a1.name": f"{WORD} older child", "child.a1.wants": "Mir", "caller.name": "Ana"}
    await write(work, contact, more)
    await approved(work, boss, request)
    await erase(work, request)
    assert request.kept == {}
    await work.session.refresh(contact)
    assert contact.erased_at is not None


async def test_a_record_about_as_many_children_stays_if_one_of_them_is_another(work: Work) -> None:
    """Both asked, and the officer released it: then one of them turned out to be a third."""
    boss, contact, referral = await one_record(work)
    request, _ = await asked(work, boss, contact.code, RequestKind.ERASURE)
    await release(work, boss, request)
    await remove(work, contact, "a1")
    await write(work, contact, ANOTHER)
    await approved(work, boss, request)
    await erase(work, request)
    for one in (contact, referral):
        await work.session.refresh(one)
    assert contact.erased_at is referral.erased_at is None
    assert request.kept == {OTHER: 2}


async def test_a_case_stays_if_a_contact_of_it_was_exchanged(work: Work) -> None:
    boss, brother, sister, case = await siblings(work)
    of_third = planted.CHILD | {"child.a1.name": "Treci", "child.a1.phone": "+381649990000"}
    third = await planted.a_contact(work, boss, None, of_third)
    request, _ = await asked(work, boss, case.code, RequestKind.ERASURE)
    await release(work, boss, request)
    await work.session.delete(await work.session.get_one(CaseContact, (case.id, sister.id)))
    work.session.add(CaseContact(case_id=case.id, contact_id=third.id, linked_at=work.now))
    await approved(work, boss, request)
    await erase(work, request)
    for one in (brother, sister, third, case):
        await work.session.refresh(one)
    assert case.erased_at is third.erased_at is None
    assert None not in (brother.erased_at, sister.erased_at)
    assert request.kept == {OTHER: 1}


async def test_a_case_goes_if_a_contact_of_the_same_child_was_linked_since(work: Work) -> None:
    """By its name, or because a colleague has said so; what is not known is another child."""
    boss, brother, _, _ = await siblings(work)
    unnamed = {"child.a1.name": None, "child.a1.birth_date": None, "child.a1.phone": None}
    for of_new, said, goes in (
        ({}, (), True),
        ({"child.a1.name": "Zlatko"}, ("a1",), True),
        (unnamed, ("a1",), True),
        (unnamed, (), False),
        # A colleague has said that the case is not about this one.
        ({}, (None,), False),
        # Another child came in beside it.
        (ANOTHER | {"child.a3": 2}, (), False),
    ):
        case = await planted.a_case(work, boss, brother)
        later = await planted.a_contact(work, boss)
        await write(work, later, of_new)
        request, _ = await asked(work, boss, case.code, RequestKind.ERASURE)
        await requests.set_kept(
            work, boss, request.id, {(Kind.CONTACT, brother.id): Keep.LEGAL_DUTY}
        )
        await approved(work, boss, request)
        work.session.add(CaseContact(case_id=case.id, contact_id=later.id, linked_at=work.now))
        for entry in said:
            await link_child(work, case.id, entry, later.id, "a1")
        await erase(work, request)
        for one in (case, later):
            await work.session.refresh(one)
        assert (case.erased_at is not None, later.erased_at) == (goes, None), (of_new, said)
        assert (OTHER in request.kept) is not goes


async def test_what_was_decided_is_erased_again_whatever_it_told_of_before(work: Work) -> None:
    """The database is from before the decision, and the entry was put right after the search."""
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, contact.code, RequestKind.ERASURE)
    await release(work, boss, request)
    await write(work, contact, {"child.a1.name": "Treci"})
    await approved(work, boss, request)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    request.state = RequestState.ASKED.value
    await again.begin(work, listed)
    await erase(work, request)
    await work.session.refresh(contact)
    assert contact.erased_at is not None


async def test_a_case_of_two_siblings_is_marked_for_each_of_them(work: Work) -> None:
    boss, brother, sister, case = await siblings(work)
    for typed, own, other in (
        (OF_SISTER, sister, brother),
        (OF_BROTHER, brother, sister),
        (f"{sister.code}, {case.code}", sister, brother),
    ):
        request, items = await asked(work, boss, typed)
        assert (items[own.id].keep, items[own.id].children) == (None, 1)
        assert (items[case.id].keep, items[case.id].children) == (OTHER, 2)
        assert items[other.id].keep == OTHER
    # Only the case is released: its documents, story and goals may be about the other.
    wanted = {(Kind.CASE, case.id): None}
    request, _ = await asked(work, boss, OF_SISTER)
    await requests.set_kept(work, boss, request.id, wanted)
    await approved(work, boss, request)
    work.actor = PROGRAM
    told = json.dumps(await report.read_all(work, request), ensure_ascii=False)
    assert f"{SISTER} saw it" in told
    for hidden in (f"{WORD} child", f"{WORD} story", f"{WORD} goal", f"{WORD}.pdf", OF_BROTHER):
        assert hidden not in told, hidden


async def test_a_case_that_a_child_was_taken_out_of_still_is_about_several(work: Work) -> None:
    """Her contact is taken out of it while her report waits: what is left tells of him alone."""
    boss, brother, sister, case = await siblings(work)
    request, items = await asked(work, boss, OF_SISTER)
    assert items[case.id].children == 2
    await work.session.delete(await work.session.get_one(CaseContact, (case.id, sister.id)))
    await flush(work)
    _, now = await asked(work, boss, case.code)
    assert now[case.id].children == 1
    as_person(work, boss)
    kept = {(Kind.CONTACT, brother.id): Keep.LEGAL_DUTY}
    await requests.set_kept(work, boss, request.id, kept)
    told = await told_in(work, boss, request)
    assert case.code in told
    assert f"{SISTER} saw it" in told
    for hidden in (f"{WORD} child", f"{WORD} story", f"{WORD} goal", f"{WORD}.pdf", OF_BROTHER):
        assert hidden not in told, hidden


async def test_a_child_that_was_found_in_the_case_by_a_colleague_counts_once(work: Work) -> None:
    """Her contact has her short name. Of another one it is said that the case is not about it."""
    boss, brother, sister, case = await siblings(work)
    await link_child(work, case.id, "a1", sister.id, "a1")
    _, items = await asked(work, boss, case.code)
    assert (items[case.id].keep, items[case.id].children) == (None, 1)
    await link_child(work, case.id, "a1", brother.id, "a1")
    _, items = await asked(work, boss, f"{OF_BROTHER}, {OF_SISTER}")
    assert [items[one.id].keep for one in (case, brother, sister)] == [None] * 3
    await link_child(work, case.id, None, brother.id, "a1")
    _, items = await asked(work, boss, case.code)
    assert (items[case.id].keep, items[case.id].children) == (OTHER, 2)


async def test_a_case_of_one_child_is_its_own(work: Work) -> None:
    """Two contacts of it say nothing else, and one of them has no name."""
    boss, _, sister, case = await siblings(work)
    await save_answers(work, sister, [Change("child.a1.name", None, sister.revision)])
    await flush(work)
    _, items = await asked(work, boss, OF_BROTHER)
    assert (items[case.id].keep, items[case.id].children) == (None, 1)
    # Another year of birth is another child.
    changes = [
        Change("child.a1.age", 4, sister.revision),
        Change("child.a1.birth_date", "2022-03-02", sister.revision),
    ]
    await save_answers(work, sister, changes)
    await flush(work)
    _, items = await asked(work, boss, OF_BROTHER)
    assert (items[case.id].keep, items[case.id].children) == (OTHER, 2)


async def test_the_entries_of_a_case_are_counted_too(work: Work) -> None:
    boss, brother, _, _ = await siblings(work)
    more = {"child.a2": 2, "child.a2.name": SISTER, "child.a2.phone": OF_SISTER}
    case = await planted.a_case(work, boss, brother, more=more)
    request, items = await asked(work, boss, OF_SISTER)
    assert (items[case.id].keep, items[case.id].children) == (OTHER, 2)
    told = await told_in(work, boss, request)
    assert SISTER in told
    await work.session.execute(text("DELETE FROM case_contacts"))
    assert await work.session.get(CaseContact, (case.id, brother.id)) is None
    request, items = await asked(work, boss, f"{case.code}/1")
    told = await told_in(work, boss, request)
    assert f"{WORD} child" in told
    assert SISTER not in told
