"""An offer is accepted once, and every other counsellor is free again."""

from typing import Any

import pytest
from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql

from app.calls.log_kinds import Cause
from app.calls.models import Leg
from app.calls.states import CallState
from app.database.topics import Topic
from app.routing import offers
from app.routing.models import OfferState, PresenceState
from app.routing.offers import OfferNoLongerOpen
from app.work import Work
from tests.support.verbs import a_counsellor, a_waiting_call, offered, presence_of


@pytest.mark.parametrize(
    ("statement", "order"),
    [
        (offers.BOTH, "calls, offers"),
        (offers.BOTH_WITH_EARLIER, "calls, offers"),
        (offers.OWN, "calls, offers"),
        (offers.WITH_LEG, "calls, offers, legs"),
        (offers.WITH_LEG_AND_EARLIER, "calls, offers, legs"),
    ],
)
def test_rows_are_locked_in_the_order_of_all_verbs(statement: Select[Any], order: str) -> None:
    """PostgreSQL locks the rows of a statement in the order in which it names their tables."""
    sent = str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert sent.endswith(f"FOR UPDATE OF {order}")


async def test_an_offered_call_is_accepted_once_however_often_it_is_said(work: Work) -> None:
    call = await a_waiting_call(work)
    ana = await a_counsellor(work, "ana")
    (offer,) = await offered(work, call, ana)
    assert (call.state, (await presence_of(work, ana)).state) == (
        CallState.OFFERED,
        PresenceState.OFFERED,
    )
    for _ in range(2):
        await offers.accept_offer(work, call, offer)
    assert offer.state == OfferState.ACCEPTED
    assert (await presence_of(work, ana)).state == PresenceState.ON_CALL
    joins = [job for job in work.jobs if job.task == "telephony:join_counsellor"]
    assert len(joins) == 1, "the phone rings once"


async def test_of_two_counsellors_the_first_gets_the_call(work: Work) -> None:
    call = await a_waiting_call(work, danger=True)
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    first, second = await offered(work, call, ana, boris)
    await offers.accept_offer(work, call, second)
    with pytest.raises(OfferNoLongerOpen):
        await offers.accept_offer(work, call, first)
    assert (first.state, second.state) == (OfferState.OPEN, OfferState.ACCEPTED)


async def test_once_they_talk_it_rings_at_the_others_no_more_and_their_pages_are_told(
    work: Work,
) -> None:
    call = await a_waiting_call(work, danger=True)
    ana, boris = await a_counsellor(work, "ana"), await a_counsellor(work, "boris")
    others, taken = await offered(work, call, ana, boris)
    await offers.accept_offer(work, call, taken)
    work.topics.clear()
    await offers.connect_offer(work, call, taken, at=work.now)
    assert (others.state, taken.state) == (OfferState.WITHDRAWN, OfferState.CONNECTED)
    assert (await presence_of(work, ana)).state == PresenceState.AVAILABLE
    assert str(Topic.OFFERS.of(ana.id)) in {str(topic) for topic in work.topics}


async def test_a_declined_call_waits_on_and_its_counsellor_stays_available(work: Work) -> None:
    call = await a_waiting_call(work)
    ana = await a_counsellor(work, "ana")
    (offer,) = await offered(work, call, ana)
    await offers.decline_offer(work, call, offer)
    assert (call.state, offer.state) == (CallState.QUEUED, OfferState.DECLINED)
    assert (await presence_of(work, ana)).state == PresenceState.AVAILABLE
    with pytest.raises(OfferNoLongerOpen):
        await offers.accept_offer(work, call, offer)


async def test_a_browser_is_away_after_one_missed_offer_and_a_phone_after_three(
    work: Work,
) -> None:
    call = await a_waiting_call(work)
    ana = await a_counsellor(work, "ana")
    vera = await a_counsellor(work, "vera", "+381649990001")
    await a_counsellor(work, "boris")
    (offer,) = await offered(work, call, ana)
    await offers.miss_offer(work, call, offer, Cause.MISSED)
    assert (await presence_of(work, ana)).state == PresenceState.AWAY
    for missed in (1, 2, 3):
        assert (await presence_of(work, vera)).state == PresenceState.AVAILABLE, missed
        (offer,) = await offered(work, call, vera)
        legs = await work.session.scalars(select(Leg).where(Leg.offer_id == offer.id))
        for leg in legs:
            leg.provider_sid, leg.status = f"CA{missed}", "no-answer"
        await offers.miss_offer(work, call, offer, Cause.MISSED)
    assert (await presence_of(work, vera)).state == PresenceState.AWAY


async def test_a_miss_by_our_own_fault_counts_against_no_counsellor(work: Work) -> None:
    call = await a_waiting_call(work)
    ana = await a_counsellor(work, "ana")
    (offer,) = await offered(work, call, ana)
    await offers.miss_offer(work, call, offer, Cause.RING_HEARD_LATE, our_fault=True)
    presence = await presence_of(work, ana)
    assert (presence.state, presence.missed) == (PresenceState.AVAILABLE, 0)
    assert offer.state == OfferState.WITHDRAWN
    assert call.state == CallState.QUEUED
