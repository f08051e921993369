"""What a hostile review of the second bridge has found: each says what ought to hold."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from app.calls.lines import PROMPT_KEYS
from app.demo.stage import LINE, Counsellor, Stage, stage_on
from app.practice.legs import Leg
from app.practice.parties import Caller, Phone
from app.practice.rooms import Message
from app.routing.rota.shifts import Layer
from app.staff.roles import Role
from app.telephony.inbound import deciding
from app.telephony.provider.client import Provider
from tests.scenarios.helpline import add_agency
from tests.scenarios.test_callbacks import CHILD, asks
from tests.scenarios.test_matching import PARTNER, plan
from tests.scenarios.test_platforms import MIRA, VERA, at_phone, others, reach, talks

EVA = "+38164999003"


@pytest.fixture
async def stage(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    async with stage_on(
        database, platform="somleng", wrap_up_seconds=30, long_wait_seconds=60
    ) as made:
        await made.add_line()
        yield made


async def said(stage: Stage, state: str) -> bool:
    return bool(await stage.rows("SELECT 1 FROM offers WHERE state = %s", state))


async def wait_in_queue(stage: Stage, from_: str = "+381641234567", digit: str = "1") -> Leg:
    leg = stage.ring(from_)
    await stage.advance(2)
    stage.exchange.press(leg, digit)
    await stage.advance(2)
    return leg


async def agreed_callback(stage: Stage, keeper: Counsellor) -> Phone:
    """A child wants to be called back; `keeper` has talked with somebody else meanwhile."""
    stage.exchange.phones[CHILD] = child = Phone(picks_up=4, presses=None)
    other = await reach(stage, stage.ring("+381649990000"))
    leg = stage.ring(CHILD)
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await asks(stage, leg, "1", "1", "1")
    for one in (leg, other):
        await stage.exchange.hang_up(one)
    await stage.advance(3)
    return child


# -- call-backs --------------------------------------------------------------------------------


async def test_a_call_back_waits_for_somebody_whose_phone_can_dial(stage: Stage) -> None:
    """A SIP address cannot be rung first, so its leg cannot dial anybody."""
    vera, _ = await at_phone(stage, "vera", VERA)
    child = await agreed_callback(stage, vera)
    await vera.be("off_duty")
    desk = "sip:ana@desk.example"
    stage.exchange.phones[desk] = Phone(picks_up=1, presses=None)
    ana = await stage.add_counsellor("ana", endpoint=desk)
    await stage.advance(120)
    assert await ana.offer() is None
    (row,) = await stage.rows("SELECT state, tries FROM callbacks")
    assert (row["state"], child.rung) == ("trying", 0)
    await vera.sign_in()
    await vera.be("available")
    await stage.until(lambda: child.rung == 1, limit=120, what="the child's phone rings")


async def test_a_call_back_that_is_accepted_by_a_click_reaches_the_child(stage: Stage) -> None:
    vera, phone = await at_phone(stage, "vera", VERA)
    child = await agreed_callback(stage, vera)
    phone.picks_up = 8
    await stage.advance(30)
    await vera.be("available")
    await stage.until(vera.offer, limit=120, what="the call-back is offered")
    await stage.advance(1)
    assert (await vera.accept()).status_code == 200
    await stage.advance(60)
    (row,) = await stage.rows("SELECT state, tries FROM callbacks")
    assert child.rung == 1, f"the child was never rung: {row}"


# -- who can be rung at all --------------------------------------------------------------------


async def test_nobody_hands_a_child_over_to_somebody_who_cannot_be_rung(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state="available")
    leg = await reach(stage, stage.ring())
    call = await stage.call_of(leg)
    body = {"counsellor_id": str(chief.id), "warm": False}
    answer = await vera.ask("POST", f"/calls/{call['id']}/transfer", body)
    await stage.advance(60)
    assert answer.status_code == 409, (
        f"{answer.status_code}; talks: {talks(stage, leg)}; "
        f"{(await stage.call_of(leg))['state']}; heard {leg.heard[-1].text!r}"
    )


async def test_an_on_call_softphone_is_nobody(stage: Stage) -> None:
    await stage.add_counsellor("ana", endpoint="client:ana", state=None, layer=Layer.ON_CALL)
    leg = await wait_in_queue(stage)
    await stage.advance(150)
    call = await stage.call_of(leg)
    assert leg.has_heard("niko"), f"waits for nobody: {call['state']}"


async def test_an_on_call_sip_phone_rings_or_is_nobody(stage: Stage) -> None:
    desk = "sip:ana@desk.example"
    stage.exchange.phones[desk] = sip = Phone(picks_up=1)
    await stage.add_counsellor("ana", endpoint=desk, state=None, layer=Layer.ON_CALL)
    leg = await wait_in_queue(stage)
    await stage.advance(200)
    assert sip.rung or leg.has_heard("niko"), "it never rings, and nobody says so"


# -- the partner -------------------------------------------------------------------------------


async def test_a_caller_whom_the_partner_never_took_was_not_transferred(stage: Stage) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=1)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    first = await wait_in_queue(stage, "+381641110002")
    await stage.advance(1)
    second = await wait_in_queue(stage, "+381641110003")
    await stage.until(lambda: first.talks_with is not None, limit=90)
    await stage.advance(25)
    assert second.talks_with is None
    assert not second.bridges
    await stage.exchange.hang_up(second)
    await stage.advance(5)
    call = await stage.call_of(second)
    assert call["outcome"] == "abandoned_in_queue", f"{call['outcome']} {call['transferred_at']}"
    for one in (first, other):
        await stage.exchange.hang_up(one)


@pytest.mark.parametrize("gap", [0.5, 1, 2, 3, 4, 5, 6])
async def test_two_at_the_partner(stage: Stage, gap: float) -> None:
    stage.exchange.phones[PARTNER] = Phone(picks_up=1)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    first = await wait_in_queue(stage, "+381641110002")
    await stage.advance(gap)
    second = await wait_in_queue(stage, "+381641110003")
    await stage.advance(60)
    legs = [first, second]
    had = [bool(leg.bridges) for leg in legs]
    for one in legs:
        await stage.exchange.hang_up(one)
    await stage.advance(8)
    await stage.exchange.hang_up(other)
    found = [(await stage.call_of(leg))["outcome"] for leg in legs]
    wanted = ["transferred_out" if one else "abandoned_in_queue" for one in had]
    assert found == wanted


# -- from the beginning again ------------------------------------------------------------------


async def test_after_a_proxys_answer_no_earlier_counsellor_is_dialled_again(stage: Stage) -> None:
    """As the README has it: we are away for a moment, and the proxy sends to /telephony/voice."""
    vera, phone = await at_phone(stage, "vera", VERA, drops_after=10, drops=1)
    mira, _ = await at_phone(stage, "mira", MIRA, state="off_duty")
    leg = await reach(stage, stage.ring())
    await stage.advance(14)
    await mira.be("available")
    await vera.be("off_duty")
    await stage.until(lambda: talks(stage, leg), limit=60)
    await stage.advance(10)
    rung = phone.rung
    # The talk with Mira breaks off while we are away.
    await stage.exchange.redirect(leg, f"{stage.settings.public_url}/telephony/voice")
    await stage.advance(3)
    stage.exchange.press(leg, "1")
    await stage.advance(60)
    assert phone.rung == rung, "a counsellor who is off duty is rung at home, and no key is asked"


async def test_after_a_proxys_answer_a_long_wait_is_not_heard_again(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    leg = await wait_in_queue(stage, "+381641110002")
    await stage.advance(240)
    await stage.exchange.redirect(leg, f"{stage.settings.public_url}/telephony/voice")
    await stage.advance(3)
    stage.exchange.press(leg, "1")
    await stage.exchange.hang_up(other)
    await stage.advance(2)
    await vera.be("available")
    await stage.until(lambda: said(stage, "accepted"), limit=30)
    await stage.until(lambda: talks(stage, leg), limit=25, what="she has pressed 1, and waits")


# -- danger ------------------------------------------------------------------------------------


async def test_a_child_in_danger_who_is_lost_is_watched_again(stage: Stage) -> None:
    await danger_lost(stage)


async def danger_lost(stage: Stage) -> None:
    await add_agency(stage, "police", "police", sector="police", phones=("+381113000001",))
    vera, _ = await at_phone(stage, "vera", VERA, drops_after=400, drops=1)
    leg = await reach(stage, stage.ring(), "9")
    await stage.until(lambda: not talks(stage, leg), limit=500)
    # On a break: she counts as there, and the child waits on.
    await vera.be("break")
    await stage.advance(600)
    referrals = await stage.rows("SELECT opened_how FROM referrals")
    assert referrals, f"nobody is asked to act: {(await stage.call_of(leg))['state']}"


# -- talks that nobody saw begin ---------------------------------------------------------------


async def unseen(stage: Stage, leg: Leg) -> Leg:
    """No list shows the leg that is dialled."""
    await stage.until(lambda: said(stage, "accepted"), limit=20)
    while leg.talks_with is None:
        for one in others(stage, "outbound-dial"):
            del stage.exchange.legs[one.sid]
        await stage.advance(0.1)
    return leg.talks_with


async def test_a_long_talk_that_nobody_saw_begin_is_nobody_elses(stage: Stage) -> None:
    _vera, _phone = await at_phone(stage, "vera", VERA)
    mira, _ = await at_phone(stage, "mira", MIRA, state="off_duty")
    leg = await wait_in_queue(stage)
    theirs = await unseen(stage, leg)
    await mira.be("available")
    await stage.advance(60)
    assert leg.talks_with is theirs
    offers = await stage.rows("SELECT counsellor_id, state FROM offers")
    assert len(offers) == 1, f"a child who talks is held out to others: {offers}"
    stage.exchange.legs[theirs.sid] = theirs
    await stage.exchange.hang_up(leg)
    await stage.advance(8)
    assert (await stage.call_of(leg))["outcome"] == "answered"


# -- pressed, and the caller hears words -------------------------------------------------------


async def test_whoever_presses_1_is_dialled_though_the_caller_answers_questions(
    stage: Stage,
) -> None:
    """The child takes its time with the three questions about a call-back."""
    vera, _ = await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    leg = await wait_in_queue(stage, "+381641110002")
    await stage.until(lambda: leg.has_heard("kasnije pozovemo, pritisni 3"), limit=120)
    await stage.advance(3)
    stage.exchange.press(leg, "3")
    await stage.exchange.hang_up(other)
    await stage.until(lambda: leg.has_heard("bezbedno"), limit=30)
    await vera.be("available")
    await stage.advance(14)
    assert await said(stage, "accepted")
    # Whatever they answer, somebody is there: that is better than to be called back.
    stage.exchange.press(leg, "1")
    await stage.until(lambda: talks(stage, leg), limit=90)
    states = [r["state"] for r in await stage.rows("SELECT state FROM offers")]
    assert "missed" not in states, states


async def test_a_click_brings_no_child_to_a_machine(stage: Stage) -> None:
    """Her phone is off, and its mailbox lifts after a second; she clicks at her desk."""
    vera, _ = await at_phone(stage, "vera", VERA, picks_up=1, presses=None)
    leg = await wait_in_queue(stage)
    await stage.until(vera.offer, limit=10)
    await stage.advance(3)
    await vera.accept()
    await stage.advance(20)
    assert not leg.bridges, "the child talks to a mailbox, and counts as answered"


async def test_a_stumble_of_ours_does_not_forget_the_talk(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The action of the dial comes while the database is away for a second; it is asked again."""
    _vera, _ = await at_phone(stage, "vera", VERA)
    leg = await wait_in_queue(stage)
    theirs = await unseen(stage, leg)
    await stage.advance(8)
    stage.exchange.legs[theirs.sid] = theirs
    failed: list[int] = []
    decide = deciding.decide

    async def first_fails(work: Any, call_id: Any, signed: Any, key: str, decision: Any) -> Any:
        if key.startswith("dialled:") and not failed:
            failed.append(1)
            raise OSError("the database is away")
        return await decide(work, call_id, signed, key, decision)

    monkeypatch.setattr(deciding, "decide", first_fails)
    await stage.exchange.hang_up(theirs)
    await stage.advance(20)
    assert failed
    await stage.exchange.hang_up(leg)
    await stage.advance(8)
    call = await stage.call_of(leg)
    assert call["outcome"] == "answered", call["outcome"]


# -- second batch ------------------------------------------------------------------------------


async def test_who_talked_with_the_partner_was_transferred(stage: Stage) -> None:
    """The partner takes one, and lets another ring: only the first was transferred."""
    stage.exchange.phones[PARTNER] = partner = Phone(picks_up=6)
    await plan(stage, partner_after=20, partner_number=PARTNER)
    await at_phone(stage, "vera", VERA)
    other = await reach(stage, stage.ring("+381641110001"))
    first = await wait_in_queue(stage, "+381641110002")
    second = await wait_in_queue(stage, "+381641110003")
    await stage.until(lambda: partner.rung == 1, limit=90)
    partner.picks_up = None
    await stage.until(lambda: first.talks_with is not None, limit=30)
    assert partner.rung == 2
    await stage.advance(90)
    await stage.exchange.hang_up(first)
    await stage.advance(10)
    for one in (second, other):
        await stage.exchange.hang_up(one)
    await stage.advance(5)
    call = await stage.call_of(first)
    assert call["outcome"] == "transferred_out", call["outcome"]


def list_is_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """For so long the platform's list does not say what is dialled (an outage of it, deadlines that
    differ by more than two seconds, two hundred newer calls)."""
    until, real = stage.clock.now() + timedelta(seconds=seconds), Provider.dialled_by

    async def newest(self: Any, sid: str) -> Any:
        return [] if stage.clock.now() < until else await real(self, sid)

    monkeypatch.setattr(Provider, "dialled_by", newest)


async def test_a_talk_that_is_seen_late_is_not_cut_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at_phone(stage, "vera", VERA)
    leg = await wait_in_queue(stage)
    await stage.until(lambda: said(stage, "accepted"), limit=20)
    list_is_silent(stage, monkeypatch, 45)
    await stage.until(lambda: talks(stage, leg), limit=30)
    theirs = leg.talks_with
    await stage.advance(60)
    assert leg.talks_with is theirs, "we have cut the child off in the middle of the talk"


async def test_a_call_back_that_is_seen_late_is_not_cut_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    child = await agreed_callback(stage, vera)
    await stage.advance(30)
    await vera.be("available")
    await stage.until(lambda: child.rung == 1, limit=120)
    list_is_silent(stage, monkeypatch, 60)
    await stage.advance(100)
    mine = next(x for x in stage.exchange.legs.values() if x.to == CHILD)
    assert not mine.over, f"cut off after {mine.seconds} s by {mine.ending}"


async def test_a_transfer_ends_the_talk_however_many_calls_came_since(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    await stage.advance(65)
    for n in range(210):
        sid = stage.exchange.sids.new("CA")
        stage.exchange.legs[sid] = Leg(
            sid=sid,
            account=stage.exchange.account_sid,
            from_=f"+3816400{n:05d}",
            to="+38111",
            direction="inbound",
            party=Caller(),
            created_at=stage.clock.now(),
            status="completed",
        )
    mira, _ = await at_phone(stage, "mira", MIRA)
    call = await stage.call_of(leg)
    old = leg.talks_with
    body = {"counsellor_id": str(mira.id), "warm": False}
    assert (await vera.ask("POST", f"/calls/{call['id']}/transfer", body)).status_code == 202
    await stage.advance(40)
    assert leg.talks_with is not old, "handed over, and still with the first"


async def test_a_hand_over_waits_for_the_colleague_who_writes_up(stage: Stage) -> None:
    """After a talk of two minutes, too."""
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring("+381641110001"))
    mira, _ = await at_phone(stage, "mira", MIRA)
    other = await reach(stage, stage.ring("+381641110002"))
    await stage.advance(120)
    await stage.exchange.hang_up(other)
    await stage.advance(2)
    assert await mira.presence() == "wrap_up"
    eva, _ = await at_phone(stage, "eva", EVA)
    call = await stage.call_of(leg)
    body = {"counsellor_id": str(mira.id), "warm": False}
    assert (await vera.ask("POST", f"/calls/{call['id']}/transfer", body)).status_code == 202
    await stage.advance(60)
    assert await mira.presence() == "on_call", f"eva is {await eva.presence()}"


async def test_a_hand_over_in_danger_rings_the_colleague_alone(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring(), "9")
    mira, theirs = await at_phone(stage, "mira", MIRA)
    _, hers = await at_phone(stage, "eva", EVA)
    call = await stage.call_of(leg)
    body = {"counsellor_id": str(mira.id), "warm": False}
    assert (await vera.ask("POST", f"/calls/{call['id']}/transfer", body)).status_code == 202
    await stage.advance(4)
    assert (theirs.rung, hers.rung) == (1, 0)


async def test_a_hand_over_to_a_colleague_who_is_not_on_shift(stage: Stage) -> None:
    vera, _ = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    stage.exchange.phones[MIRA] = Phone(picks_up=2)
    mira = await stage.add_counsellor("mira", endpoint=MIRA, shift=False)
    call = await stage.call_of(leg)
    body = {"counsellor_id": str(mira.id), "warm": False}
    answer = await vera.ask("POST", f"/calls/{call['id']}/transfer", body)
    await stage.advance(60)
    assert answer.status_code == 409 or await mira.presence() == "on_call"


async def test_a_caller_who_left_unheard_costs_no_counsellor_a_miss(stage: Stage) -> None:
    """The one callback of the caller's end is lost."""
    _vera, _phone = await at_phone(stage, "vera", VERA)
    _mira, _ = await at_phone(stage, "mira", MIRA)
    leg = await wait_in_queue(stage)
    stage.exchange.knobs.turn("lose", "/telephony/status")
    await stage.exchange.hang_up(leg)
    await stage.advance(90)
    rows = await stage.rows("SELECT state FROM offers")
    assert "missed" not in [r["state"] for r in rows], rows


async def test_the_new_words_can_be_changed_as_all_others(stage: Stage) -> None:
    assert {"rings_again", "rings_them"} <= set(PROMPT_KEYS)


async def test_nobody_is_told_of_a_key_that_does_nothing(stage: Stage) -> None:
    """There is no star key; who believes the whisper hangs up in the end, and the child is
    told that the connection broke, and rung at the next counsellor."""
    _, phone = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    assert not any("zvezdicu" in heard.text for heard in phone.heard)
    await stage.exchange.hang_up(leg)


async def test_a_dial_whose_answer_was_lost_is_not_dialled_twice(stage: Stage) -> None:
    """We took the word that the talk is over; our answer is lost, and the proxy's is heard."""
    vera, phone = await at_phone(stage, "vera", VERA)
    leg = await reach(stage, stage.ring())
    theirs = leg.talks_with
    assert theirs is not None
    await stage.exchange.hang_up(theirs)
    await stage.advance(0.5)
    assert await vera.presence() == "wrap_up"
    rung = phone.rung
    await stage.exchange.redirect(leg, f"{stage.settings.public_url}/telephony/voice")
    await stage.advance(3)
    stage.exchange.press(leg, "1")
    await stage.advance(20)
    call = await stage.call_of(leg)
    assert phone.rung == rung, f"rung in her wrap-up; talks: {talks(stage, leg)}, {call['state']}"


async def test_a_message_of_somebody_else_is_not_taken_for_ours(
    database: str, anyio_backend: str
) -> None:
    """Somleng's list of messages knows no filters either (messages_controller.rb, `index`)."""
    async with stage_on(database, platform="somleng") as stage:
        x = stage.exchange
        sid = x.sids.new("SM")
        x.messages[sid] = Message(
            sid=sid,
            to=LINE,
            from_="+381641234567",
            body="?",
            created_at=stage.clock.now(),
            status_callback=None,
        )
        found = await Provider(stage.settings).find_message(
            to="+381113000001", since=stage.clock.now(), known=set()
        )
    assert found is None, "a text of a child is taken for our message to a duty phone"
