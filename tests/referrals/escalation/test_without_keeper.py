"""While the keeper of the keys is away, an escalation goes on with the phones that are known."""

import pytest
from sqlalchemy import select

from app.privacy.keeper.client import KeeperAway
from app.referrals import reading
from app.referrals.channels.models import Attempt
from app.referrals.directory.agencies import save_agency
from app.referrals.directory.entries import Entry, Phone
from app.referrals.escalation.trying import escalate_on
from app.referrals.reading import ReferralsWanted
from app.referrals.replies import replying
from app.referrals.states import RecipientState, RejectionReason
from app.referrals.trail import By, Via
from app.work import Work
from tests.support.verbs import a_line, a_referral, a_supervisor, recipient_of

PHONES = ("+381113000001", "+381113000002")


async def test_phones_that_are_known_are_rung_while_the_keeper_is_away(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_line(work)
    boss = await a_supervisor(work)
    phones = tuple(Phone(number) for number in PHONES)
    house = Entry("house", "House", "shelter", ("shelter",), duty_phones=phones)
    await save_agency(work, house)
    referral = await a_referral(work, boss)
    (line,) = await reading.referrals(work, boss, ReferralsWanted())
    assert line.service == "shelter"

    def away(*_: object) -> list[bytes]:
        raise KeeperAway()

    monkeypatch.setattr(work.keys, "open_together", away)
    work.opened_codes.clear()
    await escalate_on(work, referral)
    attempts = select(Attempt.target).order_by(Attempt.number)
    assert tuple(await work.session.scalars(attempts)) == PHONES
    with pytest.raises(KeeperAway):
        # No other phone is known: the job tries again until the keeper is back.
        await escalate_on(work, referral)
    # The list is there without the service, and a rejection counts at once.
    (line,) = await reading.referrals(work, boss, ReferralsWanted())
    assert line.service == ""
    recipient = await recipient_of(work, referral)
    by = By(Via.PHONE, "house")
    await replying.reject(work, referral, recipient, RejectionReason.NO_CAPACITY, by)
    assert recipient.state == RecipientState.REJECTED
    assert referral.escalates_at is not None
    assert referral.escalates_at > work.now
