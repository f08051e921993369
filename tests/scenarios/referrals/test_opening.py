"""A referral is opened from a contact or with one click."""

import asyncio
from datetime import timedelta
from io import BytesIO

from pypdf import PdfReader

from app.demo.stage import Stage
from tests.support.contacts import WHOLE, new_contact, page_of, write
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.program.quiet_talks import HER_PHONE, quiet_talk
from tests.support.referrals import (
    OVERRIDE,
    add_agency,
    agency_figures,
    by_hand,
    page,
    phone,
    referral_of,
    withdraw,
)


async def test_a_contact_is_referred_with_what_is_known(quiet: QuietStage) -> None:
    """The protocol says whom its signs need; consent comes from the contact's own form."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(
        quiet,
        "centre",
        "child_protection",
        sector="social_welfare",
        phones=("+381113000001",),
        languages=("sr", "en"),
    )
    await add_agency(quiet, "police", "police", sector="police", phones=("+381113000002",))
    contact_id = await new_contact(
        ana,
        {
            **WHOLE,
            "contact.categories": ["V-SEXUAL"],
            "consent.services": "yes",
            "consent.authorities": "yes",
            "consent.given_by": "child",
            "child.a1.found_at": "Kod tetke",
            "actions.confidential": "yes",
        },
    )
    await ana.ask("POST", f"/contacts/{contact_id}/urgency", {"urgency": "urgent"})
    (await ana.ask("POST", f"/contacts/{contact_id}/complete")).raise_for_status()
    made = (
        await ana.ask(
            "POST", "/referrals", {"urgency": "urgent", "contact_id": contact_id, "send": True}
        )
    ).json()
    assert len(made["referrals"]) == 2, made
    found = {}
    for one in made["referrals"]:
        whole = await referral_of(ana, one["id"])
        found[whole["service"]] = whole
    centre = found["child_protection"]
    assert set(found) == {"child_protection", "police"}
    assert centre["answers"]["child.name"] == "Јована Петровић"
    assert centre["answers"]["reason.place"] == "RS-BG"
    assert centre["consents"][0]["scope"] == ["services", "authorities"]
    # "Confidential within the helpline" takes nothing from a service that has to know who it is.
    code = (await quiet.rows("SELECT code FROM contacts"))[0]["code"]
    assert centre["answers"]["child.case_code"] == code
    pdf = await ana.ask("POST", f"/referrals/{centre['id']}/written", {"on_paper": True})
    text = "".join(p.extract_text() for p in PdfReader(BytesIO(pdf.content)).pages)
    assert code in text
    assert "Петровић" in text
    assert "Odmah nas zovite na" in text
    assert "Pisana potvrda" in text, "in the agency's language, whatever ours is"


@nightly
async def test_before_a_child_under_three_is_placed_outreach_is_asked(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    await add_agency(
        night, "team", "mobile_outreach", sector="mobile_outreach", phones=("+381113000002",)
    )
    house = phone(night, "+381113000001", presses="1")
    phone(night, "+381113000002", presses="1")
    answers = {"child.age": 1}
    made = await by_hand(ana, answers=answers, override=OVERRIDE, send=True)
    await night.advance(40)
    found = await referral_of(ana, made["id"])
    assert found["family_first"] == ["mobile_outreach", "family_support"]
    history = await page_of(night, ana, f"/referrals/{made['id']}")
    assert "shelter; first to mobile outreach" in history
    assert found["recipients"][0]["agency"] == "team"
    assert house.rung == 0
    # The team goes there; "separation prevented" is counted.
    place = {
        "place": "Ulica 5, kod škole",
        "team": "Tim 2",
        "wanted_at": (night.clock.now() + timedelta(hours=1)).isoformat(),
    }
    sent = await ana.ask("POST", f"/referrals/{made['id']}/dispatches", place)
    assert sent.status_code == 201, sent.text
    for to, more in (
        ("on_the_way", {}),
        ("arrived", {}),
        ("seen", {}),
        ("done", {"result": "family_supported"}),
    ):
        await night.advance(60)
        moved = await ana.ask(
            "POST", f"/referrals/{made['id']}/dispatches/{sent.json()['id']}", {"to": to, **more}
        )
        assert moved.status_code == 200, moved.text
    back = await ana.ask(
        "POST", f"/referrals/{made['id']}/dispatches/{sent.json()['id']}", {"to": "arrived"}
    )
    assert back.status_code == 409
    found = await referral_of(ana, made["id"])
    assert found["seen_at"] is not None
    assert found["dispatches"][0]["place"] == place["place"]
    stored = await night.rows("SELECT place_sealed FROM dispatches")
    assert b"Ulica" not in stored[0]["place_sealed"]
    await ana.ask(
        "POST",
        f"/referrals/{made['id']}/complete",
        {"agency": "team", "outcome": "family_supported", "name": "Tim 2"},
    )
    numbers = (await agency_figures(night))["all"]
    assert (numbers["separation_risk"], numbers["separation_prevented"]) == (1, 1)
    # With a reason it can go to the shelter at once.
    direct = await by_hand(
        ana, answers=answers, override=OVERRIDE, send=True, directly="No home to go back to."
    )
    assert (await referral_of(ana, direct["id"]))["recipients"][0]["agency"] == "house"


async def test_the_urgent_button_goes_by_the_childs_consent(quiet: QuietStage) -> None:
    """An override is for where there is none; and what rests on consent can be withdrawn."""
    ana = await quiet.add_counsellor("ana", endpoint=HER_PHONE)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    call = await quiet_talk(quiet, ana)
    contact = (await ana.ask("GET", f"/calls/{call}/contact")).json()
    await write(
        ana,
        contact["id"],
        {**WHOLE, "consent.services": "yes", "consent.given_by": "child"},
    )
    made = await ana.ask("POST", f"/calls/{call}/urgent", {"service": "shelter"})
    found = await referral_of(ana, made.json()["id"])
    assert [c["kind"] for c in found["consents"]] == ["consent"]
    # For the police, whom the child did not speak of, there is the ground of danger.
    other = await ana.ask("POST", f"/calls/{call}/urgent", {"service": "police"})
    found = await referral_of(ana, other.json()["id"])
    assert [c["kind"] for c in found["consents"]] == ["consent", "override"]
    back = await withdraw(quiet, ana, made.json()["id"])
    assert back["state"] == "consent_withdrawn"


async def test_the_board_warns_of_people_who_must_not_be_told_and_four_clicks_are_one_referral(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", endpoint=HER_PHONE)
    call = await quiet_talk(quiet, ana)
    contact = (await ana.ask("GET", f"/calls/{call}/contact")).json()
    await write(
        ana,
        contact["id"],
        {"contact.kind": "child", "consent.withheld_from": "the centre: my aunt"},
    )
    board = f"/board/calls/{call}/urgent"
    shown = await page(quiet, ana, board)
    assert "who must not be told" in shown.text
    assert "my aunt" not in shown.text
    # Neither the one click nor the interface goes over it unread.
    refused = await page(quiet, ana, board, service="shelter")
    assert "Read that in the contact" in refused.text
    assert await quiet.rows("SELECT id FROM referrals") == []
    path = f"/calls/{call}/urgent"
    answer = await ana.ask("POST", path, {"service": "shelter"})
    assert (answer.status_code, answer.json()["error"]) == (409, "WishNotRead")
    body = {"service": "shelter", "wish_read": True}
    answers = await asyncio.gather(*(ana.ask("POST", path, body) for _ in range(4)))
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409]
    assert len(await quiet.rows("SELECT id FROM referrals")) == 1


async def test_outreach_comes_first_when_the_age_becomes_known_later(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    await add_agency(
        quiet, "team", "mobile_outreach", sector="mobile_outreach", email="a@team.example"
    )
    made = await by_hand(ana, override=OVERRIDE)
    found = await referral_of(ana, made["id"])
    change = {"path": "child.age", "value": 1, "base": found["revision"]}
    await ana.ask("PUT", f"/referrals/{made['id']}/answers", {"changes": [change]})
    await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    found = await referral_of(ana, made["id"])
    assert found["recipients"][0]["agency"] == "team"
    assert found["separation_risk"]
