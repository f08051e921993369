"""What every test in a real browser needs: where Chromium is, and how one signs in."""

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from app.demo.counsellor import Counsellor
from app.demo.stage import Stage
from app.jobs.transaction import transaction
from app.practice.legs import Leg
from app.staff import hashing
from app.web.access import COOKIE
from app.work import PROGRAM
from tests.support.waiting import until

SHELL = "chromium-headless-shell"


def _installed(*names: str) -> str:
    return next(filter(None, map(shutil.which, names)), "")


# The shell is Chromium without the parts around the page: it needs less of the processor.
CHROMIUM = os.environ.get("CHROMIUM") or _installed(SHELL, "chromium")
# For what the shell lacks: notifications, and tabs of which one is in front.
FULL_CHROMIUM = _installed("chromium") if CHROMIUM.endswith(SHELL) else CHROMIUM


# What Playwright turns off, and the suggestions under the address bar: they are pages of their own,
# loaded with each page.
_NOT_USED = (
    "AimEnabled",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
    "WebUIOmniboxAimPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxPopup",
)


FLAGS = [
    "--headless",
    # The shell names no language by itself.
    "--accept-lang=en-US,en",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--disable-features={','.join(_NOT_USED)}",
    # A microphone that plays a file or beeps, and sound between two programs on one machine.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--allow-loopback-in-peer-connection",
    # A request outside fails loudly. Passkeys need this machine by a name.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


# The browser of a counsellor. Nothing fades or moves: each step of it would be drawn.
HERS: dict[str, Any] = {"permissions": ["microphone"], "reduced_motion": "reduce"}

# In this browser its reader was heard before, by the microphone that Chromium plays itself: a page
# asks for no check of it before a call.
HEARD_BEFORE = """
try {
  localStorage.setItem("helpline-heard", "default Fake Default Audio Input");
} catch { /* It keeps nothing here. */ }
"""

PASSWORD = "correct horse battery"


def note_refusals(context: BrowserContext, problems: list[str]) -> None:
    """Add what the policy of a page refuses, in any tab of a browser, to the problems."""

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            problems.append(message.text)

    context.on("console", note)


async def give_password(stage: Stage, counsellor: Counsellor) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        staff = await work.session.merge(counsellor.staff)
        staff.password_hash = await hashing.hash_password(PASSWORD)


async def signed_in(page: Page, stage: Stage, counsellor: Counsellor, path: str) -> None:
    """Through the sign-in page, as a person would who wants another page."""
    await give_password(stage, counsellor)
    await page.goto(stage.settings.public_url + path)
    await page.get_by_label("Name").fill(counsellor.staff.name)
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("is wrong")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Password").press("Enter")
    await expect(page.locator("#connection")).to_have_text("● live")


async def available(page: Page) -> None:
    """Be available, once the telephone in the page is ready and the microphone was heard."""
    await be(page, "available")
    await heard(page)
    await expect(page.locator(".callbar[data-state=available]")).to_be_visible()
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "ready")


async def heard(page: Page) -> None:
    """Be heard at the check of the microphone, if this browser has not heard its reader before."""
    check = page.locator("#microphone[open]")
    await expect(page.locator(".callbar[data-state=available]").or_(check).first).to_be_visible()
    if await check.is_visible():
        await expect(check).to_have_attribute("data-heard", "yes")
        await expect(page.locator("[data-check=heard]")).to_be_focused()
        await page.keyboard.press("Enter")


async def ring(stage: Stage, digit: str = "1", from_: str = "+381641234567") -> Leg:
    leg = stage.ring(from_)
    while not leg.heard:
        await asyncio.sleep(0.02)
    stage.exchange.press(leg, digit)
    return leg


async def answers_a_call(stage: Stage, who: Counsellor) -> Leg:
    """A child rings, and a counsellor talks with them; no page of theirs is needed."""
    leg = await ring(stage)
    await until(who.offer, "the call is offered")
    await who.accept()
    connected = "SELECT id FROM offers WHERE state = 'connected'"
    await until(lambda: stage.rows(connected), "they talk")
    return leg


async def answered(page: Page, live: Stage, name: str = "ana") -> tuple[Counsellor, Leg]:
    """A counsellor who talks with a child, at the desk."""
    ana = await live.add_counsellor(name, state=None)
    await at(page, live, ana, "/")
    await available(page)
    leg = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    await press(page, "a")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    return ana, leg


async def enter(page: Page, stage: Stage, who: Counsellor, path: str) -> None:
    """The page of a record, for a person who is signed in already."""
    await visit(page, stage, who, path)
    await expect(page.locator("[data-record][data-ready]")).to_have_count(1)


async def visit(page: Page, stage: Stage, who: Counsellor, path: str) -> None:
    """A page for a person who is signed in already."""
    cookie = {"name": COOKIE, "value": who.cookies[COOKIE], "url": stage.settings.public_url}
    await page.context.add_cookies([cookie])  # type: ignore[list-item]
    await page.goto(stage.settings.public_url + path)


async def press(page: Page, letter: str) -> None:
    """Move the focus with a letter, then act with Enter: the two steps of every key.

    As a person does, Enter is pressed when the focus is seen to be there.
    """
    for _ in range(100):
        await page.keyboard.press(letter)
        if await page.evaluate("document.activeElement?.dataset?.key") == letter:
            break
        await asyncio.sleep(0.1)
    await page.keyboard.press("Enter")


async def write(page: Page, words: str) -> None:
    """Write in the field that has the focus: the last letters by keys, the others at once."""
    await page.keyboard.insert_text(words[:-2])
    await page.keyboard.type(words[-2:])


async def taken_back_for_a_moment(button: Locator) -> None:
    """Let what can be taken back for five seconds be so for half a second, at the next click."""
    await expect(button).to_have_attribute("data-undo", "5")
    await button.evaluate("one => { one.dataset.undo = 0.5; }")


async def be(page: Page, state: str) -> None:
    """Choose a presence in the top bar: available, break or off_duty."""
    await page.locator("#presence").click()
    await page.locator(f"#be-{state}").click()


async def at(page: Page, stage: Stage, who: Counsellor, path: str) -> None:
    """A page of a person who is signed in already, once it is live."""
    await visit(page, stage, who, path)
    await expect(page.locator("#connection")).to_have_text("● live")


# A page that makes no sound, where one rings in vain for a long time.
MUTE = """
globalThis.AudioContext = class extends AudioContext {
  constructor(...given) { super(...given); super.suspend(); }
  resume() { return super.suspend(); }
};
"""


# What the page plays now: how loud it is, and how it begins.
LISTEN = """
globalThis.rings = [];
const start = AudioBufferSourceNode.prototype.start, stop = AudioBufferSourceNode.prototype.stop;
AudioBufferSourceNode.prototype.start = function (...how) {
  const data = this.buffer.getChannelData(0);
  const begins = Array.from(data.slice(0, 400));
  globalThis.rings.push({ loud: data.reduce((a, b) => Math.max(a, b)), source: this, begins });
  return start.apply(this, how);
};
AudioBufferSourceNode.prototype.stop = function (...how) {
  globalThis.rings = globalThis.rings.filter((one) => one.source !== this);
  return stop.apply(this, how);
};
"""


# What a screen reader says of a page by itself: the words of live regions when they change. As
# browsers do: what is added or changed in a region is said whole, if it is shown; what is taken
# away, or written again as it was, is not. `said` holds how and what, in order.
HEAR = """
globalThis.said = [];
const REGIONS = "[role=alert], [role=status], [role=log], [aria-live]";
const HOW = {alert: "assertive", status: "polite", log: "polite"};
const how = (one) => one.getAttribute("aria-live") ?? HOW[one.getAttribute("role")];
const around = (node) => (node.nodeType === 1 ? node : node.parentElement)?.closest(REGIONS);
const isShown = (one) =>
  one.isConnected && one.checkVisibility() && !one.closest("[aria-hidden=true]");
new MutationObserver((changes) => {
  const touched = new Set();
  for (const change of changes) {
    if (change.type === "attributes") {
      if (!change.target.hidden) touched.add(around(change.target));
    } else if (change.type === "characterData") touched.add(around(change.target));
    else for (const added of change.addedNodes) {
      touched.add(around(added));
      if (added.nodeType === 1) for (const one of added.querySelectorAll(REGIONS)) touched.add(one);
    }
  }
  for (const one of touched) {
    if (!one || how(one) === "off" || !isShown(one)) continue;
    const words = one.innerText.trim().replace(/\\s+/g, " ");
    if (words) globalThis.said.push([how(one), words]);
  }
}).observe(document, {
  subtree: true, childList: true, characterData: true,
  attributes: true, attributeFilter: ["hidden"],
});
"""


async def said(page: Page) -> list[tuple[str, str]]:
    """Return what was said since the last time, and how."""
    found: list[Any] = await page.evaluate("globalThis.said.splice(0)")
    return [(how, words) for how, words in found]


# The ink of what is not current while a page is not connected, in each theme.
GREY = {"light": "rgb(92, 102, 117)", "dark": "rgb(163, 175, 191)"}

PICTURES = os.environ.get("PICTURES")


async def picture(page: Page, name: str) -> None:
    """Take a picture for a developer who wants to see the page."""
    if PICTURES:
        # To hide the caret a style would be added, which the policy of the page refuses.
        path = str(Path(PICTURES) / f"{name}.png")
        await page.screenshot(path=path, full_page=True, caret="initial")
