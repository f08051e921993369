"""In a browser: a line is retired and used again, and the page of the keys."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.axe import AXE, faults
from tests.support.browser import picture, visit

WIDTHS = (1440, 390, 320)


async def _faults(page: Page, where: str) -> list[str]:
    found = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 900})
        await page.reload()
        await picture(page, f"{where}-{width}")
        found += await faults(page, f"{where} {width}")
    await page.set_viewport_size({"width": 1440, "height": 900})
    return found


@pytest.mark.skipif(not Path(AXE).exists(), reason="npm packages are not installed")
async def test_a_line_is_retired_and_used_again_and_everything_is_sealed_anew(
    page: Page, live: Stage
) -> None:
    mila = await live.add_counsellor("Mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    await live.add_line("+381113334444", "sr", "Druga linija")
    await visit(page, live, mila, "/admin/lines")
    await page.get_by_role("link", name="+381113334444").click()
    facts = page.locator("#facts")
    await facts.get_by_label("Time zone").fill("Europe/Zagreb")
    await facts.get_by_role("button", name="Save").click()
    await expect(page.locator("#changes")).to_contain_text("Europe/Zagreb")
    assert await _faults(page, "line") == []
    await page.locator("#retire").get_by_role("button", name="Retire the line").click()
    await expect(page.locator("#retired")).to_contain_text("Druga linija")
    # The address is that of the list: the page of the line is gone.
    await expect(page).to_have_url(re.compile("/admin/lines#retired$"))
    assert await _faults(page, "lines") == []
    await page.get_by_role("button", name="Take Druga linija back into use").click()
    await expect(page.get_by_role("heading", name="Druga linija")).to_be_visible()

    await visit(page, live, mila, "/admin/keys")
    assert await _faults(page, "keys") == []
    await page.get_by_role("button", name="Seal everything anew").click()
    await expect(page.locator("#resealing")).to_contain_text("Under way since")
