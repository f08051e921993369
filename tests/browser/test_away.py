"""A page whose reader looks elsewhere, whose network goes, or whose server is killed."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, Page, Playwright, expect

from app.clock import SystemClock
from app.demo.counsellor import Counsellor
from app.demo.served import free_port
from app.demo.stage import ACCOUNT, API_KEY, TOKEN, Stage, stage_on
from app.practice import voices
from app.practice.legs import Leg
from app.staff.roles import Role
from app.web.stream import Streams
from tests.support.axe import LOOKS, faults_again
from tests.support.browser import (
    FLAGS,
    FULL_CHROMIUM,
    GREY,
    HEAR,
    LISTEN,
    answers_a_call,
    at,
    available,
    picture,
    press,
    ring,
    said,
)
from tests.support.commands import Serving
from tests.support.processes import ready
from tests.support.profile import WHOLE, nightly
from tests.support.waiting import until

# Counts the seconds of the page's own timers, and keeps what would be shown outside of it. While
# `stopped` no timer runs, so that what reaches the reader comes from the stream alone; `goOn` runs
# those whose time came meanwhile.
WATCH = """
globalThis.notes = [];
globalThis.ticks = [];
globalThis.stopped = false;
globalThis.waiting = new Map();
globalThis.goOn = () => {
  stopped = false;
  for (const [act, all] of [...waiting]) { waiting.delete(act); act(...all); }
};
for (const name of ["setTimeout", "setInterval"]) {
  const real = globalThis[name];
  globalThis[name] = (act, ...more) => real((...all) => {
    if (stopped) waiting.set(act, all);
    else act(...all);
  }, ...more);
}
setInterval(() => ticks.push(Date.now()), 1000);
globalThis.Notification = class {
  static permission = "granted";
  constructor(words) { this.words = words; notes.push(this); }
  close() { this.closed = true; }
};
"""
# What Playwright passes so that a tab of a test is as awake behind another one as before it.
KEEPS_AWAKE = [
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
]
# Chromium lets the timers of a hidden tab run once a minute: here after ten seconds, and not after
# five minutes.
SOON = "--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/10"
# An offer, as the server draws it.
BEHIND = """
document.body.insertAdjacentHTML("beforeend", `<div id="behind" data-ringing="one">
  <b id="offer-title">A caller</b> <span id="offer-line">12 years old</span></div>`);
document.dispatchEvent(new CustomEvent("helpline:telephone"));
"""
ICON = "document.querySelector('link[rel=icon]').href"


@pytest.fixture
async def tabs(playwright: Playwright) -> AsyncIterator[BrowserContext]:
    """The tabs of one window, of which Chromium hides all but one.

    To Playwright every page of a browser that it has launched is in front. A browser that it joins
    is left as it is. In the headless shell every page is in front, too.
    """
    if not FULL_CHROMIUM:
        pytest.skip("there is no Chromium with tabs on this machine")
    port = free_port()
    launched = await playwright.chromium.launch(
        executable_path=FULL_CHROMIUM,
        args=[*FLAGS, SOON, f"--remote-debugging-port={port}"],
        ignore_default_args=KEEPS_AWAKE,
    )
    joined = await playwright.chromium.connect_over_cdp(
        f"http://127.0.0.1:{port}", no_defaults=True
    )
    yield joined.contexts[0]
    await launched.close()


async def hide(page: Page) -> None:
    """Bring another tab to the front."""
    other = await page.context.new_page()
    await other.bring_to_front()
    hidden = "document.visibilityState === 'hidden'"
    await until(lambda: page.evaluate(hidden), "the tab is hidden")


async def help_reaches_a_hidden_tab(live: Stage, page: Page, ana: Counsellor, leg: Leg) -> None:
    """A counsellor calls for help while hardly a timer of the supervisor's page runs."""
    title, icon = await page.title(), await page.evaluate(ICON)
    call = (await live.call_of(leg))["id"]
    (await ana.ask("POST", f"/calls/{call}/call-for-help")).raise_for_status()
    await until(lambda: page.evaluate("globalThis.rings.length === 1"), "the hidden tab calls")
    assert await page.title() == "⚠ A counsellor needs help – Helpline"
    assert "b00020" in await page.evaluate(ICON)
    shown = await page.evaluate("notes.map((one) => one.words)")
    assert shown == ["A counsellor needs a supervisor now"], "nothing about the child"
    assert await page.evaluate("document.visibilityState") == "hidden"
    # Her telephone rings for it, too, and goes on for a moment after the bar has gone.
    stopped = await page.evaluate("stopped")
    await page.evaluate("goOn()")
    bar = "document.querySelector('#calls-for-help [data-help]')"
    both = f"helplineTelephone.state === 'ringing' && !!{bar}"
    await until(lambda: page.evaluate(both), "the bar is shown and the telephone rings")
    # An offer behind it makes no second sound; it has a notification and words of its own.
    await page.evaluate(BEHIND)
    behind = "[rings.length, notes.length, notes.at(-1).words, said.textContent]"
    said = "A caller: 12 years old"
    assert await page.evaluate(behind) == [1, 2, "A call is waiting", said]
    await page.evaluate("document.getElementById('behind').remove()")
    await page.evaluate("document.dispatchEvent(new CustomEvent('helpline:telephone'))")
    assert await page.evaluate("[notes.pop().closed, notes[0].closed ?? false]") == [True, False]
    await page.evaluate("document.querySelector('#calls-for-help [data-help]').remove()")
    await page.evaluate("document.dispatchEvent(new CustomEvent('helpline:telephone'))")
    # The talk is over, and with it the call for help.
    await live.exchange.hang_up(leg)
    await ana.be("off_duty")
    await live.settle()
    quiet = "rings.length === 0 && notes.every((one) => one.closed)"
    await until(lambda: page.evaluate(quiet), "it is quiet again")
    assert (await page.title(), await page.evaluate(ICON)) == (title, icon)
    assert len(await page.evaluate("notes.splice(0)")) == 1, "one call for help calls once"
    await page.evaluate(f"globalThis.stopped = {str(stopped).lower()}")


async def test_a_ring_and_a_call_for_help_reach_a_reader_of_reports_and_a_hidden_tab(
    live: Stage, tabs: BrowserContext
) -> None:
    ana = await live.add_counsellor("ana")
    talk = await answers_a_call(live, ana)
    jelena = await live.add_counsellor("jelena", role=Role.SUPERVISOR, state=None)
    await tabs.grant_permissions(["microphone"], origin=live.settings.public_url)
    page = await tabs.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.add_init_script(LISTEN)
    await page.add_init_script(WATCH)
    await at(page, live, jelena, "/")
    await available(page)
    await page.locator(".rail a[data-section=reports]").click()
    await expect(page.locator("#main h1")).to_have_text("Reports")
    title, icon = await page.title(), await page.evaluate(ICON)
    rings = "globalThis.rings.length"
    assert await page.evaluate(rings) == 0

    leg = await ring(live)
    await expect(page.locator("#accept")).to_be_focused()
    await expect(page).to_have_title("☎ Call waiting – Helpline")
    assert await page.evaluate(rings) == 1
    assert "b00020" in await page.evaluate(ICON)
    assert await page.evaluate("notes.length") == 0, "the page itself is seen"
    # The reader goes to another tab while it rings.
    await hide(page)
    await until(lambda: page.evaluate("notes.length === 1"), "the ring is shown there, too")
    await page.bring_to_front()
    # The caller gives up: everything is as it was before, the focus too.
    await live.exchange.hang_up(leg)
    await expect(page.locator("#offer")).to_have_count(0)
    assert await page.evaluate("notes.shift().closed")
    await expect(page).to_have_title(title)
    await expect(page.locator("#main h1")).to_be_focused()
    assert (await page.evaluate(rings), await page.evaluate(ICON)) == (0, icon)

    await hide(page)
    if WHOLE:
        # Two minutes, with the timers that Chromium leaves to the tab.
        await asyncio.sleep(120)
        assert await page.evaluate("ticks.filter((at) => Date.now() - at < 60_000).length") <= 3
    else:
        await page.evaluate("globalThis.stopped = true")
    await help_reaches_a_hidden_tab(live, page, ana, talk)
    await a_ring_reaches_a_hidden_tab(live, page)
    await press(page, "e")
    await press(page, "r")
    await expect(page.locator("#presence")).to_contain_text("Available")
    await page.close()
    await accept_in_the_notification(live, await at_a_new_tab(live, tabs, jelena))
    assert problems == []


async def a_ring_reaches_a_hidden_tab(live: Stage, page: Page) -> None:
    """It is accepted by its notification."""
    await ring(live)
    # Asked from outside: the page's own timers hardly run.
    await until(lambda: page.evaluate("globalThis.rings.length === 1"), "the hidden tab rings")
    assert await page.title() == "☎ Call waiting – Helpline"
    assert "b00020" in await page.evaluate(ICON)
    # A notification can be read on a locked screen: nothing about the caller.
    assert await page.evaluate("notes.map((one) => one.words)") == ["A call is waiting"]
    assert await page.evaluate("document.visibilityState") == "hidden"
    await page.evaluate("globalThis.stopped = false; notes[0].onclick()")
    await page.bring_to_front()
    await press(page, "a")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    assert page.url.endswith("/reports")
    assert await page.evaluate("globalThis.rings.length") == 0


async def at_a_new_tab(live: Stage, tabs: BrowserContext, who: Counsellor) -> Page:
    """Open a page whose notifications are those of the browser."""
    origin = live.settings.public_url
    await tabs.grant_permissions(["notifications", "microphone"], origin=origin)
    page = await tabs.new_page()
    await at(page, live, who, "/")
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "ready")
    return page


async def accept_in_the_notification(live: Stage, page: Page) -> None:
    """Behind another program the system shows the ring, with a button that accepts in the page."""
    leg = await ring(live)
    await expect(page.locator("#offer")).to_be_visible()
    registered = "navigator.serviceWorker.getRegistration().then((one) => Boolean(one))"
    assert not await page.evaluate(registered), "no notification: the page itself is seen"
    # The window stays in view, and another program has the keyboard while it rings.
    await page.evaluate(
        "() => { document.hasFocus = () => false; dispatchEvent(new Event('blur')); }"
    )
    (worker,) = page.context.service_workers or [await page.context.wait_for_event("serviceworker")]
    # In the turn of the worker: a question at the wrong moment makes Chromium forget what it shows.
    shown = "inTurn(() => self.registration.getNotifications({tag: 'ring'}))"

    async def is_shown() -> bool:
        return bool(await worker.evaluate(f"() => {shown}.then((all) => all.length)"))

    await until(is_shown, "the notification is shown")
    words, buttons = await worker.evaluate(
        f"() => {shown}.then(([one]) => [one.title, one.actions.map((it) => it.action)])"
    )
    assert (words, buttons) == ("A call is waiting", ["accept"])
    await worker.evaluate(
        f"() => {shown}.then(([notification]) => self.dispatchEvent("
        "new NotificationEvent('notificationclick', {notification, action: 'accept'})))"
    )
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    assert live.exchange.conferences.of_leg(leg) is not None
    # A ring that is over before it is on the screen does not stay there.
    await worker.evaluate(
        "() => { globalThis.heard = 0; addEventListener('message', () => { heard += 1; }); }"
    )
    await page.evaluate(
        "navigator.serviceWorker.ready.then(({active}) => ["
        "{ring: 'A call is waiting', accept: 'Accept', offer: '1'}, {withdraw: true}"
        "].forEach((one) => active.postMessage(one)))"
    )
    await until(lambda: worker.evaluate("heard === 2"), "the worker has heard both")
    assert not await is_shown()


class Silenced:
    """The server of a stage, which is silent for a while and then stopped."""

    def __init__(self, stage: Stage, patch: pytest.MonkeyPatch) -> None:
        self.stage, self._patch = stage, patch

    def be_silent(self) -> None:
        """Leave the streams open and say nothing on them."""
        self._patch.setattr(Streams, "beat", lambda *_: None)

    def go_on(self) -> None:
        self._patch.undo()

    async def end(self) -> None:
        await self.stage.stop_server()

    async def begin_again(self) -> None:
        await self.stage.start_server()


class Killable:
    """The server in a process of its own, on the database and exchange of a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.process: Serving
        self.port = int(stage.settings.public_url.rpartition(":")[2])

    async def start(self) -> None:
        settings = self.stage.settings
        environment = {
            "PATH": os.environ["PATH"],
            "HELPLINE_DATABASE_URL": settings.database_url or "",
            "HELPLINE_PUBLIC_URL": settings.public_url,
            "HELPLINE_SECRET_KEY": settings.secret_key or "",
            "HELPLINE_FIELD_KEYS": settings.field_keys or "",
            "HELPLINE_TWILIO_ACCOUNT_SID": ACCOUNT,
            "HELPLINE_TWILIO_AUTH_TOKEN": TOKEN,
            "HELPLINE_TWILIO_API_KEY_SID": API_KEY["twilio_api_key_sid"],
            "HELPLINE_TWILIO_API_KEY_SECRET": API_KEY["twilio_api_key_secret"],
            "HELPLINE_TWILIO_API_BASE_URL": settings.twilio_api_base_url,
            "HELPLINE_PRACTICE_EXCHANGE": settings.practice_exchange or "",
            "HELPLINE_TELEPHONE_SIGNALLING": settings.telephone_signalling or "",
            "HELPLINE_LOG_LEVEL": "ERROR",
        }
        words = ("serve", "--port", str(self.port))
        self.process = Serving(*words, environment=environment, log=os.devnull)
        await ready(self.stage.client, self.stage.settings.public_url)

    def be_silent(self) -> None:
        self.process.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send(signal.SIGCONT)

    async def end(self) -> None:
        self.process.kill()

    async def begin_again(self) -> None:
        await self.stage.ground.database.close()
        await self.stage.start_server()


@pytest.fixture
async def killable(database: str, anyio_backend: str) -> AsyncIterator[Killable]:
    if not voices.available():
        pytest.skip("a telephone in a page needs the extra `demo` (aiortc) at the exchange")
    async with stage_on(database, clock=SystemClock(), sound=True, with_server=False) as made:
        server = Killable(made)
        await made.add_line()
        await server.start()
        yield server
        server.process.kill()


async def stale_within(page: Page, seconds: float) -> None:
    began = time.monotonic()
    await expect(page.locator("#stale")).to_contain_text("nothing here is current")
    assert time.monotonic() - began < seconds


async def test_no_word_is_lost_and_no_click_is_done_half_while_the_network_or_the_server_is_away(
    live: Stage, page: Page
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        await _no_word_is_lost(Silenced(live, patch), page)


@nightly
async def test_no_word_is_lost_while_the_process_of_the_server_stands_still_or_is_killed(
    killable: Killable, page: Page
) -> None:
    """By day the test above has the same story, with a server that is silent and ends."""
    await _no_word_is_lost(killable, page)


async def _no_word_is_lost(server: Silenced | Killable, page: Page) -> None:
    stage = server.stage
    await page.add_init_script(HEAR)
    ana = await stage.add_counsellor("ana", state=None)
    await at(page, stage, ana, "/")
    await available(page)
    leg = await ring(stage)
    await expect(page.locator("#accept")).to_be_focused()
    await press(page, "a")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    headline = page.locator("#f-contact-headline")
    await headline.fill("Does not")
    await expect(page.locator("#saving")).to_have_text("All saved")

    async def is_refused() -> None:
        """A click meanwhile is refused with words, and nothing has happened."""
        await page.locator("#hold").click()
        await expect(page.locator("#stale")).to_contain_text("was not done")
        await expect(page.locator("#call-title")).to_contain_text("Talking")
        assert not await page.evaluate("helplineTelephone.muted"), "the child still hears her"

    # Offline in a browser under test leaves an open stream open, so the server is silent as well.
    await page.context.set_offline(True)
    server.be_silent()
    await stale_within(page, 9)
    await expect(page.locator("#connection")).to_have_text("○ not connected")
    await expect(page.locator("#desk .caller")).to_have_css("color", GREY["light"])
    await expect(page.locator("#desk .writing")).not_to_have_css("color", GREY["light"])
    await picture(page, "not-connected-in-a-talk")
    await headline.press("End")
    await page.keyboard.type(" want")
    await is_refused()
    await page.context.set_offline(False)
    server.go_on()
    await expect(page.locator("#stale")).to_be_hidden()
    await expect(page.locator("#saving")).to_have_text("All saved")
    await expect(headline).to_have_value("Does not want")

    await said(page)
    await server.end()
    await headline.press("End")
    await page.keyboard.type(" to go")
    await stale_within(page, 9)
    await expect(page.locator("#connection")).to_have_text("○ not connected")
    lost = ("assertive", "Not connected: nothing here is current. What you type is kept.")
    told = [one for one in await said(page) if one[0] == "assertive"]
    assert told == [lost], "once, however often it tries again"
    await what_is_not_current_is_grey_and_can_be_read(page)
    await what_the_scripts_of_a_page_send_is_refused(page)
    await is_refused()
    await server.begin_again()
    await expect(page.locator("#stale")).to_be_hidden(timeout=30_000)
    await expect(page.locator("#connection")).to_have_text("● live")
    await expect(page.locator("#saving")).to_have_text("All saved", timeout=30_000)
    await expect(headline).to_have_value("Does not want to go")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    (kept,) = await stage.rows("SELECT headline FROM contacts")
    assert kept["headline"] == "Does not want to go"
    await all_works_as_before(stage, page, leg)


async def what_the_scripts_of_a_page_send_is_refused(page: Page) -> None:
    """As what htmx sends."""
    await page.evaluate(
        "() => { const one = document.createElement('button'); one.dataset.post = '/api/v1/cases';"
        " one.textContent = 'Try'; document.getElementById('main').append(one); }"
    )
    await page.get_by_role("button", name="Try").click()
    await expect(page.locator("#stale")).to_contain_text("was not done")
    await expect(page.locator("#problem:visible")).to_have_count(0)


async def what_is_not_current_is_grey_and_can_be_read(page: Page) -> None:
    """In both themes; what is typed stays in its colours."""
    before, found = page.viewport_size, []
    for theme, width in LOOKS if WHOLE else (("light", 1440), ("dark", 390)):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.emulate_media(
            color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
        )
        for part in ("#desk .caller", "#queue", "#tasks", ".middle"):
            await expect(page.locator(part)).to_have_css("color", GREY[theme])
        await expect(page.locator("#desk .writing")).not_to_have_css("color", GREY[theme])
        found += await faults_again(page, f"not connected, {width} {theme}")
        await picture(page, f"not-connected-{width}-{theme}")
    assert not found, "\n".join(found)
    await page.emulate_media(color_scheme="light")
    if before is not None:
        await page.set_viewport_size(before)


async def all_works_as_before(stage: Stage, page: Page, leg: Leg) -> None:
    await page.locator("#call-title").click()
    await press(page, "h")
    await expect(page.locator("#call-title")).to_contain_text("On hold")
    await press(page, "h")
    await expect(page.locator("#call-title")).to_contain_text("Talking")
    await press(page, "e")
    await expect(page.locator("#presence")).to_contain_text("Writing up")
    assert (await stage.call_of(leg))["ended_by"] == "counsellor"
    await press(page, "r")
    await expect(page.locator("#presence")).to_contain_text("Available")
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "ready")
    await ring(stage)
    await expect(page.locator("#offer")).to_be_visible()
