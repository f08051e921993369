"""From an empty database to the first answered call, in browsers alone."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyotp
import pytest
from playwright.async_api import Page, expect

from app.clock import SystemClock
from app.demo.stage import LINE, Stage, stage_on
from app.jobs.transaction import transaction
from app.people import first_run
from app.practice import voices
from app.practice.exchange import Number
from app.practice.people import Phone
from app.work import PROGRAM
from tests.support.axe import faults
from tests.support.browser import PASSWORD, available, press, ring

PHONE = "+381641111111"


@pytest.fixture
async def installed(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The helpline as it is after its installation, and a number that leads nowhere yet."""
    if not voices.available():
        pytest.skip("a telephone in a page needs the extra `demo` (aiortc) at the exchange")
    async with stage_on(
        database,
        clock=SystemClock(),
        sound=True,
        strict=True,
        wrap_up_seconds=30,
        calls_per_second=20,
    ) as made:
        made.exchange.letters_per_second = 150
        made.exchange.numbers[LINE] = Number(voice_url="")
        yield made


async def _sets_up_telephone(page: Page) -> None:
    """Every role needs a second factor from the start: the sign-in leads through it."""
    telephone = pyotp.TOTP((await page.locator("#secret").inner_text()).replace(" ", ""))
    code = page.get_by_label("One-time code")
    await code.fill(telephone.now())
    await code.press("Enter")
    done = page.locator("#codes-kept")
    late = page.locator("#next-code")
    await expect(done.or_(late)).to_be_visible()
    if await late.is_visible():
        # The code was typed at the very end of its time: the next one is asked for, too.
        first = telephone.now()
        while telephone.now() == first:
            await page.wait_for_timeout(200)
        await code.fill(telephone.now())
        await code.press("Enter")
    await expect(page.locator("#recovery-codes li")).to_have_count(10)
    await done.click()


async def _chooses_password(page: Page, name: str) -> None:
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.locator("#choose-password").click()
    await page.locator("#to-sign-in").click()
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Password").press("Enter")
    await _sets_up_telephone(page)
    await expect(page.locator("#connection")).to_have_text("● live")


async def _next_step(page: Page, step: str) -> None:
    """Go on from the check list, by the first thing that is to do."""
    await page.goto(re.sub(r"(//[^/]+)/.*", r"\1/admin", page.url))
    to_do = page.locator(".first-steps li:not([data-done])").first
    await expect(to_do).to_have_attribute("data-step", step)
    await to_do.locator("a").click()


async def _first_administrator(page: Page, installed: Stage) -> None:
    async with transaction(installed.ground, PROGRAM) as work:
        code = await first_run.code_of(work)
    await page.goto(installed.settings.public_url)
    await expect(page.locator("h1")).to_have_text("Set up the helpline")
    assert await faults(page, "setting up") == []
    await page.get_by_label("Set-up code").fill("aaaaa-aaaaa-aaaaa-aaaaa-aaaaa-aaaaa")
    await page.get_by_label("Your name").fill("Mila")
    await page.get_by_role("button", name="Go on to the password").click()
    await expect(page.get_by_role("alert")).to_contain_text("This is not the code")
    await page.get_by_label("Set-up code").fill(code)
    await page.get_by_role("button", name="Go on to the password").click()
    await expect(page.locator("#own-name")).to_have_text("Mila")
    await _chooses_password(page, "Mila")


async def _line_and_number(page: Page) -> None:
    await _next_step(page, "line")
    await page.locator("[name=number]").fill(LINE)
    await page.locator("[name=name]").fill("Plavi telefon")
    await page.get_by_role("button", name="Add the line").click()
    await expect(page.locator("h1")).to_contain_text("Plavi telefon")
    # Its languages have words and a voice, so the prompts are there.
    await _next_step(page, "telephony")
    await page.get_by_role("button", name="Set up the numbers").click()
    await expect(page.locator("#set-up")).to_contain_text("Everything is set up")


async def _rings_a_phone(page: Page, installed: Stage) -> None:
    phone = installed.exchange.phones[PHONE] = Phone()
    await _next_step(page, "test_call")
    number = page.locator("#test-number-telephony")
    await number.fill(PHONE)
    await number.press("Enter")
    await expect(page.locator("#connections")).to_contain_text(
        "The phone was answered, and the words were said.", timeout=60_000
    )
    assert "This is a test of the helpline" in phone.heard[0].text


async def _invited(page: Page) -> str:
    await _next_step(page, "people")
    await page.locator("#invite").click()
    await page.get_by_label("Name").fill("Nova")
    await page.locator("#invite-and-show").click()
    return await page.locator("#link-address").inner_text()


async def _on_duty(page: Page) -> None:
    await _next_step(page, "rota")
    await page.locator("#week [data-name=Nova] a.add").click()
    now = datetime.now(ZoneInfo("Europe/Belgrade"))
    for name, at in (("from_at", now), ("until_at", now + timedelta(hours=8))):
        await page.locator(f"[name={name}]").fill(f"{at:%Y-%m-%dT%H:%M}")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator("#week [data-name=Nova] .duty").first).to_be_visible()


async def test_from_an_empty_database_to_the_first_answered_call(
    installed: Stage, page: Page
) -> None:
    await _first_administrator(page, installed)
    await _line_and_number(page)
    await _rings_a_phone(page, installed)
    link = await _invited(page)
    assert page.context.browser is not None
    own = await page.context.browser.new_context(permissions=["microphone"])
    nova = await own.new_page()
    await nova.goto(link)
    await expect(nova.locator("#own-name")).to_have_text("Nova")
    await _chooses_password(nova, "Nova")
    await _on_duty(page)
    await page.goto(f"{installed.settings.public_url}/admin")
    call = page.locator(".first-steps [data-step=call]")
    await expect(call).to_be_visible()
    assert await faults(page, "the check list") == []
    await available(nova)
    await ring(installed)
    await expect(nova.locator("#offer")).to_be_visible()
    await press(nova, "a")
    await expect(nova.locator("#call-title")).to_contain_text("Talking")
    # The list has kept itself: nothing is left to do, so it is gone from the page that stood open.
    await expect(call).to_have_count(0)
    await own.close()
