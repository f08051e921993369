"""Sounds and devices: a ring chosen and tried, and what notifications may do, in words."""

import asyncio
import os

from playwright.async_api import Page, expect

from app.demo.stage import Stage
from tests.support.browser import LISTEN, visit
from tests.support.profile import WHOLE


async def test_a_ring_is_chosen_and_tried_on_the_page(
    live: Stage, page_with_notifications: Page
) -> None:
    page = page_with_notifications
    ana = await live.add_counsellor("Ana", state=None)
    await page.add_init_script(LISTEN)
    await visit(page, live, ana, "/")
    await page.locator("#me > summary").click()
    await page.get_by_role("link", name="Sounds and devices").click()
    await expect(page.locator("#main h1")).to_have_text("Sounds and devices")
    await expect(page.get_by_label("Bell", exact=True)).to_be_checked()

    rings = "globalThis.rings.map((one) => one.begins.join())"
    button = page.locator("[data-sounds-try]")
    await button.click()
    await expect(button).to_have_attribute("aria-pressed", "true")
    bell = await page.evaluate(rings)
    # Another choice rings at once instead, and stays chosen.
    await page.get_by_label("Chime").check()
    chime = await page.evaluate(rings)
    assert len(bell) == len(chime) == 1
    assert bell != chime
    assert await page.evaluate("globalThis.rings[0].loud > 0.3")
    # The test ends with its page.
    await page.locator(".rail a[data-section=contacts]").click()
    await expect(page.locator("#main h1")).to_have_text("Contacts")
    assert await page.evaluate(rings) == []
    await page.go_back()
    await expect(page.get_by_label("Chime")).to_be_checked()

    # In words what the system may show; the menu of the presence says it, too.
    state = page.locator("[data-notes=state]")
    await expect(state).to_contain_text(" in this browser")
    await page.context.grant_permissions(["notifications", "microphone"])
    await page.reload()
    await expect(state).to_have_text("Notifications are allowed in this browser.")
    await expect(page.locator("[data-notes=try]")).to_be_visible()
    await page.get_by_role("button", name="Choose and test").click()
    await expect(page.locator("#microphone")).to_be_visible()
    await page.get_by_role("button", name="Play a tone").click()
    await page.keyboard.press("Escape")
    await page.evaluate(
        "() => { Object.defineProperty(Notification, 'permission', {get: () => 'denied'}); }"
    )
    await page.locator("#presence").click()
    await expect(page.locator("#ring-trouble")).to_contain_text("Notifications are blocked")
    await page.keyboard.press("Escape")
    await woken(page)
    await pictures(page)
    if WHOLE:
        await on_the_own_account(page)


# A browser's own push service is far away: this one answers at once, with keys that are real.
PUSH = """
PushManager.prototype.getSubscription = async () => null;
PushManager.prototype.subscribe = async function (how) {
  globalThis.askedFor = how.applicationServerKey.length;
  const kind = {name: "ECDH", namedCurve: "P-256"};
  const pair = await crypto.subtle.generateKey(kind, true, ["deriveBits"]);
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=/g, "");
  const keys = {
    p256dh: text(await crypto.subtle.exportKey("raw", pair.publicKey)),
    auth: text(crypto.getRandomValues(new Uint8Array(16))),
  };
  const endpoint = "https://fcm.googleapis.com/fcm/send/one";
  return {toJSON: () => ({endpoint, expirationTime: null, keys})};
};
Notification.requestPermission = async () => "granted";
"""


async def woken(page: Page) -> None:
    """The browser is entered, shows what its push service brings, and is taken off the list."""
    await page.add_init_script(PUSH)
    await page.reload()
    start = page.get_by_role("button", name="Wake this browser")
    # While the server is silent, nothing is asked of it, nor of the push service.
    await page.evaluate("document.body.toggleAttribute('data-stale', true)")
    await start.click()
    await expect(page.locator("#stale")).to_contain_text("was not done")
    assert await page.evaluate("globalThis.askedFor") is None
    await page.evaluate("document.body.toggleAttribute('data-stale', false)")
    await start.click()
    await expect(page.locator(".browsers li")).to_contain_text("this browser")
    await expect(start).to_be_hidden()
    assert await page.evaluate("globalThis.askedFor") == 65
    await show(page, "The helpline needs you.")
    await page.get_by_role("button", name="Do not wake").click()
    await expect(page.locator(".browsers li")).to_have_count(0)
    await expect(start).to_be_visible()


async def on_the_own_account(page: Page) -> None:
    """The same choices are a part of the own account, and count wherever they are made."""
    await page.locator("#me > summary").click()
    await page.locator("#own-account").click()
    part = page.locator("#own-sounds")
    await expect(part.get_by_label("Chime")).to_be_checked()
    await part.get_by_label("Phone").check()
    await expect(part.locator("[data-sounds-says]")).to_have_text("Kept in this browser.")
    await part.get_by_role("button", name="Wake this browser").click()
    await expect(part.locator(".browsers li")).to_contain_text("this browser")
    await part.get_by_role("button", name="Do not wake").click()
    await expect(part.locator(".browsers li")).to_have_count(0)
    await page.locator("#me > summary").click()
    await page.get_by_role("link", name="Sounds and devices").click()
    await expect(page.get_by_label("Phone", exact=True)).to_be_checked()


async def show(page: Page, words: str) -> None:
    """Bring a message to the service worker, as the browser would."""
    session = await page.context.new_cdp_session(page)
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(one["registrationId"] for one in event["registrations"]),
    )
    await session.send("ServiceWorker.enable")
    await page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    origin = await page.evaluate("location.origin")
    for _ in range(300):
        # The browser tells of its workers when it comes to it.
        if found:
            break
        await asyncio.sleep(0.05)
    message = {"origin": origin, "registrationId": found[-1], "data": words}
    (worker,) = page.context.service_workers
    titles = "inTurn(() => self.registration.getNotifications())"
    for turn in range(150):
        if turn % 30 == 0:
            # A worker that Chromium is just stopping does not get it; a push service sends again.
            await session.send("ServiceWorker.deliverPushMessage", message)
        shown = await worker.evaluate(f"() => {titles}.then((all) => all.map((one) => one.title))")
        if words in shown:
            break
        await asyncio.sleep(0.1)
    assert words in shown
    # What it shows of a push without words is in the language of the page that registered it.
    script = await page.evaluate("navigator.serviceWorker.ready.then((it) => it.active.scriptURL)")
    assert script.endswith("/service-worker.js?name=Helpline")
    assert await page.evaluate("caches.keys()") == []


async def pictures(page: Page) -> None:
    """Keep what the page looks like, if that is wanted."""
    folder = os.environ.get("PICTURES")
    if not folder:
        return
    for theme in ("light", "dark"):
        await page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        for width in (1440, 1024, 800, 390):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.screenshot(
                caret="initial", path=f"{folder}/sounds-{width}-{theme}.png", full_page=True
            )
