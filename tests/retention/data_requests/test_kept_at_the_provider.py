"""What is kept here is kept at the telephony provider, too: its calls and its texts."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.calls.models import Call, Leg
from app.calls.states import Channel
from app.chats.carrier_rows import Arrival, Sent
from app.jobs.transaction import flush
from app.outbox.channels import ChannelKind
from app.referrals.channels.attempts import add_attempt
from app.referrals.directory.agencies import agency_of_code
from app.referrals.models import Referral
from app.retention.data_requests import copies, requests, wanted_copies
from app.retention.data_requests.kinds import (
    AskingPerson,
    Copy,
    CopyKind,
    ItemKind,
    Keep,
    RequestKind,
)
from app.retention.data_requests.models import DataRequest, ProviderCopy, RequestItem
from app.retention.holds import hold
from app.retention.kinds import HeldKind
from app.staff.models import Staff
from app.work import Work
from tests.support import planted
from tests.support.planted import as_person
from tests.support.profile import nightly
from tests.support.retention.requested import NUMBER, a_caller, a_person, approved, erase, found_by
from tests.support.verbs import a_referral

pytestmark = pytest.mark.whole


def texts_of(work: Work, call: Call) -> None:
    """A text each way, and a leg that we made."""
    call.channel = Channel.SMS.value
    work.session.add_all(
        [
            Arrival(channel="sms", sid="SMCAME", at=work.now, call_id=call.id),
            Sent(
                id=uuid4(),
                call_id=call.id,
                wanted_at=work.now,
                sending="sent",
                provider_sid="SMSENT",
            ),
            Leg(
                id=uuid4(),
                call_id=call.id,
                offer_id=uuid4(),
                sending="sent",
                provider_sid="CALEG",
                created_at=work.now,
            ),
        ]
    )


OF_CONVERSATION = [
    Copy(CopyKind.CALL, "CA1"),
    Copy(CopyKind.CALL, "CALEG"),
    Copy(CopyKind.RECORDING, "RENOROW", of_call="CA1"),
    Copy(CopyKind.MESSAGE, "SMCAME"),
    Copy(CopyKind.MESSAGE, "SMSENT"),
]


async def noted(work: Work) -> set[str]:
    return {sid for sid in await work.session.scalars(select(ProviderCopy.sid)) if sid}


async def erased(work: Work, boss: Staff, request: DataRequest) -> None:
    await approved(work, boss, request)
    await erase(work, request)


@pytest.mark.situation
async def test_the_texts_of_a_held_conversation_stay_at_the_provider(work: Work) -> None:
    boss, call, contact = await a_person(work)
    texts_of(work, call)
    # The other call of the number is not held.
    await planted.a_call(work, "CA2")
    await flush(work)
    as_person(work, boss)
    await hold(work, None, HeldKind.CONTACT, contact.id, "A court asks for it.")
    request = await found_by(work, boss)
    await erased(work, boss, request)
    assert request.kept == {"legal_hold": 9}
    # A text of long ago is known here no more: the provider is not even asked.
    assert await copies.numbers_to_ask(work, request.id) == []
    # A hold that comes while the provider is asked keeps them, too.
    await copies.note_copies(work, request.id, OF_CONVERSATION, asked=True)
    assert await noted(work) == {"CA2", "RECA2"}


@nightly
@pytest.mark.situation(by=a_caller)
async def test_a_conversation_that_the_officer_keeps_stays_at_the_provider(work: Work) -> None:
    """The other call of the number is erased, here and there."""
    boss, call, _ = await a_caller(work)
    texts_of(work, call)
    other = await planted.a_call(work, "CA2")
    assert other.caller_key == call.caller_key
    await flush(work)
    request = await found_by(work, boss)
    keep = {(ItemKind.CALL, call.id): Keep.ANOTHER_PERSON}
    as_person(work, boss)
    await requests.set_kept(work, boss, request.id, keep)
    await erased(work, boss, request)
    assert await copies.numbers_to_ask(work, request.id) == []
    await copies.note_copies(work, request.id, OF_CONVERSATION, asked=True)
    assert await noted(work) == {"CA2", "RECA1", "RECA2"}


@pytest.mark.situation(by=a_caller)
async def test_who_rings_again_loses_nothing_of_the_new_call(work: Work) -> None:
    boss, _, _ = await a_caller(work)
    request = await found_by(work, boss)
    await erased(work, boss, request)
    work.now += timedelta(minutes=1)
    again = await planted.a_call(work, "CA3")
    texts_of(work, again)
    await flush(work)
    assert await copies.numbers_to_ask(work, request.id) == [NUMBER]
    found = [*OF_CONVERSATION, Copy(CopyKind.CALL, "CA3"), Copy(CopyKind.MESSAGE, "SMOLD")]
    await copies.note_copies(work, request.id, found, asked=True)
    assert await noted(work) == {"CA1", "RECA1", "RENOROW", "SMOLD"}


@pytest.mark.situation
async def test_a_ring_about_two_children_goes_with_the_referral_of_the_last(work: Work) -> None:
    """What an agency was rung and texted for a referral is deleted; an e-mail is no such copy."""
    boss, _, contact = await a_person(work)
    (referral,) = await work.session.scalars(
        select(Referral).where(Referral.contact_id == contact.id)
    )
    agency = await agency_of_code(work, "first")
    sister = await a_referral(work, boss)
    sister.opened_together = referral.opened_together
    for kind in ChannelKind.PHONE, ChannelKind.SMS, ChannelKind.EMAIL:
        attempt = await add_attempt(work, referral, agency, kind, "+381113000001")
        attempt.sending, attempt.provider_sid = "sent", f"AT{kind.value}"
    await flush(work)
    request = await found_by(work, boss)
    await erased(work, boss, request)
    # Also if the provider lists them under the number that was looked for.
    of_both = [Copy(CopyKind.CALL, "ATphone"), Copy(CopyKind.MESSAGE, "ATsms")]
    await copies.note_copies(work, request.id, of_both, asked=True)
    assert not {sid for sid in await noted(work) if sid.startswith("AT")}
    sister.erased_at = work.now
    await flush(work)
    await wanted_copies.of_referrals(work, request.id, [sister.id])
    found = {sid for sid in await noted(work) if sid.startswith("AT")}
    assert found == {"ATphone", "ATsms"}


@pytest.mark.situation(by=a_caller)
async def test_the_leg_of_a_third_party_who_is_kept_stays(work: Work) -> None:
    boss, call, _ = await a_caller(work)
    kept, gone = uuid4(), uuid4()
    for who in (kept, gone, None):
        work.session.add(
            Leg(
                id=uuid4(),
                call_id=call.id,
                offer_id=uuid4(),
                participant_id=who,
                sending="sent",
                provider_sid=f"CA-{who}",
                created_at=work.now,
            )
        )
    request = await found_by(work, boss)
    work.session.add(
        RequestItem(
            request_id=request.id,
            kind=ItemKind.THIRD_PARTY.value,
            subject_id=kept,
            because="call",
            label="",
            at=work.now,
            keep=Keep.ANOTHER_PERSON.value,
        )
    )
    await flush(work)
    await erased(work, boss, request)
    assert {sid for sid in await noted(work) if "-" in sid} == {"CA-None", f"CA-{gone}"}


@pytest.mark.situation
async def test_the_provider_is_asked_for_the_report_of_a_child_whose_number_is_its_own(
    work: Work,
) -> None:
    """Not for one who may hurt the child, and of a shared number only for calls that are shown."""
    boss, _, _ = await a_person(work)
    other = await planted.a_call(work, "CA2")
    await flush(work)
    own = await found_by(work, boss, kind=RequestKind.ACCESS)
    shared = await found_by(work, boss, kind=RequestKind.ACCESS)
    keep = {(ItemKind.CALL, other.id): Keep.ANOTHER_PERSON}
    await requests.set_kept(work, boss, shared.id, keep)
    guardians = await found_by(work, boss, kind=RequestKind.ACCESS)
    guardians.person = AskingPerson.GUARDIAN.value
    for request in own, shared, guardians:
        await approved(work, boss, request)
    assert await copies.to_ask(work, own.id) == ([NUMBER], ["CA1", "CA2"])
    assert await copies.to_ask(work, shared.id) == ([], ["CA1"])
    assert await copies.to_ask(work, guardians.id) == ([], [])
