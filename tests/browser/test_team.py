"""The supervisor's team page and the call for help on every page, in real browsers."""

import os

import pytest
from playwright.async_api import Page, expect

from app.demo.stage import Counsellor, Stage
from app.practice.legs import Leg
from app.staff.roles import Role
from tests.support.axe import faults_zoomed
from tests.support.browser import (
    CHROMIUM,
    LISTEN,
    answered,
    at,
    ring,
    taken_back_for_a_moment,
)
from tests.support.verbs import a_late_referral

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")


async def another(page: Page) -> Page:
    """A second browser, of another person."""
    browser = page.context.browser
    assert browser is not None
    return await (await browser.new_context(permissions=["microphone"])).new_page()


async def a_talk(live: Stage, who: Counsellor) -> Leg:
    leg = await ring(live)
    while await who.offer() is None:
        await live.clock.sleep(0.1)
    await who.accept()
    while not await live.rows("SELECT id FROM offers WHERE state = 'connected'"):
        await live.clock.sleep(0.1)
    return leg


async def picture(page: Page, name: str) -> None:
    """Every width and both themes, if they are wanted."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    for theme in ("light", "dark"):
        await page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        for width in (1440, 1024, 390):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.screenshot(path=f"{folder}/{name}-{width}-{theme}.png", full_page=True)
    await page.set_viewport_size({"width": 1280, "height": 720})


async def test_a_supervisor_sets_a_state_and_ends_a_talk(live: Stage, page: Page) -> None:
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False)
    ana = await live.add_counsellor("Ana", languages="sr")
    boris = await live.add_counsellor("Boris", state=None)
    await live.add_counsellor("Vera", shift=False, state=None)
    await a_late_referral(live, ana.staff)
    await page.add_init_script(LISTEN)
    await at(page, live, chief, "/team")
    await expect(page.locator(".rail a[aria-current]")).to_contain_text("Team")
    # An urgent deadline has passed: it rings softly and takes no focus, until it is seen.
    await expect(page).to_have_title("⚠ A deadline of an urgent referral has passed")
    await expect(page.locator(".rail a[data-section=referrals] .count")).to_be_visible()
    assert await page.evaluate("globalThis.rings.length") == 1
    assert await page.evaluate("document.activeElement.closest('.alert-bar') === null")
    await page.locator(".alert-bar").get_by_role("button", name="Seen").click()
    await expect(page.locator(".alert-bar")).to_have_count(0)
    await expect(page).to_have_title("Team – Helpline")
    assert await page.evaluate("globalThis.rings.length") == 0
    await expect(page.locator("#now-present")).to_contain_text("2 planned")
    await expect(page.locator(f"#person-{boris.id}")).to_contain_text("on the rota now")
    row = page.locator(f"#person-{ana.id}")
    await expect(row).to_contain_text("Available")
    leg = await a_talk(live, ana)
    await expect(row).to_contain_text("On a call")
    await expect(page.locator("#now-answered")).to_contain_text("100 % within 20 s")

    async def set_to(state: str) -> None:
        await row.locator("summary").click()
        await row.locator("[name=state]").select_option(state)
        await row.locator("[name=reason]").select_option("needs_rest")

    # An incomplete form stays open, and a talk is not cut.
    await row.locator("summary").click()
    await row.get_by_role("button", name="Set", exact=True).click()
    await expect(row.locator("form")).to_be_visible()
    await page.keyboard.press("Escape")
    await set_to("off_duty")
    await picture(page, "team")
    await row.get_by_role("button", name="Set", exact=True).click()
    await expect(page.locator("#refused [role=alert]")).to_contain_text("after this call")
    await set_to("break")
    await row.get_by_label("after this call").check()
    await row.get_by_role("button", name="Set", exact=True).click()
    await expect(row).to_contain_text("then: On a break")
    # The end of a talk can be taken back for five seconds, also by keyboard.
    end = page.locator("#talks-box").get_by_role("button", name="End")
    await end.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#talks-box")).to_contain_text("Ending the talk in")
    await page.keyboard.press("Enter")
    await expect(page.locator("#talks-box")).not_to_contain_text("Ending the talk in")
    assert await ana.presence() == "on_call"
    await taken_back_for_a_moment(end)
    await end.click()
    await expect(page.locator("#talks")).to_contain_text("No talk is going on.")
    while leg.status != "completed":
        await live.clock.sleep(0.1)
    await expect(row).not_to_contain_text("On a call")


async def test_a_call_for_help_is_on_every_page_until_one_takes_it(live: Stage, page: Page) -> None:
    jelena = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    mira = await live.add_counsellor("Mira", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await live.add_counsellor("Ana")
    other = await another(page)
    await at(page, live, jelena, "/reports")
    await at(other, live, mira, "/agencies")
    leg = await a_talk(live, ana)
    offer = await ana.offer()
    assert offer is not None
    (await ana.ask("POST", f"/calls/{offer['call_id']}/panic")).raise_for_status()
    for one in (page, other):
        await expect(one.locator(".panic-bar")).to_contain_text("Ana needs a supervisor now")
        await expect(one).to_have_title("⚠ A counsellor needs help – Helpline")
    # It stays when the page changes.
    await page.locator(".rail a[data-section=agencies]").click()
    await expect(page.locator("h1")).to_be_focused()
    await expect(page.locator(".panic-bar")).to_be_visible()
    await picture(page, "panic")
    await page.get_by_role("button", name="Take it").click()
    for one in (page, other):
        await expect(one.locator(".panic-bar")).to_have_count(0)
        await expect(one).not_to_have_title("⚠ A counsellor needs help – Helpline")
    # The page that took it is a telephone now, and its supervisor is in the talk.
    conference = next(iter(live.exchange.conferences.all.values()))
    mine = f"client:{jelena.staff.identity}"
    while mine not in {p.leg.to for p in conference.participants.values()}:
        await live.clock.sleep(0.1)
    await other.locator(".rail a[data-section=team]").click()
    await expect(other.locator("#talks-box")).to_contain_text("help taken by Jelena")
    await live.exchange.hang_up(leg)
    await other.context.close()


async def test_a_wallboard_refreshes_itself_and_says_when_it_is_not_current(
    live: Stage, page: Page
) -> None:
    admin = await live.add_counsellor("Olga", role=Role.ADMINISTRATOR, shift=False, state=None)
    await at(page, live, admin, "/admin")
    await page.get_by_label("Where the screen hangs").fill("Hall")
    await page.get_by_role("button", name="Make an address").click()
    address = await page.locator("#wall-address").text_content()
    assert address is not None
    # The screen has no session.
    screen = await another(page)
    # Its clock goes on by itself, and jumps where the screen would only wait.
    await screen.clock.install()
    await screen.goto(address)
    await expect(screen.locator("#wall-waiting")).to_have_text("0")
    ana = await live.add_counsellor("Ana")
    leg = await a_talk(live, ana)
    await screen.clock.fast_forward(6_000)
    await expect(screen.locator("#wall-talking")).to_have_text("1")
    await picture(screen, "wall")
    await expect(screen.locator("#wall-stale")).to_be_hidden()
    await screen.context.set_offline(True)
    await screen.clock.fast_forward(13_000)
    await expect(screen.locator("#wall-stale")).to_contain_text("Not connected", timeout=30_000)
    await screen.context.set_offline(False)
    await screen.clock.fast_forward(6_000)
    await expect(screen.locator("#wall-stale")).to_be_hidden()
    withdraw = page.get_by_role("button", name="Withdraw it")
    await withdraw.click()
    await expect(withdraw).to_have_count(0)
    await screen.clock.fast_forward(6_000)
    await expect(screen.locator("#wall-stale")).to_contain_text("This address was withdrawn.")
    await expect(screen.locator("#wall-waiting")).to_have_count(0)
    await live.exchange.hang_up(leg)
    await screen.context.close()


async def test_a_message_reaches_a_counsellor_in_a_talk_without_taking_the_focus(
    live: Stage, page: Page
) -> None:
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False, state=None)
    ana = await live.add_counsellor("Ana")
    other = await another(page)
    await at(page, live, ana, "/")
    await at(other, live, chief, "/team")
    leg = await a_talk(live, ana)
    await expect(page.locator("#live-call")).to_be_visible()
    await page.locator("#presence").focus()
    await other.locator("#team-messages summary").click()
    await other.get_by_label("To", exact=True).select_option(label="Ana")
    await other.get_by_label("Message", exact=True).fill("Come to my room after this one.")
    await other.get_by_role("button", name="Send", exact=True).click()
    await expect(other.locator(".team-talk")).to_contain_text("You to Ana")
    await expect(other.get_by_label("Message", exact=True)).to_have_value("")
    await expect(page.locator("#team-messages-unread")).to_contain_text("1")
    await expect(page.locator("#presence")).to_be_focused()
    await expect(page).to_have_title("Desk – Helpline")
    assert "Come to my room" not in await page.content()
    await page.locator("#team-messages summary").click()
    await expect(page.locator(".team-talk")).to_contain_text("Come to my room after this one.")
    await picture(page, "messages")
    await expect(other.locator(".team-talk")).to_contain_text("✓ read")
    # What is being written stays when a message comes.
    await page.get_by_label("Message", exact=True).fill("Coming")
    await other.get_by_label("Message", exact=True).fill("And bring the plan.")
    await other.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".team-talk")).to_contain_text("bring the plan")
    await expect(page.get_by_label("Message", exact=True)).to_have_value("Coming")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await live.exchange.hang_up(leg)
    await other.context.close()


async def test_the_call_keeps_its_room_in_the_bar(live: Stage, page: Page) -> None:
    """Urgent is never behind the telephone, the tray of messages or the name."""
    await answered(page, live)
    for width in (1440, 1280, 1024):
        await page.set_viewport_size({"width": width, "height": 800})
        urgent = await page.locator("#urgent summary").bounding_box()
        telephone = await page.locator("#telephone").bounding_box()
        assert urgent is not None
        assert telephone is not None
        assert urgent["x"] + urgent["width"] <= telephone["x"], width
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)
    found = await faults_zoomed(page, "in a talk")
    assert not found, "\n".join(found)
