"""A mobile outreach team: sent on a ground only, and late by a deadline."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals.deadlines import tracking
from app.referrals.escalation.breaches import breached
from app.referrals.models import Deadline
from app.referrals.states import DeadlineKind
from app.work import PROGRAM
from tests.support.mail import Mail, code_in, link_in
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import (
    BY_HOUSE,
    CONSENT,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    page,
    phone,
    referral_of,
    story,
    take_back,
    withdraw,
)

DUTY = "+381113000001"


async def ask(who: Counsellor, referral_id: str, at: datetime) -> Any:
    body = {"place": "Ulica 5", "team": "Tim 2", "wanted_at": at.isoformat()}
    return await who.ask("POST", f"/referrals/{referral_id}/dispatches", body)


async def deadline(who: Counsellor, referral_id: str, kind: str) -> dict[str, Any] | None:
    found = await referral_of(who, referral_id)
    return next((c for c in found["deadlines"] if c["kind"] == kind), None)


async def test_a_team_is_sent_on_a_draft_with_a_ground_and_stops_nothing(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    without = await by_hand(ana)
    refused = await ask(ana, without["id"], quiet.clock.now())
    assert refused.status_code == 409
    assert "neither consent nor an override" in refused.json()["detail"]
    assert await quiet.rows("SELECT id FROM dispatches") == []
    made = await by_hand(ana, override=OVERRIDE)
    path = f"/referrals/{made['id']}/dispatches"
    for when in ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"):
        body = {"place": "x", "team": "y", "wanted_at": when}
        assert (await ana.ask("POST", path, body)).status_code == 422, when
        assert (await ana.ask("GET", f"/referrals/{made['id']}")).status_code == 200, when
    sent = await ask(ana, made["id"], quiet.clock.now())
    assert sent.status_code == 201, sent.text
    seen = await ana.ask("POST", f"{path}/{sent.json()['id']}", {"to": "seen"})
    assert seen.status_code == 200
    found = await referral_of(ana, made["id"])
    assert found["seen_at"] is None
    for kind in ("seen", "acknowledge"):
        running = await deadline(ana, made["id"], kind)
        assert running is not None
        assert running["stopped_at"] is None


async def test_a_team_that_is_called_off_is_not_late(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    made = await by_hand(ana, override=OVERRIDE)
    sent = await ask(ana, made["id"], quiet.clock.now())
    path = f"/referrals/{made['id']}/dispatches/{sent.json()['id']}"
    assert (await ana.ask("POST", path, {"to": "called_off"})).status_code == 200
    stopped = await deadline(ana, made["id"], "team")
    assert stopped is not None
    assert stopped["stopped_at"] is not None


async def test_a_team_that_does_not_come_is_a_breach(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "team", "mobile_outreach", phones=(DUTY,))
    made = await by_hand(ana, services=["mobile_outreach"], override=OVERRIDE, send=True)
    said = {"agency": "team", "name": "Mira"}
    assert (await ana.ask("POST", f"/referrals/{made['id']}/acknowledge", said)).status_code == 200
    wanted = quiet.clock.now() + timedelta(minutes=5)
    sent = await ask(ana, made["id"], wanted)
    running = await deadline(ana, made["id"], "team")
    assert running is not None
    due = datetime.fromisoformat(running["due_at"])
    assert due == wanted + timedelta(minutes=30)
    quiet.stepped.move_to(due + timedelta(seconds=1))
    # As by the jobs of a deadline.
    async with transaction(quiet.ground, PROGRAM) as work:
        (late,) = (
            await work.session.scalars(select(Deadline).where(Deadline.kind == "team"))
        ).all()
        referral = await tracking.ring(work, late.id)
        assert referral is not None
        await breached(work, referral, DeadlineKind.TEAM)
    told = await quiet.rows("SELECT for_whom, detail FROM notices WHERE kind = 'breach'")
    assert {n["for_whom"] for n in told if n["detail"]["deadline"] == "team"} == {
        "owner",
        "supervisors",
    }
    # It comes after all: the deadline stops, and the breach stays in the log.
    path = f"/referrals/{made['id']}/dispatches/{sent.json()['id']}"
    await ana.ask("POST", path, {"to": "arrived"})
    stopped = await deadline(ana, made["id"], "team")
    assert stopped is not None
    assert stopped["stopped_at"] is not None
    # A second team has its own time.
    later = quiet.clock.now() + timedelta(hours=2)
    await ask(ana, made["id"], later)
    again = await deadline(ana, made["id"], "team")
    assert again is not None
    assert again["stopped_at"] is None
    assert datetime.fromisoformat(again["due_at"]) == later + timedelta(minutes=30)


@nightly
async def test_a_team_is_called_off_when_consent_is_withdrawn(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(3)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/accept", BY_HOUSE)
    wanted_at = (night.clock.now() + timedelta(hours=1)).isoformat()
    team = {"place": "Street 1", "wanted_at": wanted_at, "team": "T1"}
    assert (await ana.ask("POST", f"{path}/dispatches", team)).status_code == 201
    await withdraw(night, ana, made["id"])
    rows = await night.rows("SELECT state, ended_at FROM dispatches")
    assert rows[0]["state"] == "called_off"
    assert rows[0]["ended_at"] is not None
    assert "team_called_off" in story(await referral_of(ana, made["id"]))


async def test_a_teams_place_is_told_to_its_own_agency(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    numbers = {"one": "+381640000001", "two": "+381640000002"}
    for code, number in numbers.items():
        mail, languages = f"a@{code}.example", ("hu", "sr")
        await add_agency(night, code, "shelter", email=mail, sms=number, languages=languages)
    texts, others = (phone(night, number).texts for number in numbers.values())
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(3)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/accept", {"agency": "one", "name": "Mira"})
    # The link for the next step is out before there is another one.
    await night.advance(3)
    where = {
        "place": "Kod tetke, Ulica 5",
        "team": "Tim",
        "wanted_at": (night.clock.now() + timedelta(hours=1)).isoformat(),
    }
    mails, messages = post.to("a@one.example"), len(texts)
    sent = (await ana.ask("POST", f"{path}/dispatches", where)).json()
    await night.until(lambda: len(texts) > messages and post.to("a@one.example") != mails)
    # Each mail has a link of its own, and each text the code for one: the last of both are a pair.
    await night.advance(3)
    # The agency hears of it, and reads where behind its code.
    link, code = link_in(post.to("a@one.example")[-1]), code_in(texts[-1].text)
    assert "Uput" in post.to("a@one.example")[-1], "the first language in which there are words"
    proved = await click(night, link + "/code", {"code": code})
    assert "Ulica 5" in (await click(night, link, as_=proved)).text
    found = await referral_of(ana, made["id"])
    assert "team.place" in found["disclosures"][-1]["fields"]
    told = (await page(night, ana, path)).text
    assert "the place for the outreach team" in told
    assert "team.place" not in told
    # It goes to another, who is not told, and cannot move a team that is not theirs.
    await ana.ask("POST", f"{path}/send", {"agency": "two"})
    await night.advance(3)
    link, code = link_in(post.to("a@two.example")[-1]), code_in(others[-1].text)
    proved = await click(night, link + "/code", {"code": code})
    assert "Ulica 5" not in (await click(night, link, as_=proved)).text
    form = {"kind": "dispatch", "name": "X", "dispatch": sent["id"], "to": "seen"}
    assert (await click(night, link + "/step", form)).status_code == 404
    # The first one hears that it is asked no longer.
    assert "povučen" in post.to("a@one.example")[-1]
    # Taken back, no team is on the way.
    await take_back(night, ana, made["id"])
    rows = await night.rows("SELECT state FROM dispatches")
    assert rows[0]["state"] == "called_off"
    again = await ana.ask("POST", f"{path}/dispatches/{sent['id']}", {"to": "seen"})
    assert again.status_code == 409
