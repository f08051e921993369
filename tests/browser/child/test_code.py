"""Out of hours a child leaves a message, and comes back with a code for the answer."""

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from tests.support.browser import picture
from tests.support.children.at_their_page import visit


async def test_a_child_leaves_a_message_and_comes_back_with_the_code(
    stage: Stage, page: Page
) -> None:
    ana = await stage.add_counsellor("ana", shift=False, state=None, chats=2)
    await visit(page, stage)
    await expect(page.locator("#when")).to_contain_text("No counsellor is here right now.")
    await page.get_by_role("button", name="I am in danger now").click()
    await expect(page.locator("#danger-said")).to_contain_text("call 192")
    await expect(page.locator("#state")).to_contain_text("you get a code for the answer")
    await page.get_by_role("textbox", name="Your message").fill("Please write back")
    await picture(page, "child-closed")
    await page.get_by_role("button", name="Leave the message").click()
    await expect(page.locator("#left-code")).to_be_visible()
    code = await page.locator("#left-code").inner_text()
    assert len(code.replace(" ", "")) == 20
    await expect(page.get_by_role("heading", name="Your message is with us")).to_be_focused()
    await picture(page, "child-left")
    assert await page.evaluate("sessionStorage.length") == 0
    (left,) = await stage.rows("SELECT call_id FROM chat_codes")
    await _come_back(page, stage, "1234 5678")
    await expect(page.locator("#code-notice")).to_contain_text("We found no message")
    await _come_back(page, stage, code)
    await expect(page.locator("#state")).to_contain_text("There is no answer yet.")
    body = {"text": "We are here for you.", "client_key": "a" * 20}
    answer = await ana.ask("POST", f"/chats/left/{left['call_id']}/messages", body)
    assert answer.status_code < 300, answer.text
    await _come_back(page, stage, code.replace(" ", ""))
    await expect(page.locator("#log p")).to_have_text(["Please write back", "We are here for you."])
    await expect(page.locator("#state")).to_contain_text("our answer")
    await expect(page.locator("#write")).to_be_hidden()
    await expect(page.locator("#network")).to_be_hidden()
    # No questions after danger, and nothing is left in the tab.
    await expect(page.locator("#rate")).to_be_hidden()
    assert await page.evaluate("sessionStorage.length") == 0
    await picture(page, "child-answer")


async def _come_back(page: Page, stage: Stage, code: str) -> None:
    await visit(page, stage)
    await page.get_by_role("button", name="I have a code for an answer").click()
    await expect(page.get_by_role("textbox", name="Your code")).to_be_focused()
    await page.get_by_role("textbox", name="Your code").fill(code)
    await page.get_by_role("button", name="Show the answer").click()
