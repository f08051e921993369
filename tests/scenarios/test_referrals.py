"""Urgent cases reach somebody who acts: by phone, by message, by link, up the escalation."""

from datetime import datetime, timedelta
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from pypdf import PdfReader

from app.demo.stage import Counsellor, Stage
from app.jobs.transaction import transaction
from app.staff.audit import verify_chains
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.scenarios.helpline import (
    Mail,
    add_agency,
    agency_figures,
    click,
    code_in,
    link_in,
    phone,
    referral_of,
    story,
    withdraw,
)
from tests.scenarios.test_cases import skip
from tests.scenarios.test_contacts import WHOLE, new_contact
from tests.scenarios.test_main_job import talk

SHELTER = ("+381113000001", "+381113000002", "+381113000003")


async def page(stage: Stage, who: Counsellor, path: str, **form: str) -> Any:
    """A page as somebody who is signed in sees it; with a form it is sent."""
    url = stage.settings.public_url + path
    headers = {"Cookie": f"{COOKIE}={who._cookies[COOKIE]}", "origin": stage.settings.public_url}
    if form:
        return await stage.client.post(url, data=form, headers=headers)
    return await stage.client.get(url, headers=headers)


async def urgent(stage: Stage, who: Counsellor, service: str = "shelter", **more: Any) -> str:
    """A child in danger is on the line, and the counsellor presses urgent."""
    leg = await talk(stage, who)
    call = await stage.call_of(leg)
    made = await who.ask("POST", f"/calls/{call['id']}/urgent", {"service": service, **more})
    assert made.status_code == 201, made.text
    await stage.settle()
    return str(made.json()["id"])


async def by_hand(who: Counsellor, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"urgency": "immediate", "services": ["shelter"], **more}
    answer = await who.ask("POST", "/referrals", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


OVERRIDE = {"basis": "vital_interests", "reason": "The child is in danger tonight."}


async def test_a_child_in_danger_at_two_in_the_night(night: Stage, post: Mail) -> None:
    stage = night
    ana = await stage.add_counsellor("ana")
    await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await add_agency(
        stage,
        "safe-house",
        "shelter",
        phones=SHELTER,
        email="duty@safe.example",
        sms="+381640000001",
        mandated_for=("shelter@RS-BG",),
        areas=("RS-BG",),
    )
    await add_agency(stage, "other-house", "shelter", phones=("+381113000009",))
    phone(stage, SHELTER[0], picks_up=None)
    phone(stage, SHELTER[1], machine=True)
    third = phone(stage, SHELTER[2], presses="1")
    other = phone(stage, "+381113000009", presses="1")
    phone(stage, "+381640000001")

    # Two clicks on the board: open the box, and say what is needed.
    leg = await talk(stage, ana)
    call = await stage.call_of(leg)
    board = await page(stage, ana, "/")
    assert 'id="urgent-shelter"' in board.text
    sent = await page(
        stage, ana, f"/board/calls/{call['id']}/urgent", service="shelter", place="RS-BG"
    )
    assert "R-" in sent.text
    assert "sent" in sent.text
    rows = await stage.rows("SELECT id, owner_id, state FROM referrals")
    referral_id = str(rows[0]["id"])
    assert str(rows[0]["owner_id"]) == str(ana.id)

    await stage.advance(120)
    found = await referral_of(ana, referral_id)
    tried = [r["result"] for r in found["attempts"] if r["purpose"] == "escalation"]
    assert tried == ["no_answer", "machine", "acknowledged"]
    assert found["state"] == "acknowledged"
    assert third.rung == 1
    # What they hear names nobody.
    heard = " ".join(h.text for h in third.heard)
    assert "press 1" in heard.lower()
    assert " ".join(found["code"].replace("-", "")) in heard

    # The details follow: the house opens its link, proves itself, and has no bed.
    write = {
        "child.name": "Jovana Petrović",
        "child.age": 11,
        "child.found_at": "Ulica 5",
        "danger.suspected": "the stepfather",
        "reason.why": "He drinks.",
    }
    saved = await ana.ask(
        "PUT",
        f"/referrals/{referral_id}/answers",
        {"changes": [{"path": p, "value": v, "base": found["revision"]} for p, v in write.items()]},
    )
    assert saved.json()["refused"] == {}, saved.text
    written = await ana.ask("POST", f"/referrals/{referral_id}/written", {})
    assert written.headers["content-type"] == "application/pdf"
    text = "".join(p.extract_text() for p in PdfReader(BytesIO(written.content)).pages)
    assert "Jovana" in text
    assert "stepfather" not in text, "a shelter is not told who is suspected"
    await stage.advance(5)
    mail, sms = post.to("duty@safe.example")[-1], stage.exchange.phones["+381640000001"].texts[-1]
    for message in (mail, sms.text):
        assert not {"Jovana", "Petrović", "Ulica", "11"} & set(message.replace(".", " ").split())
    path = link_in(mail)
    seen = await click(stage, path)
    assert seen.status_code == 200
    assert "Jovana" not in seen.text
    shown = await click(stage, f"{path}/code", {"code": code_in(sms.text)})
    assert shown.status_code == 303
    details = await click(stage, path, as_=shown)
    assert "Jovana Petrović" in details.text
    # Only in the browser that was proved: the address alone opens nothing.
    assert "Jovana" not in (await click(stage, path)).text
    assert "stepfather" not in details.text
    rejected = await click(
        stage, f"{path}/step", {"kind": "reject", "name": "Mira", "reason": "no_capacity"}
    )
    assert rejected.status_code == 303
    await stage.advance(30)

    # The next right one was rung at once, and its clock is the one of the beginning.
    found = await referral_of(ana, referral_id)
    assert other.rung == 1
    assert found["state"] == "acknowledged"
    assert [a["agency"] for a in found["recipients"]] == ["safe-house", "other-house"]
    clock = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
    due, opened = (datetime.fromisoformat(t) for t in (clock["due_at"], found["opened_at"]))
    assert due - opened == timedelta(minutes=15)
    told = await ana.ask(
        "POST",
        f"/referrals/{referral_id}/accept",
        {"agency": "other-house", "name": "Sestra Ana, on duty"},
    )
    assert told.json()["state"] == "accepted"
    agreed = {
        "agreed": "A bed from three o'clock; we bring her.",
        "name": "Sestra Ana",
        "agency": "other-house",
        "details_told": True,
        "at": (stage.clock.now() - timedelta(minutes=1)).isoformat(),
    }
    await ana.ask("POST", f"/referrals/{referral_id}/handover", agreed)
    await skip(stage, 1)
    seen_at = (stage.clock.now() - timedelta(minutes=5)).isoformat()
    await ana.sign_in()
    seen = {"agency": "other-house", "seen_at": seen_at}
    done = await ana.ask("POST", f"/referrals/{referral_id}/progress", seen)
    assert done.json()["state"] == "in_progress"
    # The second house has no address for messages: the form is handed over on paper, and only
    # then its clock stops. What the first one got does not count for the second.
    written_deadline = next(
        c for c in (await referral_of(ana, referral_id))["deadlines"] if c["kind"] == "written"
    )
    assert written_deadline["stopped_at"] is None
    mute = await ana.ask("POST", f"/referrals/{referral_id}/written", {})
    assert (mute.status_code, "on paper" in mute.json()["detail"]) == (409, True)
    again = await ana.ask("POST", f"/referrals/{referral_id}/written", {"on_paper": True})
    assert again.status_code == 200
    for verb, body in (
        ("complete", {"agency": "other-house", "outcome": "placed_shelter"}),
        ("feedback", {"words": "The teacher was rung."}),
        ("close", {"words": "Safe."}),
    ):
        answer = await ana.ask("POST", f"/referrals/{referral_id}/{verb}", body)
        assert answer.status_code == 200, answer.text

    # The whole trail reads as a story on one page, in this order.
    whole = (await page(stage, ana, f"/referrals/{referral_id}")).text
    order = [
        "ana pressed urgent during the call: immediate, shelter",
        "recorded an override of consent: vital interests",
        "Offered to Safe House (the mandated recipient for this place",
        "Safe House, telephone: no answer",
        "Safe House, telephone: answering machine",
        "Safe House, telephone: a person pressed 1",
        "Safe House acknowledged by telephone",
        "sent the written confirmation to Safe House",
        "Safe House rejected: no capacity by link",
        "Offered to Other House",
        "Other House acknowledged by telephone",
        "Other House accepted",
        "Agreed with Other House by telephone at 2030-01-14 01:",
        "Other House saw the child",
        "sent the written confirmation to Other House on paper",
        "Other House completed its part: placed shelter",
        "gave feedback to the person who reported",
        "ana closed the referral",
    ]
    at = 0
    for words in order:
        assert words in whole[at:], words
        at = whole.index(words, at)
    found = await referral_of(ana, referral_id)
    assert all(c["stopped_at"] for c in found["deadlines"])
    assert all(c["breached_at"] is None for c in found["deadlines"])
    told_to = [(d["to"], d["how"]) for d in found["disclosures"]]
    assert ("Safe House", "link by email") in told_to
    assert all("danger.suspected" not in d["fields"] for d in found["disclosures"])
    async with transaction(stage.ground, PROGRAM) as work:
        assert [r.broken for r in await verify_chains(work.session) if r.broken] == []


async def test_the_ladder_climbs_until_a_person_acknowledges(night: Stage, post: Mail) -> None:
    """Duty phones, SMS and e-mail, the next agency, our supervisor, our director, around."""
    ana = await night.add_counsellor("ana")
    await add_agency(
        night,
        "first",
        "shelter",
        phones=("+381113000001",),
        email="a@first.example",
        sms="+381640000001",
    )
    await add_agency(night, "second", "shelter", phones=("+381113000002",))
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    await add_agency(
        night,
        "director",
        "director_on_call",
        sector="own_house",
        phones=("+381113000004",),
        email="director@line.example",
    )
    for number in ("+381113000001", "+381113000002", "+381113000003"):
        phone(night, number, busy=True)
    director = phone(night, "+381113000004", picks_up=None)
    phone(night, "+381640000001")
    referral_id = await urgent(night, ana)
    # A second person looks at the override, so that no alarm of its own rings anybody.
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    notice = (await night.rows("SELECT id FROM notices WHERE kind = 'override'"))[0]["id"]
    assert (await vera.ask("POST", f"/notices/{notice}/seen")).status_code == 204
    await night.advance(700)
    found = await referral_of(ana, referral_id)
    tried = [(r["agency"], r["kind"]) for r in found["attempts"]]
    assert tried[:7] == [
        ("First", "phone"),
        ("First", "email"),
        ("First", "sms"),
        ("Second", "phone"),
        ("On Call", "phone"),
        ("Director", "phone"),
        ("Director", "email"),
    ]
    assert found["state"] in ("sent", "delivered")
    assert ("First", "phone") in tried[7:], "it goes around again"
    # Nobody is tried again within a minute.
    times: dict[tuple[str, str], list[Any]] = {}
    for row in await night.rows("SELECT target, kind, wanted_at FROM attempts ORDER BY number"):
        times.setdefault((row["target"], row["kind"]), []).append(row["wanted_at"])
    for first_and_later in times.values():
        for earlier, later in pairwise(first_and_later):
            assert later - earlier >= timedelta(seconds=60)
    # The quarter of an hour is over: a breach is an event, and somebody is told of it.
    await night.advance(300)
    found = await referral_of(ana, referral_id)
    assert "deadline missed" in " ".join(story(found))
    kinds = {r["kind"] for r in await night.rows("SELECT kind FROM notices")}
    assert {"breach", "escalated", "override"} <= kinds
    # Then the director lifts the phone: our own house has it, and an agency still has to.
    director.picks_up, director.presses = 1.0, "1"
    times_rung = director.rung
    await night.until(lambda: director.rung > times_rung, limit=900)
    await night.advance(30)
    found = await referral_of(ana, referral_id)
    assert found["house_has_it"], story(found)
    running = [c["kind"] for c in found["deadlines"] if c["stopped_at"] is None]
    assert "hand_over" in running
    # Nobody takes it over in time: the escalation begins anew.
    director.picks_up = None
    await night.advance(1000)
    found = await referral_of(ana, referral_id)
    assert not found["house_has_it"]
    running = [c["kind"] for c in found["deadlines"] if c["stopped_at"] is None]
    assert "acknowledge" in running


async def test_nothing_is_sent_without_consent_or_a_recorded_ground(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    await add_agency(
        night, "centre", "child_protection", sector="social_welfare", phones=("+381113000002",)
    )
    for number in ("+381113000001", "+381113000002"):
        phone(night, number, presses="1")
    draft = (await by_hand(ana))["id"]
    refused = await ana.ask("POST", f"/referrals/{draft}/send", {})
    assert (refused.status_code, refused.json()["error"]) == (409, "NotConsented")
    assert await night.rows("SELECT 1 FROM attempts UNION ALL SELECT 1 FROM recipients") == []

    # Consent for services only: an authority is not told, a service is.
    consent = {"given_by": "child", "scope": ["services"]}
    authority = (await by_hand(ana, services=["child_protection"], consent=consent))["id"]
    found = await referral_of(ana, authority)
    sent = await ana.ask("POST", f"/referrals/{authority}/send", {"agency": "centre"})
    assert sent.json()["error"] == "NotConsented"
    assert (await referral_of(ana, authority))["state"] == "draft"
    assert (await ana.ask("POST", f"/referrals/{draft}/consent", consent)).status_code == 200

    # Withheld from this one: not even by hand.
    withheld = {**consent, "scope": ["services", "authorities"], "withheld_from": ["house"]}
    assert (await ana.ask("POST", f"/referrals/{draft}/consent", withheld)).status_code == 200
    sent = await ana.ask("POST", f"/referrals/{draft}/send", {"agency": "house"})
    assert sent.json()["error"] == "Withheld"
    unknown = {**withheld, "withheld_from": ["grandmother"]}
    assert (await ana.ask("POST", f"/referrals/{draft}/consent", unknown)).status_code == 422

    # An override needs a ground that the protocol knows, a reason, and a second person.
    assert (
        await ana.ask("POST", f"/referrals/{draft}/override", {**OVERRIDE, "reason": " "})
    ).status_code == 422
    routine = (await by_hand(ana, urgency="routine"))["id"]
    refused = await ana.ask("POST", f"/referrals/{routine}/override", OVERRIDE)
    assert refused.status_code == 422
    assert "legal_obligation, best_interests" in refused.json()["detail"]
    assert (await ana.ask("POST", f"/referrals/{draft}/override", OVERRIDE)).status_code == 200
    # The wish stands: an override does not reach whom it does not name.
    sent = await ana.ask("POST", f"/referrals/{draft}/send", {"agency": "house"})
    assert sent.json()["error"] == "Withheld"
    despite = {**OVERRIDE, "despite": ["house"]}
    assert (await ana.ask("POST", f"/referrals/{draft}/override", despite)).status_code == 200
    sent = await ana.ask("POST", f"/referrals/{draft}/send", {"agency": "house"})
    assert sent.json()["state"] == "sent"
    await night.settle()
    notice = (await night.rows("SELECT id FROM notices WHERE kind = 'override'"))[-1]["id"]
    assert (await ana.ask("POST", f"/notices/{notice}/seen")).status_code == 409
    assert (await vera.ask("POST", f"/notices/{notice}/seen")).status_code == 204
    found = await referral_of(ana, draft)
    assert found["consents"][-1]["words"] == OVERRIDE["reason"]
    assert "override seen" in story(found)


async def test_consent_withdrawn_reaches_everybody_who_was_told(night: Stage, post: Mail) -> None:
    """In the middle of the delivery: one message is out, one is on its way."""
    ana = await night.add_counsellor("ana")
    await add_agency(
        night,
        "house",
        "shelter",
        email="a@house.example",
        sms="+381640000001",
        phones=("+381113000001",),
    )
    phone(night, "+381113000001", busy=True)
    texts = phone(night, "+381640000001").texts
    post.answer = "451 later"
    consent = {"given_by": "caregiver", "scope": ["services"]}
    made = await by_hand(ana, consent=consent, send=True)
    referral_id = made["id"]
    await night.until(lambda: bool(texts), what="the SMS arrives")
    path = link_in(texts[0].text)
    assert post.messages == []
    await withdraw(night, ana, referral_id)
    post.answer = "250 OK"
    await night.advance(120)
    # The e-mail that was on its way says nothing of the referral any more.
    assert len(post.messages) == 1
    assert "withdrawn" in post.messages[0][1]
    assert "withdrawn" in texts[-1].text
    gone = await click(night, path)
    assert "withdrawn" in gone.text
    assert 'value="acknowledge"' not in gone.text
    tried = await click(night, f"{path}/step", {"kind": "acknowledge", "name": "Mira"})
    assert "withdrawn" in tried.text or tried.status_code in (200, 303)
    found = await referral_of(ana, referral_id)
    assert found["state"] == "consent_withdrawn"
    assert all(c["stopped_at"] for c in found["deadlines"])
    for verb, body in (("send", {"agency": "house"}), ("written", {}), ("consent", consent)):
        answer = await ana.ask("POST", f"/referrals/{referral_id}/{verb}", body)
        assert answer.status_code in (404, 409), (verb, answer.text)
    # With an override there is no consent to withdraw.
    other = await by_hand(ana, override=OVERRIDE)
    refused = await ana.ask("POST", f"/referrals/{other['id']}/withdraw-consent", {"by": "child"})
    assert refused.status_code == 409


async def test_a_wrong_number_is_not_a_rejection(night: Stage) -> None:
    """Key 3: the next way of the same agency is tried, and the directory's keeper sees the mark."""
    ana = await night.add_counsellor("ana")
    numbers = ("+381113000001", "+381113000002")
    await add_agency(night, "house", "shelter", phones=numbers)
    await add_agency(night, "xother", "shelter", phones=("+381113000003",))
    phone(night, numbers[0], presses="3")
    second = phone(night, numbers[1], presses="2")
    other = phone(night, "+381113000003")
    referral_id = await urgent(night, ana)
    await night.advance(40)
    found = await referral_of(ana, referral_id)
    assert [r["result"] for r in found["attempts"]] == ["wrong_number", "wants_to_be_called_back"]
    assert [(a["agency"], a["reason"]) for a in found["recipients"]] == [("house", None)]
    assert other.rung == 0
    assert found["state"] == "sent", "wanting to be called back is not acknowledging"
    kinds = [r["kind"] for r in await night.rows("SELECT kind FROM notices ORDER BY at")]
    assert {"wrong_number", "call_back"} <= set(kinds)
    doubted = await night.rows("SELECT number FROM duty_phones WHERE doubted_at IS NOT NULL")
    assert [r["number"] for r in doubted] == [numbers[0]]
    shown = await page(night, ana, "/agencies")
    assert f"wrong number? {numbers[0]}" in shown.text
    # The escalation waits for the call back, and then goes on.
    second.presses = "1"
    await night.advance(400)
    assert (await referral_of(ana, referral_id))["state"] == "acknowledged"


async def test_whoever_acknowledges_is_brought_into_the_live_call(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    body = {"service": "police", "warm": True}
    made = await ana.ask("POST", f"/calls/{call['id']}/urgent", body)
    await night.advance(40)
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    labels = {p.label for p in inside[0].participants.values()}
    assert sum(label.startswith("duty-") for label in labels) == 1
    assert len(labels) == 3
    found = await referral_of(ana, made.json()["id"])
    assert "joined the live call" in story(found)
    # The third party hangs up: the talk goes on.
    duty = next(p.leg for p in inside[0].participants.values() if p.label.startswith("duty-"))
    await night.exchange.hang_up(duty)
    await night.advance(5)
    assert (await night.call_of(leg))["state"] == "connected"


async def test_a_duty_phone_is_dropped_from_the_talk_and_the_others_go_on(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    boris = await night.add_counsellor("boris", state=None)
    numbers = ("+381113000001", "+381113000002")
    for number, code in zip(numbers, ("police", "shelter"), strict=True):
        await add_agency(night, code, code, sector=code, phones=(number,))
        phone(night, number, presses="1")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    made = []
    for service in ("police", "shelter"):
        body = {"service": service, "warm": True}
        made.append((await ana.ask("POST", f"/calls/{call['id']}/urgent", body)).json()["id"])
    await night.advance(40)
    path = f"/calls/{call['id']}/parties"
    there = (await ana.ask("GET", path)).json()
    assert sorted((p["purpose"], p["state"], p["who"]) for p in there) == [
        ("duty", "in", "Police"),
        ("duty", "in", "Shelter"),
    ]
    police = next(p["id"] for p in there if p["who"] == "Police")
    refused = await boris.ask("POST", f"{path}/{police}/drop")
    assert refused.status_code == 404, "nobody else's talk"
    assert (await ana.ask("POST", f"{path}/{police}/drop")).status_code == 204
    await night.advance(5)
    assert [p["who"] for p in (await ana.ask("GET", path)).json()] == ["Shelter"]
    assert next(x for x in night.exchange.legs.values() if x.to == numbers[0]).over
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    assert len(inside[0].participants) == 3
    found = await referral_of(ana, made[0])
    assert found["state"] == "acknowledged", "they have it all the same"
    assert "taken out of the live call" in story(found)
    assert (await ana.ask("POST", f"{path}/{police}/drop")).status_code == 404


async def test_the_counsellors_line_drops_while_a_third_party_is_there(night: Stage) -> None:
    """The child is not left alone with them, and not hung up on."""
    ana = await night.add_counsellor("ana")
    bora = await night.add_counsellor("bora", state=None)
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "police", "warm": True})
    await night.advance(40)
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    assert len(inside[0].participants) == 3
    mine = next(
        p.leg
        for p in inside[0].participants.values()
        if p.leg is not leg and not p.label.startswith("duty-")
    )
    await ana.be("break")
    await night.exchange.hang_up(mine)
    await night.advance(5)
    assert (await night.call_of(leg))["state"] == "queued"
    await bora.be("available")
    await night.until(bora.offer, what="the child is offered to the next counsellor")
    assert not leg.over


async def test_the_danger_key_that_nobody_could_answer(night: Stage) -> None:
    """Nobody is free: after a minute the police are asked, and the number goes along."""
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await night.add_counsellor("ana")
    await talk(night, ana, from_="+381641111111")
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = night.ring("+381642222222")
    await night.advance(2)
    night.exchange.press(leg, "9")
    await night.advance(30)
    assert await night.rows("SELECT id FROM referrals") == []
    await night.advance(60)
    rows = await night.rows("SELECT id, owner_id, opened_how, state, opened_by FROM referrals")
    assert len(rows) == 1
    assert rows[0]["opened_how"] == "danger_key"
    assert rows[0]["owner_id"] == vera.id, "somebody answers for it"
    found = await referral_of(vera, str(rows[0]["id"]))
    assert found["state"] == "acknowledged"
    assert found["answers"]["child.phone"] == "+381642222222"
    assert found["consents"][0]["basis"] == "vital_interests"
    # The child still waits with us; whoever takes the call changes nothing of that.
    assert (await night.call_of(leg))["state"] == "queued"


async def test_a_practice_call_rings_no_real_help(night: Stage) -> None:
    """A trainee plays a child in danger: neither the danger key nor the urgent button refers."""
    await add_agency(night, "police", "police", sector="police", phones=("+381113000002",))
    rings = phone(night, "+381113000002", presses="1")
    ana = await night.add_counsellor("ana", state=None)
    await night.rows("UPDATE lines SET practice = true RETURNING 1")
    night.ground.memory.forget("everything")
    leg = night.ring()
    await night.advance(2)
    night.exchange.press(leg, "9")
    await night.advance(600)
    assert (await night.call_of(leg))["danger"]
    assert await night.rows("SELECT 1 FROM referrals") == []
    await night.exchange.hang_up(leg)
    await night.advance(5)
    await ana.sign_in()
    await ana.be("available")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    refused = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "police"})
    assert (refused.status_code, "practice call" in refused.text) == (409, True)
    contact = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()["id"]
    body = {"urgency": "immediate", "services": ["police"], "contact_id": contact, "send": True}
    assert (await ana.ask("POST", "/referrals", body)).status_code == 409
    await night.advance(60)
    assert rings.rung == 0


async def test_a_danger_call_that_was_answered_is_nobody_elses_business(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    await talk(night, ana, digit="9")
    await night.advance(120)
    assert await night.rows("SELECT id FROM referrals") == []


async def test_a_contact_is_referred_with_what_is_known(night: Stage) -> None:
    """The protocol says whom its signs need; consent comes from the contact's own form."""
    ana = await night.add_counsellor("ana")
    await add_agency(
        night,
        "centre",
        "child_protection",
        sector="social_welfare",
        phones=("+381113000001",),
        languages=("sr", "en"),
    )
    await add_agency(night, "police", "police", sector="police", phones=("+381113000002",))
    for number in ("+381113000001", "+381113000002"):
        phone(night, number, presses="1")
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
    await night.settle()
    found = {}
    for one in made["referrals"]:
        whole = await referral_of(ana, one["id"])
        found[whole["service"]] = whole
    centre = found["child_protection"]
    assert set(found) == {"child_protection", "police"}
    assert centre["answers"]["child.name"] == "Јована Петровић"
    assert centre["answers"]["reason.place"] == "RS-BG"
    assert centre["consents"][0]["scope"] == ["services", "authorities"]
    # "Confidential in the house" takes nothing from a service that has to know who it is.
    code = (await night.rows("SELECT code FROM contacts"))[0]["code"]
    assert centre["answers"]["child.case_code"] == code
    await night.advance(40)
    pdf = await ana.ask("POST", f"/referrals/{centre['id']}/written", {"on_paper": True})
    text = "".join(p.extract_text() for p in PdfReader(BytesIO(pdf.content)).pages)
    assert code in text
    assert "Петровић" in text
    assert "Odmah nas zovite na" in text
    assert "Pisana potvrda" in text, "in the agency's language, whatever ours is"


async def test_before_a_child_under_three_is_placed_outreach_is_asked(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
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


@pytest.mark.parametrize("urgency", ["immediate", "priority"])
async def test_what_comes_back_is_never_left_lying(night: Stage, urgency: str) -> None:
    """Urgent: the next at once. Otherwise the owner is told, and its clock runs on."""
    ana = await night.add_counsellor("ana")
    for n in (1, 2):
        await add_agency(night, f"house-{n}", "shelter", email=f"a@house{n}.example")
    consent = {"given_by": "child", "scope": ["services"]}
    made = await by_hand(ana, urgency=urgency, consent=consent, send=True)
    await night.advance(5)
    referral_id = made["id"]
    ok = await ana.ask(
        "POST", f"/referrals/{referral_id}/acknowledge", {"agency": "house-1", "name": "Mira"}
    )
    assert ok.json()["state"] == "acknowledged"
    nobody = await ana.ask("POST", f"/referrals/{referral_id}/acknowledge", {"agency": "house-1"})
    assert nobody.status_code == 422
    back = await ana.ask(
        "POST",
        f"/referrals/{referral_id}/reject",
        {"agency": "house-1", "reason": "no_capacity", "words": "full"},
    )
    found = await referral_of(ana, referral_id)
    clock = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
    assert clock["stopped_at"] is None
    if urgency == "immediate":
        assert back.json()["state"] == "sent"
        assert found["recipients"][-1]["agency"] == "house-2"
    else:
        assert back.json()["state"] == "rejected"
        notices = await night.rows("SELECT kind, for_whom FROM notices")
        assert ("rejected", "owner") in {(n["kind"], n["for_whom"]) for n in notices}
        on = await ana.ask("POST", f"/referrals/{referral_id}/send", {"agency": "house-2"})
        assert on.json()["state"] == "sent"


async def test_nobody_fits_and_our_own_house_is_asked(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    phone(night, "+381113000003", presses="1")
    referral_id = await urgent(night, ana)
    await night.advance(60)
    found = await referral_of(ana, referral_id)
    assert found["house_has_it"]
    assert found["attempts"][0]["result"] == "acknowledged"
    # A supervisor adds an agency, and sends it there.
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    await ana.ask("POST", f"/referrals/{referral_id}/send", {"agency": "house"})
    await night.advance(40)
    found = await referral_of(ana, referral_id)
    assert (found["state"], found["house_has_it"]) == ("acknowledged", False), story(found)
    assert found["recipients"][-1]["agency"] == "house"


async def test_each_sees_what_is_theirs(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    bora = await night.add_counsellor("bora", state=None)
    officer = await night.add_counsellor(
        "olga", role=Role.REFERRAL_OFFICER, shift=False, state=None
    )
    made = await by_hand(ana)
    referral_id = made["id"]
    assert (await bora.ask("GET", f"/referrals/{referral_id}")).status_code == 404
    assert (await bora.ask("POST", f"/referrals/{referral_id}/close", {})).status_code == 404
    assert (await bora.ask("GET", "/referrals")).json()["referrals"] == []
    assert len((await officer.ask("GET", "/referrals")).json()["referrals"]) == 1
    # A contact of somebody else cannot be referred, nor can a call that one does not hold.
    contact_id = await new_contact(ana, WHOLE)
    stolen = await bora.ask("POST", "/referrals", {"urgency": "urgent", "contact_id": contact_id})
    assert stolen.status_code == 404
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    body = {"service": "police"}
    assert (await bora.ask("POST", f"/calls/{call['id']}/urgent", body)).status_code == 404
    # Given to a colleague, it is theirs.
    given = await ana.ask("POST", f"/referrals/{referral_id}/owner", {"name": "bora"})
    assert given.status_code == 200
    assert (await bora.ask("GET", f"/referrals/{referral_id}")).status_code == 200


async def test_the_deadlines_of_all_referrals_the_nearest_first(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
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
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    consent = {"given_by": "child", "scope": ["services"]}
    made = await by_hand(ana, urgency="routine", consent=consent, send=True)
    await night.advance(5)
    for _ in range(4):
        await skip(night, 48)
    await ana.sign_in()
    found = await referral_of(ana, made["id"])
    assert found["state"] == "expired", story(found)
    assert "deadline missed" in " ".join(story(found))
    notices = await night.rows("SELECT kind, for_whom FROM notices")
    assert ("breach", "owner") in {(n["kind"], n["for_whom"]) for n in notices}
    # A late answer is an answer all the same.
    path = link_in(post.messages[-1][1])
    await night._watch.execute("UPDATE links SET expires_at = expires_at + interval '30 days'")
    late = await click(night, path + "/step", {"kind": "accept", "name": "Mira"})
    assert late.status_code == 303
    assert (await referral_of(ana, made["id"]))["state"] == "accepted"
