"""What axe finds on a page, in both themes and at three widths; and what 400 % of zoom does."""

from pathlib import Path

from playwright.async_api import Page, ViewportSize

from tests.support.profile import WHOLE

AXE = Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js"
LOOKS = [(theme, width) for width in (1440, 390, 320) for theme in ("light", "dark")]
# WCAG 2.2 at levels A and AA.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Tables of figures and the week of the rota scroll sideways inside their own frame.
SIDEWAYS = 2
# Headings of tables that run into the one beside them, and are seen; by how many pixels the page is
# too wide; and then the innermost elements that reach over the right edge and are in no frame of
# their own.
WIDTH = """
(most) => {
  const root = document.documentElement;
  const over = [...document.querySelectorAll("main th")].filter(
    (one) => one.scrollWidth > one.clientWidth + 1
      && getComputedStyle(one.closest("thead") ?? one).clipPath === "none")
    .slice(0, 3).map((one) => one.outerHTML.slice(0, 160));
  const wide = root.scrollWidth - root.clientWidth;
  const widest = wide <= most ? [] : [...document.querySelectorAll("main *")].filter((one) =>
    one.getBoundingClientRect().right > innerWidth + 2 && !one.closest(".overflow-auto"))
    .slice(-3).map((one) => one.outerHTML.slice(0, 120));
  return [over, wide, widest];
}
"""


# A screen of 1280 to 1024 pixels at 400 %: what is left of it, in pixels of the page.
ZOOMED: ViewportSize = {"width": 320, "height": 256}
# Controls of which nothing is seen when they have the focus, also in the menus of the bar: they are
# behind what stands fixed at an edge, or outside of what can be scrolled to.
COVERED = """
async (besides) => {
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
      if ((besides && one.closest(besides)) || !isDrawn(one)) continue;
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
    if ((besides && menu.closest(besides)) || !isDrawn(menu)) continue;
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
# Texts are compared with the ground that they stand on, and controls are measured, where they are
# unlike all that was looked at since the page was loaded: that takes half of the time.
_RUN = """
async ([tags, besides, alike]) => {
  const CONTROLS = "input, select, textarea";
  const grounds = new Map([[null, ""]]);
  const groundOf = (one) => {
    if (!grounds.has(one)) {
      const { backgroundColor, backgroundImage, opacity, position, filter } = getComputedStyle(one);
      const own = [backgroundColor, backgroundImage, opacity, filter];
      const plain = ["rgba(0, 0, 0, 0)", "none", "1", "none"];
      if (/fixed|sticky|absolute/.test(position)) own.push(position);
      const adds = own.some((part, place) => part !== plain[place]);
      grounds.set(one, groundOf(one.parentElement) + (adds ? own.join() + ">" : ""));
    }
    return grounds.get(one);
  };
  const isOff = (one) => (one.closest("label")?.control ?? one).closest(
    ":disabled, [aria-disabled=true]") !== null;
  const isText = (node) => node.nodeType === 3 && node.data.trim();
  const seen = (globalThis.looksSeen ??= new Map());
  const isNew = (...looks) => {
    const key = looks.join();
    const times = (seen.get(key) ?? 0) + 1;
    seen.set(key, times);
    return times <= alike;
  };
  const marked = [];
  for (const one of alike ? document.body.querySelectorAll("*") : []) {
    if (!one.matches(CONTROLS) && ![...one.childNodes].some(isText)) continue;
    if (!one.checkVisibility({ visibilityProperty: true })) continue;
    if (besides && one.closest(besides)) continue;
    const { color, fontSize, fontWeight, textShadow, webkitTextFillColor } = getComputedStyle(one);
    const looks = [color, fontSize, fontWeight, textShadow, webkitTextFillColor, isOff(one)];
    if (!isNew(one.matches(CONTROLS), ...looks, groundOf(one))) continue;
    one.setAttribute("colours-looked-at", "");
    marked.push(one);
  }
  // A finger finds what is 24 pixels high and wide (WCAG 2.5.8); what is smaller needs room.
  const SMALL = 24;
  let hasSmall = !alike;
  const used = alike ? document.querySelectorAll(`a[href], button, summary, ${CONTROLS}`) : [];
  for (const one of used) {
    if (besides && one.closest(besides)) continue;
    const { width, height } = one.getBoundingClientRect();
    if (!width || (width >= SMALL && height >= SMALL)) continue;
    const { parentElement: within } = one;
    const where = [within.tagName, within.className, innerWidth, Math.round(height)];
    if (isNew(one.tagName, one.type, one.className, width < SMALL, ...where)) hasSmall = true;
  }
  const selector = alike ? "[colours-looked-at]" : "*";
  axe.configure({ rules: [{ id: "color-contrast", selector }] });
  const how = {
    runOnly: { type: "tag", values: tags }, resultTypes: ["violations"],
    preload: { assets: ["media"] },
    rules: {
      "color-contrast": { enabled: !alike || marked.length > 0 },
      "target-size": { enabled: hasSmall },
    },
  };
  const { violations } = await axe.run(besides ? { exclude: [besides] } : document, how);
  for (const one of marked) one.removeAttribute("colours-looked-at");
  return violations.flatMap((one) => one.nodes.slice(0, 3).map(
    (node) => `${one.id}: ${node.target} ${node.html.slice(0, 120)}`));
}
"""
# How many of them; with `TESTS=whole` there is no end.
_ALIKE = 0 if WHOLE else 1
# What stands around every page that a person opens who is signed in.
FRAME = ".rail, .bar"


async def faults_zoomed(
    page: Page, where: str, besides: str = "", *, stays: bool = False
) -> list[str]:
    """Return what cannot be used on the page that is open at 400 % (WCAG 1.4.10 and 2.4.11).

    `besides`: the parts of which the controls were looked at before, as a selector. `stays`: the
    page is left so.
    """
    before = page.viewport_size
    await page.set_viewport_size(ZOOMED)
    covered = [f"{where} at 400 %: covered: {one}" for one in await page.evaluate(COVERED, besides)]
    wide = await too_wide(page, f"{where} at 400 %")
    if before is not None and not stays:
        await page.set_viewport_size(before)
    return [*covered, *wide]


async def faults(page: Page, where: str, besides: str = "") -> list[str]:
    """Return what axe finds on the page that is open, and whether it is too wide.

    `besides`: the parts that were looked at before, as a selector.
    """
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())
    found: list[str] = await page.evaluate(_RUN, [TAGS, besides, _ALIKE])
    faults = [f"{where}: {one}" for one in found]
    return [*faults, *await too_wide(page, where)]


async def faults_again(page: Page, where: str) -> list[str]:
    """Return what axe finds on a page at which another test looks by day: with `TESTS=whole`."""
    return await faults(page, where) if WHOLE else []


async def too_wide(page: Page, where: str) -> list[str]:
    """Return by what the page that is open has to be scrolled sideways, and which of its headings
    run over."""
    over, wide, widest = await page.evaluate(WIDTH, SIDEWAYS)
    found = [f"{where}: runs over: {one}" for one in over]
    return [*found, f"{where}: {wide} pixels too wide: {widest}"] if wide > SIDEWAYS else found
