"""Danger on record that no one acts on alarms a person, and the next, until one decides."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.referrals.deadlines import tracking
from app.referrals.escalation import dangers
from app.referrals.models import Deadline
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.contacts import WHOLE, new_contact, skip
from tests.support.mail import Mail, link_in
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.referrals import (
    CONSENT,
    OVERRIDE,
    add_agency,
    by_hand,
    click,
    page,
    phone,
    referral_of,
)

SUPERVISOR, DIRECTOR, HOUSE = "+381113000007", "+381113000008", "+381113000001"


async def on_call(night: Stage) -> tuple[Phone, Phone]:
    """The supervisor's and the director's phones."""
    await add_agency(night, "sup", "supervisor_on_call", sector="own_house", phones=(SUPERVISOR,))
    await add_agency(night, "dir", "director_on_call", sector="own_house", phones=(DIRECTOR,))
    return phone(night, SUPERVISOR), phone(night, DIRECTOR)


async def _later(quiet: QuietStage, seconds: float) -> None:
    """As by the job that looks for danger on which no one acts; no phone is rung here."""
    quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=seconds))
    await dangers.look(quiet.ground)


async def alarms(who: Counsellor) -> list[dict[str, Any]]:
    return list((await who.ask("GET", "/danger-alarms")).json())


async def test_an_immediate_draft_that_is_not_sent(night: Stage, post: Mail) -> None:
    """Its owner sees it, then the supervisor is rung, and pressing 1 is not a decision."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    supervisor, director = await on_call(night)
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana)
    await night.advance(110)
    assert await alarms(ana) == []
    await night.advance(20)
    (alarm,) = await alarms(ana)
    assert (alarm["kind"], alarm["subject_id"]) == ("draft_not_sent", made["id"])
    assert "was opened and not sent" in (await page(night, ana, "/")).text
    assert supervisor.rung == 0, "the owner has a minute"
    await night.advance(90)
    assert supervisor.rung == 1
    heard = " ".join(h.text for h in supervisor.heard)
    assert "was opened and not sent" in heard
    (alarm,) = await alarms(vera)
    assert alarm["acknowledged_by"] == "Sup"
    await skip(night, 0.23)
    assert supervisor.rung == 1
    await night.advance(3 * 60)
    assert supervisor.rung + director.rung == 2, "to acknowledge is not to decide"
    await ana.sign_in()
    await ana.ask("POST", f"/referrals/{made['id']}/consent", CONSENT)
    assert (await ana.ask("POST", f"/referrals/{made['id']}/send", {})).status_code == 200
    await night.advance(10)
    assert await alarms(ana) == []


BORIS, PIN = "+381641112223", "283746"


async def unproven_keys(night: Stage) -> list[str]:
    rows = await night.rows(
        "SELECT detail FROM audit_entries WHERE action = 'key_at_unproven_phone'"
    )
    return [row["detail"]["staff_id"] for row in rows]


@nightly
async def test_of_an_owner_with_an_unproven_phone_the_pin_alone_takes_the_alarm(
    night: Stage,
) -> None:
    """The owner is rung first and the director last; key 1 alone is noted, and stops nothing."""
    supervisor, director = await on_call(night)
    boris = await night.add_counsellor(
        "boris", endpoint=BORIS, shift=False, state=None, pin=PIN, paired=False
    )
    own = phone(night, BORIS, presses="1")
    supervisor.picks_up = None
    await by_hand(boris)
    await night.until(lambda: own.rung == 1, limit=200)
    assert supervisor.rung == 0
    await night.until(lambda: supervisor.rung == 1, limit=20, what="not a minute later")
    assert await unproven_keys(night) == [str(boris.id)]
    assert director.rung == 0
    (alarm,) = await alarms(boris)
    assert alarm["acknowledged_by"] is None
    await night.until(lambda: director.rung == 1, limit=120)
    await night.advance(20)
    (alarm,) = await alarms(boris)
    assert alarm["acknowledged_by"] == "Dir", "whose number two people approved"
    # The PIN takes the next alarm.
    second = await by_hand(boris)
    own.press_after, said = 2.0, len(own.heard)
    await night.until(lambda: any("PIN" in h.text for h in own.heard[said:]), limit=200)
    own.presses = PIN
    await night.advance(10)
    (alarm,) = [one for one in await alarms(boris) if one["subject_id"] == second["id"]]
    assert alarm["acknowledged_by"] == "boris"
    (proof,) = await night.rows("SELECT paired_at FROM phone_proofs")
    assert proof["paired_at"] is not None
    rung = supervisor.rung
    await night.advance(60)
    assert supervisor.rung == rung, "no phone rings on"


async def test_an_override_that_no_second_person_has_seen_and_details_that_are_not_opened(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    supervisor, _ = await on_call(night)
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: bool(post.messages))
    link = link_in(post.messages[0][1])
    await click(night, f"{link}/step", {"kind": "accept", "name": "Mira"})
    await skip(night, 0.23)
    assert supervisor.rung == 0
    await night.advance(2 * 60)
    assert supervisor.rung == 1
    assert [a["kind"] for a in await alarms(vera)] == ["override_not_seen"]
    assert await alarms(ana) == [], "the author cannot be the second person"
    (alarm,) = await alarms(vera)
    refused = await vera.ask("POST", f"/danger-alarms/{alarm['id']}/decide", {"words": "fine"})
    assert refused.status_code == 409
    notice = (await night.rows("SELECT id FROM notices WHERE kind = 'override'"))[0]["id"]
    assert (await vera.ask("POST", f"/notices/{notice}/seen")).status_code == 204
    await night.advance(10)
    assert await alarms(vera) == []
    # The agency acts, and has not opened the details after half an hour.
    await skip(night, 0.25)
    await night.advance(30)
    await ana.sign_in()
    assert [a["kind"] for a in await alarms(ana)] == ["details_not_opened"]
    told = {"agency": "house", "name": "Mira", "agreed": "They come.", "details_told": True}
    await ana.ask("POST", f"/referrals/{made['id']}/handover", told)
    await night.advance(10)
    assert await alarms(ana) == []


async def test_a_contact_that_is_completed_in_danger_and_not_referred(quiet: QuietStage) -> None:
    """Decided immediate, or with a weapon in it; one that was referred raises no alarm."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    vera = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await on_call(quiet)
    await add_agency(quiet, "house", "shelter", phones=(HOUSE,))
    immediate = await contact_in_danger(ana, "immediate")
    weapon = await contact_in_danger(ana, "priority", **{"danger.signs": ["weapon"]})
    referred = await contact_in_danger(ana, "immediate")
    await by_hand(ana, contact_id=referred, consent=CONSENT, send=True)
    for contact in (immediate, weapon, referred):
        done = await ana.ask("POST", f"/contacts/{contact}/complete")
        assert done.status_code == 200, done.text
    await _later(quiet, 5 * 60 + 10)
    found = {alarm["subject_id"]: alarm for alarm in await alarms(ana)}
    assert set(found) == {immediate, weapon}
    for alarm in found.values():
        assert (alarm["kind"], alarm["about"]) == ("danger_not_referred", "contact")
    reason = {"words": "The weapon is a toy; the mother was there."}
    for alarm in found.values():
        decide = f"/danger-alarms/{alarm['id']}/decide"
        assert (await ana.ask("POST", decide, {"words": " "})).status_code == 422
        assert (await ana.ask("POST", decide, reason)).status_code == 204
        assert (await vera.ask("POST", decide, reason)).status_code == 409
    await _later(quiet, 10)
    assert await alarms(vera) == []
    log = await quiet.rows("SELECT words_sealed FROM record_events WHERE kind = 'danger_decided'")
    assert all(b"toy" not in row["words_sealed"] for row in log)
    # The others on the account hear nothing of it.
    olga = await quiet.add_counsellor("olga", state=None)
    assert (await olga.ask("POST", decide, reason)).status_code == 404


async def contact_in_danger(who: Counsellor, urgency: str, **more: Any) -> str:
    contact = await new_contact(who, {**WHOLE, **more})
    decided = await who.ask(
        "POST", f"/contacts/{contact}/urgency", {"urgency": urgency, "reason": "as they said"}
    )
    assert decided.status_code < 300, decided.text
    return contact


async def test_a_case_whose_risk_rises(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await on_call(quiet)
    contact = await new_contact(ana, WHOLE)
    opened = await ana.ask("POST", "/cases", {"contact_id": contact})
    assert opened.status_code == 201, opened.text
    case = opened.json()["id"]
    for risk in ("medium", "low"):
        await ana.ask("POST", f"/cases/{case}/risk", {"risk": risk, "reason": "first look"})
    await _later(quiet, 63 * 60)
    await ana.sign_in()
    assert await alarms(ana) == [], "a first level and a fall raise no alarm"
    rose = await ana.ask("POST", f"/cases/{case}/risk", {"risk": "high", "reason": "he is back"})
    assert rose.json()["risk"] == "high"
    await _later(quiet, 61 * 60)
    await _later(quiet, 10)
    await ana.sign_in()
    (alarm,) = await alarms(ana)
    assert (alarm["kind"], alarm["subject_id"]) == ("risk_rose", case)
    await by_hand(ana, urgency="urgent", case_id=case, consent=CONSENT)
    await _later(quiet, 10)
    assert await alarms(ana) == []
    events = await quiet.rows(
        "SELECT detail FROM record_events WHERE kind = 'risk_set' ORDER BY id"
    )
    assert [(e["detail"]["before"], e["detail"]["after"]) for e in events] == [
        (None, "medium"),
        ("medium", "low"),
        ("low", "high"),
    ]


async def test_raised_to_immediate_the_deadlines_and_the_phones_follow(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", phones=(HOUSE,), email="a@house.example")
    duty = phone(night, HOUSE)
    made = await by_hand(ana, urgency="priority", consent=CONSENT, send=True)
    path = f"/referrals/{made['id']}/urgency"
    await night.advance(60)
    assert duty.rung == 0, "what is not urgent is written first"
    body = {"urgency": "immediate", "reason": "He has come home."}
    assert (await ana.ask("POST", path, {**body, "reason": ""})).status_code == 422
    raised = await ana.ask("POST", path, body)
    assert raised.json()["urgency"] == "immediate", raised.text
    found = await referral_of(ana, made["id"])
    due = {c["kind"]: c for c in found["deadlines"]}
    opened = datetime.fromisoformat(found["opened_at"])
    assert datetime.fromisoformat(due["acknowledge"]["due_at"]) - opened == timedelta(minutes=15)
    await night.advance(60)
    assert duty.rung == 1
    found = await referral_of(ana, made["id"])
    assert found["state"] == "acknowledged"
    assert "details" in {c["kind"] for c in found["deadlines"]}
    again = await ana.ask("POST", path, body)
    assert "already" in again.json()["detail"]


async def test_a_decision_does_not_outlive_the_urgency_for_which_it_was_made(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    made = await by_hand(ana)
    await _later(quiet, 130)
    (alarm,) = await alarms(ana)
    words = {"words": "The aunt has come."}
    await ana.ask("POST", f"/danger-alarms/{alarm['id']}/decide", words)
    for urgency in ("urgent", "immediate"):
        body = {"urgency": urgency, "reason": "as it is now"}
        await ana.ask("POST", f"/referrals/{made['id']}/urgency", body)
        await _later(quiet, 10)
        assert await alarms(ana) == []
    await _later(quiet, 120)
    assert [a["kind"] for a in await alarms(ana)] == ["draft_not_sent"]


async def test_lowered_a_supervisor_looks_and_the_deadline_moves(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, consent=CONSENT, send=True)
    quiet.stepped.move_to(quiet.clock.now() + timedelta(minutes=16))
    # As by the job of each deadline.
    async with transaction(quiet.ground, PROGRAM) as work:
        for one in (await work.session.scalars(select(Deadline.id))).all():
            await tracking.ring(work, one)
    found = await referral_of(ana, made["id"])
    deadline = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
    assert deadline["breached_at"] is not None
    body = {"urgency": "priority", "reason": "The aunt is with her."}
    assert (await ana.ask("POST", f"/referrals/{made['id']}/urgency", body)).status_code == 200
    found = await referral_of(ana, made["id"])
    deadline = next(c for c in found["deadlines"] if c["kind"] == "acknowledge")
    assert deadline["breached_at"] is None
    opened = datetime.fromisoformat(found["opened_at"])
    assert datetime.fromisoformat(deadline["due_at"]) - opened == timedelta(hours=72)
    kinds = await quiet.rows("SELECT kind FROM notices WHERE for_whom = 'supervisors'")
    assert "urgency_lowered" in {n["kind"] for n in kinds}


async def test_a_ground_that_the_new_urgency_does_not_know_is_refused(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    body = {"urgency": "priority", "reason": "calmer"}
    refused = await ana.ask("POST", f"/referrals/{made['id']}/urgency", body)
    assert refused.status_code == 422
    assert "vital interests" in refused.json()["detail"]
    assert (await referral_of(ana, made["id"]))["urgency"] == "immediate"
