"""Passkeys in a real browser, with a device that the browser plays: by keyboard, from the first one
to its removal."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, async_playwright, expect
from sqlalchemy import update

from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.staff.models import StaffSession
from app.staff.roles import Role
from app.staff.sign_in_rules import Rules, set_sign_in_rules
from app.work import PROGRAM
from tests.support.axe import faults
from tests.support.browser import CHROMIUM, FLAGS, PASSWORD, give_password, picture

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")
_BY_NAME = [
    f"{flag.partition('=')[0]}=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    if flag.startswith("--host-resolver-rules")
    else flag
    for flag in FLAGS
]


@pytest.fixture
async def named_page() -> AsyncIterator[Page]:
    """A page of a browser that finds this machine by its name, which passkeys need."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_BY_NAME)
        page = await browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
        await browser.close()
        assert problems == []


async def device(page: Page) -> None:
    """Give the browser a device that asks for a finger, and gets it."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})


async def sign_in(page: Page, origin: str) -> None:
    await page.goto(f"{origin}/login?next=/account")
    await page.get_by_label("Name").fill("vera")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")


async def test_a_passkey_is_set_up_used_asked_for_again_and_removed(
    live: Stage, named_page: Page
) -> None:
    page = named_page
    origin = f"http://localhost:{urlsplit(live.settings.public_url).port}"
    live.settings.public_url = origin
    vera = await live.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    await give_password(live, vera)
    async with transaction(live.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules((Role.SUPERVISOR,)))
    await sign_in(page, origin)
    await expect(page.locator("#set-up-passkey")).to_be_visible()
    assert await faults(page, "setting up") == []
    name = page.get_by_label("Name of the passkey")
    await name.fill("my phone")
    await device(page)
    await name.press("Enter")
    await expect(page.locator("#recovery-codes li")).to_have_count(10)
    await page.locator("#codes-kept").press("Enter")
    await expect(page.locator("#own-passkeys")).to_contain_text("my phone")
    await picture(page, "passkeys")
    assert await faults(page, "account") == []

    await page.locator("#me > summary").click()
    await page.locator("#sign-out").click()
    await sign_in(page, origin)
    await expect(page.locator("#use-passkey")).to_be_focused()
    await picture(page, "passkey-sign-in")
    assert await faults(page, "second step") == []
    await page.keyboard.press("Enter")
    await expect(page.locator("#own-passkeys")).to_contain_text("last used")

    # The proof is too old: the dialog asks for the passkey, and then the page goes on.
    async with transaction(live.ground, PROGRAM) as work:
        await set_sign_in_rules(work, Rules())
        await work.session.execute(update(StaffSession).values(proved_at=None))
    await page.get_by_role("button", name="Remove the passkey my phone").press("Enter")
    await expect(page.locator("#proof-passkey")).to_be_focused()
    await picture(page, "passkey-proof")
    assert await faults(page, "proof") == []
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="removed")).to_be_visible()
    await expect(page.locator("#own-passkeys")).to_have_count(0)
