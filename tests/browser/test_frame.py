"""The frame in a real Chromium: a ring on any page, page changes that keep it, safe endings."""

import asyncio
from datetime import time

import pytest
from playwright.async_api import Page, expect

from app.dashboard.pages import safe_next
from app.demo.stage import Stage
from app.staff import tokens
from app.staff.roles import Role
from tests.support.browser import CHROMIUM, answered, at, be, press, ring, signed_in

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")

PAGES = (
    "/",
    "/contacts",
    "/cases",
    "/referrals",
    "/supervisor",
    "/roster",
    "/agencies",
    "/reports",
)


async def test_a_ring_reaches_a_counsellor_on_another_page(live: Stage, page: Page) -> None:
    ana = await live.add_counsellor("ana", state=None)
    await signed_in(page, live, ana)
    await be(page, "available")
    await expect(page.locator("#presence")).to_contain_text("Available")
    await page.locator(".rail a[data-section=cases]").click()
    await expect(page.locator("#main h1")).to_have_text("Cases")
    leg = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await expect(page.locator("#accept")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    assert page.url.endswith("/cases")
    assert live.exchange.conferences.of_leg(leg) is not None


async def test_a_ring_leaves_the_focus_in_a_field(live: Stage, page: Page) -> None:
    ana = await live.add_counsellor("ana", state=None)
    await signed_in(page, live, ana)
    await be(page, "available")
    await expect(page.locator("#presence")).to_contain_text("Available")
    await page.locator(".rail a[data-section=contacts]").click()
    field = page.locator("#main input:visible").first
    await field.fill("Jov")
    await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await expect(field).to_be_focused()
    await page.keyboard.type("ana")
    await expect(field).to_have_value("Jovana")


async def test_page_changes_keep_the_frame_and_the_way_back(live: Stage, page: Page) -> None:
    await answered(page, live)
    await page.evaluate("window.sameDocument = true")
    for section in ("cases", "contacts", "roster"):
        await page.locator(f".rail a[data-section={section}]").click()
        await page.wait_for_url(f"**/{section}")
        await expect(page.locator(".rail [aria-current=page]")).to_have_attribute(
            "data-section", section
        )
        await expect(page.locator("#call-title")).to_contain_text("Talking")
    await page.go_back()
    await expect(page.locator("#main h1")).to_have_text("Contacts")
    await page.locator(".rail a[data-section=desk]").click()
    # The form of the same contact is there again, with the child still in the line.
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    assert await page.evaluate("window.sameDocument") is True


async def test_the_next_child_gets_a_form_of_its_own(live: Stage, page: Page) -> None:
    await answered(page, live)
    record = page.locator("[data-record][data-ready]")
    await expect(record).to_have_count(1)
    await expect(page.locator(".languages [aria-pressed=true]")).to_have_text("en")
    first = await record.get_attribute("data-record")
    await page.locator("#f-contact-headline").fill("Bullied at school")
    await expect(page.locator("#saving")).to_have_text("All saved")
    await page.locator("#call-title").click()
    await press(page, "e")
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await press(page, "r")
    await expect(page.locator("#presence")).to_contain_text("Available")
    await ring(live)
    await expect(page.locator("#accept")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await expect(record).to_have_count(1)
    await expect(page.locator("#f-contact-headline")).to_have_value("")
    assert await record.get_attribute("data-record") != first
    await page.locator("#f-contact-headline").fill("Ran away")
    await expect(page.locator("#saving")).to_have_text("All saved")
    rows = await live.rows("SELECT headline FROM contacts ORDER BY taken_at")
    assert [row["headline"] for row in rows] == ["Bullied at school", "Ran away"]


async def test_hanging_up_by_mouse_can_be_taken_back(live: Stage, page: Page) -> None:
    _ana, leg = await answered(page, live)
    await page.locator("#hang-up").click()
    await expect(page.locator("#hang-up")).to_contain_text("Undo")
    await page.locator("#hang-up").click()
    await expect(page.locator("#hang-up")).not_to_contain_text("Undo")
    await asyncio.sleep(5.5)
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await page.locator("#hang-up").click()
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    assert (await live.call_of(leg))["ended_by"] == "counsellor"


async def test_one_letter_alone_does_nothing_to_a_child(live: Stage, page: Page) -> None:
    _ana, leg = await answered(page, live)
    for letter in "ehmp1":
        await page.keyboard.press(letter)
    await asyncio.sleep(0.5)
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    assert (await live.call_of(leg))["ended_at"] is None


async def test_a_contact_that_holds_text_is_not_closed_with_keys(live: Stage, page: Page) -> None:
    _ana, leg = await answered(page, live)
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    await page.locator("#f-contact-headline").fill("Bullied at school")
    await expect(page.locator("#saving")).to_have_text("All saved")
    await page.locator("#call-title").click()
    await page.keyboard.press("c")
    await press(page, "5")
    await expect(page.locator("#refused")).to_contain_text("Something is written in this contact")
    assert (await live.call_of(leg))["ended_at"] is None


async def test_the_wrap_up_goes_on_while_the_counsellor_types(live: Stage, page: Page) -> None:
    live.settings.wrap_up_seconds = 6
    await answered(page, live)
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    await press(page, "e")
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await page.keyboard.press("w")
    await page.keyboard.press("Tab")
    for _ in range(10):
        await page.keyboard.type("abc ")
        await asyncio.sleep(0.9)
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    await expect(page.locator("#saving")).to_have_text("All saved")


async def test_a_dead_connection_is_said_and_clicks_are_refused(live: Stage, page: Page) -> None:
    ana = await live.add_counsellor("ana", state=None)
    await signed_in(page, live, ana)
    await expect(page.locator("#presence")).to_be_visible()
    await live.stop_server()
    await expect(page.locator("#stale")).to_contain_text("nothing here is current")
    await be(page, "available")
    await expect(page.locator("#stale")).to_contain_text("was not done")
    await live.start_server()
    await expect(page.locator("#stale")).to_be_hidden()
    await expect(page.locator("#presence")).to_contain_text("Off duty")


async def test_a_refusal_never_takes_the_call_bar_away(live: Stage, page: Page) -> None:
    await answered(page, live)
    await page.locator("#mute").evaluate(
        "one => { one.setAttribute('hx-post', '/board/presence/nonsense'); htmx.process(one); }"
    )
    await press(page, "m")
    await expect(page.locator("#refused [role=alert]")).to_be_visible()
    await expect(page.locator("#hang-up")).to_be_visible()
    await page.locator("#refused [role=alert]").click()
    await expect(page.locator("#refused [role=alert]")).to_have_count(0)


async def test_a_form_of_a_page_is_sent_as_a_browser_sends_it(live: Stage, page: Page) -> None:
    """All ticked boxes of one name, and to the address of the button that was pressed."""
    await live.add_counsellor("ana", recurrence="FREQ=DAILY", starts_at=time(8), minutes=480)
    vesna = await live.add_counsellor("vesna", role=Role.ADMINISTRATOR, shift=False, state=None)
    await at(page, live, vesna, "/admin/tokens")
    form = page.locator("#new-token form")
    await form.get_by_label("Name").fill("Yearly figures")
    for box in await form.locator("[name=scopes]").all():
        await box.check()
    await form.get_by_role("button", name="Make a token").click()
    await expect(page.locator("main")).to_contain_text("Yearly figures")
    made = await live.rows("SELECT cardinality(scopes) AS scopes FROM api_tokens")
    assert made == [{"scopes": len(tokens.SCOPES)}]

    await page.locator(".rail a[data-section=roster]").click()
    await page.get_by_label("Keep this week as a template called").fill("As now")
    await page.get_by_role("button", name="Keep").click()
    await page.get_by_role("button", name="Delete the template").click()
    await expect(page.locator("#put-template")).to_have_count(0)
    assert await live.rows("SELECT name FROM week_templates") == []


async def test_signing_in_leads_to_the_page_that_was_wanted(live: Stage, page: Page) -> None:
    ana = await live.add_counsellor("ana", state=None)
    await signed_in(page, live, ana)
    # A page that is open would ask for a sign-in itself.
    await page.goto("about:blank")
    await page.context.clear_cookies()
    await page.goto(live.settings.public_url + "/cases")
    await page.get_by_label("Name").fill(ana.staff.name)
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_label("Password").press("Enter")
    await expect(page.locator("#main h1")).to_have_text("Cases")


def test_signing_in_never_leads_elsewhere() -> None:
    for wanted in ("//evil.example", "/\\evil.example", "https://evil.example", "/logout", "", "x"):
        assert safe_next(wanted) == "/"
    assert safe_next("/cases/1") == "/cases/1"


async def test_no_page_is_wider_than_a_phone_in_either_theme(live: Stage, page: Page) -> None:
    jelena = await live.add_counsellor("jelena", role=Role.SUPERVISOR, shift=False)
    await signed_in(page, live, jelena)
    for theme in ("light", "dark"):
        await page.context.add_cookies(
            [{"name": "theme", "value": theme, "url": live.settings.public_url}]
        )
        for width in (320, 390):
            await page.set_viewport_size({"width": width, "height": 700})
            for path in PAGES:
                answer = await page.goto(live.settings.public_url + path)
                assert answer is not None
                assert answer.status == 200
                wide = await page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, (theme, width, path, wide)
        assert await page.evaluate("document.documentElement.dataset.theme") == theme
