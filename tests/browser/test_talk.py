"""A talk on the desks of a counsellor, a colleague and a supervisor, in a real browser."""

import os

import pytest
from playwright.async_api import Page, expect

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.browser import at, press, ring
from tests.support.profile import WHOLE


@pytest.mark.skipif(not WHOLE, reason="by day `test_telephone` does it with sound")
async def test_a_talk_is_supervised_widened_and_handed_over(live: Stage, page: Page) -> None:
    chief = await live.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False)
    await at(page, live, chief, "/")
    ana = await live.add_counsellor("Ana")
    boris = await live.add_counsellor("Boris", shift=False)
    leg = await ring(live)
    while await ana.offer() is None:
        await live.clock.sleep(0.1)
    await ana.accept()
    await expect(page.locator("#talks-link")).to_contain_text("Talks: 1")
    await page.locator("#talks-link a").click()
    talk = page.locator("#talks-box li")
    await expect(talk).to_contain_text("Ana")
    await page.get_by_role("button", name="Listen").click()
    await expect(page.get_by_role("button", name="Listen")).to_have_attribute(
        "aria-pressed", "true"
    )
    mine = f"client:{chief.staff.identity}"
    await whispers_and_leaves(live, page, mine)
    # The counsellor needs help: every supervisor sees it.
    offer = await ana.offer()
    assert offer is not None
    live.exchange.phones[mine] = Phone(picks_up=None)
    (await ana.ask("POST", f"/calls/{offer['call_id']}/call-for-help")).raise_for_status()
    await expect(talk).to_contain_text("needs a supervisor")
    if os.environ.get("PICTURES"):
        await page.screenshot(
            caret="initial", path=os.environ["PICTURES"] + "/talks.png", full_page=True
        )
    await page.locator("#me summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await widens_and_hands_over(live, page, ana)
    assert await boris.presence() == "on_call"
    await live.exchange.hang_up(leg)


async def whispers_and_leaves(live: Stage, page: Page, mine: str) -> None:
    """The supervisor is heard by no one, then by the counsellor alone, and then is gone."""
    conference = next(iter(live.exchange.conferences.all.values()))

    def parts() -> dict[str, tuple[bool, bool]]:
        return {
            p.leg.to: (p.muted, p.coaches is not None) for p in conference.participants.values()
        }

    while mine not in parts():
        await live.clock.sleep(0.1)
    assert parts()[mine] == (True, False)
    await page.get_by_role("button", name="Whisper").click()
    while parts()[mine] != (False, True):
        await live.clock.sleep(0.1)
    await page.get_by_role("button", name="Leave").click()
    while mine in parts():
        await live.clock.sleep(0.1)


async def widens_and_hands_over(live: Stage, page: Page, ana: Counsellor) -> None:
    """The counsellor mutes, asks a colleague first, brings all together and leaves."""
    await page.wait_for_url("**/login")
    await at(page, live, ana, "/")
    await expect(page.locator("#live-call")).to_contain_text("Talking")
    await press(page, "m")
    await expect(page.locator("#mute")).to_contain_text("Unmute")
    await press(page, "m")
    await page.keyboard.press("t")
    form = page.get_by_role("form", name="A colleague")
    await form.locator("[name=who]").select_option(label="Boris")
    await form.get_by_role("button", name="Ask first").click()
    await expect(page.locator("#participants")).to_contain_text("Boris is in")
    await expect(page.locator("#call-title")).to_contain_text("On hold")
    if os.environ.get("PICTURES"):
        await page.screenshot(
            caret="initial", path=os.environ["PICTURES"] + "/talk.png", full_page=True
        )
    await page.get_by_role("button", name="All together").click()
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await page.get_by_role("button", name="Hand over and leave").click()
    await expect(page.locator("#presence")).to_contain_text("Writing up")
