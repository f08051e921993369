"""A supervisor reads a conversation along while it is written."""

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.demo.writing import a_child
from app.staff.roles import Role
from tests.support.browser import at


async def test_a_supervisor_reads_along_while_the_child_writes(live: Stage, page: Page) -> None:
    await live.let_write()
    ana = await live.add_counsellor("ana", chats=2)
    sara = await live.add_counsellor("sara", role=Role.SUPERVISOR, shift=False, state=None)
    child = a_child(live)
    await child.open()
    await child.say("Ima li koga?")
    await live.settle()
    (await ana.accept()).raise_for_status()
    await at(page, live, sara, "/team")
    # The page asks its stream for this conversation: nothing is asked for every few seconds.
    async with page.expect_request(lambda request: f"along={child.id}" in request.url):
        await page.get_by_role("button", name="Read along").click()
    along = page.locator(f"#along-{child.id}")
    await expect(along).to_contain_text("Ima li koga?")
    whisper = along.locator("textarea")
    await whisper.fill("Pitaj da li")
    await child.say("Sama sam")
    await expect(along).to_contain_text("Sama sam")
    await expect(whisper).to_have_value("Pitaj da li")
