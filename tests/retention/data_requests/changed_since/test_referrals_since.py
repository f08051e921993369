"""A referral that was opened since the search is counted, and is not left without its contact."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.calls.models import Call
from app.contacts.models import Contact
from app.jobs.transaction import flush
from app.referrals.models import Referral
from app.retention.data_requests import answering, report
from app.retention.data_requests.kinds import Keep, RequestKind
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.retention.requested import NUMBER, a_person, approved, erase, found_by
from tests.support.verbs import a_referral

pytestmark = [
    pytest.mark.whole,
    pytest.mark.a_person,
    pytest.mark.usefixtures("readings_at_once"),
]

OTHER = Keep.ANOTHER_PERSON


async def referred_since(work: Work, boss: Staff, contact: Contact) -> Referral:
    """Refer the child of a contact once more, and close that, while a request waits."""
    work.now += timedelta(hours=1)
    as_person(work, boss)
    referral = await a_referral(work, boss)
    referral.contact_id = contact.id
    await planted.close_referral(work, referral)
    await flush(work)
    return referral


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
    # Begun again, the officer sees it, and all goes.
    request = await found_by(work, boss)
    await approved(work, boss, request)
    await erase(work, request)
    for row in (first, referral, contact):
        await work.session.refresh(row)
        assert row.erased_at is not None
    assert request.kept == {}


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
