"""The desk in a real Chromium: by mouse, with two processes. `test_shift` uses it by keyboard."""

import asyncio
from typing import Any

from playwright.async_api import Browser, Page, expect

from app.database.topics import Topic
from app.demo.served import Served, free_port
from app.demo.stage import LINE, Stage
from app.main import make_app
from app.web.access import COOKIE
from app.work import make_ground
from tests.support.browser import at, available, ring
from tests.support.pages.nonces import nonce_in, policy_of
from tests.support.waiting import until


async def test_decline_by_mouse_and_the_caller_who_hangs_up(live: Stage, page: Page) -> None:
    ana = await live.add_counsellor("ana", state=None)
    await at(page, live, ana, "/")
    await available(page)
    leg = await ring(live, digit="9")
    offer = page.locator("#offer")
    await expect(offer).to_contain_text("A caller in danger")
    await expect(offer).to_contain_text("Plavi telefon")
    await expect(page).to_have_title("☎ Call waiting – Helpline")
    await expect(page.locator("#queue")).to_contain_text("is being offered")
    await page.get_by_role("button", name="Decline").click()
    await expect(page.locator("#offer")).to_have_count(0)
    await expect(page.locator("#waiting-count")).to_have_text("1")
    await expect(page.locator("#queue")).to_contain_text("Serbian")
    await live.exchange.hang_up(leg)
    await expect(page.locator("#waiting-count")).to_have_text("0")


async def test_two_web_processes_show_the_same(live: Stage) -> None:
    """The desk is served by one process, the webhook comes to another."""
    ana = await live.add_counsellor("ana")
    port = free_port()
    app = make_app(make_ground(live.settings), with_worker=False)
    other = Served(app, port)
    await other.start()
    # Its pages are told everything once more when it begins to listen: a child would ring twice.
    await asyncio.wait_for(app.state.bus.ready.wait(), 10)
    base, headers = f"http://127.0.0.1:{port}", {"Cookie": ana.cookie_header}
    try:
        stream = live.client.stream("GET", f"{base}/api/v1/events", headers=headers)
        async with asyncio.timeout(30), stream as news:
            async for line in news.aiter_lines():
                if Topic.EVERYTHING in line:
                    leg = await ring(live)
                if "offers" in line:
                    break
        shown = await live.client.get(f"{base}/board/frame", headers=headers)
        assert 'id="offer"' in shown.text
        (offer,) = (await live.client.get(f"{base}/api/v1/offers/mine", headers=headers)).json()
        address = f"{base}/api/v1/offers/{offer['id']}/accept"
        assert (await live.client.post(address, headers=headers)).status_code == 200
        talks = live.exchange.conferences
        await until(lambda: talks.of_leg(leg) is not None, "they talk")
    finally:
        await other.stop()


async def test_the_stream_says_topics_only(live: Stage) -> None:
    ana = await live.add_counsellor("ana")
    headers = {"Cookie": f"{COOKIE}={ana.cookies[COOKIE]}"}
    url = live.settings.public_url + "/api/v1/events"
    lines: list[str] = []
    async with live.client.stream("GET", url, headers=headers) as stream:
        async for line in stream.aiter_lines():
            lines.append(line)
            if Topic.EVERYTHING in line:
                await ring(live)
            if "offers" in line:
                break
    text = "\n".join(lines)
    assert "38164" not in text
    assert str(ana.id) not in text


async def test_without_scripts_from_elsewhere(live: Stage) -> None:
    await live.add_counsellor("ana")
    answer: Any = await live.client.get(live.settings.public_url + "/login")
    policy = policy_of(answer.headers["content-security-policy"])
    assert policy["default-src"] == ["'none'"]
    # No inline script, nothing of other sites, and no evaluation of text.
    assert nonce_in(answer.headers["content-security-policy"])
    assert policy["object-src"] == policy["base-uri"] == ["'none'"]
    assert LINE not in answer.text
    script = await live.client.get(live.settings.public_url + "/static/board.js")
    assert script.status_code == 200


# Puts a script or a style sheet of this server into a page, and tells what became of it.
_PUT_IN = """([tag, values, nonce]) => new Promise((done) => {
  const made = Object.assign(document.createElement(tag), values);
  if (nonce) made.nonce = nonce;
  made.onload = () => done("loaded");
  made.onerror = () => done("refused");
  document.head.append(made);
})"""
_OWN_FILES = (
    ("script", {"src": "/static/agency.js"}),
    ("link", {"rel": "stylesheet", "href": "/static/board.css"}),
)


async def test_a_script_of_this_server_without_the_nonce_is_refused(
    live: Stage, chromium: Browser
) -> None:
    ana = await live.add_counsellor("ana")
    context = await chromium.new_context()
    page = await context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    for address in ("/login", "/"):
        if address == "/":
            await context.add_cookies(
                [{"name": COOKIE, "value": ana.cookies[COOKIE], "url": live.settings.public_url}]
            )
        answer = await page.goto(live.settings.public_url + address)
        assert answer is not None
        # No attribute tells the nonce: what is put into the page cannot read it there.
        attributes = "all => all.map(one => one.getAttribute('nonce'))"
        tags = await page.eval_on_selector_all("script[src], link[rel=stylesheet]", attributes)
        for tag, values in _OWN_FILES:
            assert await page.evaluate(_PUT_IN, [tag, values, ""]) == "refused", tag
        own = nonce_in(await answer.header_value("content-security-policy") or "")
        earlier = await live.client.get(live.settings.public_url + "/login")
        old = nonce_in(earlier.headers["content-security-policy"])
        for nonce, became in ((old, "refused"), (own, "loaded")):
            for tag, values in _OWN_FILES:
                assert await page.evaluate(_PUT_IN, [tag, values, nonce]) == became, tag
        assert len(tags) >= 2
        assert set(tags) == {""}
        assert await page.evaluate("typeof htmx") == "object", "its own scripts came"
    # The page says so in the words that every other test with a browser looks for.
    assert sum("Content Security Policy" in one for one in told) >= 8
    await context.close()
