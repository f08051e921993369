"""A child leaves at once, and what it has said before is said."""

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from app.demo.stage import Stage
from tests.support.children.at_their_page import EXIT, say, take_next, visit
from tests.support.profile import WHOLE
from tests.support.waiting import until

SCHOOL = "https://school.example/"


async def _is_over(stage: Stage) -> bool:
    (row,) = await stage.rows("SELECT state, ended_by FROM calls")
    return (row["state"], row["ended_by"]) == ("ended", "caller")


# By day inside another site alone: the tests below leave the page where it stands by itself.
@pytest.mark.parametrize("embedded", [False, True] if WHOLE else [True])
async def test_words_on_their_way_are_said_when_the_child_leaves(
    stage: Stage, page: Page, embedded: bool
) -> None:
    ana = await stage.add_counsellor("ana", chats=2)
    await visit(page, stage)
    inside = page.main_frame
    if embedded:
        await stage.let_write(slug="plavi", exit_site=EXIT, sites=[SCHOOL.rstrip("/")])
        # A page of the internet that shows one of this machine is stopped by the browser.
        await page.context.grant_permissions(["local-network-access"])
        address = f"{stage.settings.public_url}/chat/plavi"
        frame = f'<iframe allow="local-network-access" src="{address}"></iframe>'
        await page.context.route(
            SCHOOL, lambda route: route.fulfill(body=frame, content_type="text/html")
        )
        await page.goto(SCHOOL)
        inside = page.frames[1]
    await inside.get_by_role("button", name="Start writing").click()
    field = inside.get_by_role("textbox", name="Your message")
    await expect(field).to_be_visible()
    call_id = await take_next(ana)
    await expect(inside.locator("#state")).to_have_text("A counsellor is with you.")
    late: list[asyncio.Future[None]] = []
    arrived = asyncio.Event()

    async def slow(route: Route) -> None:
        """Let a message arrive after the child has left."""
        late.append(asyncio.get_running_loop().create_future())
        await late[-1]
        await route.fetch()
        arrived.set()

    await page.route("**/conversation/messages", slow)
    for text in ("He is at the door", "Call my aunt"):
        await field.fill(text)
        await inside.get_by_role("button", name="Send", exact=True).click()
    await expect(inside.locator("#log small")).to_have_count(2)
    await field.press("Escape")
    await page.wait_for_url(EXIT)
    await until(lambda: _is_over(stage), "the conversation ends")
    assert len(late) == 1, "the second waits for the first"
    late[0].set_result(None)
    await asyncio.wait_for(arrived.wait(), 30)
    rows = await stage.rows(
        "SELECT number FROM chat_messages WHERE author = 'child' ORDER BY number"
    )
    assert len(rows) == 2, "each is said once"
    contact = await stage.rows("SELECT id FROM contacts WHERE call_id IS NOT NULL")
    assert len(contact) == 1
    found = await ana.ask("GET", f"/chats/{call_id}/messages")
    words = [one["text"] for one in found.json() if one["author"] == "child"]
    assert words == ["He is at the door", "Call my aunt"]


async def test_a_waiting_page_looks_by_itself_and_danger_is_told_as_the_child_leaves(
    stage: Stage, page: Page
) -> None:
    ana = await stage.add_counsellor("ana", state=None, chats=2)
    # A page looks every twenty seconds; here sooner.
    await page.add_init_script(
        "const every = window.setInterval;"
        "window.setInterval = (act, time) => every(act, time / 50);"
    )
    await visit(page, stage)
    await page.get_by_role("button", name="Start writing").click()
    leave = page.get_by_role("button", name="Leave the message")
    await expect(leave).to_be_visible()
    # A stream tells nothing of who comes on duty.
    await ana.ask("PUT", "/me/presence", {"state": "available"})
    await take_next(ana)
    await expect(leave).to_be_hidden()
    pressed = asyncio.Event()

    async def lose(route: Route) -> None:
        pressed.set()
        await route.abort()

    await page.route("**/conversation/danger", lose)
    await page.get_by_role("button", name="I am in danger now").click()
    await asyncio.wait_for(pressed.wait(), 30)
    await page.keyboard.press("Escape")
    await page.wait_for_url(EXIT)
    await until(lambda: _is_over(stage), "the conversation ends")
    (row,) = await stage.rows("SELECT danger FROM calls")
    assert row["danger"]


async def test_a_child_that_leaves_before_the_conversation_is_open_has_said_it(
    stage: Stage, page: Page
) -> None:
    ana = await stage.add_counsellor("ana", chats=2)
    await visit(page, stage)

    async def hold(route: Route) -> None:
        """Keep the answer to the first request back; what the leaving page sends gets through."""
        if '"leaves":true' not in (route.request.post_data or ""):
            await route.fetch()
            return
        await route.continue_()

    await page.route("**/conversations", hold)
    await page.get_by_role("button", name="Start writing").click()
    await say(page, "Help me")
    # More than a page says in one breath: none of it is lost, and what does not fit is not taken.
    await page.evaluate(
        """() => { for (let n = 2; n <= 120; n += 1) {
            document.getElementById("field").value = `${n}`;
            document.getElementById("write").requestSubmit();
        } }"""
    )
    await expect(page.locator("#log small")).to_have_count(99)
    await expect(page.get_by_role("textbox", name="Your message")).to_have_value("120")
    await page.get_by_role("link", name="Leave now").click()
    await page.wait_for_url(EXIT)
    await until(lambda: _is_over(stage), "the conversation ends")
    (waits,) = (await ana.ask("GET", "/chats/left")).json()
    assert waits["answerable"] is False
    said = (await ana.ask("GET", f"/chats/left/{waits['call_id']}/messages")).json()
    assert [one["text"] for one in said] == ["Help me", *map(str, range(2, 100))]
    typed = await stage.rows("SELECT detail FROM call_events WHERE kind = 'left_typing'")
    assert [row["detail"] for row in typed] == [{}], "that it was typing, and not what"
