"""The board in a real Chromium: by mouse, with two processes. `test_shift` uses it by keyboard."""

from typing import Any

from playwright.async_api import Page, expect

from app.database.topics import Topic
from app.demo.stage import LINE, Served, Stage, free_port
from app.main import make_app
from app.web.access import COOKIE
from app.work import make_ground
from tests.support.browser import at, available, press, ring


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


async def test_two_web_processes_show_the_same(live: Stage, page: Page) -> None:
    """The board is served by one process, the webhook comes to another."""
    ana = await live.add_counsellor("ana")
    port = free_port()
    other = Served(make_app(make_ground(live.settings), with_worker=False), port)
    await other.start()
    try:
        name, _, value = f"{COOKIE}={ana._cookies[COOKIE]}".partition("=")
        address = f"http://127.0.0.1:{port}"
        await page.context.add_cookies([{"name": name, "value": value, "url": address}])
        await page.goto(address)
        await expect(page.locator("#connection")).to_have_text("● live")
        leg = await ring(live)
        await expect(page.locator("#offer")).to_be_visible()
        await press(page, "a")
        await expect(page.locator("#call-title")).to_contain_text("Talking")
        assert live.exchange.conferences.of_leg(leg) is not None
    finally:
        await other.stop()


async def test_the_stream_says_topics_only(live: Stage) -> None:
    ana = await live.add_counsellor("ana")
    headers = {"Cookie": f"{COOKIE}={ana._cookies[COOKIE]}"}
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
    answer: Any = await live.client.get(live.settings.public_url + "/login")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert LINE not in answer.text
    script = await live.client.get(live.settings.public_url + "/static/board.js")
    assert script.status_code == 200
