"""A code of an agency ends ten minutes after it was sent, and a new one can be asked for."""

from datetime import timedelta

from sqlalchemy import select

from app.outbox.channels import ChannelKind
from app.referrals.channels import links
from app.referrals.channels.attempts import payload_of
from app.referrals.channels.models import Attempt
from app.referrals.directory.models import Agency
from app.referrals.models import Referral
from app.referrals.replies import link_codes
from app.referrals.replies.links import Step, StepByLink, take_step, visit
from app.referrals.states import Purpose
from app.telephony.duty_phones import duty
from app.telephony.duty_phones.duty_sms import DutySms
from app.telephony.provider.signature import Signed
from app.work import Work
from tests.support.verbs import a_counsellor, a_referral, an_agency

_LIVES = timedelta(minutes=10)
_MOMENT = timedelta(seconds=1)


async def _sent(work: Work) -> tuple[Referral, dict[str, Attempt]]:
    """A referral whose agency is written to by e-mail and SMS: the message of each."""
    await an_agency(work, "house")
    referral = await a_referral(work, await a_counsellor(work, "ana"))
    agency = await work.session.get_one(Agency, referral.agency_id)
    agency.email, agency.sms = "a@house.example", "+381640000001"
    before = set(await work.session.scalars(select(Attempt.id)))
    lives = timedelta(days=2)
    await links.send_links(work, referral, agency, referral.recipient_id, lives=lives)
    rows = await work.session.scalars(select(Attempt).where(Attempt.id.not_in(before)))
    return referral, {row.kind: row for row in rows}


def _said(work: Work, row: Attempt, what: str) -> str:
    return str(payload_of(work, row)[what])


async def _asked(work: Work, token: str) -> Attempt:
    await link_codes.ask_for_code(work, token)
    rows = select(Attempt).where(Attempt.purpose == Purpose.CODE).order_by(Attempt.wanted_at)
    return (await work.session.scalars(rows)).all()[-1]


async def test_a_code_of_an_agency_lives_ten_minutes_by_whatever_channel(work: Work) -> None:
    _, of = await _sent(work)
    mail, text = of[ChannelKind.EMAIL], of[ChannelKind.SMS]
    by_mail, by_text = _said(work, mail, "token"), _said(work, text, "token")
    texted = _said(work, text, "code")
    assert not (await visit(work, by_mail)).code_is_over
    work.now += _LIVES - _MOMENT
    proof = await link_codes.prove(work, by_text, _said(work, mail, "code"))
    assert proof
    # A step gives the code that was not used no more time.
    step = Step(StepByLink.ACKNOWLEDGE, "Mira")
    by_mail = await take_step(work, by_mail, step)
    work.now += _MOMENT
    assert (await visit(work, by_mail)).code_is_over
    assert await link_codes.prove(work, by_mail, texted) is None
    # A new one is asked for at once, and lives as long; what was proven stays proven.
    for waits, opens in ((_LIVES, False), (_LIVES - _MOMENT, True)):
        asked = await _asked(work, by_mail)
        assert not (await visit(work, by_mail)).code_is_over
        work.now += waits
        found = await link_codes.prove(work, by_mail, _said(work, asked, "code"))
        assert (found is not None) is opens
    assert (await visit(work, by_text, proof)).proven


async def test_the_time_of_a_code_begins_when_its_message_goes_out_and_when_it_is_said(
    work: Work,
) -> None:
    referral, of = await _sent(work)
    mail, text = of[ChannelKind.EMAIL], of[ChannelKind.SMS]
    work.now += timedelta(hours=1)
    token = _said(work, mail, "token")
    sent = DutySms.__new__(DutySms)
    sent.referral, code = referral, _said(work, text, "code")
    assert await link_codes.prove(work, token, code) is None
    assert code in (await sent.words(work, text))[1]
    work.now += _LIVES - _MOMENT
    assert await link_codes.prove(work, token, code)
    # The telephone is rung for a code until a person presses a key.
    asked = await _asked(work, token)
    asked.kind = ChannelKind.PHONE
    code = _said(work, asked, "code")
    work.now += timedelta(hours=1)
    heard = await duty.pressed(work, asked.id, Signed({"Digits": "1"}, "/"), 1)
    assert " ".join(code) in str(heard)
    # It is said of which referral it is: a duty worker may have two links.
    assert f"{' '.join(referral.code.replace('-', ''))}. Your code is" in str(heard)
    work.now += _LIVES - _MOMENT
    assert await link_codes.prove(work, token, code)
