"""A supervisor holds a record on its page, reads why, and lifts the hold."""

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import enter, picture, visit
from tests.support.contacts import completed


async def test_a_record_is_held_and_let_go_on_its_page(page: Page, live: Stage) -> None:
    ana = await live.add_counsellor("ana", shift=False, state=None)
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    mila = await live.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    contact = await completed(ana)
    await enter(page, live, vera, f"/contacts/{contact}")
    hold = page.locator("#hold")
    await hold.get_by_label("Why this record must not be erased").fill("A court asks for it.")
    await hold.get_by_role("button", name="Hold").click()
    await expect(hold).to_contain_text("Held: not erased until the hold is lifted.")
    await expect(hold).to_contain_text("A court asks for it.")
    await picture(page, "retention-record")
    await page.locator("#lift-hold").click()
    await expect(hold.get_by_role("button", name="Hold")).to_be_visible()

    await visit(page, live, mila, "/admin/retention")
    days = page.get_by_label("Days: Names and texts of contacts")
    await days.fill("1825")
    await page.locator("#save-retention").click()
    await expect(page.locator("#retention-told")).to_have_text("The rules are saved.")
    await expect(days).to_have_value("1825")
    for width in (320, 768, 1440):
        await page.set_viewport_size({"width": width, "height": 900})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"the page is {wide} px wide on a screen of {width}"
        await picture(page, f"retention-{width}")
    await page.emulate_media(color_scheme="dark")
    await picture(page, "retention-dark")
