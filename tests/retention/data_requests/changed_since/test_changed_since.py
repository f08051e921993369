"""What is about another person since it was searched is neither shown nor erased."""

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.contacts.cases.models import CaseContact
from app.contacts.models import Case, Contact
from app.jobs.transaction import flush
from app.referrals.models import Referral
from app.retention.data_requests import answering, erased_again, lists, requests, searched
from app.retention.data_requests.kinds import (
    AskingPerson,
    ItemKind,
    Keep,
    RequestKind,
    RequestState,
)
from app.retention.data_requests.models import DataRequest
from app.retention.data_requests.reports import report
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import WORD, as_person
from tests.support.profile import by_day, nightly
from tests.support.retention.requested import (
    NUMBER,
    a_caller,
    a_person,
    approved,
    choose_all,
    erase,
    found_by,
    rang_itself,
    wrote,
)
from tests.support.retention.siblings import (
    OF_BROTHER,
    OF_SISTER,
    SISTER,
    asked,
    one_record,
    remove,
    told_in,
    write,
)

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("readings_at_once")]

OTHER = Keep.ANOTHER_PERSON
# The words of a child in a conversation.
SAID = "Mama me udarila"
# Another child in the place of the brother: his entry is removed, or written over.
REPLACED = {"child.a2": 1, "child.a2.name": SISTER}
OVERWRITTEN = {
    "child.a1.name": SISTER,
    "child.a1.birth_date": "2019-03-02",
    "child.a1.phone": "+381649990001",
}


async def kept_of(work: Work, request: DataRequest) -> set[UUID]:
    items = await requests.items_of(work, request)
    return {one.subject_id for one in items if one.keep == OTHER}


async def receipt_of(work: Work, request: DataRequest) -> dict[str, int]:
    """Return what the officer reads of a report that was made: how many rows are left out why."""
    await answering.keep_files(work, request.id, {"json": b"{}"})
    kept: dict[str, int] = request.kept
    return kept


# -- another child in the place of the one who asked ---------------------------------------------


# What is written over the only child, and who asks.
TAKEN = (
    (REPLACED, AskingPerson.CHILD),
    (OVERWRITTEN, AskingPerson.GUARDIAN),
    ({"child.a1.name": SISTER}, AskingPerson.CHILD),
    (REPLACED, AskingPerson.GUARDIAN),
    (OVERWRITTEN, AskingPerson.CHILD),
    ({"child.a1.name": SISTER}, AskingPerson.GUARDIAN),
)


@pytest.mark.parametrize(("change", "person"), by_day(TAKEN, 2))
@pytest.mark.situation(by=one_record)
async def test_a_report_shows_no_child_that_took_the_place_of_the_only_one(
    work: Work, change: dict[str, Any], person: AskingPerson
) -> None:
    boss, _, _ = await one_record(work)
    for typed in by_day(("{}", OF_BROTHER, "{}/1"), 2 if change is REPLACED else 1):
        lone = await planted.a_contact(work, boss, None, planted.CHILD)
        request, _ = await asked(work, boss, typed.format(lone.code), person=person)
        items = await requests.items_of(work, request)
        wanted: dict[tuple[ItemKind, UUID], Keep | None]
        wanted = {
            (ItemKind(one.kind), one.subject_id): None if one.subject_id == lone.id else OTHER
            for one in items
        }
        await requests.set_kept(work, boss, request.id, wanted)
        if change is REPLACED:
            await remove(work, lone, "a1")
        await write(work, lone, change)
        await approved(work, boss, request)
        work.actor = PROGRAM
        told = json.dumps(await report.read_all(work, request), ensure_ascii=False)
        for hidden in (SISTER, WORD, lone.code):
            assert hidden not in told, (typed, hidden)
        assert ("It is about another person, too" in told) is (person is AskingPerson.CHILD)
        assert await receipt_of(work, request) == {OTHER: len(items)}
        # Begun again it shows the record as it is now.
        if person is AskingPerson.CHILD and typed == "{}":
            request, _ = await asked(work, boss, lone.code)
            assert SISTER in await told_in(work, boss, request)


@pytest.mark.parametrize("typed", by_day(["{}/2", OF_SISTER]))
@pytest.mark.situation(by=one_record)
async def test_of_several_children_one_who_took_the_place_of_hers_is_not_shown(
    work: Work, typed: str
) -> None:
    boss, contact, _ = await one_record(work)
    # Another entry may change: hers is shown, and nothing of the other.
    request, _ = await asked(work, boss, typed.format(contact.code))
    await write(work, contact, {"child.a1.name": "Treci"})
    told = await told_in(work, boss, request)
    assert f"{SISTER} name" in told
    assert "Treci" not in told
    request, _ = await asked(work, boss, typed.format(contact.code))
    await write(work, contact, {"child.a2.name": "Treci", "child.a2.birth_date": "2019-03-02"})
    told = await told_in(work, boss, request)
    for hidden in ("Treci", SISTER, WORD):
        assert hidden not in told


@nightly
@pytest.mark.situation(by=one_record)
async def test_a_referral_of_a_child_that_was_replaced_is_not_shown(work: Work) -> None:
    """By day the record is not shown, nor a referral that was rewritten itself."""
    boss, contact, referral = await one_record(work)
    for typed in (referral.code, f"{contact.code}/1"):
        request, _ = await asked(work, boss, typed)
        await write(work, contact, {"child.a1.name": f"{typed[0]} Treci"})
        told = await told_in(work, boss, request)
        for hidden in (WORD, SISTER, "Treci", "First"):
            assert hidden not in told
    # That of his sister was put right: his own is shown.
    request, _ = await asked(work, boss, referral.code)
    await write(work, contact, {"child.a2.name": "Treci"})
    assert f"{WORD} why" in await told_in(work, boss, request)


@pytest.mark.parametrize("kind", by_day(reversed(RequestKind)))
@pytest.mark.situation(by=one_record)
async def test_a_referral_that_was_rewritten_for_another_child_is_neither_shown_nor_erased(
    work: Work, kind: RequestKind
) -> None:
    """The referral names the child itself; its contact says the same as before."""
    boss, _, _ = await one_record(work)
    lone = await planted.a_contact(work, boss, None, planted.CHILD)
    work.actor = PROGRAM
    referral = (await work.session.scalars(select(Referral))).one()
    referral.contact_id, referral.child_entry = lone.id, "a1"
    await flush(work)
    request, _ = await asked(work, boss, f"{referral.code}", kind)
    await choose_all(work, boss, request)
    as_person(work, boss)
    await write(work, referral, {"child.name": SISTER})
    if kind is RequestKind.ACCESS:
        told = await told_in(work, boss, request)
        assert SISTER not in told
        assert lone.code in told
        assert await kept_of(work, request) == {referral.id}
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (referral, lone):
        await work.session.refresh(one)
    assert referral.erased_at is None
    assert lone.erased_at is not None
    assert request.kept == {OTHER: 1}


@pytest.mark.parametrize("kind", by_day(reversed(RequestKind)))
@pytest.mark.situation(by=one_record)
async def test_a_child_that_was_named_since_may_be_another(work: Work, kind: RequestKind) -> None:
    """Nothing was written of it by which it could be compared; as long as that is so, it stays."""
    boss, _, _ = await one_record(work)
    unnamed = dict.fromkeys(("child.a1.name", "child.a1.birth_date", "child.a1.age"))
    unnamed |= {"child.a1.phone": None}
    for named, stays in (
        ({"child.a1.wants": f"{WORD} calm"}, False),
        ({"child.a1.name": SISTER}, True),
    ):
        lone = await planted.a_contact(work, boss, None, planted.CHILD)
        await write(work, lone, unnamed)
        request, _ = await asked(work, boss, lone.code, kind)
        await write(work, lone, named)
        if kind is RequestKind.ACCESS:
            assert (f"{WORD} was beaten" not in await told_in(work, boss, request)) is stays
        else:
            await approved(work, boss, request)
            await erase(work, request)
            await work.session.refresh(lone)
            assert (lone.erased_at is None) is stays


# -- the call and the conversation of it ---------------------------------------------------------


@pytest.mark.situation
async def test_a_conversation_is_not_shown_if_its_contact_names_another_child_since(
    work: Work,
) -> None:
    boss, call, contact = await a_person(work)
    await rang_itself(work, contact)
    await wrote(work, call, SAID)
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    assert SAID in await told_in(work, boss, request)
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    await write(work, contact, OVERWRITTEN)
    told = await told_in(work, boss, request)
    for hidden in (SAID, SISTER, WORD.join((" ", " was beaten"))):
        assert hidden not in told
    # Neither the record nor what belongs to the call; what is the number's alone is shown.
    items = await requests.items_of(work, request)
    assert {one.kind for one in items if one.keep is None} == {"flag", "wish"}


@pytest.mark.situation
async def test_a_call_is_not_shown_if_a_contact_came_to_it_since(work: Work) -> None:
    """The contact is not in the request: nothing says of which child it would have told."""
    boss, call, contact = await a_person(work)
    await rang_itself(work, contact)
    await wrote(work, call, SAID)
    await work.session.execute(text("UPDATE contacts SET call_id = NULL"))
    request = await found_by(work, boss, f"{NUMBER}, {contact.code}", RequestKind.ACCESS)
    since = await planted.a_contact(work, boss, None, planted.CHILD)
    await work.session.execute(
        text("UPDATE contacts SET call_id = :call WHERE id = :id"),
        {"call": call.id, "id": since.id},
    )
    told = await told_in(work, boss, request)
    assert contact.code in told
    assert SAID not in told
    assert call.id in await kept_of(work, request)


# -- a number that was put right -----------------------------------------------------------------


@nightly
@pytest.mark.situation(by=one_record)
async def test_a_record_whose_number_was_put_right_is_not_shown_to_its_former_owner(
    work: Work,
) -> None:
    boss, contact, _ = await one_record(work)
    mistaken = planted.CHILD | {"child.a1.phone": "+381649998811"}
    lone = await planted.a_contact(work, boss, None, mistaken)
    request, items = await asked(work, boss, "+381649998811")
    assert items[lone.id].keep is None
    await write(work, lone, {"child.a1.phone": "+381649990001"})
    assert WORD not in await told_in(work, boss, request)
    assert await receipt_of(work, request) == {OTHER: 1}
    request, _ = await asked(work, boss, OF_SISTER)
    await write(work, contact, {"child.a2.phone": "+381649990002"})
    told = await told_in(work, boss, request)
    for hidden in (SISTER, WORD):
        assert hidden not in told


@pytest.mark.parametrize("kind", by_day(RequestKind))
@pytest.mark.situation(by=one_record)
async def test_what_a_mistaken_number_led_to_is_neither_shown_nor_erased(
    work: Work, kind: RequestKind
) -> None:
    """The number of the caller was mistyped: the officer has released the record, and its case."""
    boss, _, referral = await one_record(work)
    mistaken = planted.CHILD | {"caller.phone": "+381649998811"}
    lone = await planted.a_contact(work, boss, None, mistaken)
    case = await planted.a_case(work, boss, lone)
    referral.contact_id, referral.child_entry = lone.id, "a1"
    await flush(work)
    request, items = await asked(work, boss, "+381649998811", kind)
    assert items.keys() == {lone.id, case.id, referral.id}
    await choose_all(work, boss, request)
    await write(work, lone, {"caller.phone": "+381649990001"})
    if kind is RequestKind.ACCESS:
        assert WORD not in await told_in(work, boss, request)
        assert await kept_of(work, request) == items.keys()
        return
    await approved(work, boss, request)
    await erase(work, request)
    for one in (lone, case, referral):
        await work.session.refresh(one)
        assert one.erased_at is None
    assert request.kept == {OTHER: 3}


@nightly
@pytest.mark.situation(by=one_record)
async def test_a_case_to_which_another_contact_leads_goes_on(work: Work) -> None:
    """The number of one of its contacts was put right; the other still has it."""
    boss, _, _ = await one_record(work)
    numbers = planted.CHILD | {"caller.phone": "+381649998811"}
    one, other = [await planted.a_contact(work, boss, None, numbers) for _ in range(2)]
    case: Case = await planted.a_case(work, boss, one, other)
    assert await work.session.get(CaseContact, (case.id, other.id)) is not None
    request, _ = await asked(work, boss, "+381649998811")
    await choose_all(work, boss, request)
    await write(work, one, {"caller.phone": None})
    told = await told_in(work, boss, request)
    assert case.code in told
    assert await kept_of(work, request) == {one.id}


# -- what an earlier version has searched --------------------------------------------------------


def forget_children(work: Work, request: DataRequest) -> None:
    """Leave a request as an earlier version has searched it."""
    kept = searched.sought_of(work, request)._replace(children={})
    request.sought_sealed = searched.seal_sought(work, request.id, kept)


@pytest.mark.parametrize("changed", by_day([True, False]))
@pytest.mark.situation
async def test_an_erasure_that_an_earlier_version_searched_keeps_what_it_cannot_compare(
    work: Work, changed: bool
) -> None:
    boss, call, contact = await a_person(work)
    request = await found_by(work, boss)
    forget_children(work, request)
    if changed:
        await remove(work, contact, "a1")
        await write(work, contact, REPLACED)
    await approved(work, boss, request)
    await erase(work, request)
    for one in (contact, call):
        await work.session.refresh(one)
    assert contact.erased_at is None
    assert call.caller_key is not None
    assert request.counts == {"flag": 1, "wish": 1}
    assert request.kept.keys() == {OTHER}


@nightly
@pytest.mark.parametrize("there", by_day([None, "approved", "asked"]))
@pytest.mark.situation(by=a_caller)
async def test_what_an_earlier_version_searched_is_erased_again_after_a_restore(
    work: Work, there: str | None
) -> None:
    """The job may go on with it, too, if the command was stopped."""
    boss, _, contact = await a_caller(work)
    request = await found_by(work, boss)
    forget_children(work, request)
    await approved(work, boss, request)
    listed = await lists.list_of(work, request.id, whole=False)
    assert listed is not None
    if there is None:
        await work.session.execute(text("DELETE FROM data_requests"))
    else:
        request.state = RequestState(there).value
        await flush(work)
    work.session.expunge_all()
    await erased_again.begin(work, listed)
    request = await work.session.get_one(DataRequest, listed.head.id)
    await erase(work, request)
    assert request.kept == {}
    contact = await work.session.get_one(Contact, contact.id)
    assert contact.erased_at is not None


@pytest.mark.situation
async def test_a_report_that_an_earlier_version_searched_leaves_out_what_it_cannot_compare(
    work: Work,
) -> None:
    boss, _, contact = await a_person(work)
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    forget_children(work, request)
    told = await told_in(work, boss, request)
    assert contact.code not in told
    assert (await receipt_of(work, request)).keys() == {OTHER}
