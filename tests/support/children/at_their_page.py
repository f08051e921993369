"""What a child does at its page, and what a counsellor does meanwhile by the API."""

from typing import Any
from uuid import uuid4

from playwright.async_api import Locator, Page, expect

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from tests.support.waiting import until

EXIT = "https://neutral.example/weather"

# The slowest network that browsers tell of, "slow-2g": at most 50 kbit a second, and at least 2,000
# milliseconds until an answer begins (https://wicg.github.io/netinfo/#effective-connection-types).
SLOW = {"offline": False, "latency": 2000, "downloadThroughput": 6_250, "uploadThroughput": 6_250}
FAST = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


async def visit(page: Page, stage: Stage, language: str = "") -> None:
    """Open the page of the line, from a page that the child was at before."""
    await page.goto("about:blank")
    asked = f"?language={language}" if language else ""
    await page.goto(f"{stage.settings.public_url}/chat/plavi{asked}")
    await expect(page.locator("#begin")).to_be_visible()


async def take_next(counsellor: Counsellor) -> str:
    """Let a counsellor accept what is offered. Return the conversation."""

    async def offered() -> list[dict[str, Any]]:
        found = (await counsellor.ask("GET", "/offers/mine")).json()
        return [one for one in found if one["state"] == "open"]

    await until(offered, "a conversation is offered")
    (offer,) = await offered()
    answer = await counsellor.ask("POST", f"/offers/{offer['id']}/accept")
    assert answer.status_code == 200, answer.text
    return str(offer["call_id"])


async def write(counsellor: Counsellor, call_id: str, text: str) -> None:
    body = {"text": text, "client_key": uuid4().hex}
    answer = await counsellor.ask("POST", f"/chats/{call_id}/messages", body)
    assert answer.status_code < 300, answer.text


async def read(counsellor: Counsellor, call_id: str) -> list[dict[str, Any]]:
    """Return the messages, as the counsellor's screen fetches and shows them."""
    found: list[dict[str, Any]] = (await counsellor.ask("GET", f"/chats/{call_id}/messages")).json()
    seen = {"number": found[-1]["number"]}
    await counsellor.ask("POST", f"/chats/{call_id}/seen", seen)
    return found


async def say(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Your message").fill(text)
    await page.get_by_role("button", name="Send", exact=True).click()


def said(page: Page) -> Locator:
    return page.locator("#log p")
