"""What fails on the way to an agency, and that nothing is forgotten by it."""

import asyncio

import pytest
from sqlalchemy import select, update

from app.demo.stage import Stage
from app.jobs.app import PLACES
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.referrals.channels.models import Attempt
from app.telephony.outgoing import known_sids
from app.work import PROGRAM
from tests.support.contacts import skip_minutes
from tests.support.kept import sharing
from tests.support.mail import Mail, link_in
from tests.support.profile import WHOLE, nightly
from tests.support.referrals import (
    ADDRESSES,
    CONSENT,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    phone,
    referral_of,
    story,
)
from tests.support.systems import Receiver, with_system


# By day where no person is reached.
@pytest.mark.parametrize("down", ["sms", "mail", "both"] if WHOLE else ["both"])
async def test_a_referral_goes_another_way_while_a_gateway_is_down(
    night: Stage, post: Mail, down: str
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", **ADDRESSES)
    await add_agency(night, "other", "shelter", phones=("+381113000009",))
    texts = phone(night, ADDRESSES["sms"]).texts
    other = phone(night, "+381113000009", presses="1")
    if down in ("sms", "both"):
        night.exchange.phones[ADDRESSES["sms"]].unreachable = True
    if down in ("mail", "both"):
        post.stop()
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(60)
    found = await referral_of(ana, made["id"])
    if down == "both":
        # Neither channel reached a person: the escalation does not wait for a reply that cannot
        # come.
        assert other.rung == 1, story(found)
        assert found["state"] == "acknowledged"
    else:
        # The other channel is enough.
        assert other.rung == 0, story(found)
        assert found["state"] == "delivered"
        text = texts[0].text if down == "mail" else post.messages[0][1]
        answered = await click(
            night, link_in(text) + "/step", {"kind": "acknowledge", "name": "Mira"}
        )
        assert answered.status_code == 303
        assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_no_mail_server_is_set(stage: Stage) -> None:
    """Without HELPLINE_SMTP_URL no e-mail leaves: the escalation knows, and goes on."""
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    await add_agency(stage, "house", "shelter", email="a@house.example")
    await add_agency(stage, "other", "shelter", phones=("+381113000009",))
    other = phone(stage, "+381113000009", presses="1")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await stage.advance(30)
    assert other.rung == 1
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


@nightly
async def test_the_provider_carries_it_out_and_never_answers(night: Stage) -> None:
    """A duty phone and an SMS are asked about, and not rung or written to twice."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001",), sms=ADDRESSES["sms"])
    duty = phone(night, "+381113000001", picks_up=None)
    texts = phone(night, ADDRESSES["sms"]).texts
    night.exchange.knobs.turn("accept_and_time_out", "POST", times=2, seconds=2)
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(50)
    found = await referral_of(ana, made["id"])
    assert duty.rung == 1, story(found)
    assert len(texts) == 1
    night.exchange.knobs.reset()


@nightly
async def test_the_provider_is_down_for_a_while(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    duty = phone(night, "+381113000001", presses="1")
    night.exchange.knobs.turn("refuse", "Calls.json", times=3)
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: duty.rung > 0, limit=120, what="it is rung all the same")
    await night.advance(30)
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_killed_while_an_email_was_being_sent(night: Stage, post: Mail) -> None:
    """It is unknown whether it arrived: not repeated within a minute, and not forgotten."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    post.answer = "451 later"
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.settle()
    # As the row stands when the process dies between the commit and the end of the talk.
    async with transaction(night.ground, PROGRAM) as work:
        attempt = (await work.session.execute(select(Attempt.id))).one()
        await work.session.execute(
            update(Attempt).values(sending="sending", sent_at=work.now, sends=1)
        )
        work.defer(Task.SEND_MAIL, attempt_id=str(attempt.id))
    post.answer = "250 OK"
    await night.advance(50)
    assert post.messages == []
    await night.advance(20)
    assert len(post.messages) == 1
    assert attempt.id.hex in post.ids[0].replace("-", "")
    assert (await referral_of(ana, made["id"]))["state"] == "delivered"


async def test_lost_jobs_are_caught(night: Stage) -> None:
    """Whatever became of the job, a missed deadline is recorded and an escalation goes on."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001", "+381113000002"))
    phone(night, "+381113000001", picks_up=None)
    second = phone(night, "+381113000002", presses="1")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(5)
    await night.watch.execute(
        "DELETE FROM procrastinate_jobs WHERE status = 'todo' AND task_name LIKE 'referrals:%%'"
    )
    night.exchange.knobs.turn("lose", "/telephony/duty", times=None)
    await night.advance(80)
    night.exchange.knobs.reset()
    await night.advance(30)
    assert second.rung == 1
    other = await by_hand(ana)
    await night.watch.execute("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    await skip_minutes(night, 14)
    await night.advance(90)
    found = await referral_of(ana, other["id"])
    assert "deadline_missed" in " ".join(story(found))
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_a_counsellors_leg_is_not_taken_for_a_lost_duty_phone(night: Stage) -> None:
    """Rows know both legs, so neither is taken for one whose response was lost."""
    number = "+38164999001"
    phone(night, number)
    await night.add_counsellor("vera", endpoint=number)
    ana = await night.add_counsellor("ana", state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    before = night.clock.now()
    leg = night.ring("+381641234567")
    await night.advance(2)
    night.exchange.press(leg, "1")
    await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(20)
    async with transaction(night.ground, PROGRAM) as work:
        known = await known_sids(work, before)
    sent = {sid for sid, one in night.exchange.legs.items() if one.direction == "outbound-api"}
    assert len(sent) == 2
    assert known >= sent


@nightly
async def test_a_mail_server_that_never_answers_is_not_sent_to_every_minute(
    night: Stage, post: Mail
) -> None:
    """A person is not written to every minute."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    post.hangs_up_after_data = True
    await by_hand(ana, override=OVERRIDE, send=True)
    await skip_minutes(night, 15, every=1)
    attempts = await night.rows("SELECT sends FROM attempts WHERE kind = 'email'")
    counts = sorted(r["sends"] for r in attempts)
    # Which of them fall into the last minute depends on the second in which each began.
    assert len(counts) == 5
    assert 1 <= counts[0] <= counts[-1] <= 3, counts
    assert len(post.messages) == 9


# By day each queue has places of its own in `tests/test_jobs.py`.
@nightly
async def test_slow_servers_of_agencies_hold_up_no_duty_phone(
    night: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events for a system that never answers, and a child in danger. A queue has one place here."""
    monkeypatch.setattr(sharing, "STEPPED_SHARES", tuple(((queue,), 1) for queue in PLACES))
    await night.restart_server()
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_system(night, receiver)
    receiver.pause = asyncio.Event()
    for _ in range(2):
        await by_hand(ana, consent=CONSENT, urgency="routine", send=True)
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    duty = phone(night, "+381113000001", presses="1")
    await by_hand(ana, override=OVERRIDE, services=["police"], send=True)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if any(leg.to == "+381113000001" for leg in night.exchange.legs.values()):
            break
    asked = [leg for leg in night.exchange.legs.values() if leg.to == "+381113000001"]
    receiver.pause.set()
    await night.advance(10)
    assert asked, "the phone is rung while the other system keeps us waiting"
    assert duty.rung == 1


async def test_a_mail_server_that_fails_at_quit_has_taken_the_message(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    post.quits_badly = True
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(90)
    assert len(post.messages) == 1
    assert (await referral_of(ana, made["id"]))["state"] == "delivered"
