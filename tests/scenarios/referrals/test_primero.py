"""Agencies that work with Primero."""

import asyncio

import pytest

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.referrals.directory.agencies import set_primero_password
from app.work import PROGRAM
from tests.support.contacts import skip, skip_minutes
from tests.support.primero import PrimeroStandIn
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.referrals import (
    CONSENT,
    OVERRIDE,
    add_agency,
    by_hand,
    referral_of,
    story,
    take_back,
    withdraw,
)
from tests.support.systems import ANSWERS, with_primero


async def test_a_referral_in_primeros_words(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    # Busy with its own configuration at first, and an answer that is lost later.
    there.busy, there.lost = 1, 2
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await night.advance(60)
    assert len(there.cases) == 1
    (case,) = there.cases.values()
    assert case["name_first"] == "Jovana"
    assert case["name_last"] == "Petrović"
    assert (case["sex"], case["age"], case["estimated"]) == ("female", 9, True)
    assert case["protection_concerns"] == ["physically_or_mentally_abused"]
    assert case["legitimate_basis"] == ["vital_interests"]
    assert case["services_section"][0]["service_type"] == "safehouse_service"
    assert case["services_section"][0]["service_response_timeframe"] == "1_hour"
    assert "telephone_current" not in case, "what is not known is not said"
    assert there.only["consent_overridden"] is True
    found = await referral_of(ana, made["id"])
    assert found["state"] == "delivered", story(found)
    assert [d["how"] for d in found["disclosures"]] == ["primero"], "tried thrice, told once"
    # A state that is none of theirs can be any word.
    there.only["status"] = "she is unwell"
    await skip_minutes(night, 1.5, every=0.5)
    found = await referral_of(ana, made["id"])
    (strange,) = [e for e in found["events"] if e["kind"] == "status_there"]
    assert (strange["detail"]["status"], strange["words"]) == ("other", "she is unwell")
    assert await night.rows("SELECT their_status FROM agency_cases") == [{"their_status": "other"}]
    # It sends no report when a referral is answered: we ask.
    there.only["status"] = "accepted"
    await skip_minutes(night, 2.5, every=0.5)
    found = await referral_of(ana, made["id"])
    assert found["state"] == "accepted"
    there.only.update(
        status="done",
        success_status="not_successful",
        reason_not_successful="unable_to_contact_client",
    )
    await skip_minutes(night, 12, every=3)
    found = await referral_of(ana, made["id"])
    assert (found["state"], found["outcome"]) == ("completed", None), "no outcome is invented"
    words = [e["words"] for e in found["events"] if e["kind"] == "complete"]
    assert words == ["not successful: unable to contact client"]
    if WHOLE:
        asked = len(there.asked)
        await skip_minutes(night, 12, every=3)
        assert len(there.asked) == asked, "it is not asked about what is over"


async def test_what_primero_has_no_word_for_is_told_in_words_or_listed(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url, "child_protection")
    consent = {"given_by": "child", "scope": ["services", "authorities"]}
    told = {
        **ANSWERS,
        "child.name": "Јована Петровић",
        "child.birth_date": "2021-02-03",
        "danger.signs": ["weapon", "injured"],
        "danger.dangers": "A dog, and a gun in the hall.",
        "reason.why": "He beat her today.",
        "reason.categories": ["V-NEGLECT", "EO-ACADEMIC"],
        "child.access_needs": "A wheelchair",
        "participants.role": "teacher",
    }
    made = await by_hand(
        ana, consent=consent, send=True, answers=told, services=["child_protection"]
    )
    await night.advance(60)
    (case,) = there.cases.values()
    assert (case["consent_for_services"], case["disclosure_other_orgs"]) == (True, True)
    assert case["interview_subject"] == "individual"
    assert (case["name_first"], case["name_other"]) == ("Јована", "Јована Петровић")
    assert case["date_of_birth"] == "2021-02-03"
    assert case["protection_concerns"] == ["physically_or_mentally_abused"]
    (service,) = case["services_section"]
    notes = service["service_referral_notes"].split("\n")
    # A reader there sees the danger first, and the signs that have no code there.
    assert notes[0] == "Dangers for whoever goes there: A dog, and a gun in the hall."
    assert "A weapon is within reach, The child is injured" in notes[1]
    for line in ("He beat her today.", "A wheelchair"):
        assert any(line in note for note in notes)
    assert service["service_response_day_time"].startswith("2030-01-14T01:00:00")
    assert there.only["consent_overridden"] is False
    found = await referral_of(ana, made["id"])
    assert found["state"] == "delivered", story(found)
    (row,) = await night.rows("SELECT left_out FROM agency_cases")
    # The questions, not the answers: this column is not sealed.
    assert row["left_out"] == ["danger.signs", "reason.categories", "participants.role"]
    page = await night.client.get(
        f"{night.settings.public_url}/referrals/{made['id']}",
        headers={"Cookie": ana.cookie_header},
    )
    assert "Signs of danger now: A weapon is within reach" in page.text
    # The log names no service; its page does.
    (opened,) = [e["detail"] for e in found["events"] if e["kind"] == "opened"]
    assert not {"service", "family_first"} & set(opened)
    assert "opened a referral: immediate, child protection (protocol" in page.text


async def test_primero_rejects_and_the_next_is_asked(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url)
    await add_agency(night, "other", "shelter", email="a@other.example")
    made = await by_hand(ana, override=OVERRIDE, answers=ANSWERS)
    await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "house"})
    await night.advance(10)
    there.only.update(status="rejected", rejected_reason="No bed")
    await skip_minutes(night, 2.5, every=0.5)
    found = await referral_of(ana, made["id"])
    assert found["recipients"][0]["state"] == "rejected"
    assert found["recipients"][1]["agency"] == "other"


async def test_their_forms_are_discovered_before_anything_is_sent_and_no_error_names_the_child(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    other = {"option_strings_source": "", "option_strings_text": [{"id": "x"}]}
    there.fields = [
        {**f, "type": "select_box", **other}
        if f["name"] in ("name_first", "protection_concerns")
        else f
        for f in there.fields
        if f["name"] != "estimated"
    ]
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url)
    # Two that their list lacks, and one that the mapping lacks.
    special = {
        "danger.signs": ["suicide", "sexual_violence"],
        "child.disability": ["chronic_illness"],
        "child.gender": "non_binary",
    }
    codes = ("mentally_distressed", "sexually_exploited", "serious_health_issue", "non_binary")
    made = await by_hand(ana, override=OVERRIDE, send=True, answers={**ANSWERS, **special})
    await night.advance(10)
    assert there.cases == {}
    found = await referral_of(ana, made["id"])
    refused = next(e for e in found["events"] if e["kind"] == "refused_by_their_system")
    assert "estimated: their forms have no such field" in refused["detail"]["problem"]
    for field in ("protection_concerns", "child.gender"):
        # Once, however many codes: their number tells something, too.
        assert refused["detail"]["problem"].count(f"{field}: their list has no such value") == 1
    # Readers of the record read in sealed words which codes they are.
    assert all(code in refused["words"] for code in codes)
    for table in ("agency_cases", "notices", "record_events"):
        for row in await night.rows(f"SELECT t::text AS words FROM {table} t"):
            for word in ("Jovana", *special["danger.signs"], *codes):
                assert word not in row["words"], table


@nightly
async def test_taken_back_it_is_revoked_there(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url)
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await night.advance(10)
    await take_back(night, ana, made["id"])
    await night.advance(5)
    assert there.only["status"] == "revoked"


async def test_a_wrong_password_is_said_and_not_repeated_into_a_lock(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url)
    async with transaction(night.ground, PROGRAM) as work:
        await set_primero_password(work, "house", "wrong")
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await skip_minutes(night, 5, every=1)
    assert len(there.asked) == 1
    found = await referral_of(ana, made["id"])
    refused = next(e for e in found["events"] if e["kind"] == "refused_by_their_system")
    assert "401" in refused["detail"]["problem"]


async def test_a_refused_withdrawal_at_primero_is_a_task_of_supervisors(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url)
    made = await by_hand(ana, consent=CONSENT, send=True, answers=ANSWERS)
    await night.advance(10)
    there.change_password("changed")
    await withdraw(night, ana, made["id"])
    await night.advance(30)
    assert there.only["status"] == "in_progress"
    notices = await night.rows("SELECT kind, for_whom FROM notices WHERE kind = 'ring_them'")
    assert [n["for_whom"] for n in notices] == ["supervisors"]
    assert "not_taken_back_at_their_system" in story(await referral_of(ana, made["id"]))
    # It is tried on, and told once.
    there.change_password("secret")
    await skip(night, 1.05)
    assert there.only["status"] == "revoked"
    assert len(await night.rows("SELECT id FROM notices WHERE kind = 'ring_them'")) == 1
    assert (await night.rows("SELECT state FROM agency_cases"))[0]["state"] == "ended"


@pytest.mark.parametrize("at", by_day(["case", "referral"]))
async def test_a_referral_taken_back_while_it_is_being_made_in_primero(
    night: Stage, primero: tuple[PrimeroStandIn, str], at: str
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url)
    there.pause, there.pauses_at = asyncio.Event(), at
    made = await by_hand(ana, consent=CONSENT, send=True, answers=ANSWERS)
    for _ in range(100):
        await asyncio.sleep(0.02)
        if there.paused:
            break
    await withdraw(night, ana, made["id"])
    assert there.paused
    there.pause.set()
    await night.advance(30)
    if at == "case":
        assert there.referrals == {}, "no one there is given what was taken back before"
    else:
        assert there.only["status"] == "revoked"


async def test_what_is_unmapped_is_refused_with_the_list_and_handed_over_once_it_is_completed(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await with_primero(night, url, "shelter,mobile_outreach")
    # Their list has two genders: nothing is bent to fit. And they have no word for a service.
    answers = {**ANSWERS, "child.gender": "non_binary"}
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=answers)
    service = ["mobile_outreach"]
    other = await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS, services=service)
    await night.advance(5)
    assert there.cases == {}
    for one, problem in (
        (made, "child.gender: non_binary"),
        (other, "service: mobile_outreach"),
    ):
        found = await referral_of(ana, one["id"])
        refused = next(e for e in found["events"] if e["kind"] == "refused_by_their_system")
        assert problem in refused["words"]
    notices = await night.rows("SELECT kind FROM notices")
    assert "unmapped" in {n["kind"] for n in notices}
    found = await referral_of(ana, made["id"])
    change = {"path": "child.gender", "value": "unknown", "base": found["revision"]}
    await ana.ask("PUT", f"/referrals/{made['id']}/answers", {"changes": [change]})
    again = await ana.ask("POST", f"/referrals/{made['id']}/try-system-again")
    assert again.status_code == 200
    await night.advance(5)
    assert len(there.cases) == 1
    assert (await ana.ask("POST", f"/referrals/{made['id']}/try-system-again")).status_code == 404
