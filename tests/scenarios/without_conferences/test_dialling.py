"""The caller's leg dials a counsellor who is there: phones, clicks, keys and machines."""

from app.demo.invariants import broken_at_the_end
from app.demo.stage import Stage
from app.practice.people import Phone
from app.routing.rota.shifts import Layer
from app.staff.roles import Role
from app.words.keys import PROMPT_KEYS
from tests.support.contacts import until_later
from tests.support.platforms import MIRA, VERA, at_phone, is_in, reach, said, talks, wait_in_queue
from tests.support.profile import nightly
from tests.support.referrals import add_agency


async def danger_lost(stage: Stage) -> None:
    await add_agency(stage, "police", "police", sector="police", phones=("+381113000001",))
    vera, _ = await at_phone(stage, "vera", VERA, drops_after=40, drops=1)
    leg = await reach(stage, stage.ring(), "9")
    await until_later(stage, lambda: not talks(stage, leg), 60, "the talk is lost", every=4)
    # On a break: she counts as there, and the child waits on.
    await vera.be("break")
    asks = "SELECT opened_how FROM referrals"
    assert await stage.rows(asks) == [], "a counsellor talked with the child"
    await until_later(stage, lambda: stage.rows(asks), 600, "an agency is asked to act")
    assert not leg.over


async def test_no_softphone_or_sip_phone_on_call_counts_as_a_counsellor(stage: Stage) -> None:
    """A SIP address cannot be rung first: the caller hears that no counsellor is there."""
    desk = "sip:ana@desk.example"
    stage.exchange.phones[desk] = sip = Phone(picks_up=1)
    for name, endpoint in (("ana", desk), ("eva", "client:eva")):
        await stage.add_counsellor(name, endpoint=endpoint, state=None, layer=Layer.ON_CALL)
        leg = await wait_in_queue(stage)
        await stage.until(lambda leg=leg: leg.has_heard("niko"), limit=150, what=endpoint)
        await stage.advance(10)
        assert sip.rung == 0
        await stage.exchange.hang_up(leg)


async def test_a_child_in_danger_who_is_lost_is_watched_again(stage: Stage) -> None:
    await danger_lost(stage)


# By day callers are dialled in `test_restarted_documents.py`, and agree a call-back as ever.
@nightly
async def test_a_counsellor_who_presses_1_is_dialled_though_the_caller_answers_questions(
    stage: Stage,
) -> None:
    """The child takes its time with the three questions about a call-back."""
    vera, _ = await at_phone(stage, "vera", VERA, state="break")
    leg = await wait_in_queue(stage, "+381641110002")
    await stage.until(lambda: leg.has_heard("kasnije pozovemo, pritisni 3"), limit=120)
    await stage.advance(3)
    stage.exchange.press(leg, "3")
    await stage.until(lambda: leg.has_heard("bezbedno"), limit=30)
    await vera.be("available")
    await stage.advance(14)
    assert await said(stage, "accepted")
    # Whatever they answer, a counsellor is there: that is better than to be called back.
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


def test_the_prompts_of_dialling_can_be_changed() -> None:
    assert {"rings_again", "rings_them"} <= set(PROMPT_KEYS)


async def test_what_needs_a_conference_is_refused_with_words_and_no_key_is_promised(
    somleng: Stage,
) -> None:
    stage = somleng
    vera, phone = await at_phone(stage, "vera", VERA)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, state="available")
    leg = await reach(stage, stage.ring())
    # There is no star key either. A counsellor who was told of one would hang up in the end; the
    # child would hear that the connection broke, and go to the next counsellor.
    assert not any("zvezdicu" in heard.text for heard in phone.heard)
    call = await stage.call_of(leg)
    for who, action, body in (
        (vera, "hold", None),
        (vera, "mute", None),
        (vera, "add", {"number": "+381113000001", "role": "police"}),
        (vera, "transfer", {"number": "+381113000001", "warm": False}),
        (vera, "transfer", {"number": "+381113000001"}),
        (chief, "listen", None),
        (chief, "barge", None),
    ):
        answer = await who.ask("POST", f"/calls/{call['id']}/{action}", body)
        assert answer.status_code == 409, (action, answer.text)
        assert answer.json()["error"] == "NotOnThisPlatform"
        assert "Your telephony platform cannot" in answer.json()["detail"]
    assert await is_in(stage, leg, "connected")
    assert await chief.presence() == "available", "a supervisor is there, and is not rung"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


async def test_a_browser_cannot_be_rung_and_its_counsellor_hears_so(somleng: Stage) -> None:
    ana = await somleng.add_counsellor("ana", state=None)
    answer = await ana.ask("PUT", "/me/presence", {"state": "available"})
    assert answer.status_code == 409
    assert "cannot ring a browser" in answer.json()["detail"]
    leg = somleng.ring()
    await somleng.advance(2)
    somleng.exchange.press(leg, "1")
    await somleng.advance(20)
    # No counsellor can take the call: that is said, and not hidden in an endless wait.
    assert leg.has_heard("niko")
    await somleng.exchange.hang_up(leg)
    await somleng.advance(3)


async def test_a_click_on_the_board_holds_the_call_until_the_key(somleng: Stage) -> None:
    stage = somleng
    vera, phone_ = await at_phone(stage, "vera", VERA, picks_up=8)
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.until(vera.offer, limit=10)
    await stage.advance(2)
    assert (await vera.accept()).status_code == 200
    await stage.until(lambda: talks(stage, leg), limit=40)
    assert phone_.rung == 2, "once for the key, and once with the child"
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


async def test_a_sip_phone_is_rung_by_the_callers_leg_after_a_click(somleng: Stage) -> None:
    stage = somleng
    desk = "sip:ana@desk.example"
    stage.exchange.phones[desk] = sip = Phone(picks_up=1, presses=None)
    ana = await stage.add_counsellor("ana", endpoint=desk)
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.until(ana.offer, limit=10)
    assert sip.rung == 0
    await ana.accept()
    await stage.until(lambda: talks(stage, leg), limit=20)
    await stage.advance(4)
    assert await is_in(stage, leg, "connected")
    await stage.exchange.hang_up(leg)
    await stage.advance(5)
    assert await broken_at_the_end(stage) == []


@nightly
async def test_a_phone_that_is_not_answered_again_is_a_missed_offer(somleng: Stage) -> None:
    stage = somleng
    _, phone_ = await at_phone(stage, "vera", VERA)
    leg = stage.ring()
    await stage.advance(2)
    stage.exchange.press(leg, "1")
    await stage.until(lambda: said(stage, "accepted"), limit=20)
    phone_.picks_up = None
    await stage.advance(35)
    states = [r["state"] for r in await stage.rows("SELECT state FROM offers ORDER BY opened_at")]
    assert states[0] == "missed"
    assert not leg.over
    phone_.picks_up = 2
    await stage.until(lambda: talks(stage, leg), limit=90)
    await stage.exchange.hang_up(leg)
    await stage.advance(8)
    assert await broken_at_the_end(stage) == []
