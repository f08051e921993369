"""The telephone in a counsellor's page: without it no call is offered; a reload loses no caller."""

import base64
import json
import time
from typing import Any

import pytest

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.legs import Leg
from app.staff.roles import Role
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.talks import talk


async def ask(stage: Stage, who: Counsellor, path: str, **body: str) -> tuple[int, dict[str, Any]]:
    url = f"{stage.settings.public_url}/board/telephone{path}"
    headers = {"Cookie": who.cookie_header}
    answer = await stage.client.post(url, json=body, headers=headers)
    await stage.settle()
    return answer.status_code, answer.json()


async def board(stage: Stage, who: Counsellor, page: str = "/") -> str:
    """A page, the desk if none is named, and the bar of a person."""
    headers, url = {"Cookie": who.cookie_header}, stage.settings.public_url
    parts = [await stage.client.get(url + path, headers=headers) for path in (page, "/board/frame")]
    return "".join(part.text for part in parts)


def leg_of(stage: Stage, who: Counsellor) -> Leg:
    """The last leg that rang a counsellor."""
    return [leg for leg in stage.exchange.legs.values() if leg.to == who.address][-1]


async def test_a_browser_whose_telephone_is_not_ready_gets_no_offers(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False, state=None)
    await ana.tell_telephone("no_microphone")
    leg = stage.ring()
    await stage.advance(5)
    stage.exchange.press(leg, "1")
    await stage.advance(20)
    assert await ana.offer() is None
    assert "No calls are offered to you: there is no microphone" in await board(stage, ana)
    told = "ana is available, but gets no calls: there is no microphone"
    assert told in await board(stage, chief, "/team")
    await ana.tell_telephone("ready")
    await stage.until(ana.offer, what="the call is offered once the telephone is ready")
    assert "gets no calls" not in await board(stage, chief, "/team")
    await stage.exchange.hang_up(leg)


@pytest.mark.usefixtures("each_minute")
async def test_a_telephone_that_never_starts_is_an_alarm(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")

    async def alarms_after(seconds: int) -> set[str]:
        """The alarms some time later; the page sends its heartbeats meanwhile."""
        for _ in range(seconds // 20):
            await stage.advance(20)
            assert await ana.presence() == "available"
        rows = await stage.rows("SELECT kind FROM alarms WHERE ended_at IS NULL")
        return {row["kind"] for row in rows}

    assert await alarms_after(100 if WHOLE else 20) == set()
    await ana.tell_telephone("failed")
    assert await alarms_after(40) == set()
    assert await alarms_after(40) == {"all_away"}


async def test_the_token_lets_its_owner_be_rung_and_nothing_else(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", state=None)
    status, given = await ask(stage, ana, "", page="b:1")
    assert status == 200
    claims = json.loads(base64.urlsafe_b64decode(given["token"].split(".")[1] + "=="))
    assert claims["grants"] == {
        "identity": ana.staff.identity,
        "voice": {"incoming": {"allow": True}},
    }
    assert claims["exp"] - time.time() == pytest.approx(3600, abs=60)
    assert claims["iss"] == stage.settings.twilio_api_key_sid
    assert given["edges"] == ["frankfurt", "dublin"]
    logged = "SELECT subject FROM audit_entries WHERE action = 'telephone_token_made'"
    assert [row["subject"] for row in await stage.rows(logged)] == [str(ana.id)]
    assert (await ask(stage, ana, "", page="no page"))[0] == 422
    await a_counsellor_who_is_rung_elsewhere_gets_none(stage, ana)
    await only_the_page_that_asked_last_has_the_telephone(stage, ana)
    await pages_may_connect_to_the_edges_and_nowhere_else(stage)
    for _ in range(20):
        status, said = await ask(stage, ana, "", page="b:1")
    assert (status, said["error"]) == (429, "TooMany")
    await without_an_api_key_the_page_says_so_and_no_counsellor_is_available(stage)


async def a_counsellor_who_is_rung_elsewhere_gets_none(stage: Stage, ana: Counsellor) -> None:
    vera = await stage.add_counsellor("vera", endpoint="+38164999001", state=None)
    assert (await ask(stage, vera, "", page="b:1"))[0] == 409
    auditor = await stage.add_counsellor("auditor", role=Role.AUDITOR, shift=False, state=None)
    assert (await ask(stage, auditor, "", page="b:1"))[0] == 403
    assert "telephone.js" not in await board(stage, vera)
    assert "telephone.js" in await board(stage, ana)


async def only_the_page_that_asked_last_has_the_telephone(stage: Stage, ana: Counsellor) -> None:
    await ask(stage, ana, "", page="home:1")
    assert (await ask(stage, ana, "/state", page="home:1", state="ready"))[1] == {"yours": True}
    await ask(stage, ana, "", page="office:1")
    assert (await ask(stage, ana, "/state", page="office:1", state="ready"))[1] == {"yours": True}
    assert (await ask(stage, ana, "/state", page="home:1", state="off"))[1] == {"yours": False}
    (row,) = await stage.rows("SELECT telephone FROM presences WHERE counsellor_id = %s", ana.id)
    assert row["telephone"] == "ready"


async def pages_may_connect_to_the_edges_and_nowhere_else(stage: Stage) -> None:
    answer = await stage.client.get(stage.settings.public_url + "/login")
    policy = answer.headers["content-security-policy"]
    assert (
        "connect-src 'self' wss://voice-js.frankfurt.twilio.com wss://voice-js.dublin.twilio.com;"
        in policy
    )


async def without_an_api_key_the_page_says_so_and_no_counsellor_is_available(stage: Stage) -> None:
    boris = await stage.add_counsellor("boris", state=None)
    settings = stage.settings.model_copy(
        update={"twilio_api_key_sid": None, "twilio_api_key_secret": None}
    )
    object.__setattr__(stage.ground, "settings", settings)
    assert "No API key of the telephony provider is set" in await board(stage, boris)
    assert "telephone.js" not in await board(stage, boris)
    assert (await ask(stage, boris, "", page="b:1"))[0] == 409
    answer = await boris.ask("PUT", "/me/presence", {"state": "available"})
    assert answer.status_code == 409
    assert "HELPLINE_TWILIO_API_KEY_SID" in answer.json()["detail"]


async def test_a_page_says_whose_session_has_the_telephone(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    has = (
        "SELECT s.token_key = telephone_session AS own FROM presences"
        " JOIN staff_sessions s ON s.staff_id = counsellor_id"
    )
    assert await stage.rows(has) == [{"own": None}]
    for path, more in (("", {}), ("/state", {"state": "ready"})):
        await stage.change_rows("UPDATE presences SET telephone_session = NULL")
        status, _ = await ask(stage, ana, path, page="stage:2", **more)
        assert status == 200
        assert await stage.rows(has) == [{"own": True}]


async def test_what_a_page_of_another_person_asks_is_refused(stage: Stage) -> None:
    ana, bob = [await stage.add_counsellor(name, state=None) for name in ("ana", "bob")]
    its = "SELECT telephone, telephone_page FROM presences WHERE counsellor_id = %s"
    before = await stage.rows(its, bob.id)
    # The cookie is Bob's, the page is Ana's.
    page = {"page": "b:1", "me": str(ana.id)}
    assert (await ask(stage, bob, "", **page))[0] == 403
    assert (await ask(stage, bob, "/state", **page, state="ready"))[0] == 403
    assert (await ask(stage, bob, "/ring", **page, call_sid="CA1"))[0] == 403
    assert await stage.rows(its, bob.id) == before
    assert (await ask(stage, ana, "/state", **page, state="ready"))[1] == {"yours": True}


async def test_a_page_answers_by_itself_only_what_its_person_accepted(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    boris = await stage.add_counsellor("boris", shift=False)
    chief = await stage.add_counsellor("chief", role=Role.SUPERVISOR, shift=False)
    pages = {who.id: f"stage:{who.id.hex}" for who in (ana, boris, chief)}

    async def told(who: Counsellor, sid: str, page: str = "") -> tuple[bool, bool]:
        page = page or pages[who.id]
        _, said = await ask(stage, who, "/ring", page=page, call_sid=sid)
        return bool(said["own"]), bool(said["accept"])

    child = await talk(stage, ana)
    mine = leg_of(stage, ana).sid
    assert await told(ana, mine) == (True, True)
    assert await told(ana, mine, page="office:1") == (False, False)
    assert await told(boris, mine) == (False, False)
    assert await told(ana, child.sid) == (False, False)
    assert await told(ana, "CA" + "9" * 32) == (False, False)
    offer = await ana.offer()
    assert offer is not None
    path = f"/calls/{offer['call_id']}"
    (await ana.ask("POST", f"{path}/transfer", {"counsellor_id": str(boris.id)})).raise_for_status()
    await stage.advance(2)
    # A colleague is asked, and says yes or no.
    assert await told(boris, leg_of(stage, boris).sid) == (True, False)
    (await chief.ask("POST", f"{path}/listen")).raise_for_status()
    await stage.advance(2)
    assert await told(chief, leg_of(stage, chief).sid) == (True, True)
    await stage.exchange.hang_up(child)


async def test_a_page_loaded_again_brings_its_counsellor_back(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    child = await talk(stage, ana)
    page = f"stage:{ana.id.hex}"
    await ask(stage, ana, "/state", page=page, state="talking")
    before = leg_of(stage, ana)
    # The page goes, and hangs up while it does.
    await ask(stage, ana, "/state", page=page, state="off")
    ana.unplug()
    await stage.exchange.hang_up(before)
    await stage.advance(3)
    call = await stage.call_of(child)
    assert (call["state"], call["returned"]) == ("connected", 0)
    assert child.has_heard("Veza je slaba")
    assert leg_of(stage, ana) is before, "an empty page must not be rung"
    # It comes back.
    ana.plug_in()
    await ask(stage, ana, "", page="stage:again")
    await ask(stage, ana, "/state", page="stage:again", state="ready")
    await stage.advance(3)
    assert leg_of(stage, ana) is not before
    conference = stage.exchange.conferences.of_leg(child)
    assert conference is not None
    assert leg_of(stage, ana).sid in conference[0].participants
    assert not conference[1].held
    offers = await stage.rows("SELECT state, lost_at FROM offers")
    assert [(row["state"], row["lost_at"]) for row in offers] == [("connected", None)]
    if WHOLE:
        await a_crashed_page_is_replaced_before_the_provider_notices(stage, ana, child)


# By day its rules are tried in `tests/routing/test_telephone_of_an_ended_session.py`.
@nightly
async def test_a_broken_talk_comes_back_in_the_page_that_is_signed_in(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    child = await talk(stage, ana)
    before = leg_of(stage, ana)
    await ask(stage, ana, "/state", page=f"stage:{ana.id.hex}", state="ready")
    await ana.sign_in()
    others = "/me/sessions"
    assert (await ana.ask("DELETE", others)).status_code < 300
    # The talk goes on in the page that was signed out: another one does not have the telephone.
    ready = {"page": "home:1", "state": "ready"}
    assert (await ask(stage, ana, "/state", **ready))[1] == {"yours": False}
    await stage.exchange.hang_up(before)
    await stage.advance(2)
    assert leg_of(stage, ana) is before, "a page that was signed out must not be rung"
    assert (await ask(stage, ana, "/state", **ready))[1] == {"yours": True}
    await stage.advance(3)
    assert leg_of(stage, ana) is not before
    call = await stage.call_of(child)
    assert (call["state"], call["returned"]) == ("connected", 0)
    await stage.exchange.hang_up(child)


async def a_crashed_page_is_replaced_before_the_provider_notices(
    stage: Stage, ana: Counsellor, child: Leg
) -> None:
    before = leg_of(stage, ana)
    # No hang-up came. The same browser asks for a telephone again.
    await ask(stage, ana, "", page="stage:third")
    await stage.advance(1)
    assert before.over
    await ask(stage, ana, "/state", page="stage:third", state="ready")
    await stage.advance(3)
    assert not leg_of(stage, ana).over
    assert leg_of(stage, ana) is not before
    assert (await stage.call_of(child))["returned"] == 0
    # Another computer does not break the talk.
    mine = leg_of(stage, ana)
    await ask(stage, ana, "", page="office:1")
    await ask(stage, ana, "/state", page="office:1", state="ready")
    await stage.advance(3)
    assert leg_of(stage, ana) is mine
    assert not mine.over
    await stage.exchange.hang_up(child)


async def test_after_the_grace_or_a_second_loss_the_child_is_first_in_the_queue(
    stage: Stage,
) -> None:
    ana = await stage.add_counsellor("ana")
    page = f"stage:{ana.id.hex}"
    for twice in by_day((True, False)):
        child = await talk(stage, ana)
        await ask(stage, ana, "/state", page=page, state="off")
        ana.unplug()
        await stage.exchange.hang_up(leg_of(stage, ana))
        await stage.advance(2)
        if twice:
            # It says that it is ready, and is gone again when it is rung.
            await ask(stage, ana, "/state", page=page, state="ready")
            await stage.advance(4)
        else:
            await stage.advance(6)
            assert (await stage.call_of(child))["state"] == "connected"
            await stage.advance(4)
        call = await stage.call_of(child)
        assert (call["state"], call["returned"]) == ("queued", 1), twice
        assert await ana.presence() == "wrap_up"
        await stage.exchange.hang_up(child)
        await stage.advance(1)
        ana.plug_in()
        await ask(stage, ana, "/state", page=page, state="ready")
        await ana.be("available")


@nightly
async def test_hold_is_shown_when_the_provider_says_so(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    child = await talk(stage, ana)
    stage.exchange.knobs.turn("delay", "participant-hold", seconds=5)
    stage.exchange.knobs.turn("fail", "POST /2010-04-01", times=1)
    offer = await ana.offer()
    assert offer is not None
    (await ana.ask("POST", f"/calls/{offer['call_id']}/hold")).raise_for_status()
    shown = await board(stage, ana)
    assert "Putting on hold" in shown
    assert "data-muted" in shown
    await stage.advance(10)
    assert "On hold" in await board(stage, ana)
    (await ana.ask("POST", f"/calls/{offer['call_id']}/resume")).raise_for_status()
    await stage.advance(5)
    shown = await board(stage, ana)
    assert "Talking" in shown
    assert "data-muted" not in shown
    await stage.exchange.hang_up(child)
