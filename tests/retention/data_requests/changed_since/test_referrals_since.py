"""A referral that was opened since the search is counted, and is not left without its contact."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from app.calls.models import Call, VoiceMessage
from app.contacts.models import Case, Contact
from app.jobs.transaction import flush
from app.referrals.models import Referral
from app.retention.data_requests import answering, erasing, requests
from app.retention.data_requests.kinds import ItemKind, Keep, RequestKind, RequestState
from app.retention.data_requests.reports import report
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support.planted import as_person
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.retention.requested import (
    NUMBER,
    a_person,
    approved,
    erase,
    found_by,
    referred_since,
    release,
)

pytestmark = [
    pytest.mark.whole,
    pytest.mark.situation,
    pytest.mark.usefixtures("readings_at_once"),
]

OTHER = Keep.ANOTHER_PERSON


async def test_an_erasure_keeps_and_counts_it_with_what_it_belongs_to(work: Work) -> None:
    boss, call, contact = await a_person(work)
    request = await found_by(work, boss)
    (first,) = (await work.session.scalars(select(Referral))).all()
    referral = await referred_since(work, boss, contact)
    await approved(work, boss, request)
    await erase(work, request)
    for one in (referral, contact):
        await work.session.refresh(one)
        assert one.erased_at is None
    call = await work.session.get_one(Call, call.id, populate_existing=True)
    assert call.caller_key is not None, "by its number the referral is found"
    # Both referrals are in the receipt: what is erased and what is kept.
    assert sum(request.counts.values()) + sum(request.kept.values()) == 10
    assert request.kept.keys() == {OTHER}
    if not WHOLE:
        return
    # Begun again, the officer sees it, and all goes.
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await erase(work, request)
    for row in (first, referral, contact):
        await work.session.refresh(row)
        assert row.erased_at is not None
    assert request.kept == {}


async def _all_stays_and_is_found(work: Work, boss: Staff, referral: Referral, call: Call) -> None:
    """A referral, the contact and the call are there, and a search by the number leads to them."""
    await work.session.refresh(referral)
    assert referral.erased_at is None
    contact = (await work.session.scalars(select(Contact))).one()
    await work.session.refresh(contact)
    assert contact.erased_at is None
    call = await work.session.get_one(Call, call.id, populate_existing=True)
    assert call.caller_key is not None
    (message,) = await work.session.scalars(select(VoiceMessage.erased_at))
    assert message is None
    again = await found_by(work, boss)
    found = {one.subject_id for one in await requests.items_of(work, again)}
    assert {referral.id, contact.id, call.id} <= found


@pytest.mark.parametrize("of", by_day(["call", "case"]))
async def test_one_of_a_case_or_a_call_alone_keeps_what_leads_there(work: Work, of: str) -> None:
    boss, call, contact = await a_person(work)
    case = (await work.session.scalars(select(Case))).one()
    request = await found_by(work, boss)
    referral = await referred_since(work, boss, contact)
    referral.contact_id = None
    referral.case_id, referral.call_id = (case.id, None) if of == "case" else (None, call.id)
    await flush(work)
    await approved(work, boss, request)
    await erase(work, request)
    assert request.kept[OTHER] >= 7
    await _all_stays_and_is_found(work, boss, referral, call)
    await work.session.refresh(case)
    assert (case.erased_at is None) == (of == "case")


@nightly
async def test_it_stays_with_its_contact_when_a_request_was_given_back(work: Work) -> None:
    """Approved once more, that request knows no more of it. One that is begun again does."""
    boss, call, contact = await a_person(work)
    # Nothing goes for itself, so all of it is kept.
    await work.session.execute(text("UPDATE referrals SET contact_id = NULL, case_id = NULL"))
    for table in ("caller_flags", "caller_wishes", "case_contacts"):
        await work.session.execute(text(f"DELETE FROM {table}"))
    request = await found_by(work, boss)
    referral = await referred_since(work, boss, contact)
    for _ in range(2):
        await approved(work, boss, request)
        await erase(work, request)
        assert (request.state, request.counts) == (RequestState.FOUND, {})
        as_person(work, boss)
        await release(work, boss, request)
    await _all_stays_and_is_found(work, boss, referral, call)


@nightly
async def test_one_between_two_parts_of_an_erasure_keeps_what_is_left(work: Work) -> None:
    boss, call, contact = await a_person(work)
    request = await found_by(work, boss)
    await approved(work, boss, request)
    work.actor = PROGRAM
    assert await erasing.erase_some(work, request.id, ItemKind.REFERRAL)
    await flush(work)
    referral = await referred_since(work, boss, contact)
    await erase(work, request)
    assert request.counts == {ItemKind.REFERRAL: 1}
    assert request.kept == {OTHER: 9}
    await _all_stays_and_is_found(work, boss, referral, call)


@nightly
async def test_one_that_the_search_could_not_read_yet_counts_as_opened_since(work: Work) -> None:
    boss, call, contact = await a_person(work)
    request = await found_by(work, boss)
    referral = await referred_since(work, boss, contact)
    # Its transaction had begun before the search, and was committed after it.
    referral.opened_at = request.began_at - timedelta(seconds=1)
    await flush(work)
    await approved(work, boss, request)
    await erase(work, request)
    await _all_stays_and_is_found(work, boss, referral, call)


async def test_a_report_says_that_it_is_left_out(work: Work) -> None:
    boss, _, contact = await a_person(work)
    request = await found_by(work, boss, NUMBER, RequestKind.ACCESS)
    referral = await referred_since(work, boss, contact)
    await approved(work, boss, request)
    work.actor = PROGRAM
    told = str(await report.read_all(work, request))
    assert referral.code not in told
    assert contact.code in told
    assert "It is about another person, too" in told
    await answering.keep_files(work, request.id, {"json": b"{}"})
    assert request.kept == {OTHER: 1}
