"""What every test with a browser uses: the helpline on the real clock, and Chromium."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Playwright, async_playwright, expect

from app.clock import SystemClock
from app.demo.stage import Stage, stage_on
from app.practice import voices
from tests.support.browser import (
    CHROMIUM,
    FLAGS,
    FULL_CHROMIUM,
    HEARD_BEFORE,
    HERS,
    note_refusals,
)
from tests.support.calls.plain_sound import hear_plainly, speak_plainly
from tests.support.kept import sharing
from tests.support.program.loops import BACKEND

# A busy machine is slow, and that is not what is tried here. Milliseconds.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="package", autouse=True)
def _has_chromium() -> None:
    if not CHROMIUM:
        pytest.skip("there is no Chromium on this machine")


@pytest.fixture(scope="package", autouse=True)
def _poll_less() -> Iterator[None]:
    """Let workers look once a second for jobs that become due: they are notified of a new one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "POLL_SECONDS", 1.0)
        yield


@pytest.fixture
async def live(
    database: str, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stage]:
    """The helpline on the real clock, with telephones in its pages."""
    if not voices.available():
        pytest.skip("a telephone in a page needs the extra `demo` (aiortc) at the exchange")
    speak_plainly(monkeypatch)
    async with stage_on(
        database, clock=SystemClock(), sound=True, wrap_up_seconds=30, calls_per_second=20
    ) as made:
        made.exchange.letters_per_second = 150
        await made.add_line()
        yield made


@pytest.fixture(scope="package")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """One event loop for the tests of this folder, so that they can use one browser."""
    return BACKEND


@pytest.fixture(scope="package")
async def playwright(anyio_backend: str) -> AsyncIterator[Playwright]:
    async with async_playwright() as made:
        yield made


@pytest.fixture(scope="package")
async def chromium(playwright: Playwright) -> AsyncIterator[Browser]:
    browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    await browser.close()


@asynccontextmanager
async def _page_of(browser: Browser) -> AsyncIterator[Page]:
    """A page that shares nothing with those of other tests, whose scripts raise nothing, and whose
    policy refuses nothing."""
    context = await browser.new_context(**HERS)
    await hear_plainly(context)
    await context.add_init_script(HEARD_BEFORE)
    problems: list[str] = []
    note_refusals(context, problems)
    made = await context.new_page()
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    for opened in browser.contexts:
        await opened.close()
    assert problems == []


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    async with _page_of(chromium) as made:
        yield made


@pytest.fixture
async def page_with_notifications(playwright: Playwright) -> AsyncIterator[Page]:
    """A page of the full Chromium: its headless shell shows no notifications."""
    if not FULL_CHROMIUM:
        pytest.skip("there is no Chromium with notifications on this machine")
    browser = await playwright.chromium.launch(executable_path=FULL_CHROMIUM, args=FLAGS)
    async with _page_of(browser) as made:
        yield made
    await browser.close()
