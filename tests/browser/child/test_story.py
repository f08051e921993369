"""A child writes at its page in Chromium: on a slow network, without one, and gone at once."""

from playwright.async_api import Page, expect

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from tests.support.browser import picture
from tests.support.children.at_their_page import (
    EXIT,
    FAST,
    SLOW,
    read,
    said,
    say,
    take_next,
    visit,
    write,
)
from tests.support.waiting import until

# Bytes of all that the page loads, as they are sent.
MOST = 60_000


async def test_a_child_writes_and_leaves_and_no_word_and_no_trace_is_there(
    stage: Stage, page: Page
) -> None:
    ana = await stage.add_counsellor("ana", chats=3)
    network = await page.context.new_cdp_session(page)
    loaded: list[int] = []
    asked: list[str] = []
    await network.send("Network.enable")
    network.on("Network.loadingFinished", lambda one: loaded.append(one["encodedDataLength"]))
    page.on("request", lambda request: asked.append(request.url))
    await network.send("Network.emulateNetworkConditions", SLOW)
    await visit(page, stage)
    assert len(loaded) == 1, "one request: each waits two seconds for its answer"
    assert 5_000 < sum(loaded) < MOST
    assert await page.title() == "Notes"
    await expect(page.locator("#when")).to_contain_text("A counsellor is here now.")
    await picture(page, "child-start")
    await page.get_by_role("button", name="Start writing").click()
    # The child does not have to wait for the network to begin.
    await say(page, "Are you there?")
    await expect(page.locator("#log small")).to_have_text("not sent yet")
    call_id = await take_next(ana)
    await network.send("Network.emulateNetworkConditions", FAST)
    await expect(page.locator("#state")).to_have_text("A counsellor is with you.")
    await write(ana, call_id, "Hi! Yes, I am here.")
    await expect(page.locator("#log .by-counsellor p")).to_have_text("Hi! Yes, I am here.")
    await say(page, "Good")
    await expect(page.locator("#mark")).to_have_text("sent")
    await read(ana, call_id)
    await expect(page.locator("#mark")).to_have_text("read")
    await ana.ask("POST", f"/chats/{call_id}/typing", {})
    await expect(page.locator("#types")).to_have_text("The counsellor is writing …")

    await shows_each_letter(page, ana)
    await loses_nothing_without_a_network(page, ana, call_id)

    # A page that is loaded again goes on.
    await page.reload()
    await expect(said(page)).to_have_count(6)
    await expect(said(page).last).to_have_text("it is bad")
    await write(ana, call_id, "Tell me more.")
    await expect(said(page).last).to_have_text("Tell me more.")
    await picture(page, "child-talk")
    assert all(url.startswith(stage.settings.public_url) for url in asked if "//" in url)
    assert not [url for url in asked if call_id in url]

    await leaves_without_a_trace(stage, page)


async def shows_each_letter(page: Page, ana: Counsellor) -> None:
    """With the letters on, the counsellor reads what is not sent."""
    await page.get_by_label("Show each letter while I type").check()
    await page.get_by_role("textbox", name="Your message").press_sequentially("I am afr")

    async def letters() -> bool:
        (mine,) = (await ana.ask("GET", "/chats/mine")).json()
        return bool(mine["typed"] == "I am afr")

    await until(letters, "the letters are read")
    await page.get_by_role("textbox", name="Your message").fill("")


async def loses_nothing_without_a_network(page: Page, ana: Counsellor, call_id: str) -> None:
    """Nothing gets lost, and nothing is said twice."""
    await page.context.set_offline(True)
    await say(page, "At home")
    await say(page, "it is bad")
    await expect(page.locator("#log small")).to_have_text(["not sent yet", "not sent yet"])
    await expect(page.locator("#network")).to_contain_text("You are offline.")
    await picture(page, "child-offline")
    await page.context.set_offline(False)
    await expect(page.locator("#log small")).to_have_count(0)
    await expect(page.locator("#network")).to_be_hidden()
    words = [one["text"] for one in await read(ana, call_id) if one["author"] == "child"]
    assert words == ["Are you there?", "Good", "At home", "it is bad"]


async def leaves_without_a_trace(stage: Stage, page: Page) -> None:
    """Escape leaves the page: nothing of it is kept in the browser."""
    await page.get_by_role("textbox", name="Your message").press("Escape")
    await page.wait_for_url(EXIT)
    await until(lambda: _is_over(stage), "the conversation ends")
    assert await page.context.cookies() == []
    await page.go_back()
    assert page.url == "about:blank"
    await page.goto(f"{stage.settings.public_url}/chat/plavi")
    assert await page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]
    await expect(page.locator("#start")).to_be_visible()


async def _is_over(stage: Stage) -> bool:
    rows = await stage.rows("SELECT state, ended_by FROM calls")
    return [(row["state"], row["ended_by"]) for row in rows] == [("ended", "caller")]
