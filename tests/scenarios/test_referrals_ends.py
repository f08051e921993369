"""Ends of a referral at which somebody might not hear of it, each found once and kept."""

from datetime import timedelta

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.scenarios.helpline import (
    Mail,
    add_agency,
    click,
    link_in,
    phone,
    referral_of,
    story,
    withdraw,
)
from tests.scenarios.primero import PrimeroStandIn
from tests.scenarios.test_cases import skip
from tests.scenarios.test_referral_machines import (
    ANSWERS,
    Receiver,
    primero,
    receiver,
    with_primero,
    with_system,
)
from tests.scenarios.test_referrals import OVERRIDE, by_hand, page

__all__ = ["primero", "receiver"]
CONSENT = {"given_by": "child", "scope": ["services"]}
HOUSE = {"agency": "house", "name": "M"}
NOT_HOUSE = {**CONSENT, "withheld_from": ["house"]}


async def test_less_consent_silences_who_did_not_answer(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example", sms="+381640000001")
    phone(night, "+381640000001")
    await add_agency(night, "other", "shelter", email="a@other.example")
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(200)
    found = await referral_of(ana, made["id"])
    assert [a["agency"] for a in found["recipients"]] == ["house", "other"]
    assert found["recipients"][0]["state"] == "unanswered"
    before = len(post.to("a@house.example"))
    path = f"/referrals/{made['id']}"
    assert (await ana.ask("POST", f"{path}/consent", NOT_HOUSE)).status_code == 200
    await night.advance(5)
    assert len(post.to("a@house.example")) == before + 1
    link = link_in(post.to("a@house.example")[0])
    late = await click(night, f"{link}/step", {"kind": "accept", "name": "Mira"})
    assert "This referral is over" in late.text
    found = await referral_of(ana, made["id"])
    assert found["state"] in ("sent", "delivered")
    assert found["recipients"][0]["state"] == "withdrawn"
    assert found["recipients"][1]["state"] in ("offered", "delivered")
    assert [c["kind"] for c in found["deadlines"] if c["stopped_at"] is None].count(
        "acknowledge"
    ) == 1
    # Said again, it is not told again.
    await ana.ask("POST", f"{path}/consent", NOT_HOUSE)
    await night.advance(5)
    assert len(post.to("a@house.example")) == before + 1


async def test_less_consent_offers_nothing_anew_that_is_done(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    await add_agency(night, "other", "shelter", email="a@other.example")
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(3)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/complete", {**HOUSE, "outcome": "placed_shelter"})
    assert (await ana.ask("POST", f"{path}/consent", NOT_HOUSE)).status_code == 200
    await night.advance(5)
    found = await referral_of(ana, made["id"])
    assert (found["state"], found["outcome"]) == ("completed", "placed_shelter")
    assert [a["state"] for a in found["recipients"]] == ["completed"]
    assert not post.to("a@other.example")
    # The offer, a link to the details, and that it is asked no longer.
    assert len(post.to("a@house.example")) == 3


async def test_who_was_not_found_has_yet_to_be_seen(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    for code in ("house", "other"):
        await add_agency(night, code, "shelter", email=f"a@{code}.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: bool(post.messages))
    link = link_in(post.messages[0][1])
    await click(
        night, f"{link}/step", {"kind": "complete", "name": "M", "outcome": "unable_to_locate"}
    )
    path = f"/referrals/{made['id']}"

    async def seen_deadline_runs() -> bool:
        found = await referral_of(ana, made["id"])
        clock = next(c for c in found["deadlines"] if c["kind"] == "seen")
        return clock["stopped_at"] is None

    assert await seen_deadline_runs()
    await ana.ask("POST", f"{path}/send", {"agency": "other"})
    await ana.ask("POST", f"{path}/accept", {"agency": "other", "name": "X"})
    assert await seen_deadline_runs()
    # An outcome that rests on having met the child stops it; sent on unseen, it runs again.
    placed = {"agency": "other", "outcome": "placed_shelter", "name": "X"}
    await ana.ask("POST", f"{path}/complete", placed)
    assert not await seen_deadline_runs()
    await ana.ask("POST", f"{path}/send", {"agency": "house"})
    assert await seen_deadline_runs()


async def test_our_own_supervisor_reads_that_they_have_it(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(
        night, "sup", "supervisor_on_call", sector="own_house", email="s@house.example"
    )
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    for _ in range(15):
        await night.advance(60)
        mails = [text for text in post.to("s@house.example") if "/r/" in text]
        if mails:
            break
    done = await click(
        night, link_in(mails[0]) + "/step", {"kind": "acknowledge", "name": "Vera, supervisor"}
    )
    assert done.status_code == 303
    shown = (await click(night, done.headers["location"])).text
    assert "Our own staff have this referral" in shown
    assert "Another service" not in shown
    # It was solved without any agency: why has to be written.
    path = f"/referrals/{made['id']}/close"
    assert (await ana.ask("POST", path, {"words": ""})).status_code == 422
    closed = await ana.ask("POST", path, {"words": "I went with her to the hospital"})
    assert closed.json()["state"] == "closed"
    shown = (await click(night, done.headers["location"])).text
    assert "This referral is over" in shown


async def test_what_an_agency_has_is_not_closed_over_its_head(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/acknowledge", HOUSE)
    refused = await ana.ask("POST", f"{path}/close", {"words": "enough"})
    assert refused.status_code == 409
    assert "An agency has this referral" in refused.json()["detail"]


async def test_a_refused_withdrawal_at_primero_is_somebodys_task(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    made = await by_hand(ana, consent=CONSENT, send=True, answers=ANSWERS)
    await night.advance(10)
    there.change_password("changed")
    await withdraw(night, ana, made["id"])
    await night.advance(30)
    assert there.only["status"] == "in_progress"
    notices = await night.rows("SELECT kind, for_whom FROM notices WHERE kind = 'ring_them'")
    assert [n["for_whom"] for n in notices] == ["supervisors"]
    assert "not taken back at their system" in story(await referral_of(ana, made["id"]))
    # It is tried on, and told once.
    there.change_password("secret")
    await skip(night, 1.05)
    assert there.only["status"] == "revoked"
    assert len(await night.rows("SELECT id FROM notices WHERE kind = 'ring_them'")) == 1
    assert (await night.rows("SELECT state FROM counterparts"))[0]["state"] == "ended"


async def test_a_withdrawal_behind_what_does_not_arrive(night: Stage, receiver: Receiver) -> None:
    ana = await night.add_counsellor("ana")
    await with_system(night, receiver)
    made = await by_hand(ana, consent=CONSENT, send=True, answers=ANSWERS)
    await night.until(lambda: len(receiver.taken) == 1)
    receiver.status = 503
    await ana.ask("POST", f"/referrals/{made['id']}/accept", HOUSE)
    await night.advance(3600)
    tried = len(receiver.tries)
    assert tried > 3
    receiver.status = 200
    await withdraw(night, ana, made["id"])
    # The next try would have been hours away.
    await night.advance(5)
    assert receiver.taken[-1]["type"] == "referral.withdrawn"
    # Whether it would arrive was not known: the owner was asked to ring, and after a while others.
    found = await night.rows("SELECT for_whom FROM notices WHERE kind = 'ring_them' ORDER BY at")
    assert [n["for_whom"] for n in found] == ["owner"]


async def test_that_somebody_has_to_ring_climbs_after_the_end(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    phone(night, "+381113000009", presses="1")
    await add_agency(night, "house", "shelter", phones=("+381113000009",))
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(30)
    await withdraw(night, ana, made["id"])
    await night.advance(400)
    found = await night.rows("SELECT for_whom FROM notices WHERE kind = 'ring_them' ORDER BY at")
    # The first asks for the details, which no address could be sent; the last for the withdrawal.
    assert [n["for_whom"] for n in found] == ["owner", "owner", "supervisors", "supervisors"]


async def test_a_team_is_called_off_when_consent_is_withdrawn(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(3)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/accept", HOUSE)
    wanted_at = (night.clock.now() + timedelta(hours=1)).isoformat()
    team = {"place": "Street 1", "wanted_at": wanted_at, "team": "T1"}
    assert (await ana.ask("POST", f"{path}/dispatches", team)).status_code == 201
    await withdraw(night, ana, made["id"])
    rows = await night.rows("SELECT state, ended_at FROM dispatches")
    assert rows[0]["state"] == "called_off"
    assert rows[0]["ended_at"] is not None
    assert "team called off" in story(await referral_of(ana, made["id"]))


async def test_the_page_of_every_way_that_it_can_stand(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    """Refused by another system, taken in hand by the house, closed by it: the page says so."""
    _, url = primero
    ana = await night.add_counsellor("ana")
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await with_primero(night, url, "mobile_outreach")
    refused = await by_hand(ana, override=OVERRIDE, services=["mobile_outreach"], send=True)
    await night.advance(5)
    shown = await page(night, ana, f"/referrals/{refused['id']}")
    assert "refused" in shown.text
    taken = await vera.ask("POST", f"/referrals/{refused['id']}/take", {})
    assert taken.status_code == 200
    shown = await page(night, vera, f"/referrals/{refused['id']}")
    assert "the helpline has it" in shown.text
    closed = await vera.ask("POST", f"/referrals/{refused['id']}/close", {"words": "We went"})
    assert closed.json()["state"] == "closed"
    shown = await page(night, vera, f"/referrals/{refused['id']}")
    assert "the helpline has it" not in shown.text
    assert "not done, stopped" in shown.text
    assert "closed the referral" in shown.text
