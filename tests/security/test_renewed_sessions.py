"""Signing in again ends the session that the browser had, and cuts no talk."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.demo.writing import a_child
from app.jobs.transaction import transaction
from app.practice.people import Phone
from app.staff import session_tokens
from app.staff.models import StaffSession
from app.staff.roles import Role
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.calls.second_telephones import PHONE, has_a_telephone
from tests.support.contacts import skip
from tests.support.identity.emergency import sent
from tests.support.identity.second_step import (
    CREDENTIALS,
    PASSWORD,
    a_person,
    browser,
    with_factor,
)
from tests.support.identity.tokens import TELEPHONE, again, give_password, status_with
from tests.support.profile import WHOLE, by_day, nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import a_talk, act, client, die, inside, talk

_ROWS = "SELECT awaits FROM staff_sessions"


async def test_a_sign_in_ends_the_session_that_the_browser_had(quiet: QuietStage) -> None:
    await a_person(quiet)
    async with browser(quiet) as page, browser(quiet) as elsewhere:
        await again(elsewhere)
        await again(page)
        first = page.cookies[COOKIE]
        assert await status_with(quiet, first) == 200
        assert (await again(page)).status_code == 303
        assert page.cookies[COOKIE] != first
        assert await status_with(quiet, first) == 401
        # The same by a program, and in a browser that was signed in by one.
        second = page.cookies[COOKIE]
        assert (await page.post("/api/v1/session", json=CREDENTIALS)).status_code == 200
        assert await status_with(quiet, second) == 401
        assert (await page.get("/api/v1/me")).status_code == 200
        # Another browser of the person stays signed in.
        assert (await elsewhere.get("/api/v1/me")).status_code == 200
    assert len(await quiet.rows(_ROWS)) == 2


async def test_a_sign_in_with_a_second_step_ends_the_session_too(quiet: QuietStage) -> None:
    telephone = await with_factor(quiet, await a_person(quiet))
    async with browser(quiet) as page:
        await again(page)
        code = {"code": telephone.at(quiet.clock.now()), "next": "/"}
        assert (await page.post("/login/code", data=code)).status_code == 303
        whole = page.cookies[COOKIE]
        assert await status_with(quiet, whole) == 200
        # After the password the browser has the cookie of a session that opens nothing.
        await again(page)
        assert await status_with(quiet, whole) == 401
        # And one that is begun anew ends the one that was begun before.
        await again(page)
        assert await quiet.rows(_ROWS) == [{"awaits": "code"}]


async def test_a_begun_session_ends_with_the_second_step(quiet: QuietStage) -> None:
    telephone = await with_factor(quiet, await a_person(quiet))
    async with browser(quiet) as page, browser(quiet) as thief:
        await again(page)
        begun = page.cookies[COOKIE]
        code = {"code": telephone.at(quiet.clock.now()), "next": "/"}
        assert (await page.post("/login/code", data=code)).status_code == 303
        assert await quiet.rows(_ROWS) == [{"awaits": None}]
        # Its cookie opens neither a page nor the second step again.
        assert await status_with(quiet, begun) == 401
        headers = {"Cookie": f"{COOKIE}={begun}"}
        await skip(quiet, 1 / 60)
        code["code"] = telephone.at(quiet.clock.now())
        tried = await thief.post("/login/code", data=code, headers=headers)
        assert tried.headers["location"] == "/login"
        assert await quiet.rows(_ROWS) == [{"awaits": None}]


async def test_a_wrong_password_ends_no_session(quiet: QuietStage) -> None:
    await a_person(quiet)
    async with browser(quiet) as page:
        await again(page)
        first = page.cookies[COOKIE]
        await again(page, password="wrong")
        assert await status_with(quiet, first) == 200


async def test_calls_ring_at_once_after_a_sign_in_with_a_second_step(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await give_password(stage, ana)
    telephone = await with_factor(stage, ana.staff)
    ready = {"page": f"stage:{ana.id.hex}", "state": "ready"}
    credentials = {"username": "ana", "password": PASSWORD, "next": "/"}
    async with browser(stage) as page:
        page.headers["Cookie"] = ana.cookie_header
        await page.post("/board/telephone/state", json=ready)
        assert (await page.post("/login", data=credentials)).status_code == 303
        del page.headers["Cookie"]
        child = stage.ring("+381641234567")
        await stage.advance(2)
        stage.exchange.press(child, "1")
        await stage.advance(3)
        assert (await stage.call_of(child))["state"] == "queued", "no call rings meanwhile"
        code = {"code": telephone.at(stage.clock.now()), "next": "/"}
        assert (await page.post("/login/code", data=code)).status_code == 303
        await stage.advance(2)
        # The page has not reported again.
        assert (await stage.call_of(child))["state"] == "offered"
    await stage.exchange.hang_up(child)


async def _offered_to(stage: Stage) -> list[str]:
    """Who holds an offer now, by name."""
    rows = await stage.rows(
        "SELECT s.name FROM offers o JOIN staff s ON s.id = o.counsellor_id"
        " WHERE o.released_at IS NULL ORDER BY o.opened_at"
    )
    return [str(row["name"]) for row in rows]


async def test_another_person_in_the_browser_ends_the_session_that_it_had(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await a_person(stage)
    ready = {"page": f"stage:{ana.id.hex}", "state": "ready"}
    async with browser(stage) as page:
        page.headers["Cookie"] = ana.cookie_header
        await page.post("/board/telephone/state", json=ready)
        assert (await again(page)).status_code == 303
        assert (await page.get("/api/v1/me")).status_code == 401
    # Requests of her page would be the other's: no call is offered to her there.
    assert [row["alive"] for row in await stage.rows(TELEPHONE)] == [False]
    child = stage.ring("+381641234567")
    await stage.advance(2)
    stage.exchange.press(child, "1")
    await stage.advance(3)
    assert await _offered_to(stage) == []
    await stage.exchange.hang_up(child)


@nightly
async def test_another_person_in_the_browser_ends_no_session_with_a_live_talk(stage: Stage) -> None:
    """By day a talk goes on of which the page has not even said that it talks."""
    ana = await stage.add_counsellor("ana")
    await give_password(stage, ana)
    await a_person(stage)
    child = await talk(stage, ana)
    talking = {"page": f"stage:{ana.id.hex}", "state": "talking"}
    async with browser(stage) as page:
        page.headers["Cookie"] = ana.cookie_header
        await page.post("/board/telephone/state", json=talking)
        # She proved who she is a moment before: the browser may still send the former token.
        proven = await page.post("/api/v1/me/proof", json={"proof": PASSWORD})
        assert (await again(page)).status_code == 303
    assert await status_with(stage, proven.cookies[COOKIE]) == 200
    assert (await stage.call_of(child))["state"] == "connected"
    await stage.exchange.hang_up(child)


async def _rings_no_more(stage: Stage) -> None:
    second = stage.ring("+381641234568")
    await stage.advance(2)
    stage.exchange.press(second, "1")
    await stage.advance(3)
    assert await _offered_to(stage) == []
    await stage.exchange.hang_up(second)


@pytest.mark.parametrize("elsewhere", by_day([False, True]))
async def test_a_talk_goes_on_after_another_signs_in_and_is_the_last_in_the_page(
    stage: Stage, elsewhere: bool
) -> None:
    ana = await stage.add_counsellor("ana")
    child = await talk(stage, ana)
    # The page has not said yet that it talks: the other person's cookie came before.
    await ana.tell_telephone("ready")
    if elsewhere:
        async with transaction(stage.ground, PROGRAM) as work:
            await session_tokens.open_session(work, ana.staff)
    await _another_signs_in(stage, ana)
    await stage.advance(65)
    assert (await stage.call_of(child))["state"] == "connected"
    assert (await ana.ask("GET", "/me")).status_code == 200, "it goes on with the talk"
    await stage.exchange.hang_up(child)
    await stage.advance(stage.settings.wrap_up_seconds + 3)
    state = "available" if elsewhere else "off_duty"
    assert await stage.rows("SELECT state FROM presences") == [{"state": state}]
    await _rings_no_more(stage)
    await skip(stage, 1)
    assert (await ana.ask("GET", "/me")).status_code == 401


async def _alive(stage: Stage, who: Counsellor) -> list[bool]:
    """Whether the session of the page goes on that has a person's telephone."""
    rows = await stage.rows(TELEPHONE)
    return [row["alive"] for row in rows if row["telephone_page"] == f"stage:{who.id.hex}"]


async def _another_signs_in(stage: Stage, ana: Counsellor) -> None:
    await a_person(stage)
    async with browser(stage) as page:
        page.headers["Cookie"] = ana.cookie_header
        assert (await again(page)).status_code == 303


async def test_children_who_write_go_to_a_colleague_when_another_person_signs_in(
    stage: Stage,
) -> None:
    await stage.let_write()
    ana = await stage.add_counsellor("ana", chats=3)
    child = a_child(stage)
    await child.open()
    await stage.settle()
    (offer,) = (await ana.ask("GET", "/offers/mine")).json()
    await ana.ask("POST", f"/offers/{offer['id']}/accept")
    await stage.settle()
    await stage.add_counsellor("cai", chats=3)
    await _another_signs_in(stage, ana)
    await child.say("Da li si tu?")
    await stage.advance(3)
    assert await _offered_to(stage) == ["cai"]


async def _offered_at_page(stage: Stage, one: Counsellor) -> Any:
    """A call rings at a person's page, and a colleague is free."""
    await one.tell_telephone("ready")
    child = stage.ring("+381641234567")
    await stage.advance(2)
    stage.exchange.press(child, "1")
    await stage.advance(3)
    await stage.add_counsellor("cai")
    assert await _offered_to(stage) == [one.staff.name]
    return child


@nightly
async def test_a_call_that_rings_goes_to_a_colleague_when_another_person_signs_in(
    stage: Stage,
) -> None:
    """By day children who write go to one, and what rings when an emergency is entered."""
    ana = await stage.add_counsellor("ana")
    child = await _offered_at_page(stage, ana)
    await _another_signs_in(stage, ana)
    await stage.advance(2)
    assert await _offered_to(stage) == ["cai"]
    # The person who signed in has declined nothing.
    log = (
        "SELECT source, detail ->> 'staff_id' AS person FROM call_events"
        " WHERE detail ->> 'offer' = 'declined'"
    )
    assert await stage.rows(log) == [{"source": "program", "person": None}]
    await stage.exchange.hang_up(child)


async def _may_enter(stage: Stage) -> tuple[Counsellor, str]:
    """Return a supervisor on duty to whom the accounts are open, and the id of her access."""
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR)
    rada = await stage.add_counsellor("rada", role=Role.REFERRAL_OFFICER, shift=False, state=None)
    await sent(stage, vera, "/emergency", kind="accounts", ground="No person can sign in.")
    row = (await stage.rows("SELECT id FROM emergencies"))[0]["id"]
    await sent(stage, rada, f"/emergency/{row}/confirm")
    return vera, str(row)


@pytest.mark.parametrize("way", by_day(["page", "program"]))
async def test_entering_an_emergency_ends_the_session_and_what_rings_goes_to_a_colleague(
    stage: Stage, way: str
) -> None:
    vera, row = await _may_enter(stage)
    child = await _offered_at_page(stage, vera)
    if way == "page":
        entered = await sent(stage, vera, f"/emergency/{row}/enter")
    else:
        entered = await vera.ask("POST", f"/emergencies/{row}/enter")
    assert (await vera.ask("GET", "/me")).status_code == 401
    account = entered.headers["set-cookie"].partition(";")[0].partition("=")[2]
    assert await status_with(stage, account) == 200
    await stage.advance(2)
    assert await _offered_to(stage) == ["cai"]
    await stage.exchange.hang_up(child)


@nightly
async def test_entering_an_emergency_ends_no_session_with_a_live_talk(stage: Stage) -> None:
    """By day a sign-in ends none, and entering ends the others by the same function."""
    vera, row = await _may_enter(stage)
    child = await talk(stage, vera)
    await vera.tell_telephone("talking")
    await sent(stage, vera, f"/emergency/{row}/enter")
    assert (await vera.ask("GET", "/me")).status_code == 200
    assert (await stage.call_of(child))["state"] == "connected"
    await stage.exchange.hang_up(child)


async def test_a_person_with_another_open_page_keeps_what_they_have(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    child = await _offered_at_page(stage, ana)
    async with transaction(stage.ground, PROGRAM) as work:
        await session_tokens.open_session(work, ana.staff)
    await _another_signs_in(stage, ana)
    await stage.advance(2)
    assert await _offered_to(stage) == ["ana"]
    await stage.exchange.hang_up(child)


async def test_a_session_without_an_open_page_takes_nothing_from_its_person(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    async with transaction(stage.ground, PROGRAM) as work:
        await work.session.execute(
            update(StaffSession)
            .where(StaffSession.staff_id == ana.id)
            .values(created_at=work.now - timedelta(hours=9), used_at=work.now - timedelta(hours=1))
        )
    await _another_signs_in(stage, ana)
    # She is on duty by telephone meanwhile.
    assert await stage.rows("SELECT state FROM presences") == [{"state": "available"}]


async def test_a_talk_at_a_second_telephone_keeps_no_session_of_the_page(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await has_a_telephone(stage, ana, Phone(picks_up=1), proven=True)
    await ana.tell_telephone("ready")
    stage.exchange.phones[client(ana)] = Phone(picks_up=None)
    child = stage.ring("+381641234567")
    await stage.advance(2)
    stage.exchange.press(child, "1")
    await stage.advance(20)
    assert (await stage.call_of(child))["state"] == "connected"
    assert [row["telephone"] for row in await stage.rows(TELEPHONE)] == ["ready"]
    await _another_signs_in(stage, ana)
    assert await _alive(stage, ana) == [False]
    await stage.advance(2)
    assert (await stage.call_of(child))["state"] == "connected"
    await stage.exchange.hang_up(child)
    if WHOLE:
        # No other child rings at the page afterwards: at none whose session is over.
        await stage.advance(stage.settings.wrap_up_seconds + 3)
        await _rings_no_more(stage)


@nightly
async def test_a_part_at_a_second_telephone_keeps_no_session_of_the_page(stage: Stage) -> None:
    """By day a talk at a second telephone keeps none."""
    leg, call, (ana, boris) = await a_talk(stage, "ana", "boris")
    await has_a_telephone(stage, boris, Phone(picks_up=3), proven=True)
    await boris.tell_telephone("ready")
    stage.exchange.phones[client(boris)] = Phone(picks_up=None)
    await act(ana, call, "transfer", {"counsellor_id": str(boris.id), "warm": True})
    await stage.advance(22)
    assert PHONE in inside(stage)
    await _another_signs_in(stage, boris)
    assert await _alive(stage, boris) == [False]
    await stage.advance(2)
    assert PHONE in inside(stage)
    await stage.exchange.hang_up(leg)


async def test_a_talk_whose_line_broke_keeps_no_session_of_the_page(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    child = await talk(stage, ana)
    await ana.tell_telephone("talking")
    await stage.add_counsellor("cai")
    await die(stage, ana, comes_back=False)
    # What her page asks for is the other person's, so it cannot be brought back there.
    await _another_signs_in(stage, ana)
    assert await _alive(stage, ana) == [False]
    await stage.advance(stage.settings.page_grace_seconds + 3)
    assert await _offered_to(stage) == ["cai"]
    await stage.exchange.hang_up(child)


async def test_a_talk_goes_on_when_its_counsellor_signs_in_again(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    await give_password(stage, ana)
    child = await talk(stage, ana)
    page_of = {"page": f"stage:{ana.id.hex}"}
    async with browser(stage) as page:
        page.headers["Cookie"] = ana.cookie_header
        talking = {**page_of, "state": "talking"}
        told = await page.post("/board/telephone/state", json=talking)
        assert told.json() == {"yours": True}
        before = await stage.rows(TELEPHONE)
        assert before[0]["alive"]
        credentials = {"username": "ana", "password": PASSWORD}
        answer = await page.post("/api/v1/session", json=credentials)
        assert answer.status_code == 200
        # The telephone is the page's as before, by the new session; the talk goes on.
        assert await stage.rows(TELEPHONE) == before
        assert (await page.get("/api/v1/me")).status_code == 401, "the former cookie"
        del page.headers["Cookie"]
        assert (await page.post("/board/telephone/state", json=talking)).json() == {"yours": True}
    await stage.advance(3)
    call = await stage.call_of(child)
    assert (call["state"], call["returned"]) == ("connected", 0)
    await stage.exchange.hang_up(child)
