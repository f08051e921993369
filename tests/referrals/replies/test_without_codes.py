"""Where no code goes by telephone: what is sent still goes, and the owner is asked to ring."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from app.errors import Conflict
from app.outbox.channels import ChannelKind
from app.referrals.channels import links
from app.referrals.channels.attempts import payload_of
from app.referrals.channels.models import Attempt, Link
from app.referrals.directory.models import Agency
from app.referrals.models import Notice, Referral
from app.referrals.printing import confirm_in_writing
from app.referrals.replies import replying
from app.referrals.replies.links import answer_question
from app.referrals.states import NoticeKind, Purpose
from app.referrals.trail import By, Via
from app.staff.models import Staff
from app.work import Work
from tests.support.verbs import a_counsellor, a_referral, an_agency, recipient_of

_MAIL, _SMS = "a@house.example", "+381640000001"


async def _rings(work: Work) -> list[str]:
    await work.session.flush()
    found = await work.session.scalars(
        select(Notice).where(Notice.kind == NoticeKind.RING_THEM).order_by(Notice.at)
    )
    return [f"{notice.for_whom} {notice.detail['purpose']}" for notice in found]


async def _sent(work: Work, *, email: str | None, sms: str | None) -> tuple[Staff, Referral]:
    work.settings.codes_by_telephone = False
    await an_agency(work, "house")
    ana = await a_counsellor(work, "ana")
    referral = await a_referral(work, ana)
    agency = await work.session.scalar(select(Agency).where(Agency.code == "house"))
    assert agency is not None
    agency.email, agency.sms = email, sms
    await work.session.execute(delete(Attempt))
    await work.session.execute(delete(Link))
    return ana, referral


@pytest.mark.parametrize("how", [Via.PHONE, Via.LINK])
@pytest.mark.parametrize(
    ("email", "sms"), [(_MAIL, None), (None, _SMS), (_MAIL, _SMS)], ids=["mail", "sms", "both"]
)
async def test_the_link_goes_without_a_code_and_the_owner_is_asked_to_ring(
    work: Work, email: str | None, sms: str | None, how: Via
) -> None:
    ana, referral = await _sent(work, email=email, sms=sms)
    agency = await work.session.get_one(Agency, referral.agency_id)
    recipient = await recipient_of(work, referral)
    by = By(how, agency.code, phone="+381113000001" if how is Via.PHONE else "")
    assert await replying.acknowledge(work, referral, recipient, by) is None
    both = email is not None and sms is not None
    assert await _rings(work) == ([] if both else ["owner details"])
    if how is Via.PHONE:
        await _links_went_without_a_code_by_telephone(work, both=both)
    if both:
        return
    # Neither an answer nor the form is lost: what the agency could not open is not sent for it.
    await answer_question(work, referral, agency.code, "Yes.", By(Via.BY_HAND))
    assert await _rings(work) == ["owner details"] * 2
    if how is Via.PHONE:
        with pytest.raises(Conflict, match="on paper"):
            await confirm_in_writing(work, ana, referral.id, on_paper=False)


async def _links_went_without_a_code_by_telephone(work: Work, *, both: bool) -> None:
    sent = list(await work.session.scalars(select(Attempt)))
    assert len(sent) == (2 if both else 1)
    for attempt in sent:
        assert attempt.purpose == Purpose.LINK
        payload = payload_of(work, attempt)
        assert payload["token"]
        assert (payload["code"] is not None) == (both and attempt.kind == ChannelKind.EMAIL)
    channels = set(await work.session.scalars(select(Link.code_channel)))
    assert channels == ({None, ChannelKind.EMAIL} if both else {None})


async def test_no_code_that_is_asked_for_goes_by_telephone(work: Work) -> None:
    _, referral = await _sent(work, email=_MAIL, sms=_SMS)
    agency = await work.session.get_one(Agency, referral.agency_id)
    assert referral.recipient_id is not None
    lives = timedelta(days=1)
    await links.send_links(work, referral, agency, referral.recipient_id, lives=lives)
    work.now += timedelta(minutes=2)
    ways = {
        link.channel: await links.send_code(work, referral, agency, link)
        for link in list(await work.session.scalars(select(Link)))
    }
    assert ways == {ChannelKind.EMAIL: None, ChannelKind.SMS: ChannelKind.EMAIL}
