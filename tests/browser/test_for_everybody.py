"""Every page, with rows, is usable by everybody: what axe can see, in both themes, at three widths.

A page that a route returns whole is opened by a supervisor, and by an administrator if the
supervisor may not. Without `TESTS=whole` each page is tried in one look, the next page in the next;
with it, by both and in every look. At 400 % it is read without scrolling sideways, and nothing that
has the focus is covered.
`PICTURES=<folder>` keeps a picture of each.
"""

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.axe import AXE, LOOKS, faults, faults_zoomed
from tests.support.browser import CHROMIUM, visit
from tests.support.profile import WHOLE as EVERYTHING
from tests.support.routes import page_addresses, rows_of_every_kind, wallboard

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")

PICTURES = os.environ.get("PICTURES")


async def test_axe_finds_nothing_on_any_page(live: Stage, page: Page) -> None:
    ana = await live.add_counsellor("ana", state=None)
    await rows_of_every_kind(live, ana)
    found: list[str] = []
    seen: set[str] = set()
    readers = [
        await live.add_counsellor(f"a {role.value}", role=role, state=None, shift=False)
        for role in (Role.SUPERVISOR, Role.ADMINISTRATOR)
    ]
    token = await wallboard(live, readers[1])
    # Once for all pages: it is longer than all else that is sent to the browser.
    await page.add_init_script(path=AXE)
    for reader in readers:
        for address in await page_addresses(live, token):
            if address in seen and not EVERYTHING:
                continue
            asked = await live.client.get(
                live.settings.public_url + address, headers={"Cookie": reader.cookie_header}
            )
            if asked.status_code != 200 or "<main" not in asked.text:
                continue
            for theme, width in LOOKS if EVERYTHING else [LOOKS[len(seen) % len(LOOKS)]]:
                await page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
                await page.set_viewport_size({"width": width, "height": 900})
                await visit(page, live, reader, address)
                await expect(page.locator("main")).to_be_visible()
                found += await faults(page, f"{reader.staff.name} {address} {theme} {width}")
                if PICTURES:
                    name = f"{reader.staff.name}{address.replace('/', '-')}-{theme}-{width}.png"
                    await page.screenshot(path=str(Path(PICTURES) / name), full_page=True)
            found += await faults_zoomed(page, f"{reader.staff.name} {address}")
            seen.add(address)
    assert len(seen) > 20, "pages were opened"
    assert not found, "\n".join(found)
