"""What axe finds on a page, in both themes and at three widths."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
LOOKS = [(theme, width) for width in (1440, 390, 320) for theme in ("light", "dark")]
# WCAG 2.2 at levels A and AA.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Tables of figures and the week of the rota scroll sideways inside their own frame.
SIDEWAYS = 2
# The innermost elements that reach over the right edge and are in no frame of their own.
WIDEST = """
[...document.querySelectorAll("main *")].filter((one) =>
  one.getBoundingClientRect().right > innerWidth + 2 && !one.closest(".overflow-auto"))
  .slice(-3).map((one) => one.outerHTML.slice(0, 120))
"""


async def faults(page: Page, where: str) -> list[str]:
    """Return what axe finds on the page that is open, and whether it is too wide."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: dict[str, Any] = await page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS
    )
    faults = [
        f"{where}: {one['id']}: {node['target']} {node['html'][:120]}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]
    wide = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if wide <= SIDEWAYS:
        return faults
    widest = await page.evaluate(WIDEST)
    return [*faults, f"{where}: {wide} pixels too wide: {widest}"]
