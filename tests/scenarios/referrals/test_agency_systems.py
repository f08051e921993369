"""Agencies with a system of their own: signed events both ways."""

import json
from datetime import timedelta

import pytest
from standardwebhooks import Webhook

from app.demo.stage import Stage
from app.referrals.channels.webhook import delivery
from app.staff.roles import Role
from tests.support.contacts import skip, skip_minutes
from tests.support.program.quiet import QuietStage
from tests.support.referrals import (
    BY_HOUSE,
    CONSENT,
    add_agency,
    by_hand,
    page,
    referral_of,
    withdraw,
)
from tests.support.systems import ANSWERS, HOUSE, Receiver, event, sent, told, with_system


async def test_events_are_signed_and_in_order(night: Stage, receiver: Receiver) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_system(night, receiver)
    found = await sent(night, ana)
    await night.advance(2)
    assert [e["type"] for e in receiver.taken] == ["referral.offered"]
    offered = receiver.taken[0]["data"]
    assert offered["referral"] == found["code"]
    assert offered["fields"]["child.name"] == "Jovana"
    # What it was told is written down like any other disclosure.
    found = await referral_of(ana, found["id"])
    assert [(d["to"], d["how"]) for d in found["disclosures"]] == [("House", "machine")]

    # It does not answer for hours: nothing is lost, and the order stays.
    receiver.status = 500
    await ana.ask("POST", f"/referrals/{found['id']}/acknowledge", HOUSE)
    await ana.ask("POST", f"/referrals/{found['id']}/accept", HOUSE)
    await skip_minutes(night, 12, every=3)
    assert len(receiver.taken) == 1
    assert {n for _, n in receiver.attempts[1:]} == {2}, "the third waits for the second"
    assert len({i for i, n in receiver.attempts if n == 2}) == 1, "a retry has the same id"
    receiver.status = 200
    await skip(night, 1.05)
    assert [e["data"]["sequence"] for e in receiver.taken] == [1, 2, 3]
    assert [e["type"] for e in receiver.taken[1:]] == ["referral.acknowledged", "referral.accepted"]


async def test_what_never_arrives_is_on_the_page_of_dead_letters(
    night: Stage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried for six days. Here it is tried less often, and given up in the same way."""
    assert timedelta(days=5) < timedelta(seconds=sum(delivery.WAITS)) < timedelta(days=7)
    monkeypatch.setattr(delivery, "WAITS", (5, 30, 3600))
    ana = await night.add_counsellor("ana", shift=False, state=None)
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await with_system(night, receiver)
    receiver.status = 302
    found = await sent(night, ana, urgency="immediate")
    await ana.ask("POST", f"/referrals/{found['id']}/accept", HOUSE)
    # The others wait behind the first, even when that is given up.
    for wait in delivery.WAITS:
        assert await night.rows("SELECT 1 FROM deliveries WHERE state = 'dead'") == []
        night.stepped.move_to(night.clock.now() + timedelta(seconds=wait + 60))
        await night.settle()
    assert await night.rows("SELECT 1 FROM deliveries WHERE state = 'dead'") != []
    told_of = await night.rows("SELECT how FROM disclosures")
    assert [d["how"] for d in told_of] == ["machine"], "told once, however often it was tried"
    await vera.sign_in()
    shown = (await page(night, vera, "/supervisor")).text
    assert "status 302" in shown
    dead = (await night.rows("SELECT id FROM deliveries WHERE state = 'dead' ORDER BY sequence"))[0]
    receiver.status = 200
    assert (await vera.ask("POST", f"/deliveries/{dead['id']}/again")).status_code == 204
    await night.advance(30)
    assert [e["data"]["sequence"] for e in receiver.taken] == [1, 2, 3]


async def test_replies_are_checked_once_and_in_order(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    secret = await with_system(quiet, Receiver())
    await add_agency(quiet, "other", "shelter", email="a@other.example")
    found = await sent(quiet, ana)
    code = found["code"]
    acknowledged = event(code, 1, "referral.acknowledged", by="Mira, on duty")
    # The agency's clock is wrong: refused with the reason, and nothing has happened.
    for off in (-400, 400):
        stale = await told(quiet, secret, acknowledged, off=off)
        assert (stale.status_code, stale.json()["error"]) == (401, "StaleEvent")
    forged = Webhook(b"x" * 32).sign("1", quiet.clock.now(), "{}")
    for wrong in (forged, "v1,", "v2,abc", "nonsense", forged + " " + forged):
        assert (await told(quiet, secret, acknowledged, signature=wrong)).status_code == 401
    assert (await told(quiet, secret, acknowledged, code="other")).status_code == 401
    assert (await told(quiet, secret, acknowledged, code="nobody")).status_code == 401
    assert (await referral_of(ana, found["id"]))["state"] == "sent"
    # A reply of a system by itself is not a person's reply.
    unnamed = await told(quiet, secret, event(code, 1, "referral.acknowledged"))
    assert unnamed.status_code == 422
    assert (await referral_of(ana, found["id"]))["state"] == "sent"
    # In order, each once: a replay is answered as the first time, and does nothing.
    early = await told(quiet, secret, event(code, 2, "referral.accepted", by="M"))
    assert early.json()["error"] == "OutOfOrder"
    first = await told(quiet, secret, acknowledged, event_id="e1")
    assert first.json()["state"] == "acknowledged", first.text
    await told(quiet, secret, event(code, 2, "referral.accepted", by="M"), event_id="e2")
    replayed = await told(quiet, secret, acknowledged, event_id="e1")
    assert replayed.json() == first.json()
    assert (await referral_of(ana, found["id"]))["state"] == "accepted"
    for wrong_event, status in (
        (event(code, 3, "referral.rejected"), 422),
        (event(code, 3, "referral.progress", seen_at="2030-01-14T01:00:00"), 422),
        (event(code, 3, "referral.progress", seen_at="2031-01-14T01:00:00+00:00"), 422),
        (event(code, 3, "referral.flown"), 422),
        ({"type": "x"}, 422),
        (event("R-000-000-000", 3, "referral.accepted"), 404),
    ):
        answer = await told(quiet, secret, wrong_event)
        assert answer.status_code == status, wrong_event
    seen = quiet.clock.now().isoformat()
    progress = event(code, 3, "referral.progress", seen_at=seen, words="Hi", by="Mira")
    ok = await told(quiet, secret, progress)
    assert ok.json()["state"] == "in_progress"
    done = event(code, 4, "referral.completed", outcome="family_supported", by="Mira")
    assert (await told(quiet, secret, done)).json()["state"] == "completed"
    assert (await referral_of(ana, found["id"]))["outcome"] == "family_supported"
    # Nothing that it told us comes back to it as news.
    assert await quiet.rows("SELECT count(*) AS n FROM deliveries") == [{"n": 1}], "the offer"
    # What it rejects goes to the next.
    found = await sent(quiet, ana)
    refused = event(found["code"], 1, "referral.rejected", reason="no_capacity")
    assert (await told(quiet, secret, refused)).json()["state"] == "sent"
    found = await referral_of(ana, found["id"])
    assert found["recipients"][-1]["agency"] == "other"


async def test_withdrawn_consent_reaches_the_machine_too(night: Stage, receiver: Receiver) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_system(night, receiver)
    receiver.status = 500
    consent = {"given_by": "child", "scope": ["services"]}
    made = await by_hand(ana, consent=consent, send=True, answers={"child.name": "Jovana"})
    await night.advance(2)
    await withdraw(night, ana, made["id"])
    receiver.status = 200
    await night.settle()
    await night.advance(200)
    # The offer that was on its way holds nothing about the child any more.
    assert [e["type"] for e in receiver.taken] == ["referral.offered", "referral.withdrawn"]
    assert "Jovana" not in json.dumps(receiver.taken)


async def test_a_withdrawal_is_tried_at_once_behind_what_does_not_arrive(
    night: Stage, receiver: Receiver
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_system(night, receiver)
    made = await by_hand(ana, consent=CONSENT, send=True, answers=ANSWERS)
    await night.until(lambda: len(receiver.taken) == 1)
    receiver.status = 503
    await ana.ask("POST", f"/referrals/{made['id']}/accept", BY_HOUSE)
    await skip_minutes(night, 60, every=12)
    tried = len(receiver.attempts)
    assert tried > 3
    receiver.status = 200
    await withdraw(night, ana, made["id"])
    # The next try would have been hours away.
    await night.advance(5)
    assert receiver.taken[-1]["type"] == "referral.withdrawn"
    # Whether it would arrive was not known: the owner was asked to ring, and after a while others.
    found = await night.rows("SELECT for_whom FROM notices WHERE kind = 'ring_them' ORDER BY at")
    assert [n["for_whom"] for n in found] == ["owner"]
