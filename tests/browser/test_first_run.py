"""From an empty database to the first answered call, in browsers alone."""

import asyncio
import contextlib
import io
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyotp
import pytest
from playwright.async_api import Page, expect

from app.clock import SystemClock
from app.demo.stage import LINE, Stage, stage_on
from app.log import set_up_logging
from app.main import say_first_code
from app.practice import voices
from app.practice.exchange import Number
from app.practice.people import Phone
from tests.support.axe import faults, faults_again
from tests.support.browser import HERS, PASSWORD, available, press, ring
from tests.support.mail import Mail, mail
from tests.support.profile import WHOLE
from tests.support.referrals import add_agency

PHONE = "+381641111111"
NOVA = "nova@example.org"
GREETING = "Zdravo, ovde {line}. Hvala što zoveš."


@pytest.fixture
async def post(anyio_backend: str) -> AsyncIterator[Mail]:
    """The mail server of the organisation."""
    async with mail() as made:
        yield made


@pytest.fixture
def console() -> io.StringIO:
    """What the program says where it was started."""
    return io.StringIO()


@pytest.fixture
async def installed(
    database: str, anyio_backend: str, post: Mail, console: io.StringIO
) -> AsyncIterator[Stage]:
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
        smtp_url=post.url,
    ) as made:
        with contextlib.redirect_stderr(console):
            set_up_logging("WARNING")
            await say_first_code(made.ground)
        set_up_logging("ERROR")
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


def _code_of(console: io.StringIO) -> str:
    """Return the code that the program says when it starts."""
    (line,) = [one for one in console.getvalue().splitlines() if "enter the code" in one]
    found = re.search(r"(?:[a-z0-9]{5}-){5}[a-z0-9]{5}", line)
    assert found, line
    return found[0]


async def _first_administrator(page: Page, installed: Stage, console: io.StringIO) -> None:
    code = _code_of(console)
    await page.goto(installed.settings.public_url)
    await expect(page.locator("h1")).to_have_text("Set up the helpline")
    assert await faults_again(page, "setting up") == []
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
    # Its languages have words and a voice, so the prompts are there; the greeting is the helpline's
    # own.
    await page.goto(re.sub(r"(//[^/]+)/.*", r"\1/admin", page.url))
    prompts = page.locator(".first-steps [data-step=prompts]")
    await expect(prompts).to_have_attribute("data-done", "")
    await prompts.locator("a").click()
    await page.get_by_role("link", name=LINE).click()
    greeting = page.locator("#greeting")
    await greeting.locator("summary").click()
    await greeting.get_by_label("Text").fill(GREETING)
    await greeting.get_by_role("button", name="Say this").click()
    await expect(greeting.locator("> .words")).to_contain_text("Hvala što zoveš")
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


async def _agency(page: Page) -> None:
    await _next_step(page, "directory")
    await page.get_by_role("button", name="Add an agency").click()
    await page.get_by_label("Name", exact=True).fill("Centar")
    await page.get_by_label("Sector").select_option("social_welfare")
    services = page.get_by_role("group", name="Services", exact=True)
    await services.get_by_role("checkbox", name="child protection").check()
    await page.locator("[name=email]").fill("centar@example.org")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".saved")).to_have_text("Saved.")


async def _invited(page: Page, post: Mail) -> str:
    await _next_step(page, "people")
    await page.locator("#invite").click()
    await page.get_by_label("Name").fill("Nova")
    await page.locator("[name=email]").fill(NOVA)
    await page.locator("#invite-by-mail").click()
    for _ in range(300):
        if post.to(NOVA):
            break
        await asyncio.sleep(0.1)
    found = re.search(r"http\S+", post.to(NOVA)[0])
    assert found, post.messages
    return found[0]


async def _on_duty(page: Page) -> None:
    await _next_step(page, "rota")
    await page.locator("#week [data-name=Nova] a.add").click()
    now = datetime.now(ZoneInfo("Europe/Belgrade"))
    for name, at in (("from_at", now), ("until_at", now + timedelta(hours=8))):
        await page.locator(f"[name={name}]").fill(f"{at:%Y-%m-%dT%H:%M}")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator("#week [data-name=Nova] .duty").first).to_be_visible()


async def test_from_an_empty_database_to_the_first_answered_call(
    installed: Stage, page: Page, post: Mail, console: io.StringIO
) -> None:
    await _first_administrator(page, installed, console)
    await _line_and_number(page)
    await _rings_a_phone(page, installed)
    link = await _invited(page, post)
    assert page.context.browser is not None
    own = await page.context.browser.new_context(**HERS)
    nova = await own.new_page()
    await nova.goto(link)
    await expect(nova.locator("#own-name")).to_have_text("Nova")
    await _chooses_password(nova, "Nova")
    await _on_duty(page)
    if WHOLE:
        # By day `test_agency_form` adds one.
        await _agency(page)
    else:
        await add_agency(
            installed,
            "centar",
            "child_protection",
            sector="social_welfare",
            email="centar@example.org",
        )
    await page.goto(f"{installed.settings.public_url}/admin")
    call = page.locator(".first-steps [data-step=call]")
    await expect(call).to_be_visible()
    assert await faults(page, "the check list") == []
    await available(nova)
    leg = await ring(installed)
    assert leg.has_heard("Hvala što zoveš"), leg.heard
    await expect(nova.locator("#offer")).to_be_visible()
    await press(nova, "a")
    await expect(nova.locator("#call-title")).to_contain_text("Talking")
    # The list has kept itself: nothing is left to do, so it is gone from the page that stood open.
    await expect(call).to_have_count(0)
    await own.close()
