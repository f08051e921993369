"""A case of siblings belongs to each of them."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from app.contacts.cases.models import CaseContact
from app.contacts.consent.same_child import link_child
from app.contacts.saving import Change, save_answers
from app.jobs.transaction import flush
from app.retention.data_requests import requests
from app.retention.data_requests.kinds import (
    ItemKind,
    Keep,
    RequestKind,
)
from app.retention.data_requests.reports import report
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.profile import by_day, nightly
from tests.support.retention.requested import (
    approved,
    erase,
    release,
)
from tests.support.retention.siblings import (
    ANOTHER,
    OF_BROTHER,
    OF_SISTER,
    SISTER,
    asked,
    siblings,
    told_in,
    write,
)

pytestmark = [pytest.mark.usefixtures("readings_at_once"), pytest.mark.whole]

Kind, OTHER = ItemKind, Keep.ANOTHER_PERSON


@pytest.mark.situation(by=siblings)
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
    assert brother.erased_at is not None
    # The case does not lead to her contact any more.
    assert case.erased_at is third.erased_at is sister.erased_at is None
    assert request.kept == {OTHER: 2}


@nightly
@pytest.mark.situation(by=siblings)
async def test_a_case_goes_if_a_contact_of_the_same_child_was_linked_since(work: Work) -> None:
    """By its name, or because a colleague has said so; what is not known is another child."""
    boss, brother, _, _ = await siblings(work)
    unnamed = {"child.a1.name": None, "child.a1.birth_date": None, "child.a1.phone": None}
    cases: list[tuple[dict[str, Any], tuple[str | None, ...], bool]] = [
        (unnamed, ("a1",), True),
        (unnamed, (), False),
        # A colleague has said that the case is not about this one.
        ({}, (None,), False),
        ({}, (), True),
        ({"child.a1.name": "Zlatko"}, ("a1",), True),
        # Another child came in beside it.
        (ANOTHER | {"child.a3": 2}, (), False),
    ]
    for of_new, said, goes in by_day(cases, 2):
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


@pytest.mark.situation(by=siblings)
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


@pytest.mark.parametrize("by_code", by_day([False, True]))
@pytest.mark.situation(by=siblings)
async def test_a_case_that_a_child_was_taken_out_of_still_is_about_several(
    work: Work, by_code: bool
) -> None:
    """Her contact is taken out of it while her report waits: what is left tells of him alone.

    If only her contact has led to the case, it is not hers any more.
    """
    boss, brother, sister, case = await siblings(work)
    request, items = await asked(work, boss, f"{OF_SISTER}, {case.code}" if by_code else OF_SISTER)
    assert items[case.id].children == 2
    await work.session.delete(await work.session.get_one(CaseContact, (case.id, sister.id)))
    await flush(work)
    _, now = await asked(work, boss, case.code)
    assert now[case.id].children == 1
    as_person(work, boss)
    kept = {(Kind.CONTACT, brother.id): Keep.LEGAL_DUTY}
    await requests.set_kept(work, boss, request.id, kept)
    told = await told_in(work, boss, request)
    assert (case.code in told) is by_code
    # In her own contact, too.
    assert f"{SISTER} saw it" in told
    for hidden in (f"{WORD} child", f"{WORD} story", f"{WORD} goal", f"{WORD}.pdf", OF_BROTHER):
        assert hidden not in told, hidden


@nightly
@pytest.mark.situation(by=siblings)
async def test_a_child_that_was_found_in_the_case_by_a_colleague_counts_once(work: Work) -> None:
    """Her contact has her short name. Another child is marked as one that the case is not about."""
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


@pytest.mark.situation(by=siblings)
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


@pytest.mark.situation(by=siblings)
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
