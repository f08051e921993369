"""The desk on a platform without conferences: what cannot be done there is not shown."""

import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from app.clock import SystemClock
from app.demo.stage import Stage, stage_on
from app.practice.people import Phone
from app.staff.roles import Role
from tests.support.browser import at, ring
from tests.support.profile import nightly

VERA, MIRA = "+38164999001", "+38164999002"


@pytest.fixture
async def somleng(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    async with stage_on(
        database, clock=SystemClock(), platform="somleng", wrap_up_seconds=30, calls_per_second=20
    ) as made:
        made.exchange.letters_per_second = 150
        await made.add_line()
        yield made
        assert made.exchange.faults == []


@nightly
async def test_a_click_rings_the_phone_and_a_colleague_gets_the_call(
    somleng: Stage, page: Page
) -> None:
    """By day `tests/scenarios/without_conferences` has the click and the transfer."""
    stage = somleng
    # Vera clicks while it rings, and then lifts the phone and presses 1.
    stage.exchange.phones[VERA] = mine = Phone(picks_up=4)
    stage.exchange.phones[MIRA] = Phone(picks_up=0.5, press_after=0.2)
    vera = await stage.add_counsellor("Vera", endpoint=VERA)
    mira = await stage.add_counsellor("Mira", endpoint=MIRA, state="break")
    await stage.add_counsellor("Jelena", role=Role.SUPERVISOR, shift=False)
    await at(page, stage, vera, "/")
    leg = await ring(stage)
    await page.locator("#accept").click()
    await expect(page.locator("#call-title")).to_contain_text("Talking", timeout=40_000)
    assert leg.talks_with is not None
    assert leg.talks_with.person is mine
    for absent in ("#hold", "#mute"):
        await expect(page.locator(absent)).to_have_count(0)
    await expect(page.locator("#hang-up")).to_be_visible()
    await page.locator("#urgent summary").click()
    await expect(page.get_by_role("button", name="shelter")).to_be_visible()
    await expect(page.locator("#urgent input[name=warm]")).to_have_count(0)
    await page.keyboard.press("Escape")
    await mira.be("available")
    await page.locator("summary", has_text="Bring in or hand over").click()
    await expect(page.get_by_label("Number", exact=True)).to_have_count(0)
    form = page.get_by_role("form", name="A colleague")
    await form.get_by_label("A colleague").select_option(label="Mira")
    if os.environ.get("PICTURES"):
        await page.screenshot(
            caret="initial", path=os.environ["PICTURES"] + "/somleng.png", full_page=True
        )
    await form.get_by_role("button", name="Send back to the queue").click()
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    for _ in range(400):
        if leg.talks_with is not None and leg.talks_with.to == MIRA:
            break
        await stage.clock.sleep(0.1)
    assert leg.has_heard("Povezujemo te s drugim savetnikom")
    assert leg.talks_with is not None
    assert leg.talks_with.to == MIRA
    await stage.exchange.hang_up(leg)
    await stage.clock.sleep(0.5)
