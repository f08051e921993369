"""A proof within a session gives it a new token, and cuts nothing that the browser is doing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
import pyotp

from app.demo.stage import Stage
from app.staff import session_tokens
from app.staff.session_tokens import FORMER_LASTS
from app.web.access import COOKIE
from tests.support.contacts import skip
from tests.support.identity.second_step import CREDENTIALS, PASSWORD, a_person, browser
from tests.support.identity.tokens import TELEPHONE, again, give_password, status_with
from tests.support.profile import nightly
from tests.support.program.quiet import QuietStage
from tests.support.talks import talk

OTHER, THIRD = "violet kettle under snow", "seven lamps by the quiet harbour"
_MOMENT = FORMER_LASTS / timedelta(hours=1)
_ROWS = (
    "SELECT to_jsonb(s)::text AS row FROM staff_sessions s"
    " UNION ALL SELECT to_jsonb(f)::text FROM former_tokens f"
)
# What no proof may change: neither limit begins again, and the list of sessions stays.
_KEPT = "SELECT id, created_at, expires_at, browser FROM staff_sessions"
# An act that needs a proof: it signs the person out everywhere else.
_ACT = ("DELETE", "/api/v1/me/sessions")


async def act(stage: Stage, token: str) -> int:
    async with browser(stage) as other:
        answer = await other.request(*_ACT, headers={"Cookie": f"{COOKIE}={token}"})
    return int(answer.status_code)


@asynccontextmanager
async def with_an_old_proof(stage: QuietStage) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser in which a person has signed in long ago."""
    await a_person(stage)
    async with browser(stage) as page:
        await again(page)
        await skip(stage, 20 / 60)
        yield page


async def prove(page: httpx2.AsyncClient, token: str = "") -> str:
    """Prove by a token, or the browser's, who one is. Return the new one."""
    headers = {"Cookie": f"{COOKIE}={token}"} if token else {}
    answer = await page.post("/api/v1/me/proof", json={"proof": PASSWORD}, headers=headers)
    assert answer.status_code == 204, answer.text
    return str(answer.cookies[COOKIE])


async def test_a_proof_gives_a_new_token_and_the_former_one_ends_soon(quiet: QuietStage) -> None:
    async with with_an_old_proof(quiet) as page:
        former, kept = page.cookies[COOKIE], await quiet.rows(_KEPT)
        # This process knows the session by it.
        assert await status_with(quiet, former) == 200
        new = await prove(page)
        assert new != former
        assert await quiet.rows(_KEPT) == kept
        for row in await quiet.rows(_ROWS):
            assert not [one for one in (former, new) if one in row["row"]], "hashes alone"
        # What is on its way goes on, and does nothing for which the proof was asked.
        headers = {"Cookie": f"{COOKIE}={former}"}
        async with browser(quiet) as tab:
            mine = (await tab.get("/api/v1/me/sessions", headers=headers)).json()
        assert [one["this_one"] for one in mine] == [True]
        assert await act(quiet, former) == 403
        assert await act(quiet, new) == 204
        await skip(quiet, _MOMENT * 0.9)
        assert await status_with(quiet, former) == 200
        # Its streams are told until when it goes on, and open again by the new one.
        until = (await session_tokens.sessions_now(quiet.ground, {former, new}))[former][1]
        assert timedelta() < until - quiet.clock.now() < FORMER_LASTS
        await skip(quiet, _MOMENT * 0.1)
        assert await status_with(quiet, former) == 401
        assert await act(quiet, former) == 401
        assert set(await session_tokens.sessions_now(quiet.ground, {former, new})) == {new}
        assert await act(quiet, new) == 204


async def test_a_proof_whose_answer_was_lost_signs_no_page_out(quiet: QuietStage) -> None:
    async with with_an_old_proof(quiet) as page:
        former = page.cookies[COOKIE]
        new = await prove(page)
        await skip(quiet, 2 * _MOMENT)
        assert await status_with(quiet, former) == 200
        assert await act(quiet, former) == 403, "it opens nothing that needs the proof"
        # The answer came after all: the former one ends soon after the new one was first used.
        assert await status_with(quiet, new) == 200
        until = (await session_tokens.sessions_now(quiet.ground, {former}))[former][1]
        assert until == quiet.clock.now() + FORMER_LASTS
        await skip(quiet, 0.9 * _MOMENT)
        assert [await status_with(quiet, one) for one in (former, new)] == [200, 200]
        assert (await session_tokens.sessions_now(quiet.ground, {former}))[former][1] == until
        await skip(quiet, 0.1 * _MOMENT)
        assert [await status_with(quiet, one) for one in (former, new)] == [401, 200]
        # If it never comes, the former one goes on for ten minutes, and no longer.
        newest = await prove(page)
        await skip(quiet, 1 / 6 - 0.1 * _MOMENT)
        assert await status_with(quiet, new) == 200
        await skip(quiet, 0.1 * _MOMENT)
        assert [await status_with(quiet, one) for one in (new, newest)] == [401, 200]


async def test_each_way_to_prove_it_gives_a_new_token(quiet: QuietStage) -> None:
    async with with_an_old_proof(quiet) as page:
        known = {page.cookies[COOKIE]}

        async def answered(path: str, **body: str) -> httpx2.Response:
            """Send a proof, by a program or a page; the code of a telephone counts once."""
            sends = "json" if path.startswith("/api/") else "data"
            method = "PUT" if path in (password, pin) else "POST"
            answer = await page.request(method, path, **{sends: body})  # type: ignore[arg-type]
            assert answer.status_code < 300, answer.text
            assert page.cookies[COOKIE] not in known, path
            known.add(page.cookies[COOKIE])
            await skip(quiet, 1 / 60)
            assert (await page.get("/api/v1/me")).status_code == 200
            return answer

        def code() -> str:
            return telephone.at(quiet.clock.now())

        password, pin = "/api/v1/me/password", "/api/v1/me/phone-pin"
        factor, codes = "/api/v1/me/second-factor", "/api/v1/me/recovery-codes"
        telephone = pyotp.TOTP((await answered(factor, proof=PASSWORD)).json()["secret"])
        await answered(f"{factor}/confirm", code=code())
        await answered(codes, proof=code())
        await answered("/account/second-factor", act="codes", proof=code())
        telephone = pyotp.TOTP((await answered(factor, proof=code())).json()["secret"])
        await answered("/account/second-factor/confirm", code=code())
        await answered("/account/second-factor", act="remove", proof=code())
        await answered("/account/second-factor", act="set", proof=PASSWORD)
        # Where the password is typed for one change, it gives a new token, too.
        await answered(password, present=PASSWORD, new=OTHER)
        await answered("/account/password", present=OTHER, new=THIRD, again=THIRD)
        await answered(pin, present=THIRD, pin="519283")
        await answered("/account/phone-pin", present=THIRD, pin="628374", again="628374")


async def test_two_proofs_in_a_second_and_in_two_tabs_sign_no_page_out(quiet: QuietStage) -> None:
    async with with_an_old_proof(quiet) as page, browser(quiet) as tab:
        first = page.cookies[COOKIE]
        second, third = await asyncio.gather(prove(page, first), prove(tab, first))
        fourth = await prove(page, third)
        tokens = (first, second, third, fourth)
        assert len(set(tokens)) == 4
        assert [await status_with(quiet, one) for one in tokens] == [200] * 4
        assert [await act(quiet, one) for one in tokens] == [403, 403, 403, 204]
        await skip(quiet, _MOMENT)
        assert [await status_with(quiet, one) for one in tokens] == [401, 401, 401, 200]
        # The next proof leaves nothing of them.
        await prove(page, fourth)
        assert len(await quiet.rows("SELECT 1 FROM former_tokens")) == 1


async def test_a_sign_out_and_a_sign_in_by_the_former_token_end_the_session(
    quiet: QuietStage,
) -> None:
    async with with_an_old_proof(quiet) as page:
        for ends in ("out", "in"):
            former = page.cookies[COOKIE]
            new = await prove(page)
            async with browser(quiet) as tab:
                tab.headers["Cookie"] = f"{COOKIE}={former}"
                if ends == "out":
                    assert (await tab.delete("/api/v1/session")).status_code == 204
                else:
                    assert (await tab.post("/api/v1/session", json=CREDENTIALS)).status_code == 200
            assert await status_with(quiet, new) == 401
            assert await status_with(quiet, former) == 401
            await again(page)


async def test_a_new_password_by_the_former_token_keeps_the_page_signed_in(
    quiet: QuietStage,
) -> None:
    async with with_an_old_proof(quiet) as page:
        former = page.cookies[COOKIE]
        new = await prove(page)
        body = {"present": PASSWORD, "new": OTHER}
        headers = {"Cookie": f"{COOKIE}={former}"}
        changed = await page.put("/api/v1/me/password", json=body, headers=headers)
        assert changed.status_code == 204, changed.text
        assert await status_with(quiet, new) == 200
        # No former one goes on for longer, also if the page never comes by the newest.
        await skip(quiet, _MOMENT)
        assert [await status_with(quiet, one) for one in (former, new)] == [401, 401]
        assert await status_with(quiet, changed.cookies[COOKIE]) == 200


async def test_a_page_keeps_its_telephone_when_its_person_proves_who_they_are(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana")
    await give_password(quiet, ana)
    ready = {"page": f"stage:{ana.id.hex}", "state": "ready"}
    async with browser(quiet) as page, browser(quiet) as tab:
        page.headers["Cookie"] = tab.headers["Cookie"] = ana.cookie_header
        assert (await page.post("/board/telephone/state", json=ready)).json() == {"yours": True}
        before = await quiet.rows(TELEPHONE)
        assert before[0]["alive"]
        page.headers["Cookie"] = f"{COOKIE}={await prove(page)}"
        # A report that was on its way takes nothing back.
        for one in (tab, page, tab):
            told = await one.post("/board/telephone/state", json=ready)
            assert told.json() == {"yours": True}
            assert await quiet.rows(TELEPHONE) == before


@nightly
async def test_a_talk_goes_on_when_its_counsellor_proves_who_they_are(stage: Stage) -> None:
    """By day a talk goes on after a sign-in, and a page keeps its telephone after a proof."""
    ana = await stage.add_counsellor("ana")
    await give_password(stage, ana)
    child = await talk(stage, ana)
    talking = {"page": f"stage:{ana.id.hex}", "state": "talking"}
    async with browser(stage) as page, browser(stage) as tab:
        page.headers["Cookie"] = tab.headers["Cookie"] = ana.cookie_header
        assert (await page.post("/board/telephone/state", json=talking)).json() == {"yours": True}
        before = await stage.rows(TELEPHONE)
        assert before[0]["alive"]
        page.headers["Cookie"] = f"{COOKIE}={await prove(page)}"
        assert await stage.rows(TELEPHONE) == before
        # A report that was on its way takes nothing back.
        for one in (tab, page, tab):
            told = await one.post("/board/telephone/state", json=talking)
            assert told.json() == {"yours": True}
            assert await stage.rows(TELEPHONE) == before
        await stage.advance(FORMER_LASTS / timedelta(seconds=1))
        assert (await tab.get("/api/v1/me")).status_code == 401
        assert (await page.get("/api/v1/me")).status_code == 200
    assert await stage.rows(TELEPHONE) == before
    call = await stage.call_of(child)
    assert (call["state"], call["returned"]) == ("connected", 0)
    await stage.exchange.hang_up(child)
