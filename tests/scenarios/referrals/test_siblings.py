"""One referral for each child, with what is known of that child and no more."""

import asyncio
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from app.demo.counsellor import Counsellor
from app.demo.stage import MONDAY, Stage, stage_on
from app.demo.stepped_clock import SteppedClock
from app.jobs.transaction import transaction
from app.referrals.channels.models import Attempt
from app.referrals.escalation.results import note_result
from app.referrals.escalation.trying import escalate_on
from app.referrals.models import Referral
from app.referrals.replies import replying
from app.referrals.states import AttemptResult
from app.work import PROGRAM, Work
from tests.support.contacts import new_contact, write
from tests.support.mail import Mail
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.program.quiet_talks import HER_PHONE, quiet_talk
from tests.support.referrals import (
    AGREED,
    BROTHERS,
    CENTRE,
    POLICE_PHONE,
    SHELTER_PHONE,
    a_centre,
    add_agency,
    phone,
    referral_of,
)


async def _centre_without_phone(stage: Stage) -> None:
    await add_agency(
        stage, "centre", "child_protection", sector="social_welfare", email="c@a.example"
    )


async def _refer(who: Counsellor, contact_id: str, **more: Any) -> list[dict[str, Any]]:
    body = {"urgency": "urgent", "contact_id": contact_id, "consent": AGREED, **more}
    answer = await who.ask("POST", "/referrals", body)
    assert answer.status_code == 201, answer.text
    return [await referral_of(who, one["id"]) for one in answer.json()["referrals"]]


async def test_two_siblings_are_two_referrals_and_one_conversation(night: Stage) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await a_centre(night)
    duty = phone(night, CENTRE, presses="1")
    made = await _refer(
        ana, await new_contact(ana, BROTHERS), services=["child_protection"], send=True
    )
    assert [one["answers"]["child.name"] for one in made] == ["Marko", "Pavle"]
    assert [one["answers"]["child.age"] for one in made] == [11, 2]
    # The younger may be separated from the family; the elder is not called so for his sake.
    rows = await night.rows("SELECT child_age, separation_risk FROM referrals ORDER BY child_age")
    assert [tuple(row.values()) for row in rows] == [(2, True), (11, False)]
    await night.advance(60)
    assert duty.rung == 1, "one conversation about both"
    assert any("about 2 children" in heard.text for heard in duty.heard)
    states = [(await referral_of(ana, one["id"]))["state"] for one in made]
    assert states == ["acknowledged", "acknowledged"]
    # What came of it is written for each.
    for one, outcome in zip(made, ("child_safe_at_home_with_plan", "with_kin"), strict=True):
        done = await ana.ask(
            "POST",
            f"/referrals/{one['id']}/complete",
            {"agency": "centre", "name": "Mira", "outcome": outcome},
        )
        assert done.status_code == 200, done.text


@nightly
async def test_two_siblings_are_one_conversation_on_somleng(
    database: str, post: Mail, anyio_backend: str
) -> None:
    async with stage_on(
        database, clock=SteppedClock(MONDAY.replace(hour=1)), smtp_url=post.url, platform="somleng"
    ) as night:
        await night.add_line()
        ana = await night.add_counsellor("ana", shift=False, state=None)
        await a_centre(night)
        duty = phone(night, CENTRE, presses="1")
        made = await _refer(
            ana, await new_contact(ana, BROTHERS), services=["child_protection"], send=True
        )
        await night.advance(60)
        assert duty.rung == 1, "one conversation about both"
        assert any("about 2 children" in heard.text for heard in duty.heard)
        states = [(await referral_of(ana, one["id"]))["state"] for one in made]
        assert states == ["acknowledged", "acknowledged"]
        assert night.exchange.faults == []


# By day `tests/scenarios/robustness/test_killed_processes.py` kills during the escalation of one.
@nightly
async def test_stopped_between_two_siblings_the_second_is_taken_after_the_start(
    night: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The duty phone has pressed 1 for both; the program dies when only one is written down."""
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await a_centre(night)
    duty = phone(night, CENTRE, presses="1")
    real, reached = replying.take_siblings, asyncio.Event()

    async def hangs(*_: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(replying, "take_siblings", hangs)
    made = await _refer(
        ana, await new_contact(ana, BROTHERS), services=["child_protection"], send=True
    )
    going_on = asyncio.create_task(night.advance(60))
    await asyncio.wait_for(reached.wait(), 30)
    going_on.cancel()
    states = [(await referral_of(ana, one["id"]))["state"] for one in made]
    assert sorted(states)[0] == "acknowledged" != sorted(states)[1]
    await night.stop_server()
    monkeypatch.setattr(replying, "take_siblings", real)
    await night.start_server()
    await night.advance(120)
    states = [(await referral_of(ana, one["id"]))["state"] for one in made]
    assert states == ["acknowledged", "acknowledged"]
    assert duty.rung == 1, "the person who took both is not rung about the second again"


async def test_a_sibling_whom_the_service_does_not_take_goes_elsewhere(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "teens", "shelter", phones=(SHELTER_PHONE,), age_from=7, age_to=17)
    await add_agency(quiet, "small", "shelter", phones=(POLICE_PHONE,), age_from=0, age_to=6)
    made = await _refer(
        ana,
        await new_contact(ana, BROTHERS),
        services=["shelter"],
        send=True,
        directly="There is nobody at home.",
    )
    asked = [(await referral_of(ana, one["id"]))["recipients"][0]["agency"] for one in made]
    assert asked == ["teens", "small"]


async def test_if_the_phone_is_not_answered_each_sibling_is_asked_for(quiet: QuietStage) -> None:
    """The phone that is rung for the elder is not answered: the younger has his own escalation."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await add_agency(quiet, "centre", "child_protection", sector="social_welfare", phones=(CENTRE,))
    made = await _refer(
        ana, await new_contact(ana, BROTHERS), services=["child_protection"], send=True
    )
    elder, younger = list[int](), list[int]()
    for _ in range(7):
        quiet.stepped.move_to(quiet.clock.now() + timedelta(seconds=30))
        async with transaction(quiet.ground, PROGRAM) as work:
            await _half_a_minute_goes_by(work)
        for one, asked in zip(made, (elder, younger), strict=True):
            asked.append(len((await referral_of(ana, one["id"]))["attempts"]))
    assert (elder[0], younger[:2]) == (1, [0, 0]), "the younger waits for the phone of the elder"
    assert younger[2] == 1
    assert (elder[-1], younger[-1]) == (2, 2)


async def _half_a_minute_goes_by(work: Work) -> None:
    """As by the jobs of escalations, and of a phone that is rung in vain."""
    for referral in (await work.session.scalars(select(Referral).order_by(Referral.id))).all():
        rung = await work.session.scalar(
            select(Attempt).where(Attempt.referral_id == referral.id, Attempt.result.is_(None))
        )
        if rung is not None:
            await note_result(work, referral, rung, AttemptResult.NO_ANSWER)
        elif referral.escalates_at is not None and referral.escalates_at <= work.now:
            await escalate_on(work, referral)


async def test_what_is_only_close_is_confirmed_before_it_is_told(quiet: QuietStage) -> None:
    """A doctor tells what she was told; where the child lives need not be where it is."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await _centre_without_phone(quiet)
    answers = BROTHERS | {
        "contact.kind": "professional",
        "contact.there_now": "unknown",
        "caller.name": "Dr Vesna",
        "caller.role": "health_worker",
        "caller.duty_to_report": "yes",
        "caller.organisation": "Dom zdravlja",
        "caller.may_be_named": "no",
        "incident.account": "He says that he fell.",
        "incident.caregiver_knows": "yes",
        "actions.summary": "I think that he was beaten.",
    }
    contact_id = await new_contact(ana, answers)
    made, _ = await _refer(
        ana, contact_id, services=["child_protection"], urgency="routine", children=["a1", "b2"]
    )
    assert set(made["to_confirm"]) == {
        "reason.place",
        "reason.why",
        "family.caregiver_informed",
        "wishes.own_words",
    }
    assert "participants.reporter" not in made["answers"], "she does not want to be named"
    refused = await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    assert refused.status_code == 409
    assert "Confirm that the child is there" in refused.json()["detail"]
    await ana.ask("POST", f"/referrals/{made['id']}/confirm", {"paths": ["reason.place"]})
    sent = await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    assert sent.status_code == 200, sent.text
    told = await _told(ana, made["id"])
    assert "Marko" in told
    for kept_back in ("beaten", "fell", "Vesna", "Dom zdravlja"):
        assert kept_back not in told
    # Written by a person of ours, or confirmed as it is: then it is told.
    written = {"changes": [{"path": "reason.why", "value": "He may have been beaten.", "base": 9}]}
    written["changes"][0]["base"] = (await referral_of(ana, made["id"]))["revision"]
    await ana.ask("PUT", f"/referrals/{made['id']}/answers", written)
    await ana.ask("POST", f"/referrals/{made['id']}/confirm", {"paths": ["wishes.own_words"]})
    told = await _told(ana, made["id"])
    assert "may have been beaten" in told
    assert "He says that he fell." in told
    strange = await ana.ask("POST", f"/referrals/{made['id']}/confirm", {"paths": ["child.name"]})
    assert strange.status_code == 422


async def _told(who: Counsellor, referral_id: str) -> str:
    """What the agency gets on paper."""
    pdf = await who.ask("POST", f"/referrals/{referral_id}/written", {"on_paper": True})
    assert pdf.status_code == 200, pdf.text
    return "".join(page.extract_text() for page in PdfReader(BytesIO(pdf.content)).pages)


async def test_the_place_that_chooses_the_agency_is_where_the_child_is(quiet: QuietStage) -> None:
    """A child from Belgrade who has run away is found in Novi Sad."""
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    for code, place in (("belgrade", "RS-BG"), ("novi-sad", "RS-06")):
        await add_agency(
            quiet,
            code,
            "child_protection",
            sector="social_welfare",
            areas=(place,),
            email="a@b.example",
        )
    answers = BROTHERS | {"contact.there_now": "no", "contact.place_now": "RS-06"}
    made, _ = await _refer(
        ana, await new_contact(ana, answers), services=["child_protection"], send=True
    )
    assert made["answers"]["reason.place"] == "RS-06"
    assert made["to_confirm"] == []
    assert made["recipients"][0]["agency"] == "novi-sad"


async def test_the_reporter_travels_along_where_they_agreed(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await _centre_without_phone(quiet)
    answers = BROTHERS | {
        "contact.kind": "professional",
        "caller.name": "Dr Vesna",
        "caller.role": "health_worker",
        "caller.duty_to_report": "yes",
        "caller.organisation": "Dom zdravlja",
        "caller.phone": "+381112223334",
        "caller.may_be_named": "yes",
    }
    made, _ = await _refer(ana, await new_contact(ana, answers), services=["child_protection"])
    found = {p: v for p, v in made["answers"].items() if p.startswith("participants.")}
    assert found == {
        "participants.reporter": "Dr Vesna",
        "participants.organisation": "Dom zdravlja",
        "participants.role": "Health worker",
        "participants.phone": "+381112223334",
    }


async def test_a_code_stands_for_the_name_only_where_the_name_need_not_be_known(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", shift=False, state=None)
    await _centre_without_phone(quiet)
    await add_agency(quiet, "school", "education", sector="education", email="s@a.example")
    contact_id = await new_contact(ana, BROTHERS)
    made = await _refer(
        ana,
        contact_id,
        services=["child_protection", "education"],
        children=["a1"],
        answers={"child.confidential": "yes"},
        send=True,
    )
    told = {one["service"]: await _told(ana, one["id"]) for one in made}
    assert "Marko" in told["child_protection"], "by protocol it has to know"
    assert "Marko" not in told["education"]
    code = (await quiet.rows("SELECT code FROM contacts"))[0]["code"]
    assert code in told["education"]


async def test_a_child_who_is_named_later_is_referred_too(quiet: QuietStage) -> None:
    """The urgent button of a talk: a second click is refused until there is another child."""
    ana = await quiet.add_counsellor("ana", endpoint=HER_PHONE)
    await add_agency(quiet, "police", "police", sector="police", phones=(POLICE_PHONE,))
    call = await quiet_talk(quiet, ana)
    contact_id = (await ana.ask("GET", f"/calls/{call}/contact")).json()["id"]
    one = {k: v for k, v in BROTHERS.items() if not k.startswith("child.b2")}
    await write(ana, contact_id, one)
    body = {"service": "police"}
    assert (await ana.ask("POST", f"/calls/{call}/urgent", body)).status_code == 201
    assert (await ana.ask("POST", f"/calls/{call}/urgent", body)).status_code == 409
    state = (await ana.ask("GET", f"/contacts/{contact_id}")).json()
    younger = {k: v for k, v in BROTHERS.items() if k.startswith("child.b2")}
    await write(ana, contact_id, younger, base=state["revision"])
    assert (await ana.ask("POST", f"/calls/{call}/urgent", body)).status_code == 201
    rows = await quiet.rows("SELECT child_entry FROM referrals ORDER BY child_entry")
    assert [row["child_entry"] for row in rows] == ["a1", "b2"]
