"""A practice call with sound, from the desk to the debrief, in a real Chromium."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Playwright, expect

from app.demo.stage import Stage
from app.practice import scripted, voices
from app.practice.speech import spoken
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.calls.plain_sound import speak_plainly
from tests.support.profile import nightly
from tests.support.sound import Desk, stage_with_sound, write_phrases
from tests.support.talks import child
from tests.support.waiting import until

pytestmark = [
    pytest.mark.skipif(
        not voices.available(), reason="sound needs the extra `demo` (aiortc) at the exchange"
    ),
]


@pytest.fixture
async def stage(
    database: str, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    speak_plainly(monkeypatch)
    # A child who speaks twice as fast.
    monkeypatch.setattr(scripted, "spoken", lambda *what: spoken(*what)[::2])
    async with stage_with_sound(database) as made:
        yield made


@pytest.fixture
async def browser(tmp_path: Path, playwright: Playwright) -> AsyncIterator[Browser]:
    """A browser whose microphone speaks and listens in turn."""
    phrases = tmp_path / "phrases.wav"
    write_phrases(phrases)
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={phrases}"]
    made = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
    yield made
    await made.close()


async def loud(desk: Desk) -> bool:
    return (await desk.ear())["loud"] > 0.01


@nightly
async def test_a_trainee_hears_the_child_asks_and_looks_at_the_debrief(
    stage: Stage, browser: Browser
) -> None:
    """Start from the list, hear the child, ask by the panel, say goodbye, read the debrief.

    By day `tests/scenarios/practice` goes from the desk to the debrief.
    """
    ana = await stage.add_counsellor("ana", shift=False, state=None)
    desk = await Desk.open(stage, ana, browser)
    page = desk.page
    await page.get_by_role("link", name="Practice", exact=True).click()
    await expect(page.locator("#main h1")).to_have_text("Practice calls")
    start = page.locator("#scenario-school_bullying form").filter(has_not_text="in writing")
    await start.get_by_role("combobox").select_option("en")
    # The click switches the telephone on first.
    await start.get_by_role("button").click()
    await expect(page).to_have_url(re.compile(r"/practice/[0-9a-f-]{36}$"))
    address = page.url
    await expect(page.locator("#offer")).to_contain_text("PRACTICE")
    await desk.accept()
    panel = page.locator("#practice-panel")
    await expect(panel.locator("h2")).to_contain_text("Bullied at school")
    await until(lambda: loud(desk), "the child is heard", within=20)
    await until(lambda: len(child(stage).said) >= 2, "the child has said its first words")
    await panel.get_by_role("button", name="Said back what I heard").click()
    await expect(panel).to_contain_text("There are some boys in my class.")
    await panel.locator("#open-what").click()
    await expect(panel.locator(".told")).to_have_count(1)
    # The form of the contact is on the desk, and so is the script.
    await page.get_by_role("link", name="Desk", exact=True).click()
    await expect(page.locator("#desk [id^=practice-panel] h2")).to_contain_text("Bullied at school")
    await expect(page.locator(".writing .question").first).to_be_visible()
    await until(
        lambda: any("push me" in one for one in child(stage).said), "the child tells it", within=30
    )
    panel = page.locator("#desk [id^=practice-panel]")
    await panel.locator("#act-plan").click()
    await expect(panel).to_contain_text("after drawing")
    await panel.locator("#act-goodbye").click()
    await expect(page.locator("#presence")).to_contain_text("Writing up", timeout=60_000)
    await page.locator("#debrief-link").click()
    await expect(page).to_have_url(address)
    await expect(page.locator("#well")).to_contain_text("You said back what you had heard.")
    shares = page.locator("#shares tr")
    await expect(shares).to_have_count(3)
    for row in (0, 1):
        words = await shares.nth(row).inner_text()
        assert not re.search(r"\b0 s\b", words), words
    await expect(page.locator("#timeline li").first).to_contain_text("Said back what I heard")
    await expect(page.locator("#form-compared table")).to_contain_text("missing")
    assert desk.outside == []
    assert desk.problems == []
