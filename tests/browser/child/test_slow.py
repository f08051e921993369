"""A talk on the slowest network, as a screen reader tells it."""

from typing import Any

from playwright.async_api import CDPSession, Page, expect

from app.demo.stage import Stage
from tests.support.children.at_their_page import SLOW, read, say, take_next, visit, write
from tests.support.profile import nightly


async def _announced(network: CDPSession) -> dict[str, str]:
    """Return what the live regions of the accessibility tree hold, by role: a browser tells a
    screen reader of what is added to them."""
    answer = await network.send("Accessibility.getFullAXTree")
    nodes = {one["nodeId"]: one for one in answer["nodes"]}

    def texts(node: dict[str, Any]) -> list[str]:
        if node.get("role", {}).get("value") == "StaticText":
            return [node["name"]["value"]]
        found = [nodes[one] for one in node.get("childIds", ()) if one in nodes]
        return [text for one in found for text in texts(one)]

    regions: dict[str, str] = {}
    for node in nodes.values():
        live = [one for one in node.get("properties", ()) if one["name"] == "live"]
        role = node.get("role", {}).get("value")
        if not node["ignored"] and live and live[0]["value"]["value"] == "polite" and role:
            regions[role] = " ".join([regions.get(role, ""), *texts(node)]).strip()
    return regions


@nightly
async def test_a_screen_reader_tells_each_message_and_the_end_on_a_slow_network(
    stage: Stage, page: Page
) -> None:
    """By day `test_ending` has what the page says."""
    ana = await stage.add_counsellor("ana", chats=3)
    network = await page.context.new_cdp_session(page)
    await network.send("Network.enable")
    await network.send("Network.emulateNetworkConditions", SLOW)
    await visit(page, stage)
    await page.get_by_role("button", name="Start writing").click()
    await say(page, "Are you there?")
    call_id = await take_next(ana)
    await expect(page.locator("#state")).to_have_text("A counsellor is with you.", timeout=30_000)
    await expect(page.locator("#log small")).to_have_count(0, timeout=30_000)
    before = await _announced(network)
    # The regions are there before what they tell.
    assert {"log", "status"} <= before.keys()
    assert "Yes, I am here." not in before["log"]
    bubbles = page.locator("#log .by-counsellor")
    for place, words in enumerate(("Yes, I am here.", "Tell me more."), 1):
        await write(ana, call_id, words)
        await expect(bubbles).to_have_count(place, timeout=30_000)
        assert (await _announced(network))["log"].endswith(words)
        # What is read needs no focus: the child writes on.
        await expect(page.get_by_role("textbox", name="Your message")).to_be_focused()
    await say(page, "He shouts")
    await expect(page.locator("#mark")).to_have_text("sent", timeout=30_000)
    read_ = [one["text"] for one in await read(ana, call_id) if one["author"] == "child"]
    assert read_ == ["Are you there?", "He shouts"]
    await write(ana, call_id, "Ring 192.")
    answer = await ana.ask("POST", f"/chats/{call_id}/end")
    assert answer.status_code == 204
    over = "The conversation has ended. You can write to us again any time."
    await expect(page.locator("#ended-title")).to_have_text(over, timeout=30_000)
    after = await _announced(network)
    assert after["log"].endswith("Ring 192.")
    assert over in after["status"]
