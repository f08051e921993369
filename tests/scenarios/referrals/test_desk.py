"""What our own staff see of a referral, and have to do."""

from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.contacts import WHOLE, new_contact, skip, skip_minutes
from tests.support.mail import Mail, link_in
from tests.support.primero import PrimeroStandIn
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.program.quiet_talks import HER_PHONE, quiet_talk
from tests.support.referrals import (
    BY_HOUSE,
    CONSENT,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    in_danger,
    page,
    phone,
    referral_of,
    story,
    withdraw,
)
from tests.support.systems import with_primero


async def test_a_referral_that_comes_back_goes_on_or_its_owner_is_told(quiet: QuietStage) -> None:
    """Urgent: the next at once. Otherwise the owner is told, and its deadline runs on."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    for n in (1, 2):
        await add_agency(quiet, f"house-{n}", "shelter", email=f"a@house{n}.example")
    immediate = await come_back(ana, "immediate", "sent")
    assert immediate["recipients"][-1]["agency"] == "house-2"
    priority = await come_back(ana, "priority", "rejected")
    notices = await quiet.rows("SELECT kind, for_whom FROM notices")
    assert ("rejected", "owner") in {(n["kind"], n["for_whom"]) for n in notices}
    on = await ana.ask("POST", f"/referrals/{priority['id']}/send", {"agency": "house-2"})
    assert on.json()["state"] == "sent"


async def come_back(ana: Counsellor, urgency: str, state: str) -> dict[str, Any]:
    """The house acknowledges and rejects; the deadline runs on."""
    made = await by_hand(ana, urgency=urgency, consent=CONSENT, send=True)
    path = f"/referrals/{made['id']}"
    mira = {"agency": "house-1", "name": "Mira"}
    ok = await ana.ask("POST", f"{path}/acknowledge", mira)
    assert ok.json()["state"] == "acknowledged"
    unnamed = await ana.ask("POST", f"{path}/acknowledge", {"agency": "house-1"})
    assert unnamed.status_code == 422
    full = {"agency": "house-1", "reason": "no_capacity", "words": "full"}
    assert (await ana.ask("POST", f"{path}/reject", full)).json()["state"] == state, urgency
    found = await referral_of(ana, made["id"])
    deadline = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
    assert deadline["stopped_at"] is None, urgency
    return found


async def test_each_sees_what_is_theirs(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", endpoint=HER_PHONE)
    bora = await quiet.add_counsellor("bora", state=None)
    officer = await quiet.add_counsellor(
        "olga", role=Role.REFERRAL_OFFICER, shift=False, state=None
    )
    made = await by_hand(ana)
    referral_id = made["id"]
    assert (await bora.ask("GET", f"/referrals/{referral_id}")).status_code == 404
    assert (await bora.ask("POST", f"/referrals/{referral_id}/close", {})).status_code == 404
    assert (await bora.ask("GET", "/referrals")).json()["referrals"] == []
    assert len((await officer.ask("GET", "/referrals")).json()["referrals"]) == 1
    # A colleague's contact cannot be referred, nor can a call of another counsellor.
    contact_id = await new_contact(ana, WHOLE)
    stolen = await bora.ask("POST", "/referrals", {"urgency": "urgent", "contact_id": contact_id})
    assert stolen.status_code == 404
    call = await quiet_talk(quiet, ana)
    body = {"service": "police"}
    assert (await bora.ask("POST", f"/calls/{call}/urgent", body)).status_code == 404
    # Given to a colleague, it is theirs.
    given = await ana.ask("POST", f"/referrals/{referral_id}/owner", {"name": "bora"})
    assert given.status_code == 200
    assert (await bora.ask("GET", f"/referrals/{referral_id}")).status_code == 200


async def test_the_deadlines_of_all_referrals_the_nearest_first(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    late = await by_hand(ana, urgency="routine")
    soon = await by_hand(ana, urgency="immediate")
    codes = [one["referrals"][0]["code"] for one in (soon, late)]
    shown = (await page(night, vera, "/supervisor")).text
    assert shown.index(codes[0]) < shown.index(codes[1])
    await skip(night, 0.3)
    rows = await night.rows(
        "SELECT kind, breached_at, due_at FROM deadlines WHERE breached_at > due_at"
    )
    assert [r["kind"] for r in rows] == ["acknowledge"]
    assert (rows[0]["breached_at"] - rows[0]["due_at"]).total_seconds() < 200
    await vera.sign_in()
    shown = (await page(night, vera, "/supervisor")).text
    assert "overdue by" in shown
    assert "A deadline has passed" in shown


async def test_what_is_not_urgent_expires_and_its_owner_decides(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    consent = {"given_by": "child", "scope": ["services"]}
    made = await by_hand(ana, urgency="routine", consent=consent, send=True)
    await night.advance(5)
    # By day each time: at night what is due is erased, which is no part of this.
    for hours in (103, 96):
        await skip(night, hours)
    await ana.sign_in()
    found = await referral_of(ana, made["id"])
    assert found["state"] == "expired", story(found)
    assert "deadline_missed" in " ".join(story(found))
    notices = await night.rows("SELECT kind, for_whom FROM notices")
    assert ("breach", "owner") in {(n["kind"], n["for_whom"]) for n in notices}
    # A late answer is an answer all the same.
    path = link_in(post.messages[-1][1])
    await night.watch.execute("UPDATE links SET expires_at = expires_at + interval '30 days'")
    late = await click(night, path + "/step", {"kind": "accept", "name": "Mira"})
    assert late.status_code == 303
    assert (await referral_of(ana, made["id"]))["state"] == "accepted"


@nightly
async def test_our_own_supervisor_reads_that_our_staff_have_it(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
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


async def test_what_an_agency_has_is_not_closed_over_its_head(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/acknowledge", BY_HOUSE)
    refused = await ana.ask("POST", f"{path}/close", {"words": "enough"})
    assert refused.status_code == 409
    assert "An agency has this referral" in refused.json()["detail"]


# By day another notice does, below.
@nightly
async def test_the_task_to_ring_an_agency_goes_to_supervisors_after_the_end(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    phone(night, "+381113000009", presses="1")
    await add_agency(night, "house", "shelter", phones=("+381113000009",))
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(30)
    await withdraw(night, ana, made["id"])
    await skip_minutes(night, 7, every=1)
    found = await night.rows(
        "SELECT for_whom, detail FROM notices WHERE kind = 'ring_them' ORDER BY at"
    )
    assert {n["detail"].get("agency") for n in found} == {"house"}
    # The first asks for the details, which no address could be sent; the last for the withdrawal.
    assert [n["for_whom"] for n in found] == ["owner", "owner", "supervisors", "supervisors"]


@nightly
async def test_the_page_says_who_has_the_referral_in_every_state(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    """Refused by another system, then taken in hand and closed by our own staff."""
    _, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
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


async def test_a_notice_that_the_owner_does_not_read_goes_to_supervisors(
    night: Stage, post: Mail
) -> None:
    """The duty phone wants to be called back, and the counsellor has gone home."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", email="duty@line.example"
    )
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", presses="2")
    await in_danger(night, ana)
    await night.advance(60)
    await skip_minutes(night, 6, every=1)
    rows = await night.rows("SELECT for_whom FROM notices WHERE kind = 'call_back'")
    assert {r["for_whom"] for r in rows} == {"owner", "supervisors"}
    assert any("call-back" in text for text in post.to("duty@line.example"))
