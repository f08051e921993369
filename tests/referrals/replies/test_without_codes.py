"""Where no code goes by telephone or e-mail: what is sent still goes, and the owner is asked to
ring."""

from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from sqlalchemy import delete, select

from app.contacts.saving import Change
from app.errors import Conflict
from app.outbox.channels import ChannelKind
from app.referrals import staff_actions
from app.referrals.channels import links
from app.referrals.channels.attempts import add_attempt, payload_of
from app.referrals.channels.email.sending import EmailOnce
from app.referrals.channels.models import Attempt, Link
from app.referrals.channels.sending import words_of
from app.referrals.directory.models import Agency
from app.referrals.escalation import alarms
from app.referrals.models import Notice, Referral
from app.referrals.printing import confirm_in_writing
from app.referrals.replies import details, link_codes, replying
from app.referrals.replies.links import Step, StepByLink, answer_question, take_step, visit
from app.referrals.staff_actions import ToldByAgency
from app.referrals.states import AttemptResult, NoticeKind, Purpose, ToldHow
from app.referrals.trail import By, Via
from app.routing.alarm_rows import Alarm, AlarmAttempt, AlarmKind
from app.routing.rota import unstaffed_alarms
from app.staff import phone_proofs
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.telephony.duty_phones import alarm_calls, duty
from app.telephony.duty_phones.duty_sms import DutySms
from app.telephony.provider.signature import Signed
from app.telephony.steps import Say
from app.words.without_codes import ONLY_A_PIN
from app.work import Work
from tests.support.calls.lines import a_line
from tests.support.profile import each_once
from tests.support.verbs import a_counsellor, a_referral, an_agency, recipient_of

_DAY = timedelta(days=1)
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


@pytest.mark.parametrize(
    ("how", "ways"),
    each_once([Via.PHONE, Via.LINK], [(_MAIL, None), (None, _SMS), (_MAIL, _SMS)]),
)
async def test_the_link_goes_without_a_code_and_the_owner_is_asked_to_ring(
    work: Work, how: Via, ways: tuple[str | None, str | None]
) -> None:
    email, sms = ways
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


async def test_a_second_update_asks_the_owner_again(work: Work) -> None:
    _, referral = await _sent(work, email=_MAIL, sms=None)
    agency = await work.session.get_one(Agency, referral.agency_id)
    recipient = await recipient_of(work, referral)
    by = By(Via.PHONE, agency.code, phone="+381113000001")
    await replying.acknowledge(work, referral, recipient, by)
    work.now += timedelta(minutes=5)
    await details.note_opened(work, referral, recipient, ToldHow.BY_TELEPHONE)
    for seen in (True, False, False):
        work.now += timedelta(minutes=10)
        referral.update_due_at = work.now
        await work.session.flush()
        await details.announce_update(work, referral.id)
        if seen:
            for notice in await work.session.scalars(select(Notice)):
                notice.seen_at = work.now
    assert await _rings(work) == ["owner details"] * 3, "and not again while it is unseen"


@pytest.mark.parametrize("is_confirmed_since", [False, True])
async def test_an_agency_that_was_told_all_before_it_acknowledged_is_not_rung(
    work: Work, is_confirmed_since: bool
) -> None:
    ana, referral = await _sent(work, email=_MAIL, sms=None)
    work.actor = actor_of(ana)
    agency = await work.session.get_one(Agency, referral.agency_id)
    recipient = await recipient_of(work, referral)
    await staff_actions.save(work, ana, referral.id, [Change("child.name", "Mina", 0)])
    # What only came close in the contact is told after the owner has confirmed it.
    referral.to_confirm = ["child.name"] if is_confirmed_since else []
    told = ToldByAgency(agency.code, "Vera")
    await staff_actions.note_handover(
        work, ana, referral.id, "Told", told, None, "", details_told=True
    )
    if is_confirmed_since:
        await staff_actions.confirm(work, ana, referral.id, ["child.name"])
    await replying.acknowledge(work, referral, recipient, By(Via.LINK, agency.code))
    assert await _rings(work) == (["owner details"] if is_confirmed_since else [])


async def _read_out(work: Work, *, to: str) -> tuple[Referral, Agency, str]:
    """Refer to an agency with a number alone, and read a code out. Return all three."""
    _, referral = await _sent(work, email=None, sms=_SMS)
    work.settings.codes_by_telephone = True
    agency = await work.session.get_one(Agency, referral.agency_id)
    assert referral.recipient_id is not None
    code = await links.send_links_with_code(
        work, referral, agency, referral.recipient_id, lives=_DAY, read_out_to=to
    )
    return referral, agency, code


async def test_a_proof_by_a_code_by_telephone_counts_no_more_when_another_is_asked_for(
    work: Work,
) -> None:
    _, agency, code = await _read_out(work, to="+381113000001")
    (sent,) = await work.session.scalars(select(Attempt))
    token = payload_of(work, sent)["token"]
    proof = await link_codes.prove(work, token, code)
    assert proof
    work.settings.codes_by_telephone = False
    agency.email = _MAIL
    work.now += timedelta(minutes=5)
    assert await link_codes.ask_for_code(work, token)
    assert not (await visit(work, token, proof)).proven


async def test_a_code_of_a_call_proves_no_link_with_another_code_once_none_counts(
    work: Work,
) -> None:
    """It was entered at a newer link, whose own code came by e-mail and was not used yet."""
    referral, agency, heard = await _read_out(work, to=_SMS)
    agency.email = _MAIL
    work.now += timedelta(minutes=5)
    await links.send_links(work, referral, agency, referral.recipient_id, lives=_DAY)
    sent = await work.session.scalars(select(Attempt).order_by(Attempt.wanted_at))
    of = {one.kind: payload_of(work, one) for one in sent}
    token, own = of[ChannelKind.SMS]["token"], of[ChannelKind.EMAIL]["code"]
    proof = await link_codes.prove(work, token, heard)
    assert proof
    assert (await visit(work, token, proof)).proven
    work.settings.codes_by_telephone = False
    assert not (await visit(work, token, proof)).proven
    # Its own code counts as before.
    proof = await link_codes.prove(work, token, own)
    assert proof
    assert (await visit(work, token, proof)).proven


async def test_a_code_that_waits_at_the_switch_is_neither_texted_nor_read_out(work: Work) -> None:
    _, referral = await _sent(work, email=_MAIL, sms=_SMS)
    work.settings.codes_by_telephone = True
    agency = await work.session.get_one(Agency, referral.agency_id)
    assert referral.recipient_id is not None
    lives = timedelta(days=1)
    await links.send_links(work, referral, agency, referral.recipient_id, lives=lives)
    of = {one.kind: one for one in await work.session.scalars(select(Attempt))}
    assert payload_of(work, of[ChannelKind.SMS])["code"]
    asked = [
        await add_attempt(
            work,
            referral,
            agency,
            kind,
            _SMS,
            purpose=Purpose.CODE,
            recipient_id=referral.recipient_id,
            payload={"code": "123456"},
        )
        for kind in (ChannelKind.SMS, ChannelKind.PHONE)
    ]
    # A person has taken it by key, and the document with the code is asked for again.
    taken = await add_attempt(
        work, referral, agency, ChannelKind.PHONE, "+381113000001", payload={"code": "654321"}
    )
    taken.result = AttemptResult.ACKNOWLEDGED
    ending = partial(duty.lifted, work, taken.id, Signed({}, "/"))
    assert "6 5 4 3 2 1" in str(await ending())
    work.settings.codes_by_telephone = False
    assert "6 5 4 3 2 1" not in str(await ending())
    for kind, goes in ((ChannelKind.SMS, False), (ChannelKind.EMAIL, True)):
        _, body = await words_of(work, referral, of[kind])
        assert "/r/" in body
        assert (str(payload_of(work, of[kind])["code"]) in body) is goes
    sent = DutySms.__new__(DutySms)
    sent.referral = referral
    assert not await sent.prepare(work, asked[0])
    heard = await duty.pressed(work, asked[1].id, Signed({"Digits": "1"}, "/"), 1)
    assert "1 2 3 4 5 6" not in str(heard)
    # The owner is told of both, as of each message that could not be delivered.
    assert [one.result for one in asked] == [AttemptResult.FAILED] * 2
    await work.session.flush()
    told = select(Notice.for_whom).where(Notice.kind == NoticeKind.UNDELIVERED)
    assert list(await work.session.scalars(told)) == ["owner"] * 2


async def test_key_1_of_a_phone_whose_pin_does_not_count_is_told_so_and_locks_nothing(
    work: Work,
) -> None:
    _, referral = await _sent(work, email=_MAIL, sms=None)
    agency = await work.session.get_one(Agency, referral.agency_id)
    vera = await a_counsellor(work, "vera", endpoint="+381641112224")
    await phone_proofs.set_pin(work, vera, "283746")
    attempt = await add_attempt(work, referral, agency, ChannelKind.PHONE, "+381641112224")
    said = await duty.pressed(work, attempt.id, Signed({"Digits": "1"}, "/"), 1)
    assert ONLY_A_PIN in [step.text for step in said if isinstance(step, Say)]
    assert attempt.result == AttemptResult.NOT_CONFIRMED
    alarm = await _alarm_of(work, vera)
    said = await alarm_calls.pressed(work, alarm.id, Signed({"Digits": "1"}, "/"), 1)
    assert ONLY_A_PIN in [step.text for step in said if isinstance(step, Say)]
    assert alarm.result == AttemptResult.NOT_CONFIRMED
    for _ in range(6):
        found = await phone_proofs.prove(work, vera, "283746")
        assert found is phone_proofs.EntryResult.WRONG


async def _alarm_of(work: Work, owner: Staff) -> AlarmAttempt:
    await a_line(work, languages=["en"])
    kind = AlarmKind.OVERRIDE_NOT_SEEN
    await unstaffed_alarms.open_alarm(work, kind, subject_id=uuid4(), owner_id=owner.id)
    await work.session.flush()
    await alarms.escalate(work, (await work.session.scalars(select(Alarm))).one())
    return (await work.session.scalars(select(AlarmAttempt))).one()


async def test_a_browser_that_a_texted_code_proved_is_proven_no_more(work: Work) -> None:
    _, referral = await _sent(work, email=_MAIL, sms=_SMS)
    work.settings.codes_by_telephone = True
    agency = await work.session.get_one(Agency, referral.agency_id)
    assert referral.recipient_id is not None
    lives = timedelta(days=1)
    await links.send_links(work, referral, agency, referral.recipient_id, lives=lives)
    of = {one.kind: payload_of(work, one) for one in await work.session.scalars(select(Attempt))}
    mail, text = of[ChannelKind.EMAIL], of[ChannelKind.SMS]
    proofs = [
        (one["token"], await link_codes.prove(work, one["token"], other["code"]) or "")
        for one, other in ((mail, text), (text, mail))
    ]
    assert [(await visit(work, *one)).proven for one in proofs] == [True, True]
    work.settings.codes_by_telephone = False
    assert [(await visit(work, *one)).proven for one in proofs] == [False, True]


async def _both_ways(work: Work) -> tuple[Referral, dict[str, Attempt]]:
    """Links by e-mail and SMS that were sent while codes went by both."""
    _, referral = await _sent(work, email=_MAIL, sms=_SMS)
    work.settings.codes_by_telephone = True
    agency = await work.session.get_one(Agency, referral.agency_id)
    lives = timedelta(days=1)
    await links.send_links(work, referral, agency, referral.recipient_id, lives=lives)
    return referral, {one.kind: one for one in await work.session.scalars(select(Attempt))}


async def test_where_no_code_goes_by_mail_a_code_by_telephone_opens_what_it_can(
    work: Work,
) -> None:
    referral, of = await _both_ways(work)
    mail, text = payload_of(work, of[ChannelKind.EMAIL]), payload_of(work, of[ChannelKind.SMS])
    proof = await link_codes.prove(work, text["token"], mail["code"]) or ""
    assert (await visit(work, text["token"], proof)).proven
    work.settings.codes_by_mail = False
    # What came by mail counts no more, and what waits goes without.
    assert not (await visit(work, text["token"], proof)).proven
    for kind, goes in ((ChannelKind.EMAIL, False), (ChannelKind.SMS, True)):
        _, body = await words_of(work, referral, of[kind])
        assert "/r/" in body
        assert (str(payload_of(work, of[kind])["code"]) in body) is goes
    asked = await add_attempt(
        work,
        referral,
        await work.session.get_one(Agency, referral.agency_id),
        ChannelKind.EMAIL,
        _MAIL,
        purpose=Purpose.CODE,
        recipient_id=referral.recipient_id,
        payload={"code": "123456"},
    )
    sent = EmailOnce.__new__(EmailOnce)
    sent.referral = referral
    assert not await sent.prepare(work, asked)
    # At the link of the SMS, no code can be asked for: its page says to ring.
    assert not (await visit(work, text["token"])).has_code
    work.now += timedelta(minutes=2)
    with pytest.raises(Conflict, match="no second channel"):
        await link_codes.ask_for_code(work, text["token"])
    assert (await visit(work, mail["token"])).has_code
    assert await link_codes.prove(work, mail["token"], text["code"])


async def test_where_no_code_goes_at_all_each_step_stays_and_the_owner_is_asked_to_ring(
    work: Work,
) -> None:
    _, of = await _both_ways(work)
    work.settings.codes_by_telephone = work.settings.codes_by_mail = False
    token = payload_of(work, of[ChannelKind.EMAIL])["token"]
    for step in (StepByLink.ACKNOWLEDGE, StepByLink.ACCEPT):
        assert not (await visit(work, token)).has_code
        token = await take_step(work, token, Step(step, "Mira"))
    assert await _rings(work) == ["owner details"]


async def test_a_code_that_was_heard_is_entered_at_a_link_that_can_have_none(work: Work) -> None:
    """Of an agency with one telephone, for SMS and calls, where no code goes by e-mail."""
    _, referral = await _sent(work, email=None, sms=_SMS)
    work.settings.codes_by_telephone, work.settings.codes_by_mail = True, False
    agency = await work.session.get_one(Agency, referral.agency_id)
    assert referral.recipient_id is not None
    to = work, referral, agency, referral.recipient_id
    lives = timedelta(days=1)
    code = await links.send_links_with_code(*to, lives=lives, read_out_to=_SMS)
    await links.send_links(*to, lives=lives)
    tokens = [payload_of(work, one)["token"] for one in await work.session.scalars(select(Attempt))]
    assert [(await visit(work, one)).has_code for one in tokens] == [True, True]
    # It is to be entered: no other is offered, which the agency could not get.
    assert not (await visit(work, tokens[-1])).code_is_over
    # Once it was entered, or is over, its page says to ring.
    assert await link_codes.prove(work, tokens[-1], code)
    for by_mail in (False, True):
        work.settings.codes_by_mail = by_mail
        assert [(await visit(work, one)).has_code for one in tokens] == [False, False]
