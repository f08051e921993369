"""Practice calls: a scripted child rings a trainee, and nothing of it leaves the helpline."""

from typing import Any

import httpx2

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.staff.models import Staff
from app.staff.roles import Role
from app.training import practices
from app.work import PROGRAM
from tests.support.contacts import page_of, skip_minutes
from tests.support.profile import WHOLE, nightly
from tests.support.talks import child


async def page(stage: Stage, who: Counsellor, path: str) -> httpx2.Response:
    url = f"{stage.settings.public_url}{path}"
    return await stage.client.get(url, headers={"Cookie": who.cookie_header})


async def begin(
    stage: Stage, who: Counsellor, scenario: str = "school_bullying", language: str = "en"
) -> dict[str, Any]:
    """A practice call that the trainee has taken."""
    made = await who.ask("POST", "/practices", {"scenario": scenario, "language": language})
    assert made.status_code == 201, made.text
    await stage.until(who.offer, what="the child rings")
    await who.accept()
    await stage.until(lambda: connected(stage), what="they talk")
    found: dict[str, Any] = made.json()
    return found


async def connected(stage: Stage) -> bool:
    rows = await stage.rows("SELECT 1 FROM calls WHERE state = 'connected'")
    return bool(rows)


async def act(who: Counsellor, practice: dict[str, Any], name: str, topic: str = "") -> Any:
    noted = await who.stage.rows(
        "SELECT 1 FROM practice_acts WHERE practice_id = %s", practice["id"]
    )
    body = {"act": name, "number": len(noted) + 1, **({"topic": topic} if topic else {})}
    answer = await who.ask("POST", f"/practices/{practice['id']}/acts", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def ended(stage: Stage, practice: dict[str, Any]) -> str:
    async def over() -> bool:
        rows = await stage.rows("SELECT ended_at FROM practices WHERE id = %s", practice["id"])
        return rows[0]["ended_at"] is not None

    await stage.until(over, what="the practice has ended")
    rows = await stage.rows("SELECT ended_how FROM practices WHERE id = %s", practice["id"])
    return str(rows[0]["ended_how"])


async def test_from_the_desk_to_the_debrief(stage: Stage) -> None:
    """The trainee rings up a child, asks, agrees on a step, and looks at it afterwards."""
    ana = await stage.add_counsellor("ana", training=True)
    bora = await stage.add_counsellor("bora")
    practice = await begin(stage, ana)
    assert await bora.offer() is None
    assert "PRACTICE" in await page_of(stage, ana, "/board/frame")
    panel = await page_of(stage, ana, "/practice/panel")
    assert "Beginning" in panel
    assert 'id="open-who"' in panel
    assert 'id="open-who"' in await page_of(stage, ana, f"/practice/{practice['id']}")
    for name, topic in (
        ("listened", ""),
        ("open_question", "what"),
        ("open_question", "age"),
        ("wish", ""),
        ("plan", ""),
        ("goodbye", ""),
    ):
        await act(ana, practice, name, topic)
        await stage.advance(2)
    assert await ended(stage, practice) == "well"
    said = child(stage).said
    assert "Hello? Is this the line for children?" in said
    assert "Okay. Thank you for listening. Bye!" in said
    call = (await stage.rows("SELECT * FROM calls WHERE rings_only_id IS NOT NULL"))[0]
    assert call["ended_by"] == "caller"
    contact = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    written = {"contact.kind": "child", "child.age": 11}
    changes = {"changes": [{"path": p, "value": v, "base": 0} for p, v in written.items()]}
    saved = await ana.ask("PUT", f"/contacts/{contact['id']}/answers", changes)
    assert saved.status_code == 200, saved.text
    text = await page_of(stage, ana, f"/practice/{practice['id']}")
    well, later = text.index('id="well"'), text.index('id="timeline"')
    assert well < later
    for words in ("You agreed on a next step together.", "came to a good end", "different"):
        assert words in text
    assert "carried no sound" in text
    for path in (f"/contacts/{contact['id']}", f"/calls/{call['id']}", "/contacts"):
        assert "PRACTICE" in await page_of(stage, ana, path), path


@nightly
async def test_a_child_writes_and_nothing_of_it_is_counted(stage: Stage) -> None:
    """From the page to the desk, the script beside the conversation, and the debrief.

    By day the verbs have it, in `tests/training/test_writing.py`.
    """
    ana = await stage.add_counsellor("ana", training=True)
    bora = await stage.add_counsellor("bora", chats=3)
    assert 'id="write-exam_fear"' in await page_of(stage, ana, "/practice")
    body = {"scenario": "exam_fear", "language": "en", "written": "true"}
    practice = (await ana.ask("POST", "/practices", body)).json()
    assert practice["written"] is True
    await stage.advance(1)
    assert (await bora.ask("GET", "/chats/mine")).json() == []
    assert "PRACTICE" in await page_of(stage, ana, "/board/chats")
    (chat,) = (await ana.ask("GET", "/chats/mine")).json()
    (await ana.ask("POST", f"/offers/{chat['offer_id']}/accept")).raise_for_status()
    await stage.advance(1)
    assert 'hx-get="/practice/panel"' in await page_of(stage, ana, "/board/chats")
    assert "Write as always" in await page_of(stage, ana, "/practice/panel")
    for name, topic in (("listened", ""), ("open_question", "fear"), ("plan", ""), ("goodbye", "")):
        await act(ana, practice, name, topic)
        await stage.advance(2)
    assert await ended(stage, practice) == "well"
    said = (await ana.ask("GET", f"/chats/{chat['call_id']}/messages")).json()
    written = [one["text"] for one in said if one["author"] == "child"]
    assert written[0] == "hi"
    assert "I think I can sleep now" in written[-1]
    assert 'id="debrief-link"' in await page_of(stage, ana, "/practice/panel")
    text = await page_of(stage, ana, f"/practice/{practice['id']}")
    assert "You agreed on a next step together." in text
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    window = "from=2030-01-01&to=2030-02-01&measures=calls"
    figures = (await vera.ask("GET", f"/statistics/summary?{window}")).json()
    assert [row["calls"] for row in figures["rows"]] == [0]


@nightly
async def test_only_the_trainee_and_the_supervisors_of_the_team_see_it(stage: Stage) -> None:
    """By day the verbs have it, in `tests/training/test_writing.py`."""
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora")
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    other = await stage.add_counsellor("olga", role=Role.SUPERVISOR, shift=False, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        found = await work.session.get(Staff, other.id)
        assert found is not None
        found.team = "another"
    await other.sign_in()
    practice = await begin(stage, ana)
    path = f"/practice/{practice['id']}"
    # A supervisor of the team notes what was asked.
    assert (await act(vera, practice, "listened"))["reply"] == "reacted"
    # A second click, or the trainee at the same moment, notes nothing more.
    again = {"act": "listened", "number": 1}
    twice = await ana.ask("POST", f"/practices/{practice['id']}/acts", again)
    assert (twice.status_code, twice.json()["error"]) == (409, "ActNoted")
    assert len(await stage.rows("SELECT 1 FROM practice_acts")) == 1
    body = {"act": "listened", "number": 2}
    for who in (bora, other):
        refused = await who.ask("POST", f"/practices/{practice['id']}/acts", body)
        assert refused.status_code == 404
        assert (await page(stage, who, path)).status_code == 404
    talks = await page_of(stage, vera, "/board/talks")
    assert "PRACTICE" in talks
    assert (await vera.ask("GET", "/talks")).json()[0]["practice"] is True
    await ana.do("hang-up")
    assert await ended(stage, practice) == "counsellor"
    assert "noted by vera" in await page_of(stage, vera, path)
    assert "school" in (await page_of(stage, vera, "/practice")).lower()
    read = await stage.rows("SELECT actor FROM audit_entries WHERE action = 'practice_read'")
    assert {row["actor"] for row in read} == {str(vera.id)}
    remark = f"/practices/{practice['id']}/remarks"
    assert (await bora.ask("POST", remark, {"words": "x"})).status_code == 404
    assert (await vera.ask("POST", remark, {"words": "Well listened, Ana."})).status_code == 204
    sealed = await stage.rows("SELECT words_sealed FROM practice_remarks")
    assert b"listened" not in bytes(sealed[0]["words_sealed"])
    assert "Well listened, Ana." in await page_of(stage, ana, path)


@nightly
async def test_the_child_hangs_up_on_blame(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    practice = await begin(stage, ana, "disclosure", "sr")
    assert (await act(ana, practice, "blamed"))["ends"] == "child_left"
    refused = await ana.ask(
        "POST", f"/practices/{practice['id']}/acts", {"act": "listened", "number": 2}
    )
    assert refused.status_code == 409
    assert await ended(stage, practice) == "child_left"
    assert child(stage).said[-1] == "Izmislila sam. Ćao."


async def test_a_call_that_is_not_taken_rings_no_other_counsellor(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    bora = await stage.add_counsellor("bora")
    made = await ana.ask("POST", "/practices", {"scenario": "prank", "language": "sr"})
    again = await ana.ask("POST", "/practices", {"scenario": "prank", "language": "sr"})
    assert again.status_code == 409
    await stage.until(ana.offer, what="the child rings")
    await ana.decline()
    assert await ended(stage, made.json()) == "not_answered"
    await stage.advance(60)
    assert await bora.offer() is None
    assert await stage.rows("SELECT 1 FROM voice_messages") == []


@nightly
async def test_off_duty_one_practises_and_stays_off_duty(stage: Stage) -> None:
    """A trainee needs no shift, and gets no real call meanwhile."""
    ana = await stage.add_counsellor("ana", shift=False, state="off_duty")
    practice = await begin(stage, ana, "exam_fear")
    await ana.do("hang-up")
    await ended(stage, practice)
    await stage.advance(32)
    assert await ana.presence() == "off_duty"


@nightly
async def test_without_a_telephone_or_in_a_call_none_is_started(stage: Stage) -> None:
    """By day the verbs have it, in `tests/training/test_writing.py`."""
    ana = await stage.add_counsellor("ana", state=None)
    body = {"scenario": "prank", "language": "sr"}
    refused = await ana.ask("POST", "/practices", body)
    assert (refused.status_code, refused.json()["error"]) == (409, "NoTelephone")
    for wrong, status in (({"scenario": "nothing"}, 404), ({"language": "hu"}, 422)):
        assert (await ana.ask("POST", "/practices", body | wrong)).status_code == status
    await ana.be("available")
    await begin(stage, ana)
    refused = await ana.ask("POST", "/practices", body)
    assert refused.status_code == 409


@nightly
async def test_on_another_exchange_the_page_says_so(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    object.__setattr__(stage.settings, "practice_exchange", None)
    body = {"scenario": "prank", "language": "sr"}
    refused = await ana.ask("POST", "/practices", body)
    assert refused.json()["error"] == "NoPracticeExchange"
    text = await page_of(stage, ana, "/practice")
    assert 'id="no-exchange"' in text
    assert "data-needs-telephone" not in text


@nightly
async def test_an_exchange_that_is_away_ends_the_practice(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    object.__setattr__(stage.settings, "practice_exchange", "http://127.0.0.1:9")
    made = await ana.ask("POST", "/practices", {"scenario": "prank", "language": "sr"})
    assert await ended(stage, made.json()) == "not_answered"


@nightly
async def test_what_was_measured_is_asked_for_again(stage: Stage) -> None:
    """The exchange is in trouble in the moment in which the talk ends."""
    ana = await stage.add_counsellor("ana")
    await stage.advance(5)
    practice = await begin(stage, ana)
    await stage.advance(10)
    stage.exchange.knobs.turn("fail", "/practice/calls", times=2)
    stage.exchange.knobs.turn("refuse", "/practice/calls", times=1)
    await ana.do("hang-up")
    await ended(stage, practice)
    (row,) = await stage.rows("SELECT measured FROM practices")
    assert row["measured"] is not None


@nightly
async def test_a_practice_call_is_in_no_statistic(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    boss = await stage.add_counsellor("boss", role=Role.SUPERVISOR, shift=False, state=None)
    await stage.advance(5)
    practice = await begin(stage, ana)
    await stage.advance(5)
    await ana.do("hang-up")
    await ended(stage, practice)
    await stage.advance(5)
    day = stage.clock.now().date()
    asked = f"?from={day.isoformat()}T00:00:00Z&to={day.isoformat()}T23:45:00Z"
    counted = await boss.ask("GET", f"/statistics/summary{asked}")
    assert counted.status_code == 200, counted.text
    (row,) = counted.json()["rows"]
    for name in ("calls", "offered", "answered", "contacts", "abandoned"):
        assert row[name] == 0, name
    single = await boss.ask("GET", f"/statistics/calls.csv{asked}")
    shown = await page_of(stage, ana, "/contacts")
    heading = shown[shown.index("<h1") : shown.index("</p>", shown.index("<h1"))]
    assert "none yet" in heading, "the counts of today"
    rows = [one for one in single.text.strip().splitlines() if not one.startswith("#")]
    assert len(rows) == 1, "the heading alone"


async def test_no_agency_participant_or_alarm_hears_of_it(stage: Stage) -> None:
    """No referral, no number that is rung, no alarm: neither from the call nor from its records."""
    ana = await stage.add_counsellor("ana")
    stage.exchange.phones["+381112223334"] = Phone()
    await begin(stage, ana, "violence_now")
    call = (await stage.rows("SELECT * FROM calls WHERE rings_only_id IS NOT NULL"))[0]
    urgent = {"service": "child_protection"}
    refused = await ana.ask("POST", f"/calls/{call['id']}/urgent", urgent)
    assert (refused.status_code, refused.json()["error"]) == (409, "NotFromPracticeCall")
    added = await ana.ask(
        "POST", f"/calls/{call['id']}/add", {"number": "+381112223334", "role": "other"}
    )
    assert (added.status_code, added.json().get("error")) == (409, "NotInPracticeCall"), added.text
    contact = (await ana.ask("GET", f"/calls/{call['id']}/contact")).json()
    signs = {"path": "danger.signs", "value": ["danger_now"], "base": 0}
    await ana.ask("PUT", f"/contacts/{contact['id']}/answers", {"changes": [signs]})
    await ana.ask(
        "POST", f"/contacts/{contact['id']}/urgency", {"urgency": "immediate", "reason": "Now."}
    )
    body = {"urgency": "immediate", "services": ["child_protection"]}
    refused = await ana.ask("POST", "/referrals", {**body, "contact_id": contact["id"]})
    assert (refused.status_code, refused.json()["error"]) == (409, "NotFromPracticeCall")
    case = await ana.ask("POST", "/cases", {"contacts": [contact["id"]]})
    assert case.status_code == 201, case.text
    refused = await ana.ask("POST", "/referrals", {**body, "case_id": case.json()["id"]})
    assert (refused.status_code, refused.json()["error"]) == (409, "NotFromPracticeCall")
    await ana.do("hang-up")
    await skip_minutes(stage, 20 if WHOLE else 8, every=4)
    assert await stage.rows("SELECT 1 FROM referrals") == []
    assert await stage.rows("SELECT kind FROM alarms WHERE subject_id IS NOT NULL") == []
    assert stage.exchange.phones["+381112223334"].rung == 0


@nightly
async def test_old_practices_are_forgotten_with_the_numbers(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    practice = await begin(stage, ana)
    await act(ana, practice, "listened")
    await ana.do("hang-up")
    await ended(stage, practice)
    remark = f"/practices/{practice['id']}/remarks"
    await ana.ask("POST", remark, {"words": "It went well."})
    assert await practices.forget_old(stage.ground) == 0
    await stage.rows(
        "UPDATE practices SET started_at = started_at - interval '366 days' RETURNING id"
    )
    assert await practices.forget_old(stage.ground) == 1
    for table in ("practices", "practice_acts", "practice_remarks"):
        assert await stage.rows(f"SELECT 1 FROM {table}") == [], table
