"""An agency that presses a key has not helped yet: it gets the details, opens them by a deadline,
and hears what is written later. Every reply stands with the agency that gave it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.contacts import skip, until_later
from tests.support.mail import Mail, code_in, link_in
from tests.support.primero import PrimeroStandIn
from tests.support.profile import nightly
from tests.support.referrals import (
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    in_danger,
    page,
    phone,
    referral_of,
)
from tests.support.systems import Receiver, with_primero, with_system

DUTY, SECOND, TEXTS = "+381113000001", "+381113000002", "+381640000001"


async def write(who: Counsellor, referral_id: str, **answers: Any) -> None:
    found = await referral_of(who, referral_id)
    changes = [
        {"path": path.replace("__", "."), "value": value, "base": found["revision"]}
        for path, value in answers.items()
    ]
    saved = await who.ask("PUT", f"/referrals/{referral_id}/answers", {"changes": changes})
    assert saved.json()["refused"] == {}, saved.text


async def deadline(who: Counsellor, referral_id: str, kind: str) -> dict[str, Any]:
    found = await referral_of(who, referral_id)
    return dict(next(c for c in found["deadlines"] if c["kind"] == kind))


async def test_a_duty_phone_that_takes_it_is_sent_the_details_and_what_is_written_later(
    night: Stage, post: Mail
) -> None:
    """Without a click: the link goes by e-mail and its code by SMS once the second key is heard."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(
        night, "house", "shelter", phones=(DUTY,), email="duty@house.example", sms=TEXTS
    )
    phone(night, DUTY)
    texts = phone(night, TEXTS).texts
    referral_id = await in_danger(night, ana)
    await night.advance(30)
    assert (await referral_of(ana, referral_id))["state"] == "acknowledged"
    before = len(post.to("duty@house.example"))
    link = link_in(post.to("duty@house.example")[-1])

    # Before the first reading there is nothing to announce: the link leads to all of it.
    await write(ana, referral_id, child__name="Jovana")
    await night.advance(90)
    assert len(post.to("duty@house.example")) == before
    shown = await click(night, f"{link}/code", {"code": code_in(texts[-1].text)})
    assert "Jovana" in (await click(night, link, as_=shown)).text
    # Nothing about the child is in either message.
    said = " ".join([*post.to("duty@house.example"), *(t.text for t in texts)])
    assert "Jovana" not in said
    assert (await deadline(ana, referral_id, "details"))["stopped_at"] is not None
    link, shown = await it_is_announced_at_most_once_a_minute(night, post, ana, referral_id)
    await an_open_page_says_that_more_was_written(night, ana, referral_id, link, shown)


async def an_open_page_says_that_more_was_written(
    night: Stage, ana: Counsellor, referral_id: str, link: str, shown: Any
) -> None:
    details = await click(night, link, as_=shown)
    assert f'data-news="{link}/news"' in details.text
    assert (await click(night, f"{link}/news", as_=shown)).status_code == 204
    await night.advance(5)
    await write(ana, referral_id, child__name="Jovanka")
    told = await click(night, f"{link}/news", as_=shown)
    assert told.status_code == 200
    assert "Jovanka" not in told.text
    # Without the proof of this browser nothing is said at all.
    assert (await click(night, f"{link}/news")).status_code == 204


async def it_is_announced_at_most_once_a_minute(
    night: Stage, post: Mail, ana: Counsellor, referral_id: str
) -> tuple[str, Any]:
    before = len(post.to("duty@house.example"))
    texts = night.exchange.phones[TEXTS].texts
    for n in range(6):
        await write(ana, referral_id, child__found_at=f"Outside, door {n}")
        await night.advance(10)
    await night.advance(120)
    announced = post.to("duty@house.example")[before:]
    assert len(announced) == 1, "one message until they have read it"
    assert "There is new information" in announced[0]
    assert "Jovan" not in announced[0]
    # What the agency is not told is not announced to it either.
    link = link_in(announced[0])
    shown = await click(night, f"{link}/code", {"code": code_in(texts[-1].text)})
    assert "Outside, door 5" in (await click(night, link, as_=shown)).text
    await write(ana, referral_id, danger__suspected="the stepfather")
    await night.advance(120)
    assert len(post.to("duty@house.example")) == before + 1
    return link, shown


async def test_with_one_written_way_the_code_is_said_on_the_telephone(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=(DUTY,), email="duty@house.example")
    duty = phone(night, DUTY)
    referral_id = await in_danger(night, ana)
    await night.advance(40)
    await write(ana, referral_id, child__name="Jovana")
    message = post.to("duty@house.example")[-1]
    link = link_in(message)
    heard = next(h.text for h in duty.heard if "Your code is" in h.text)
    code = code_in(heard.replace(" ", ""))
    assert code not in message
    kept = await night.rows("SELECT payload_sealed FROM attempts WHERE kind = 'phone'")
    assert kept[0]["payload_sealed"] is None, "forgotten when the phone is put down"
    shown = await click(night, f"{link}/code", {"code": code})
    assert "Jovana" in (await click(night, link, as_=shown)).text


async def test_details_that_are_not_opened_in_time_go_on_to_others(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=(DUTY,), email="duty@house.example")
    await add_agency(night, "xother", "shelter", phones=(SECOND,), email="duty@other.example")
    first, second = phone(night, DUTY), phone(night, SECOND)
    referral_id = await in_danger(night, ana)
    await night.advance(30)
    found = await referral_of(ana, referral_id)
    due = datetime.fromisoformat((await deadline(ana, referral_id, "details"))["due_at"])
    acknowledged = datetime.fromisoformat(found["acknowledged_at"])
    assert due - acknowledged == timedelta(minutes=30)

    first.picks_up = None
    await skip(night, 0.5)
    await night.advance(60)
    found = await referral_of(ana, referral_id)
    assert first.rung == 2, "the agency's phone is rung again, first of all"
    await until_later(night, lambda: second.rung > 0, 600, "the other agency", every=15)
    await night.advance(30)
    found = await referral_of(ana, referral_id)
    assert second.rung >= 1
    assert found["state"] == "acknowledged"
    assert [a["agency"] for a in found["recipients"]] == ["house", "xother"]
    assert found["recipients"][0]["state"] == "withdrawn"
    # The first hears that another has it, and its link says so too.
    assert "taken back" in post.to("duty@house.example")[-1]
    kinds = await night.rows("SELECT kind, detail FROM notices WHERE for_whom = 'supervisors'")
    assert any(n["kind"] == "breach" and n["detail"]["deadline"] == "details" for n in kinds)


@nightly
async def test_a_late_reply_of_the_first_still_counts_while_no_other_agency_has_it(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=(DUTY,), email="duty@house.example")
    duty = phone(night, DUTY)
    referral_id = await in_danger(night, ana)
    await night.advance(30)
    duty.picks_up = None
    link = link_in(post.to("duty@house.example")[-1])
    await skip(night, 0.5)
    await night.advance(60)
    assert (await referral_of(ana, referral_id))["state"] == "delivered"
    await click(night, f"{link}/step", {"kind": "accept", "name": "Mira"})
    found = await referral_of(ana, referral_id)
    assert found["state"] == "accepted"
    assert (await deadline(ana, referral_id, "acknowledge"))["stopped_at"] is not None


# By day such a word ends an alarm in `test_danger_alarms.py`.
@nightly
async def test_what_was_told_on_the_telephone_needs_no_link(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=(DUTY,))
    phone(night, DUTY)
    referral_id = await in_danger(night, ana)
    await night.advance(30)
    # No address: the owner is asked to ring them.
    rings = await night.rows("SELECT detail FROM notices WHERE kind = 'ring_them'")
    assert rings[0]["detail"]["purpose"] == "details"
    await write(ana, referral_id, child__name="Jovana")
    told = {"agency": "house", "name": "Mira", "agreed": "They come.", "details_told": True}
    answer = await ana.ask("POST", f"/referrals/{referral_id}/handover", told)
    assert answer.status_code == 200, answer.text
    assert (await deadline(ana, referral_id, "details"))["stopped_at"] is not None
    found = await referral_of(ana, referral_id)
    assert found["disclosures"][-1]["how"] == "by_telephone"
    assert "child.name" in found["disclosures"][-1]["fields"]


# By day a duty phone and Primero are.
@nightly
async def test_their_own_system_is_told_what_is_written_later(
    night: Stage, receiver: Receiver
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_system(night, receiver)
    made = await by_hand(
        ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana", "child.age": 9}
    )
    mira = {"agency": "house", "name": "Mira"}
    await ana.ask("POST", f"/referrals/{made['id']}/accept", mira)
    await night.advance(5)
    # It took the event that held the details.
    assert (await deadline(ana, made["id"], "details"))["stopped_at"] is not None
    for age in (10, 11, 12):
        await write(ana, made["id"], child__age=age)
        await night.advance(5)
    await night.advance(120)
    updates = [e for e in receiver.taken if e["type"] == "referral.updated"]
    assert updates[-1]["data"]["fields"]["child.age"] == 12
    assert len(updates) == 1


async def test_their_primero_case_is_told_what_is_written_later(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url)
    made = await by_hand(
        ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana", "child.age": 9}
    )
    await night.advance(30)
    there.only["status"] = "accepted"
    await night.advance(130)
    # The case holds the details: no deadline runs until they are opened.
    assert (await referral_of(ana, made["id"]))["state"] == "accepted"
    for age in (10, 11):
        await write(ana, made["id"], child__age=age)
        await night.advance(5)
    there.busy = 1
    await night.advance(90)
    (case,) = there.cases.values()
    assert case["age"] == 11
    assert case["owned_by"], "what only they decide is left as it was"
    assert len(case["services_section"]) == 1
    assert sum(asked.startswith("PATCH") for asked in there.asked) == 1
    # What their forms do not take is said, and nothing of it is half-written there.
    there.fields = [field for field in there.fields if field["name"] != "age"]
    await write(ana, made["id"], child__age=12)
    await night.advance(90)
    assert case["age"] == 11
    told = await night.rows("SELECT detail FROM notices WHERE kind = 'unmapped'")
    assert any("age" in one["detail"]["problem"] for one in told)


async def two_asked(night: Stage) -> tuple[Counsellor, str, Phone]:
    """The first agency did not answer; the second is being rung."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=(DUTY,), name="Safe House")
    await add_agency(night, "xother", "shelter", phones=(SECOND,), name="Other House")
    phone(night, DUTY, picks_up=None)
    other = phone(night, SECOND, picks_up=None)
    referral_id = await in_danger(night, ana)
    await until_later(night, lambda: other.rung == 1, 300, "the other agency", every=15)
    return ana, referral_id, other


async def test_a_reply_is_booked_on_the_agency_that_gave_it(night: Stage) -> None:
    ana, referral_id, _ = await two_asked(night)
    path = f"/referrals/{referral_id}"
    # Without an agency a reply is refused.
    assert (await ana.ask("POST", f"{path}/acknowledge", {"name": "Mira"})).status_code == 422
    never = {"agency": "police", "name": "Mira"}
    assert (await ana.ask("POST", f"{path}/acknowledge", never)).status_code == 404
    # The first one rings back while the escalation is at the second.
    mira = {"agency": "house", "name": "Mira"}
    assert (await ana.ask("POST", f"{path}/acknowledge", mira)).status_code == 200
    found = await referral_of(ana, referral_id)
    states = {a["agency"]: a["state"] for a in found["recipients"]}
    assert states == {"house": "acknowledged", "xother": "unanswered"}
    late = {"agency": "xother", "reason": "no_capacity"}
    refused = await ana.ask("POST", f"{path}/reject", late)
    assert "Another service has taken" in refused.json()["detail"]
    panel = (await page(night, ana, path)).text
    assert panel.index("Other House</h3>") < panel.index("Safe House</h3>")
    assert f"phone to {DUTY}" in panel
    assert f"phone to {SECOND}" in panel
    assert "Safe House acknowledged" in panel
    await what_an_agency_holds_is_not_taken_over_its_head(night, ana, path)
    await of_two_supervisors_one_takes_it_and_the_other_hears_so(night, await in_danger(night, ana))


async def what_an_agency_holds_is_not_taken_over_its_head(
    night: Stage, ana: Counsellor, path: str
) -> None:
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    refused = await vera.ask("POST", f"{path}/take")
    assert refused.status_code == 409
    assert "Safe House has this referral" in refused.json()["detail"]
    found = (await ana.ask("GET", path)).json()
    assert found["owner_id"] == str(ana.id)


async def of_two_supervisors_one_takes_it_and_the_other_hears_so(
    night: Stage, referral_id: str
) -> None:
    boris, nora = [
        await night.add_counsellor(name, role=Role.SUPERVISOR, shift=False, state=None)
        for name in ("boris", "nora")
    ]
    path = f"/referrals/{referral_id}/take"
    answers = await asyncio.gather(*(who.ask("POST", path) for who in (nora, boris)))
    assert sorted(a.status_code for a in answers) == [200, 409]
    loser = next(a for a in answers if a.status_code == 409)
    winner = "nora" if answers[0].status_code == 200 else "boris"
    assert loser.json()["detail"] == f"{winner} has taken this referral already."
    owner = await night.rows(
        "SELECT name FROM staff s JOIN referrals r ON r.owner_id = s.id WHERE r.id = %s",
        referral_id,
    )
    assert owner[0]["name"] == winner


@nightly
async def test_key_1_at_a_wrong_phone_ends_no_search_for_help(night: Stage) -> None:
    """It is pressed again and again, as in a pocket, and the key of the agency never is."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=(DUTY, SECOND))
    stranger = phone(night, DUTY, understands=False)
    duty = phone(night, SECOND)
    referral_id = await in_danger(night, ana)
    await night.advance(120)
    found = await referral_of(ana, referral_id)
    assert [r["result"] for r in found["attempts"] if r["kind"] == "phone"] == [
        "not_confirmed",
        "acknowledged",
    ]
    heard = " ".join(h.text for h in stranger.heard)
    assert "If you are House, press" in heard
    assert duty.rung == 1
    assert found["state"] == "acknowledged"
