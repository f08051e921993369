"""A line to which children write, on the real clock, and a child's browser."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from app.clock import SystemClock
from app.demo.stage import Stage, stage_on
from tests.support.browser import note_refusals
from tests.support.children.at_their_page import EXIT


@pytest.fixture
async def stage(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    """The helpline on the real clock; children write to its line."""
    async with stage_on(database, clock=SystemClock(), wrap_up_seconds=30) as made:
        await made.add_line()
        await made.let_write(slug="plavi", exit_site=EXIT)
        yield made


@pytest.fixture
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """The browser of a child, which can reach the page to which the line lets it leave."""
    made = await chromium.new_context(reduced_motion="reduce")
    await made.route(
        EXIT, lambda route: route.fulfill(body="<p>Rain at noon", content_type="text/html")
    )
    yield made
    await made.close()


@pytest.fixture
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """The page of a child, whose scripts raise nothing, and whose policy refuses nothing."""
    problems: list[str] = []
    note_refusals(context, problems)
    made = await context.new_page()
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    assert problems == []
