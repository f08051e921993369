"""A person's own account over HTTP: the password, and where they are signed in."""

import asyncio

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff import hashing
from app.staff.models import Staff
from app.staff.roles import Role
from app.staff.sessions import browser_of
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.contacts import skip
from tests.support.profile import by_day
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page

OLD, NEW = "correct horse battery", "another horse battery"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def signed_in_with(stage: Stage, person: Counsellor, password: str, agent: str) -> str:
    """Sign in through the interface; return the token of the cookie."""
    url = f"{stage.settings.public_url}/api/v1/session"
    body = {"username": person.staff.name, "password": password}
    answer = await stage.client.post(url, json=body, headers={"User-Agent": agent})
    assert answer.status_code == 200, answer.text
    token = stage.client.cookies[COOKIE]
    stage.client.cookies.clear()
    return token


async def test_a_new_password_ends_the_other_sessions_and_an_open_stream(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana", role=Role.SUPERVISOR, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.get(Staff, ana.id)
        assert staff is not None
        staff.password_hash = await hashing.hash_password(OLD)
    elsewhere = await signed_in_with(stage, ana, OLD, FIREFOX)
    found = (await ana.ask("GET", "/me/sessions")).json()
    assert sorted((one["browser"], one["this_one"]) for one in found) == [
        ("", True),
        ("Firefox", False),
    ]
    assert {one["used_at"] is None for one in found if one["this_one"]} == {False}

    events = f"{stage.settings.public_url}/api/v1/events"
    cookie = {"Cookie": f"{COOKIE}={elsewhere}"}
    async with stage.client.stream("GET", events, headers=cookie) as stream:
        assert stream.status_code == 200
        lines = stream.aiter_lines()
        while "topics" not in await anext(lines):
            pass
        wrong = await ana.ask("PUT", "/me/password", {"present": NEW, "new": NEW})
        assert (wrong.status_code, wrong.json()["error"]) == (422, "WrongPresentPassword")
        short = await ana.ask("PUT", "/me/password", {"present": OLD, "new": "short"})
        assert short.status_code == 422
        done = await ana.ask("PUT", "/me/password", {"present": OLD, "new": NEW})
        assert done.status_code == 204, done.text
        async with asyncio.timeout(10):
            async for _ in lines:
                pass

    assert len((await ana.ask("GET", "/me/sessions")).json()) == 1
    gone = await stage.client.get(f"{stage.settings.public_url}/api/v1/me", headers=cookie)
    assert gone.status_code == 401


async def test_a_leavers_stream_ends_at_once_and_the_cookie_opens_nothing_again(
    stage: Stage,
) -> None:
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, state=None, shift=False)
    vera = await stage.add_counsellor("vera", role=Role.SUPERVISOR, state=None, shift=False)
    base, cookie = f"{stage.settings.public_url}/api/v1", {"Cookie": vera.cookie_header}
    at = f"/people/{vera.id}"
    revision = (await mila.ask("GET", at)).json()["revision"]
    async with stage.client.stream("GET", f"{base}/events", headers=cookie) as stream:
        assert stream.status_code == 200
        lines = stream.aiter_lines()
        while "topics" not in await anext(lines):
            pass
        gone = await mila.ask("POST", f"{at}/deactivate", {"revision": revision})
        assert gone.status_code == 200, gone.text
        async with asyncio.timeout(10):
            async for _ in lines:
                pass
    assert (await stage.client.get(f"{base}/me", headers=cookie)).status_code == 401
    back = await mila.ask("POST", f"{at}/reactivate", {"by_mail": False})
    assert back.status_code == 200, back.text
    for path in ("/me", "/events"):
        assert (await stage.client.get(base + path, headers=cookie)).status_code == 401


async def test_the_language_of_ones_own_pages_is_chosen_by_a_program_and_logged(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    assert (await ana.ask("PUT", "/me/page-language", {"language": "xx"})).status_code == 422
    for _ in range(2):
        chosen = await ana.ask("PUT", "/me/page-language", {"language": "sr"})
        assert chosen.status_code == 204, chosen.text
    assert '<html lang="sr-Latn"' in (await page(quiet, ana, "/account")).text
    logged = await quiet.rows(
        f"SELECT actor, detail FROM audit_entries WHERE action = 'staff_changed' "
        f"AND subject = '{ana.id}'"
    )
    assert [(row["actor"], row["detail"]) for row in logged] == [
        (str(ana.id), {"before": {"page_language": "en"}, "after": {"page_language": "sr"}})
    ]


async def test_one_session_is_ended_by_its_owner_alone(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    vera = await quiet.add_counsellor("vera", state=None)
    (mine,) = (await ana.ask("GET", "/me/sessions")).json()
    assert (await vera.ask("DELETE", f"/me/sessions/{mine['id']}")).status_code == 404
    assert (await ana.ask("DELETE", f"/me/sessions/{mine['id']}")).status_code == 204
    assert (await ana.ask("GET", "/me")).status_code == 401


async def test_another_session_is_ended_with_a_proof_and_the_own_one_without(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, ana.id)
        staff.password_hash = await hashing.hash_password(OLD)
    elsewhere = await signed_in_with(quiet, ana, OLD, FIREFOX)
    await skip(quiet, 11 / 60)
    found = {one["this_one"]: one["id"] for one in (await ana.ask("GET", "/me/sessions")).json()}
    path, page = f"/me/sessions/{found[False]}", f"/account/sessions/{found[False]}/end"
    refused = await ana.ask("DELETE", path)
    assert (refused.status_code, refused.json()["error"]) == (403, "ProofNeeded")
    cookie = {"Cookie": ana.cookie_header, "HX-Request": "true"}
    sent = await quiet.client.post(quiet.settings.public_url + page, headers=cookie)
    assert (sent.status_code, sent.headers["Helpline-Proof"]) == (403, "needed")
    assert len((await ana.ask("GET", "/me/sessions")).json()) == 2
    assert (await ana.ask("POST", "/me/proof", {"proof": OLD})).status_code == 204
    assert (await ana.ask("DELETE", path)).status_code == 204
    gone = {"Cookie": f"{COOKIE}={elsewhere}"}
    assert (
        await quiet.client.get(f"{quiet.settings.public_url}/api/v1/me", headers=gone)
    ).status_code == 401
    await skip(quiet, 11 / 60)
    assert (await ana.ask("DELETE", f"/me/sessions/{found[True]}")).status_code == 204
    assert (await ana.ask("GET", "/me")).status_code == 401


async def test_all_other_sessions_are_ended_at_once_with_a_proof(quiet: QuietStage) -> None:
    ana = await quiet.add_counsellor("ana", state=None)
    vera = await quiet.add_counsellor("vera", state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        staff = await work.session.get_one(Staff, ana.id)
        staff.password_hash = await hashing.hash_password(OLD)
    assert "end-others" not in (await page(quiet, ana, "/account")).text, "there is no other"

    async def alive(token: str) -> bool:
        gone = {"Cookie": f"{COOKIE}={token}"}
        return (
            await quiet.client.get(f"{quiet.settings.public_url}/api/v1/me", headers=gone)
        ).status_code == 200

    # By day with the button of the page, which is refused without a proof as the interface is.
    ways = by_day((True, False))
    for by_page in ways:
        others = [await signed_in_with(quiet, ana, OLD, FIREFOX) for _ in range(3)]
        await skip(quiet, 11 / 60)
        if by_page:
            assert 'action="/account/sessions/end"' in (await page(quiet, ana, "/account")).text
        assert (await ana.ask("DELETE", "/me/sessions")).json()["error"] == "ProofNeeded"
        refused = await page(quiet, ana, "/account/sessions/end", x="y")
        assert refused.status_code == 403
        assert [await alive(one) for one in others] == [True] * 3
        assert (await ana.ask("POST", "/me/proof", {"proof": OLD})).status_code == 204
        if by_page:
            assert "Signed out there." in (await page(quiet, ana, refused.url.path, x="y")).text
        else:
            assert (await ana.ask("DELETE", "/me/sessions")).status_code == 204
        assert [await alive(one) for one in others] == [False] * 3
        assert len((await ana.ask("GET", "/me/sessions")).json()) == 1, "this one goes on"
    assert (await vera.ask("GET", "/me")).status_code == 200, "nor those of another person"
    logged = await quiet.rows(
        "SELECT subject, detail FROM audit_entries WHERE action = 'sessions_ended' ORDER BY id"
    )
    ended = [(row["subject"], row["detail"]["number"]) for row in logged]
    assert ended == [(str(ana.id), 3)] * len(ways)


def test_of_a_browser_only_its_family_is_kept() -> None:
    chrome = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"
    assert browser_of(FIREFOX) == "Firefox"
    assert browser_of(chrome) == "Chrome"
    assert browser_of(f"{chrome} Edg/140.0.0.0") == "Edge"
    assert browser_of("Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/18 Safari/605") == "Safari"
    assert browser_of("curl/8") == ""
