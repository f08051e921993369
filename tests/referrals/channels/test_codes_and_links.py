"""The code of a link never goes the way of the link: reading one mailbox gives nothing."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from app.outbox.channels import ChannelKind
from app.privacy.hash_kinds import HashOf
from app.referrals.channels import links
from app.referrals.channels.attempts import payload_of
from app.referrals.channels.models import Attempt, Link
from app.referrals.directory.models import Agency
from app.referrals.states import Purpose
from app.work import Work
from tests.support.verbs import a_counsellor, a_referral, an_agency

pytestmark = pytest.mark.whole

_MAIL, _SMS = "a@house.example", "+381640000001"
_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("email", "sms"), [(_MAIL, None), (None, _SMS), (_MAIL, _SMS)], ids=["mail", "sms", "both"]
)
async def test_no_code_goes_the_way_of_its_link(
    work: Work, email: str | None, sms: str | None
) -> None:
    await an_agency(work, "house")
    ana = await a_counsellor(work, "ana")
    referral = await a_referral(work, ana)
    agency = await work.session.scalar(select(Agency).where(Agency.code == "house"))
    assert agency is not None
    assert referral.recipient_id is not None
    await work.session.execute(delete(Attempt))
    await work.session.execute(delete(Link))
    agency.email, agency.sms = email, sms
    await links.send_links(work, referral, agency, referral.recipient_id, lives=_DAY)
    for link in list(await work.session.scalars(select(Link))):
        for changed in (False, True):
            # Also if the address is another one by the time the code is asked for.
            agency.email = "b@house.example" if changed and email else agency.email
            work.now += timedelta(minutes=2)
            assert await links.send_code(work, referral, agency, link) != link.channel
    await work.session.flush()
    sent = [
        (attempt, payload_of(work, attempt))
        for attempt in await work.session.scalars(select(Attempt))
    ]
    made = list(await work.session.scalars(select(Link)))
    assert len(made) == (email is not None) + (sms is not None)
    for attempt, payload in sent:
        if attempt.purpose == Purpose.CODE:
            assert "token" not in payload
            continue
        (own,) = (
            one
            for one in made
            if one.token_key in work.keys.match_keys(HashOf.LINK, payload["token"])
        )
        assert own.channel == attempt.kind
        assert own.code_channel != own.channel
        if payload["code"] is not None:
            assert payload["code_of"] != own.channel
    if len(made) > 1:
        return
    # With one way alone there is no code in writing: it is read out on the telephone.
    assert all(attempt.purpose != Purpose.CODE for attempt, _ in sent)
    assert await links.send_links_with_code(
        work, referral, agency, referral.recipient_id, lives=_DAY, read_out_to=None
    )
    ways = await work.session.scalars(select(Link.code_channel))
    assert set(ways) == {None, ChannelKind.PHONE.value}
