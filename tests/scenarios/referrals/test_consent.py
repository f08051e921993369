"""Nothing is sent without consent or a ground; a withdrawal reaches every agency that was told."""

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.contacts import WHOLE, new_contact
from tests.support.mail import Mail, link_in
from tests.support.profile import by_day, nightly
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
    withdraw,
)

NOT_HOUSE = {**CONSENT, "withheld_from": ["house"]}


async def test_nothing_is_sent_without_consent_or_a_recorded_ground(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    vera = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await add_agency(quiet, "house", "shelter", phones=("+381113000001",))
    await add_agency(
        quiet, "centre", "child_protection", sector="social_welfare", phones=("+381113000002",)
    )
    draft = (await by_hand(ana))["id"]
    refused = await ana.ask("POST", f"/referrals/{draft}/send", {})
    assert (refused.status_code, refused.json()["error"]) == (409, "NotConsented")
    assert await quiet.rows("SELECT 1 FROM attempts UNION ALL SELECT 1 FROM recipients") == []

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
    # The wish stands: an override does not reach an agency that it does not name.
    sent = await ana.ask("POST", f"/referrals/{draft}/send", {"agency": "house"})
    assert sent.json()["error"] == "Withheld"
    despite = {**OVERRIDE, "despite": ["house"]}
    assert (await ana.ask("POST", f"/referrals/{draft}/override", despite)).status_code == 200
    sent = await ana.ask("POST", f"/referrals/{draft}/send", {"agency": "house"})
    assert sent.json()["state"] == "sent"
    notice = (await quiet.rows("SELECT id FROM notices WHERE kind = 'override'"))[-1]["id"]
    assert (await ana.ask("POST", f"/notices/{notice}/seen")).status_code == 409
    assert (await vera.ask("POST", f"/notices/{notice}/seen")).status_code == 204
    found = await referral_of(ana, draft)
    assert found["consents"][-1]["words"] == OVERRIDE["reason"]
    assert "override_seen" in story(found)


async def test_consent_withdrawn_reaches_every_agency_that_was_told(
    night: Stage, post: Mail
) -> None:
    """In the middle of the delivery: one message is out, one is on its way."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
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
    assert tried.status_code == 200
    assert "withdrawn" in tried.text
    found = await referral_of(ana, referral_id)
    assert found["state"] == "consent_withdrawn"
    assert all(c["stopped_at"] for c in found["deadlines"])
    for verb, body in (("send", {"agency": "house"}), ("written", {}), ("consent", consent)):
        answer = await ana.ask("POST", f"/referrals/{referral_id}/{verb}", body)
        assert answer.status_code == 409, (verb, answer.text)
    # With an override there is no consent to withdraw.
    other = await by_hand(ana, override=OVERRIDE)
    refused = await ana.ask("POST", f"/referrals/{other['id']}/withdraw-consent", {"by": "child"})
    assert refused.status_code == 409


# By day `test_consent_across_referrals.py` takes it away from an agency.
@nightly
async def test_less_consent_silences_an_agency_and_offers_nothing_anew_that_is_done(
    night: Stage, post: Mail
) -> None:
    """For three children, one after the other."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    await add_agency(night, "other", "shelter", email="a@other.example")
    await less_consent_offers_nothing_anew_that_is_done(night, post, ana)
    await an_agency_that_may_not_be_told_any_more_is_asked_no_longer(night, post, ana)
    post.messages.clear()
    await less_consent_silences_an_agency_that_did_not_answer(night, post, ana)


async def less_consent_offers_nothing_anew_that_is_done(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(3)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/complete", {**BY_HOUSE, "outcome": "placed_shelter"})
    assert (await ana.ask("POST", f"{path}/consent", NOT_HOUSE)).status_code == 200
    await night.advance(5)
    found = await referral_of(ana, made["id"])
    assert (found["state"], found["outcome"]) == ("completed", "placed_shelter")
    assert [a["state"] for a in found["recipients"]] == ["completed"]
    assert not post.to("a@other.example")
    # The offer, a link to the details, and that it is asked no longer.
    assert len(post.to("a@house.example")) == 3


async def an_agency_that_may_not_be_told_any_more_is_asked_no_longer(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
    post.messages.clear()
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(3)
    less = {**CONSENT, "withheld_from": ["house"]}
    assert (await ana.ask("POST", f"/referrals/{made['id']}/consent", less)).status_code == 200
    await night.advance(5)
    found = await referral_of(ana, made["id"])
    first = found["recipients"][0]
    assert (first["agency"], first["state"]) == ("house", "withdrawn")
    assert found["recipients"][-1]["agency"] == "other"
    assert "taken back" in post.to("a@house.example")[-1]
    gone = await click(night, link_in(post.to("a@house.example")[0]))
    assert 'value="acknowledge"' not in gone.text


async def less_consent_silences_an_agency_that_did_not_answer(
    night: Stage, post: Mail, ana: Counsellor
) -> None:
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
    assert found["state"] == "delivered"
    assert found["recipients"][0]["state"] == "withdrawn"
    assert found["recipients"][1]["state"] == "delivered"
    assert [c["kind"] for c in found["deadlines"] if c["stopped_at"] is None].count(
        "acknowledge"
    ) == 1
    # Said again, it is not told again.
    await ana.ask("POST", f"{path}/consent", NOT_HOUSE)
    await night.advance(5)
    assert len(post.to("a@house.example")) == before + 1


async def test_not_to_this_agency_holds_in_every_referral_of_the_contact(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    await add_agency(quiet, "other", "shelter", email="a@other.example")
    contact = await new_contact(ana, WHOLE)
    first = await by_hand(ana, contact_id=contact, consent={**CONSENT, "withheld_from": ["house"]})
    # In a second referral, on another ground, the right agency is the one that may be told.
    # What is open is seen before a second one is opened.
    body = {"urgency": "immediate", "services": ["shelter"], "contact_id": contact}
    unseen = await ana.ask("POST", "/referrals", body)
    assert (unseen.status_code, unseen.json()["error"]) == (409, "OpenForTheSameChild")
    assert (await referral_of(ana, first["id"]))["code"] in unseen.json()["detail"]
    second = await by_hand(ana, contact_id=contact, override=OVERRIDE, send=True, seen_open=True)
    found = await referral_of(ana, second["id"])
    assert [a["agency"] for a in found["recipients"]] == ["other"]
    by_name = await ana.ask("POST", f"/referrals/{second['id']}/send", {"agency": "house"})
    assert by_name.json()["error"] == "Withheld"
    # An override that names it goes there, and says so where it is read.
    despite = {**OVERRIDE, "despite": ["house"]}
    await ana.ask("POST", f"/referrals/{second['id']}/override", despite)
    sent = await ana.ask("POST", f"/referrals/{second['id']}/send", {"agency": "house"})
    assert sent.status_code == 200, sent.text
    shown = (await page(quiet, ana, f"/referrals/{second['id']}")).text
    assert "against an explicit wish, to House" in shown
    assert first["id"] != second["id"]


async def test_consent_for_one_service_does_not_count_for_another(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, consent={**CONSENT, "for_what": ["mental_health"]})
    refused = await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    assert refused.status_code == 409, refused.text
    assert "other services" in refused.json()["detail"]
    await ana.ask("POST", f"/referrals/{made['id']}/consent", {**CONSENT, "for_what": ["shelter"]})
    sent = await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    assert sent.json()["state"] == "sent"


async def test_consent_withdrawn_after_the_end_is_told_and_kept(night: Stage, post: Mail) -> None:
    """What is done is done; what was told is not to be told on."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    for end in by_day(("completed", "closed")):
        made = await by_hand(ana, consent=CONSENT, send=True)
        await night.advance(3)
        path = f"/referrals/{made['id']}"
        done = {"agency": "house", "outcome": "other", "name": "Mira"}
        assert (await ana.ask("POST", f"{path}/complete", done)).status_code == 200
        if end == "closed":
            assert (await ana.ask("POST", f"{path}/close", {})).status_code == 200
        count = len(post.messages)
        back = await ana.ask("POST", f"{path}/withdraw-consent", {"by": "child", "words": "no"})
        assert back.status_code == 200, back.text
        await night.advance(3)
        assert "withdrawn" in post.messages[-1][1]
        assert len(post.messages) > count
        found = await referral_of(ana, made["id"])
        assert found["state"] == ("closed" if end == "closed" else "consent_withdrawn")
        assert "withdraw_consent" in " ".join(story(found))
        assert (await ana.ask("POST", f"{path}/written", {})).status_code == 409
