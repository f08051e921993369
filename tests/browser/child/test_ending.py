"""A conversation ends, and its child can still read it; what was not sent yet is not lost."""

from playwright.async_api import Page, Route, expect

from app.demo.stage import Stage
from tests.support.browser import picture
from tests.support.children.at_their_page import read, said, say, take_next, visit
from tests.support.waiting import until


async def _begin(page: Page, stage: Stage) -> None:
    await visit(page, stage)
    await page.get_by_role("button", name="Start writing").click()
    await expect(page.locator("#state")).not_to_have_text("One moment …")


async def _is_silent_for(stage: Stage, seconds: int) -> None:
    """Let so much time pass since the page was heard, and wait until that has ended it."""
    await stage.change_rows(f"UPDATE calls SET heard_at = heard_at - interval '{seconds} seconds'")

    async def ended() -> bool:
        (row,) = await stage.rows("SELECT ended_by FROM calls ORDER BY opened_at DESC LIMIT 1")
        return bool(row["ended_by"] == "away")

    await until(ended, "the page is away")


async def test_a_child_reads_the_last_words_of_its_counsellor(stage: Stage, page: Page) -> None:
    ana = await stage.add_counsellor("ana", chats=2)
    await _begin(page, stage)
    await say(page, "Whom can I ring?")
    call_id = await take_next(ana)
    await expect(said(page)).to_have_count(2)
    await page.get_by_role("textbox", name="Your message").press_sequentially("and")
    # As the page of a counsellor does: the goodbye and the end are one request.
    goodbye = {"goodbye": "Ring 192 tonight. Take care!", "client_key": "g" * 20}
    site = stage.settings.public_url
    answer = await stage.client.post(
        f"{site}/board/chats/{call_id}/end",
        data=goodbye,
        headers={"Cookie": ana.cookie_header, "Origin": site},
    )
    assert answer.status_code == 200, answer.text
    await expect(page.locator("#ended-title")).to_contain_text("The conversation has ended.")
    for words in ("Whom can I ring?", "Ring 192 tonight. Take care!"):
        await expect(said(page).filter(has_text=words)).to_be_visible()
    await expect(page.get_by_role("textbox", name="Your message")).to_be_hidden()
    await expect(page.locator("#rate")).to_be_visible()
    # A screen reader says what is added to a log and a status, and no focus cuts that off.
    regions = await page.locator("#log, #over").evaluate_all(
        "all => all.map((one) => [one.getAttribute('role'), one.textContent])"
    )
    assert regions[0][0] == "log"
    assert regions[0][1].endswith("Ring 192 tonight. Take care!")
    assert regions[1] == [
        "status",
        "The conversation has ended. You can write to us again any time.",
    ]
    await expect(page.locator("#log")).to_be_focused()
    assert await page.evaluate("sessionStorage.length") == 0
    await expect(page.locator("#ended a[href^='https://pametnoibezbedno']")).to_be_visible()
    await picture(page, "child-goodbye")
    # Its counsellor has blocked the visit: it says so, and danger opens it.
    flag = {"kind": "blocked", "reason": "Threats and insults", "hours": 2}
    assert (await ana.ask("POST", f"/calls/{call_id}/flags", flag)).status_code == 201
    await page.get_by_role("button", name="Write to us again").click()
    await page.get_by_role("button", name="Start writing").click()
    await expect(page.locator("#state")).to_contain_text("We cannot write with you here right now.")
    await expect(page.locator("#danger-said")).to_contain_text("192")
    await expect(page.get_by_role("button", name="Leave the message")).to_be_hidden()
    await picture(page, "child-blocked")
    await page.get_by_role("button", name="I am in danger now").click()
    await expect(page.locator("#danger-said")).to_contain_text("you come first")
    await expect(page.locator("#state")).not_to_contain_text("We cannot write")


async def test_a_child_without_a_network_is_told_why_and_keeps_its_words(
    stage: Stage, page: Page
) -> None:
    ana = await stage.add_counsellor("ana", chats=2)
    await _begin(page, stage)
    await say(page, "Are you there?")
    await take_next(ana)
    await expect(page.locator("#log small")).to_have_count(0)
    # A page that is closed or loaded again says what it has not sent.
    await page.evaluate(
        """() => { const real = window.fetch; window.fetch = (url, how) =>
            url.endsWith("/conversation/messages") ? Promise.reject(new Error()) : real(url, how);
        }"""
    )
    await say(page, "Do not tell him")
    await expect(page.locator("#log small")).to_have_text("not sent yet")
    await page.reload()
    await expect(said(page).last).to_have_text("Do not tell him")
    await expect(page.locator("#log small")).to_have_count(0)
    await page.context.set_offline(True)
    await say(page, "He is coming")
    await expect(page.locator("#log small")).to_have_text("not sent yet")
    await _is_silent_for(stage, 601)
    await page.route("**/conversation/end", lambda route: route.abort())
    await page.context.set_offline(False)
    await expect(page.locator("#ended-title")).to_contain_text("disconnected for too long")
    await expect(said(page).last).to_have_text("He is coming")
    await expect(page.locator("#log small")).to_have_text("not sent yet")
    await picture(page, "child-away")
    assert await page.evaluate("sessionStorage.length") == 0
    # What cannot be sent after the end goes with the next conversation.
    await page.get_by_role("button", name="Write to us again").click()
    await page.get_by_role("button", name="Start writing").click()
    await expect(said(page).first).to_have_text("He is coming")
    await ana.ask("PUT", "/me/presence", {"state": "available"})
    again = await take_next(ana)
    words = [one["text"] for one in await read(ana, again) if one["author"] == "child"]
    assert words == ["He is coming"]
    await expect(page.locator("#log small")).to_have_count(0)
    # What can be is said by itself, and not once more.
    await page.unroute("**/conversation/end")
    await page.context.set_offline(True)
    await say(page, "He is here")
    await _is_silent_for(stage, 601)
    await page.context.set_offline(False)
    await expect(page.locator("#ended-title")).to_contain_text("disconnected for too long")

    async def is_said() -> bool:
        found = (await ana.ask("GET", f"/chats/{again}/messages")).json()
        return [one["text"] for one in found if one["author"] == "child"][1:] == ["He is here"]

    await until(is_said, "the last words are said")
    await expect(page.locator("#log small")).to_have_count(0)
    await page.get_by_role("button", name="Write to us again").click()
    await page.get_by_role("button", name="Start writing").click()
    await expect(page.get_by_role("textbox", name="Your message")).to_be_visible()
    await expect(said(page)).to_have_count(0)


async def test_a_child_that_waited_and_was_away_is_given_a_code(stage: Stage, page: Page) -> None:
    ana = await stage.add_counsellor("ana", chats=1)
    await ana.ask("PUT", "/me/presence", {"state": "break"})
    await _begin(page, stage)
    await say(page, "Is anybody there?")
    await expect(page.locator("#log small")).to_have_count(0)
    await page.context.set_offline(True)
    await say(page, "Please")
    await _is_silent_for(stage, 76)
    (left,) = (await ana.ask("GET", "/chats/left")).json()
    assert left["answerable"] is False
    await page.context.set_offline(False)
    await expect(page.locator("#ended-title")).to_contain_text("disconnected for too long")
    await expect(page.get_by_role("heading", name="Your message is with us")).to_be_focused()
    await expect(said(page)).to_have_text(["Is anybody there?", "Please"])
    await expect(page.locator("#log small")).to_have_count(0)
    code = await page.locator("#left-code").inner_text()
    assert len(code.replace(" ", "")) == 20
    assert await page.evaluate("sessionStorage.length") == 0
    await picture(page, "child-away-code")
    body = {"text": "We are here.", "client_key": "a" * 20}
    answer = await ana.ask("POST", f"/chats/left/{left['call_id']}/messages", body)
    assert answer.status_code == 201, answer.text
    await visit(page, stage)
    await page.get_by_role("button", name="I have a code for an answer").click()
    await page.get_by_role("textbox", name="Your code").fill(code)
    await page.get_by_role("button", name="Show the answer").click()
    await expect(said(page)).to_have_text(["Is anybody there?", "Please", "We are here."])


async def test_the_code_is_shown_though_its_answer_was_lost(stage: Stage, page: Page) -> None:
    await stage.add_counsellor("ana", shift=False, state=None, chats=2)
    lost: list[str] = []

    async def lose(route: Route) -> None:
        await route.fetch()
        lost.append(route.request.url)
        await route.abort()

    await page.route("**/conversation/message", lose, times=2)
    await _begin(page, stage)
    await page.get_by_role("textbox", name="Your message").fill("Please write back")
    await page.get_by_role("button", name="Leave the message").click()
    await expect(page.locator("#left-code")).to_be_visible(timeout=20_000)
    assert len(lost) == 2
    code = await page.locator("#left-code").inner_text()
    rows = await stage.rows("SELECT call_id FROM chat_codes")
    assert len(rows) == 1
    body = {"code": code}
    answer = await stage.client.post(f"{stage.settings.public_url}/chat/return", json=body)
    assert answer.json()["conversation"] == str(rows[0]["call_id"])
    messages = await stage.rows("SELECT id FROM chat_messages")
    assert len(messages) == 1
    # The page of the next child is loaded again meanwhile.
    await page.route("**/conversation/message", lose)
    await _begin(page, stage)
    await page.get_by_role("textbox", name="Your message").fill("Please ring me")
    await page.get_by_role("button", name="Leave the message").click()
    await expect(page.locator("#network")).to_be_visible()
    await page.reload()
    await expect(page.locator("#left-code")).to_be_visible()
    await expect(said(page)).to_have_text("Please ring me")
    assert await page.evaluate("sessionStorage.length") == 0
