"""What a review and an attack of the referral module found, each kept from coming back."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.demo.stage import Stage
from app.practice.parties import Phone
from app.staff.roles import Role
from app.web.access import make_limiter
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
    take_back,
    withdraw,
)
from tests.scenarios.primero import PrimeroStandIn
from tests.scenarios.test_cases import skip
from tests.scenarios.test_cases_of_a_team import page_of
from tests.scenarios.test_contacts import WHOLE, new_contact, write
from tests.scenarios.test_main_job import talk
from tests.scenarios.test_referral_machines import (
    ANSWERS,
    Receiver,
    primero,
    receiver,
    with_primero,
    with_system,
)
from tests.scenarios.test_referrals import OVERRIDE, by_hand, page, urgent

__all__ = ["primero", "receiver"]
CONSENT = {"given_by": "child", "scope": ["services"]}


async def test_four_clicks_at_once_are_one_referral(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    body = {"service": "shelter"}
    answers = await asyncio.gather(
        *(ana.ask("POST", f"/calls/{call['id']}/urgent", body) for _ in range(4))
    )
    assert sorted(a.status_code for a in answers) == [201, 409, 409, 409]
    assert len(await night.rows("SELECT id FROM referrals")) == 1


async def test_the_urgent_button_goes_by_the_childs_consent(night: Stage) -> None:
    """An override is for where there is none; and what rests on consent can be withdrawn."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    contact = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    await write(
        ana,
        contact["id"],
        {**WHOLE, "consent.services": "yes", "consent.given_by": "child"},
    )
    made = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "shelter"})
    found = await referral_of(ana, made.json()["id"])
    assert [c["kind"] for c in found["consents"]] == ["consent"]
    # For the police, whom the child did not speak of, there is the ground of danger.
    other = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "police"})
    found = await referral_of(ana, other.json()["id"])
    assert [c["kind"] for c in found["consents"]] == ["consent", "override"]
    back = await withdraw(night, ana, made.json()["id"])
    assert back["state"] == "consent_withdrawn"


async def test_the_board_warns_whom_it_must_not_reach(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    leg = await talk(night, ana)
    call = await night.call_of(leg)
    contact = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    await write(
        ana,
        contact["id"],
        {"contact.kind": "child", "consent.withheld_from": "the centre: my aunt"},
    )
    shown = await page(night, ana, "/")
    assert "who must not be told" in shown.text
    assert "my aunt" not in shown.text
    # Neither the one click nor the interface goes over it unread.
    board = f"/board/calls/{call['id']}/urgent"
    refused = await page(night, ana, board, service="shelter")
    assert "Read that in the contact" in refused.text
    assert await night.rows("SELECT id FROM referrals") == []
    path = f"/calls/{call['id']}/urgent"
    answer = await ana.ask("POST", path, {"service": "shelter"})
    assert (answer.status_code, answer.json()["error"]) == (409, "WishNotRead")
    read = await ana.ask("POST", path, {"service": "shelter", "wish_read": True})
    assert read.status_code == 201, read.text


async def test_not_to_this_agency_holds_in_every_referral_of_the_contact(
    night: Stage, post: Mail
) -> None:
    ana = await night.add_counsellor("ana", shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    await add_agency(night, "other", "shelter", email="a@other.example")
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
    shown = (await page(night, ana, f"/referrals/{second['id']}")).text
    assert "against an explicit wish, to house" in shown
    assert first["id"] != second["id"]


async def test_consent_is_for_something(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, consent={**CONSENT, "for_what": ["mental_health"]})
    refused = await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    assert refused.status_code == 409, refused.text
    assert "other services" in refused.json()["detail"]
    await ana.ask("POST", f"/referrals/{made['id']}/consent", {**CONSENT, "for_what": ["shelter"]})
    sent = await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    assert sent.json()["state"] == "sent"


async def test_whom_it_may_not_reach_any_more_is_asked_no_longer(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    await add_agency(night, "other", "shelter", email="a@other.example")
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


async def test_withdrawn_after_everything_was_done(night: Stage, post: Mail) -> None:
    """What is done is done; what was told is not to be told on."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    for end in ("completed", "closed"):
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


async def test_who_can_only_be_rung_has_to_be_rung(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    made = await by_hand(ana, consent=CONSENT, send=True)
    await night.advance(40)
    await withdraw(night, ana, made["id"])
    notices = await night.rows("SELECT kind, detail FROM notices WHERE for_whom = 'owner'")
    assert ("ring_them", "house") in {(n["kind"], n["detail"].get("agency")) for n in notices}


async def test_an_agency_that_was_passed_over_reads_nothing_later(
    night: Stage, post: Mail, receiver: Receiver
) -> None:
    """Not when another has it, not when that one is done; nor does its own system."""
    ana = await night.add_counsellor("ana")
    await with_system(night, receiver, "first")
    await add_agency(
        night,
        "first",
        "shelter",
        email="a@first.example",
        sms="+381640000001",
        webhook_url=receiver.url,
    )
    await add_agency(night, "second", "shelter", email="a@second.example")
    phone(night, "+381640000001")
    receiver.status = 500
    made = await by_hand(ana, override=OVERRIDE, send=True, answers={"child.name": "Jovana"})
    await night.until(lambda: bool(post.to("a@second.example")), limit=300)
    path = link_in(post.to("a@first.example")[0])
    code = code_in(night.exchange.phones["+381640000001"].texts[0].text)
    two = link_in(post.to("a@second.example")[0])
    proved = await click(night, path + "/code", {"code": code})
    accepted = await click(night, two + "/step", {"kind": "accept", "name": "B"})
    assert accepted.is_redirect
    for _ in range(2):
        shown = await click(night, path, as_=proved)
        assert "Jovana" not in shown.text
        assert "Another service has taken" in shown.text
        following = accepted.headers["location"].split("?")[0]
        await click(
            night, following + "/step", {"kind": "complete", "name": "B", "outcome": "other"}
        )
    receiver.status = 200
    await night.advance(4000)
    assert receiver.taken
    assert all(not e["data"].get("fields") for e in receiver.taken)
    assert (await referral_of(ana, made["id"]))["state"] == "completed"


async def test_a_teams_place_is_told_to_its_own_agency(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    for code in ("one", "two"):
        await add_agency(
            night,
            code,
            "shelter",
            email=f"a@{code}.example",
            sms=f"+38164000000{len(code)}",
            languages=("hu", "sr"),
        )
    texts = phone(night, "+381640000003").texts
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(3)
    path = f"/referrals/{made['id']}"
    await ana.ask("POST", f"{path}/accept", {"agency": "one", "name": "Mira"})
    where = {
        "place": "Kod tetke, Ulica 5",
        "team": "Tim",
        "wanted_at": (night.clock.now() + timedelta(hours=1)).isoformat(),
    }
    sent = (await ana.ask("POST", f"{path}/dispatches", where)).json()
    await night.advance(3)
    # The agency hears of it, and reads where behind its code.
    link, code = link_in(post.to("a@one.example")[-1]), code_in(texts[-1].text)
    assert "Uput" in post.to("a@one.example")[-1], "the first language in which there are words"
    proved = await click(night, link + "/code", {"code": code})
    assert "Ulica 5" in (await click(night, link, as_=proved)).text
    found = await referral_of(ana, made["id"])
    assert "team.place" in found["disclosures"][-1]["fields"]
    # It goes to another, who is not told, and cannot move a team that is not theirs.
    await ana.ask("POST", f"{path}/send", {"agency": "two"})
    await night.advance(3)
    link, code = link_in(post.to("a@two.example")[-1]), code_in(texts[-1].text)
    proved = await click(night, link + "/code", {"code": code})
    assert "Ulica 5" not in (await click(night, link, as_=proved)).text
    form = {"kind": "dispatch", "name": "X", "dispatch": sent["id"], "to": "seen"}
    assert (await click(night, link + "/step", form)).status_code in (404, 422)
    # The first one hears that it is asked no longer.
    assert "povučen" in post.to("a@one.example")[-1]
    # Taken back, nobody is on the way.
    await take_back(night, ana, made["id"])
    rows = await night.rows("SELECT state FROM dispatches")
    assert rows[0]["state"] == "called_off"
    again = await ana.ask("POST", f"{path}/dispatches/{sent['id']}", {"to": "seen"})
    assert again.status_code == 409


@pytest.mark.parametrize("at", ["case", "referral"])
async def test_taken_back_while_it_is_being_made_in_primero(
    night: Stage, primero: tuple[PrimeroStandIn, str], at: str
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
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
        assert there.referrals == {}, "nobody there is given what was taken back before"
    else:
        assert there.only["status"] == "revoked"


async def test_after_the_table_was_completed_it_is_handed_over(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    answers = {**ANSWERS, "child.gender": "non_binary"}
    made = await by_hand(ana, override=OVERRIDE, send=True, answers=answers)
    await night.advance(5)
    assert there.cases == {}
    found = await referral_of(ana, made["id"])
    change = {"path": "child.gender", "value": "unknown", "base": found["revision"]}
    await ana.ask("PUT", f"/referrals/{made['id']}/answers", {"changes": [change]})
    again = await ana.ask("POST", f"/referrals/{made['id']}/try-system-again")
    assert again.status_code == 200
    await night.advance(5)
    assert len(there.cases) == 1
    assert (await ana.ask("POST", f"/referrals/{made['id']}/try-system-again")).status_code == 404


async def test_a_danger_caller_who_was_cut_off(night: Stage) -> None:
    """They were answered once; now they wait again, and nobody is there."""
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await night.add_counsellor("ana")
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = await talk(night, ana, digit="9")
    await night.advance(100)
    assert await night.rows("SELECT 1 FROM referrals") == []
    inside = night.exchange.conferences.of_leg(leg)
    assert inside is not None
    mine = next(p.leg for p in inside[0].participants.values() if p.leg is not leg)
    await ana.be("break")
    night.exchange.phones[mine.to] = Phone(unreachable=True)
    await night.exchange.let_die(mine)
    await night.advance(140)
    rows = await night.rows("SELECT owner_id, state FROM referrals")
    assert [(r["owner_id"], r["state"]) for r in rows] == [(vera.id, "acknowledged")]


async def test_houses_that_nobody_answers_at_night(night: Stage) -> None:
    """They are not offered what they cannot hear of; and the log does not fill with rounds."""
    ana = await night.add_counsellor("ana")
    for n in range(30):
        await add_agency(
            night, f"day-{n}", "shelter", phones=((f"+3811130000{n:02d}", "Mo-Fr 08:00-16:00"),)
        )
    referral_id = await urgent(night, ana)
    await night.advance(1500)
    found = await referral_of(ana, referral_id)
    assert found["recipients"] == []
    assert len(found["events"]) < 25, len(found["events"])
    kinds = [r["kind"] for r in await night.rows("SELECT kind FROM notices")]
    assert "nobody_left" in kinds
    # In the morning they are asked.
    duty = phone(night, "+381113000000", presses="1")
    await skip(night, 7)
    await night.advance(400)
    await ana.sign_in()
    assert duty.rung >= 1
    assert (await referral_of(ana, referral_id))["state"] == "acknowledged"


async def test_a_mail_server_that_never_says_whether_it_took_it(night: Stage, post: Mail) -> None:
    """A person is not written to every minute."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    post.hangs_up_after_data = True
    await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(900)
    attempts = await night.rows("SELECT tries FROM attempts WHERE kind = 'email'")
    assert max(r["tries"] for r in attempts) <= 3
    assert len(post.messages) <= 3 * len(attempts)


async def test_our_own_people_are_in_the_ladder_and_nowhere_else(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    await add_agency(night, "house", "shelter", email="a@house.example")
    made = await by_hand(ana, override=OVERRIDE)
    refused = await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "on-call"})
    assert refused.status_code == 422
    await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    # What stops an escalation was said by a person.
    for verb in ("acknowledge", "accept", "progress", "complete"):
        answer = await ana.ask("POST", f"/referrals/{made['id']}/{verb}", {})
        assert answer.status_code == 422, verb
    taken = await vera.ask("POST", f"/referrals/{made['id']}/take")
    assert taken.status_code == 200
    found = await referral_of(vera, made["id"])
    assert found["owner_id"] == str(vera.id)
    assert any(e["kind"] == "owner" for e in found["events"])


async def test_what_the_owner_does_not_see_a_supervisor_has_to(night: Stage, post: Mail) -> None:
    """The duty phone wants to be called back, and the counsellor has gone home."""
    ana = await night.add_counsellor("ana")
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", email="duty@line.example"
    )
    await add_agency(night, "house", "shelter", phones=("+381113000001",))
    phone(night, "+381113000001", presses="2")
    await urgent(night, ana)
    await night.advance(400)
    rows = await night.rows("SELECT for_whom FROM notices WHERE kind = 'call_back'")
    assert {r["for_whom"] for r in rows} == {"owner", "supervisors"}
    assert any("call-back" in text for text in post.to("duty@line.example"))


async def test_known_only_later_that_the_child_is_small(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    await add_agency(
        night, "team", "mobile_outreach", sector="mobile_outreach", email="a@team.example"
    )
    made = await by_hand(ana, override=OVERRIDE)
    found = await referral_of(ana, made["id"])
    change = {"path": "child.age", "value": 1, "base": found["revision"]}
    await ana.ask("PUT", f"/referrals/{made['id']}/answers", {"changes": [change]})
    await ana.ask("POST", f"/referrals/{made['id']}/send", {})
    found = await referral_of(ana, made["id"])
    assert found["recipients"][0]["agency"] == "team"
    assert found["separation_risk"]


@pytest.mark.parametrize("kind", ["code", "link"])
async def test_not_without_end(night: Stage, post: Mail, kind: str) -> None:
    """Whoever holds a link cannot have people written to all day, nor guess for ever."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example", sms="+381640000001")
    phone(night, "+381640000001")
    await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: bool(post.messages))
    path = link_in(post.messages[0][1])
    sent: list[Any] = []
    for _ in range(14):
        # As if a minute had gone by for the limiter, too.
        night.app.state.sign_in_limiter = make_limiter()
        sent.append(await click(night, f"{path}/send-{kind}", {"x": "y"}))
        sent.append(await click(night, f"{path}/send-{kind}", {"x": "y"}))
        await night.advance(61)
    assert "on its way already" in sent[1].text
    assert any("too often today" in answer.text for answer in sent)
    attempts = await night.rows("SELECT count(*) AS n FROM attempts WHERE purpose = %s", kind)
    assert attempts[0]["n"] <= 20


async def test_numbers_of_how_agencies_answer(night: Stage, post: Mail) -> None:
    """Median and nine in ten, breaches of whoever had it, rejections, outcomes, feedback."""
    ana = await night.add_counsellor("ana")
    olga = await night.add_counsellor("olga", role=Role.ADMINISTRATOR, shift=False, state=None)
    await add_agency(night, "house", "shelter", email="a@house.example")
    for n, seconds in enumerate((10, 20, 30, 40, 100)):
        more = {"answers": {"parties.wants_feedback": "yes"}} if n < 2 else {}
        made = await by_hand(ana, consent=CONSENT, urgency="urgent", send=True, **more)
        await night.advance(seconds)
        path = f"/referrals/{made['id']}"
        said = {"agency": "house", "name": "Mira"}
        assert (await ana.ask("POST", f"{path}/acknowledge", said)).status_code == 200
        if n == 0:
            await ana.ask("POST", f"{path}/reject", {**said, "reason": "no_capacity"})
        elif n == 1:
            await night.advance(80)
            seen = {"seen_at": night.clock.now().isoformat(), **said}
            assert (await ana.ask("POST", f"{path}/progress", seen)).status_code == 200
            await ana.ask("POST", f"{path}/complete", {**said, "outcome": "medical_care"})
            await ana.ask("POST", f"{path}/feedback", {"words": "told"})
    # Nobody acknowledges this one in time.
    await by_hand(ana, consent=CONSENT, urgency="immediate", send=True)
    await night.advance(1000)
    found = await agency_figures(night)
    assert set(found) == {"all", "house"}
    for row in found.values():
        assert row["offered"] == 6
        assert row["acknowledged"] == 5
        assert row["median_seconds_to_acknowledge"] == pytest.approx(30, abs=1)
        assert row["p90_seconds_to_acknowledge"] == pytest.approx(76, abs=1)
        assert row["median_seconds_to_see_child"] == pytest.approx(100, abs=1)
        assert row["rejections"] == {"no_capacity": 1}
        assert row["outcomes"] == {"medical_care": 1}
        assert (row["completed"], row["feedback_wanted"], row["feedback_given"]) == (1, 1, 1)
        assert row["breaches"] == 1
    # As they are shown: the month has to be over, and counts are rounded to multiples of 3.
    assert (
        await olga.ask("GET", "/statistics/referrals.json?from=2030-01-01&to=2030-02-01")
    ).status_code == 403
    night.stepped.move_to(night.clock.now().replace(month=2, day=20))
    await olga.sign_in()
    (every, house) = (await olga.ask("GET", "/statistics/referrals.json")).json()["rows"]
    assert (every["agency"], house["agency"]) == ("all", "house")
    for row in (every, house):
        counts = [n for name, n in row.items() if isinstance(n, int) and "seconds" not in name]
        assert all(n % 3 == 0 for n in counts)
        assert row["offered"] == 6
        assert row["acknowledged"] in (3, 6)
        # The middle of five is said where five are shown as six.
        time_said = row["median_seconds_to_acknowledge"]
        assert time_said == (30 if row["acknowledged"] == 6 else None)
        assert row["median_seconds_to_see_child"] is None, "it was one child"
    page = await page_of(night, olga, "/referrals/accountability")
    assert 'id="accountability"' in page
    assert "<td>6</td>" in page
    # What is too short for the grid is refused in words, whatever it is counted by.
    for window in (
        "from=2030-01-14T01:00:00Z&to=2030-01-14T01:15:00Z",
        "from=2030-01-02&to=2030-02-02",
    ):
        for by in ("", "&by=sector"):
            refused = await olga.ask("GET", f"/statistics/referrals.json?{window}{by}")
            assert refused.status_code == 403, (window, by)
    text = (await olga.ask("GET", "/statistics/referrals.csv")).text.splitlines()
    header = next(n for n, line in enumerate(text) if line.startswith("agency,"))
    assert all(line.startswith(('"# ', "# ")) for line in text[:header])
    assert len(text[header].split(",")) == len(text[header + 1].split(","))
    past = await olga.ask("GET", "/statistics/referrals.json?from=2028-12-01&to=2029-01-01")
    assert past.json()["rows"][0]["offered"] == 0


async def test_after_a_round_of_ours_anybody_can_still_take_it(night: Stage, post: Mail) -> None:
    """Our supervisor had it and no agency in time: whoever says 1 then is heard, and so is an
    agency that comes late."""
    ana = await night.add_counsellor("ana")
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    await add_agency(night, "house", "shelter", email="a@house.example")
    duty = phone(night, "+381113000003", presses="1")
    referral_id = await urgent(night, ana)
    await night.until(lambda: duty.rung > 0, limit=400)
    await night.advance(30)
    assert (await referral_of(ana, referral_id))["house_has_it"]
    duty.picks_up = None
    await night.advance(960)
    found = await referral_of(ana, referral_id)
    assert not found["house_has_it"]
    late = await click(
        night, link_in(post.to("a@house.example")[0]) + "/step", {"kind": "accept", "name": "M"}
    )
    assert late.is_redirect, late.text[:200]
    assert (await referral_of(ana, referral_id))["state"] == "accepted"


async def test_other_peoples_slow_servers_hold_up_no_duty_phone(
    night: Stage, receiver: Receiver
) -> None:
    """Forty events for a system that never answers, and a child in danger."""
    ana = await night.add_counsellor("ana")
    await with_system(night, receiver)
    receiver.pause = asyncio.Event()
    for _ in range(30):
        await by_hand(ana, consent=CONSENT, urgency="routine", send=True)
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    duty = phone(night, "+381113000001", presses="1")
    await by_hand(ana, override=OVERRIDE, services=["police"], send=True)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if any(leg.to == "+381113000001" for leg in night.exchange.legs.values()):
            break
    asked = [leg for leg in night.exchange.legs.values() if leg.to == "+381113000001"]
    receiver.pause.set()
    await night.settle()
    assert asked, "the phone is rung while the other system keeps us waiting"
    assert duty.rung <= 1


async def test_a_key_that_is_told_after_the_end_of_the_leg(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", phones=("+381113000001", "+381113000002"))
    phone(night, "+381113000001", presses="1")
    phone(night, "+381113000002", picks_up=None)
    night.exchange.knobs.turn("delay", "/pressed", times=1, seconds=3)
    referral_id = await urgent(night, ana)
    await night.advance(5)
    rung = (await night.rows("SELECT id FROM attempts"))[0]["id"]
    leg = next(leg for leg in night.exchange.legs.values() if leg.to == "+381113000001")
    # The end overtakes the key.
    base = f"{night.settings.public_url}/telephony/duty/{rung}"
    fields = [*night.exchange.leg_fields(leg)]
    ended = [(k, "completed" if k == "CallStatus" else v) for k, v in fields]
    await night.exchange.sender.call_back(f"{base}/status", ended)
    assert (await referral_of(ana, referral_id))["attempts"][0]["result"] == "nobody_pressed_a_key"
    # Key 1 is not yet a yes: the question after it was never heard.
    await night.exchange.sender.call_back(f"{base}/pressed?n=1", [*fields, ("Digits", "1")])
    assert (await referral_of(ana, referral_id))["attempts"][0]["result"] == "nobody_pressed_a_key"
    confirming = str(4 + rung.int % 6)
    pressed = [*fields, ("Digits", confirming)]
    await night.exchange.sender.call_back(f"{base}/pressed?n=11", pressed)
    found = await referral_of(ana, referral_id)
    assert found["state"] == "acknowledged"
    assert found["attempts"][0]["result"] == "acknowledged"


async def test_at_the_change_of_a_shift_nobody_is_skipped(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    numbers = [f"+38111300000{n}" for n in (1, 2, 3)]
    await add_agency(
        night, "house", "shelter", phones=((numbers[0], "00:00-02:01"), numbers[1], numbers[2])
    )
    first, second, third = (
        phone(night, numbers[0], picks_up=None),
        phone(night, numbers[1], presses="1"),
        phone(night, numbers[2], presses="1"),
    )
    night.stepped.move_to(night.clock.now() + timedelta(seconds=45))
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(90)
    assert (first.rung, second.rung, third.rung) == (1, 1, 0)
    assert (await referral_of(ana, made["id"]))["state"] == "acknowledged"


async def test_our_own_house_is_nobodys_deputy(night: Stage) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(
        night, "on-call", "supervisor_on_call", sector="own_house", phones=("+381113000003",)
    )
    await add_agency(
        night, "day", "shelter", phones=(("+381113000001", "Mo-Fr 08:00-16:00"),), deputy="on-call"
    )
    phone(night, "+381113000003", presses="1")
    referral_id = await urgent(night, ana)
    await night.advance(60)
    found = await referral_of(ana, referral_id)
    assert found["recipients"] == []
    assert found["house_has_it"]


async def test_a_machine_says_who(night: Stage, receiver: Receiver) -> None:
    """What a system answers by itself is no person."""
    from tests.scenarios.test_referral_machines import event, told

    ana = await night.add_counsellor("ana")
    secret = await with_system(night, receiver)
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.settle()
    code = made["referrals"][0]["code"]
    nobody = await told(night, secret, event(code, 1, "referral.acknowledged"))
    assert nobody.status_code == 422
    assert (await referral_of(ana, made["id"]))["state"] == "sent"


async def test_one_telephone_is_one_way(night: Stage, post: Mail) -> None:
    """The code is not spoken to the number that the link was written to."""
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", sms="+381640000001", phones=("+381640000001",))
    texts = phone(night, "+381640000001", busy=True).texts
    await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: bool(texts))
    refused = await click(night, link_in(texts[0].text) + "/send-code", {"x": "y"})
    assert "no second channel" in refused.text


async def test_no_name_in_what_their_system_complains_of(
    night: Stage, primero: tuple[PrimeroStandIn, str]
) -> None:
    there, url = primero
    there.fields = [
        {"name": "name_first", "type": "select_box", "option_strings_text": [{"id": "x"}]}
        if f["name"] == "name_first"
        else f
        for f in there.fields
    ]
    ana = await night.add_counsellor("ana")
    await with_primero(night, url)
    await by_hand(ana, override=OVERRIDE, send=True, answers=ANSWERS)
    await night.advance(5)
    for table in ("counterparts", "notices", "record_events"):
        for row in await night.rows(f"SELECT t::text AS words FROM {table} t"):
            assert "Jovana" not in row["words"], table


@pytest.mark.parametrize("when", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
async def test_a_time_that_nobody_can_mean(night: Stage, when: str) -> None:
    ana = await night.add_counsellor("ana")
    made = await by_hand(ana, override=OVERRIDE)
    body = {"place": "x", "team": "y", "wanted_at": when}
    answer = await ana.ask("POST", f"/referrals/{made['id']}/dispatches", body)
    assert answer.status_code == 422
    assert (await ana.ask("GET", f"/referrals/{made['id']}")).status_code == 200


async def test_what_one_has_done_with_can_be_sent_on(night: Stage, post: Mail) -> None:
    """An agency says that it cannot find the child: somebody of ours looks, and goes on."""
    ana = await night.add_counsellor("ana")
    for code in ("house", "other"):
        await add_agency(night, code, "shelter", email=f"a@{code}.example")
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.until(lambda: bool(post.messages))
    form = {"kind": "complete", "name": "M", "outcome": "unable_to_locate"}
    await click(night, link_in(post.messages[0][1]) + "/step", form)
    notices = await night.rows("SELECT kind, for_whom FROM notices WHERE kind = 'completed'")
    assert {n["for_whom"] for n in notices} == {"owner", "supervisors"}
    sent = await ana.ask("POST", f"/referrals/{made['id']}/send", {"agency": "other"})
    assert sent.json()["state"] == "sent"
    found = await referral_of(ana, made["id"])
    assert [c["kind"] for c in found["deadlines"] if c["stopped_at"] is None].count("acknowledge")
    assert found["outcome"] is None


async def test_whoever_talks_with_the_child_has_the_referral(night: Stage) -> None:
    """It was opened while nobody could take the call; then somebody does."""
    vera = await night.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await night.add_counsellor("ana", state="break")
    bora = await night.add_counsellor("bora")
    await talk(night, bora, from_="+381641111111")
    await add_agency(night, "police", "police", sector="police", phones=("+381113000001",))
    phone(night, "+381113000001", presses="1")
    leg = night.ring("+381642222222")
    await night.advance(2)
    night.exchange.press(leg, "9")
    await night.advance(90)
    call = await night.call_of(leg)
    await ana.be("available")
    await night.until(ana.offer)
    await ana.accept()
    await night.advance(2)
    referral_id = str((await night.rows("SELECT id FROM referrals"))[0]["id"])
    assert (await ana.ask("GET", f"/referrals/{referral_id}")).status_code == 200
    pressed = await ana.ask("POST", f"/calls/{call['id']}/urgent", {"service": "police"})
    assert pressed.json()["id"] == referral_id
    found = await referral_of(ana, referral_id)
    assert found["owner_id"] == str(ana.id)
    assert found["contact_id"] is not None
    assert (await vera.ask("GET", f"/referrals/{referral_id}")).status_code == 200


async def test_a_mail_server_that_says_goodbye_badly(night: Stage, post: Mail) -> None:
    ana = await night.add_counsellor("ana")
    await add_agency(night, "house", "shelter", email="a@house.example")
    post.quits_badly = True
    made = await by_hand(ana, override=OVERRIDE, send=True)
    await night.advance(90)
    assert len(post.messages) == 1
    assert (await referral_of(ana, made["id"]))["state"] == "delivered"


async def test_a_mandate_is_not_taken_silently(night: Stage) -> None:
    olga = await night.add_counsellor("olga", role=Role.REFERRAL_OFFICER, shift=False, state=None)
    body = {"sector": "police", "services": "police", "email": "a@x.example"}
    one = {**body, "code": "aa", "name": "A", "mandated_for": "police@*"}
    assert (await olga.ask("POST", "/agencies", one)).status_code == 200
    two = await olga.ask("POST", "/agencies", {**one, "code": "bb", "name": "B"})
    assert "is the mandate of aa" in two.json()["detail"]
    unknown = await olga.ask(
        "POST", "/agencies", {**body, "code": "cc", "name": "C", "deputy": "zz"}
    )
    assert "there is no agency 'zz'" in unknown.json()["detail"]
