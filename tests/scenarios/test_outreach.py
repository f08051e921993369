"""A mobile outreach team: sent on a ground only, and late by a deadline."""

from datetime import datetime, timedelta
from typing import Any

from app.demo.stage import Counsellor, Stage
from tests.scenarios.helpline import add_agency, phone, referral_of
from tests.scenarios.test_referrals import OVERRIDE, by_hand

DUTY = "+381113000001"


async def ask(who: Counsellor, referral_id: str, at: datetime) -> Any:
    body = {"place": "Ulica 5", "team": "Tim 2", "wanted_at": at.isoformat()}
    return await who.ask("POST", f"/referrals/{referral_id}/dispatches", body)


async def clock(who: Counsellor, referral_id: str, kind: str) -> dict[str, Any] | None:
    found = await referral_of(who, referral_id)
    return next((c for c in found["deadlines"] if c["kind"] == kind), None)


async def test_no_team_is_sent_on_a_draft_without_a_ground(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    made = await by_hand(ana)
    refused = await ask(ana, made["id"], night.clock.now())
    assert refused.status_code == 409
    assert "neither consent nor an override" in refused.json()["detail"]
    assert await night.rows("SELECT id FROM dispatches") == []


async def test_a_team_that_sees_the_child_on_a_draft_stops_nothing(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    made = await by_hand(ana, override=OVERRIDE)
    sent = await ask(ana, made["id"], night.clock.now())
    assert sent.status_code == 201, sent.text
    path = f"/referrals/{made['id']}/dispatches/{sent.json()['id']}"
    assert (await ana.ask("POST", path, {"to": "seen"})).status_code == 200
    found = await referral_of(ana, made["id"])
    assert found["seen_at"] is None
    for kind in ("seen", "acknowledge"):
        running = await clock(ana, made["id"], kind)
        assert running is not None
        assert running["stopped_at"] is None


async def test_a_team_that_does_not_come_is_a_breach(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "team", "mobile_outreach", phones=(DUTY,))
    phone(night, DUTY)
    made = await by_hand(ana, services=["mobile_outreach"], override=OVERRIDE, send=True)
    await night.advance(30)
    wanted = night.clock.now() + timedelta(minutes=5)
    sent = await ask(ana, made["id"], wanted)
    running = await clock(ana, made["id"], "team")
    assert running is not None
    due = datetime.fromisoformat(running["due_at"])
    assert due == wanted + timedelta(minutes=30)
    night.stepped.move_to(due + timedelta(seconds=1))
    await night.settle()
    told = await night.rows("SELECT for_whom, detail FROM notices WHERE kind = 'breach'")
    assert {n["for_whom"] for n in told if n["detail"]["deadline"] == "team"} == {
        "owner",
        "supervisors",
    }
    # It comes after all: the clock stops, and the breach stays in the log.
    await ana.sign_in()
    path = f"/referrals/{made['id']}/dispatches/{sent.json()['id']}"
    await ana.ask("POST", path, {"to": "arrived"})
    stopped = await clock(ana, made["id"], "team")
    assert stopped is not None
    assert stopped["stopped_at"] is not None
    # A second team has its own time.
    later = night.clock.now() + timedelta(hours=2)
    await ask(ana, made["id"], later)
    again = await clock(ana, made["id"], "team")
    assert again is not None
    assert again["stopped_at"] is None
    assert datetime.fromisoformat(again["due_at"]) == later + timedelta(minutes=30)


async def test_a_team_that_is_called_off_is_not_late(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    made = await by_hand(ana, override=OVERRIDE)
    sent = await ask(ana, made["id"], night.clock.now())
    path = f"/referrals/{made['id']}/dispatches/{sent.json()['id']}"
    assert (await ana.ask("POST", path, {"to": "called_off"})).status_code == 200
    stopped = await clock(ana, made["id"], "team")
    assert stopped is not None
    assert stopped["stopped_at"] is not None
