"""What axe finds on a page, in both themes and at three widths; and what 400 % of zoom does."""

from pathlib import Path

from playwright.async_api import Page, ViewportSize

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
# Headings of tables that run into the one beside them, and are seen.
RUN_OVER = """
[...document.querySelectorAll("main th")].filter((one) => one.scrollWidth > one.clientWidth + 1
  && getComputedStyle(one.closest("thead") ?? one).clipPath === "none")
  .slice(0, 3).map((one) => one.outerHTML.slice(0, 160))
"""


# A screen of 1280 to 1024 pixels at 400 %: what is left of it, in pixels of the page.
ZOOMED: ViewportSize = {"width": 320, "height": 256}
# Controls of which nothing is seen when they have the focus, also in the menus of the bar: they are
# behind what stands fixed at an edge, or outside of what can be scrolled to.
COVERED = """
async () => {
  const USABLE = "a[href], :is(button, input, select, textarea):enabled, summary, [tabindex='0']";
  const parts = [0.1, 0.5, 0.9];
  const isSeenAt = (one, x, y) => {
    const at = document.elementFromPoint(x, y);
    return at && (one.contains(at) || at.contains(one) || at.closest("label")?.control === one);
  };
  // Of what is longer than the screen, that part of it which is there.
  const between = (from, to, most, part) => {
    const [first, last] = [Math.max(from, 0), Math.min(to, most)];
    return first + (last - first) * part;
  };
  const isSeen = (one) => [...one.getClientRects()].some((box) => parts.some((x) => parts.some(
    (y) => isSeenAt(one, between(box.left, box.right, innerWidth, x),
      between(box.top, box.bottom, innerHeight, y)))));
  const isDrawn = (one) => one.checkVisibility({ visibilityProperty: true }) && one.offsetWidth > 1;
  const covered = [];
  const look = async (place) => {
    for (const one of place.querySelectorAll(USABLE)) {
      if (!isDrawn(one)) continue;
      one.focus();
      if (document.activeElement !== one || isSeen(one)) continue;
      // The list of the field before may be closing.
      await new Promise((resolve) => { setTimeout(resolve, 300); });
      if (document.activeElement !== one || isSeen(one)) continue;
      const box = one.getBoundingClientRect();
      const by = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      const what = (part) => part?.cloneNode().outerHTML.slice(0, 120);
      covered.push(`${what(one)} at ${Math.round(box.top)}, by ${what(by)}`);
    }
  };
  // What has the focus from the start is not scrolled to again.
  document.activeElement?.blur();
  await look(document.body);
  for (const menu of document.querySelectorAll(".bar details.menu")) {
    if (!isDrawn(menu)) continue;
    menu.open = true;
    await look(menu);
    menu.open = false;
  }
  document.activeElement?.blur();
  return covered;
}
"""


# What axe finds wrong. What it finds right is left out: to hand it over takes the longest. Style
# sheets are not read for it: only a rule that is on trial, and does not run, would look at them.
_RUN = """
async (tags) => {
  const how = {
    runOnly: { type: "tag", values: tags }, resultTypes: ["violations"],
    preload: { assets: ["media"] },
  };
  const { violations } = await axe.run(document, how);
  return violations.flatMap((one) => one.nodes.slice(0, 3).map(
    (node) => `${one.id}: ${node.target} ${node.html.slice(0, 120)}`));
}
"""


async def faults_zoomed(page: Page, where: str) -> list[str]:
    """Return what cannot be used on the page that is open at 400 % (WCAG 1.4.10 and 2.4.11)."""
    before = page.viewport_size
    await page.set_viewport_size(ZOOMED)
    covered = [f"{where} at 400 %: covered: {one}" for one in await page.evaluate(COVERED)]
    wide = await too_wide(page, f"{where} at 400 %")
    if before is not None:
        await page.set_viewport_size(before)
    return [*covered, *wide]


async def faults(page: Page, where: str) -> list[str]:
    """Return what axe finds on the page that is open, and whether it is too wide."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: list[str] = await page.evaluate(_RUN, TAGS)
    faults = [f"{where}: {one}" for one in found]
    return [*faults, *await too_wide(page, where)]


async def too_wide(page: Page, where: str) -> list[str]:
    """Return by what the page that is open has to be scrolled sideways, and which of its headings
    run over."""
    wide = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    found = [f"{where}: runs over: {one}" for one in await page.evaluate(RUN_OVER)]
    if wide > SIDEWAYS:
        found.append(f"{where}: {wide} pixels too wide: {await page.evaluate(WIDEST)}")
    return found
