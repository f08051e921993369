"""A record about several children belongs to each of them: what one asks erases no other."""

from typing import Any

import pytest
from sqlalchemy import text

from app.contacts.models import Contact
from app.contacts.saving import Change, save_answers
from app.jobs.transaction import flush
from app.retention.data_requests import (
    erased_again,
    lists,
    requests,
)
from app.retention.data_requests.kinds import (
    ItemKind,
    Keep,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.sealing import hashes, resealing
from app.sealing.knowing import learn
from app.work import Work
from tests.support import planted
from tests.support.planted import WORD
from tests.support.profile import by_day, nightly
from tests.support.retention.requested import (
    a_caller,
    a_person,
    approved,
    erase,
    found_by,
    release,
)
from tests.support.retention.siblings import (
    ANOTHER,
    SISTER,
    asked,
    one_record,
    remove,
    write,
)

pytestmark = [pytest.mark.usefixtures("readings_at_once"), pytest.mark.whole]

Kind, OTHER = ItemKind, Keep.ANOTHER_PERSON


@pytest.mark.situation(by=one_record)
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


@pytest.mark.situation(by=one_record)
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


@nightly
@pytest.mark.situation(by=one_record)
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


@nightly
@pytest.mark.situation(by=one_record)
async def test_what_was_decided_about_several_children_is_erased_again(work: Work) -> None:
    boss, contact, _ = await one_record(work)
    request, _ = await asked(work, boss, contact.code, RequestKind.ERASURE)
    await release(work, boss, request)
    await approved(work, boss, request)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    await work.session.execute(text("DELETE FROM data_requests"))
    work.session.expunge_all()
    await erased_again.begin(work, listed)
    await erase(work, await work.session.get_one(DataRequest, listed.head.id))
    contact = await work.session.get_one(Contact, contact.id)
    assert contact.erased_at is not None


@pytest.mark.situation
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
    # By day one of them: others are compared where a report shows no child in another's place.
    for change in by_day(changes):
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


@pytest.mark.parametrize("rotated", by_day([False, True]))
@pytest.mark.situation(by=a_caller)
async def test_a_record_of_which_more_is_written_about_the_same_child_goes(
    work: Work, rotated: bool
) -> None:
    """Also if the key of the hashes was rotated meanwhile."""
    await learn(work)
    boss, _, contact = await a_caller(work)
    request = await found_by(work, boss)
    if rotated:
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


@pytest.mark.situation(by=one_record)
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


@pytest.mark.situation(by=one_record)
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
    await erased_again.begin(work, listed)
    await erase(work, request)
    await work.session.refresh(contact)
    assert contact.erased_at is not None
