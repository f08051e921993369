"""What every test with a browser uses: the helpline on the real clock, and Chromium."""

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from app.clock import SystemClock
from app.demo.stage import Counsellor, Stage, stage_on
from app.jobs.transaction import transaction
from app.staff import accounts
from app.work import PROGRAM

CHROMIUM = os.environ.get("CHROMIUM") or (
    "/usr/bin/chromium" if os.path.exists("/usr/bin/chromium") else ""
)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse battery"
# A busy machine is slow, and that is not what is tried here. Milliseconds.
expect.set_options(timeout=15_000)


@pytest.fixture
async def live(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The helpline on the real clock."""
    async with stage_on(database, clock=SystemClock(), wrap_up_seconds=30) as made:
        await made.add_line()
        yield made


@pytest.fixture
async def page(anyio_backend: str) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        made = await (await browser.new_context()).new_page()
        problems: list[str] = []
        made.on("pageerror", lambda error: problems.append(str(error)))
        yield made
        await browser.close()
        assert problems == []


async def give_password(stage: Stage, counsellor: Counsellor) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.merge(counsellor.staff)
        staff.password_hash = await accounts.hash_password(PASSWORD)


async def signed_in(page: Page, stage: Stage, counsellor: Counsellor) -> None:
    """Through the sign-in page, as a person would."""
    await give_password(stage, counsellor)
    await page.goto(stage.settings.public_url)
    await page.get_by_label("Name").fill(counsellor.staff.name)
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("is wrong")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Password").press("Enter")
    await expect(page.locator("#connection")).to_have_text("● live")
