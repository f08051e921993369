"""The telephone in the page, with sound: the provider's SDK in a real Chromium on the real clock.

One helpline, one browser, one counsellor and one talk serve the tests of this file, one after the
other. How a talk sounds is tried in the first; the others use sound that costs little.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from playwright.async_api import Browser, Dialog, Page, Route, async_playwright, expect

from app.demo.stage import Stage
from app.practice import voices
from app.staff.roles import Role
from app.telephony.provider import tokens
from app.web import parts
from tests.support.browser import CHROMIUM, FLAGS, be, picture, press
from tests.support.calls.plain_sound import PLAIN, hear_plainly, says, speak_plainly
from tests.support.kept.databases import database_for_a_test, put_back
from tests.support.profile import WHOLE, nightly
from tests.support.program.loops import BACKEND
from tests.support.sound import (
    CHILD,
    COLLEAGUE,
    COUNSELLOR,
    Child,
    Desk,
    stage_with_sound,
    with_the_story,
    write_pulses,
)
from tests.support.waiting import until

pytestmark = [
    pytest.mark.skipif(
        not voices.available(), reason="sound needs the extra `demo` (aiortc) at the exchange"
    ),
]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return BACKEND


@pytest.fixture(scope="module")
def database(server: str) -> Iterator[str]:
    name = database_for_a_test(server)
    yield server.replace("/postgres?", f"/{name}?")
    put_back(server, name)


@pytest.fixture(scope="module")
async def stage(database: str, anyio_backend: str) -> AsyncIterator[Stage]:
    async with stage_with_sound(database, offer_seconds=9) as made:
        yield made


@pytest.fixture(scope="module")
async def browser(
    tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Browser]:
    pulses = tmp_path_factory.mktemp("sound") / "pulses.wav"
    write_pulses(pulses)
    async with async_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={pulses}"]
        made = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield made
        await made.close()


@pytest.fixture(scope="module")
async def her_desk(stage: Stage, browser: Browser) -> AsyncIterator[Desk]:
    """Ana at her page, available."""
    ana = await stage.add_counsellor("ana", state=None)
    made = await Desk.open(stage, ana, browser)
    await made.be_available()
    yield made
    assert made.outside == []
    assert made.problems == []


@pytest.fixture(scope="module")
async def _plain_sound(her_desk: Desk) -> AsyncIterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        speak_plainly(patch)
        await hear_plainly(her_desk.context)
        yield


@pytest.fixture
async def desk(stage: Stage, her_desk: Desk, _plain_sound: None) -> Desk:
    """Ana's desk, without a talk, and without anything that a test which failed has left there."""
    await free(stage, her_desk)
    return her_desk


async def free(stage: Stage, desk: Desk) -> None:
    page = desk.page
    left = [leg for leg in stage.exchange.legs.values() if not leg.over]
    for leg in left:
        await stage.exchange.hang_up(leg)
    if left or "Available" not in "".join(await page.locator("#presence").all_inner_texts()):
        await page.unroute_all()
        await page.goto(stage.settings.public_url)
        await expect(page.locator("#connection")).to_have_text("● live")
        await expect(page.locator("#live-call")).to_have_count(0)
        await desk.be_available()


@pytest.fixture(scope="module")
def talks() -> list[Child]:
    """The talk that one test leaves to the next, if there is one."""
    return []


@pytest.fixture
async def child(stage: Stage, her_desk: Desk, talks: list[Child], _plain_sound: None) -> Child:
    """A child who talks with Ana, heard both ways: of the test before, unless that has failed."""
    if not talks or not await talk_goes_on(her_desk, talks[-1]):
        await free(stage, her_desk)
        talks.append(await talk(stage, her_desk))
    return talks[-1]


async def talk_goes_on(desk: Desk, child: Child) -> bool:
    if child.leg.over or not await desk.page.locator("#call-title:has-text('Talking')").count():
        return False
    try:
        await until(child.hears, "the child hears the counsellor", within=3)
        await until(desk.hears, "the counsellor hears the child", within=3)
    except AssertionError:
        return False
    return True


async def talk(stage: Stage, desk: Desk) -> Child:
    """A child who talks with the counsellor, heard both ways."""
    child = Child(stage)
    async with with_the_story(stage, desk):
        await child.choose()
        await desk.accept()
        await expect(desk.page.locator("#call-title")).to_contain_text("Talking")
        await until(child.hears, "the child hears the counsellor")
        await until(desk.hears, "the counsellor hears the child")
    return child


# What is said of the connection while the SDK tells of good and bad seconds of a talk.
JUDGE = """
() => {
  const { call } = helplineTelephone;
  const words = document.querySelector("[data-telephone=quality]");
  const well = {packetsReceived: 50, packetsLostFraction: 0, rtt: 40, jitter: 2};
  const after = (second) => {
    call.emit("sample", {...well, ...second});
    return words.textContent;
  };
  helplineTelephone.trouble = "";
  const said = [{}, {packetsLostFraction: 3}, {jitter: 45}, {packetsLostFraction: 8}].map(after);
  call.emit("warning", "low-mos");
  said.push(after({}));
  call.emit("warning-cleared", "low-mos");
  return [...said, after({})];
}
"""
# What the SDK uses now: names of devices.
USED = """({
  input: helplineTelephone.device.audio.inputDevice?.label ?? "",
  output: [...helplineTelephone.device.audio.speakerDevices.get()].map((one) => one.label).join(),
  sends: helplineTelephone.call?.getLocalStream()?.getAudioTracks()
    .filter((one) => one.readyState === "live").map((one) => one.label).join() ?? "",
})"""


async def another_headset(desk: Desk, child: Child) -> None:
    """Choose devices in the middle of a talk: they are used at once, until others are chosen."""
    page, check = desk.page, desk.page.locator("#microphone")
    before = await page.evaluate(USED)
    await page.evaluate("document.querySelector('#telephone [data-telephone=check]').click()")
    microphone, speaker = check.locator("[name=microphone]"), check.locator("[name=speaker]")
    await picture(page, "microphone-check")
    for name, output in (("Fake Audio Input 2", "Fake Audio Output 2"), ("", "")):
        await microphone.select_option(label=name or "As the computer is set")
        await speaker.select_option(label=output or "As the computer is set")
        used = {
            "input": name or "Fake Default Audio Input",
            "output": output or before["output"],
            "sends": name or before["sends"],
        }

        async def are_used(used: dict[str, str] = used) -> bool:
            return bool(await page.evaluate(USED) == used)

        await until(are_used, f"{used} are used instead of {before}")
        await until(child.hears, "the child hears the counsellor")
        kept = await page.evaluate(
            "['microphone', 'speaker'].map((one) => localStorage[`helpline-${one}`] !== '')"
        )
        assert kept == [bool(name), bool(output)]
    await page.keyboard.press("Escape")


async def test_both_hear_each_other(stage: Stage, her_desk: Desk) -> None:
    desk = her_desk
    await free(stage, desk)
    child = await talk(stage, desk)
    await desk.telephone_is("talking")
    assert await desk.page.evaluate(JUDGE) == [
        "Connection good",
        "Connection fair",
        "Connection fair",
        "Connection poor: speak slowly, or plug in a cable",
        "Connection poor: speak slowly, or plug in a cable",
        "Connection good",
    ]
    await another_headset(desk, child)
    await child.hang_up()
    await desk.telephone_is("ready")
    assert await desk.page.evaluate(f"{USED}.input") == "", "no microphone is kept open"
    assert (await stage.call_of(child.leg))["ended_by"] == "caller"
    await desk.be_ready_again()


async def test_one_tab_has_the_telephone(stage: Stage, desk: Desk, talks: list[Child]) -> None:
    tab = await desk.context.new_page()
    await tab.goto(stage.settings.public_url)
    await expect(tab.locator("#telephone")).to_have_attribute("data-state", "elsewhere")
    await expect(tab.locator("#telephone")).to_contain_text("Another tab")
    await picture(tab, "telephone-elsewhere")
    talks.append(await talk(stage, desk))
    await tab.close()


async def test_on_hold_neither_hears_the_other(her_desk: Desk, child: Child) -> None:
    desk = her_desk
    # The microphone is off at the click; the rest follows when the provider has done it. What the
    # page brings meanwhile is older than the click, and does not put the microphone on again.
    sent, may_go, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
    title = desk.page.locator("#call-title")

    async def later(route: Route) -> None:
        """Send the click late, and answer when the stream has told the page that it is done."""
        sent.set()
        await may_go.wait()
        answer = await route.fetch()
        await expect(title).to_contain_text("On hold")
        await route.fulfill(response=answer)
        answered.set()

    await desk.page.route("**/hold", later, times=1)
    await press(desk.page, "h")
    await sent.wait()
    swapped = "new CustomEvent('htmx:afterSwap', {detail: {}})"
    await desk.page.evaluate(f"document.dispatchEvent({swapped})")
    assert await desk.page.evaluate("helplineTelephone.muted")
    may_go.set()
    await until(lambda: child.hears_no_counsellor(), "the child hears nothing of the counsellor")
    await expect(title).to_contain_text("On hold")
    # The answer is older than what the page shows, and does not take its place.
    await answered.wait()
    await expect(desk.page.locator("#frame .htmx-request")).to_have_count(0)
    assert "On hold" in await title.inner_text()
    await until(desk.hears_nothing, "the counsellor hears nothing")
    await press(desk.page, "h")
    await until(child.hears, "the child hears the counsellor again")
    await until(desk.hears, "the counsellor hears the child again")
    await expect(desk.page.locator("#call-title")).to_contain_text("Talking")


async def test_muted_the_counsellor_hears_and_is_not_heard(her_desk: Desk, child: Child) -> None:
    desk = her_desk
    await press(desk.page, "m")
    assert await desk.page.evaluate("helplineTelephone.muted")
    await until(lambda: child.hears_no_counsellor(), "the child hears nothing")
    await expect(desk.page.locator("#mute")).to_contain_text("Unmute")
    await expect(desk.page.locator("#telephone")).to_contain_text("microphone off")
    await until(desk.hears, "the counsellor still hears the child")
    await press(desk.page, "m")
    await until(child.hears, "the child hears the counsellor again")


@pytest.mark.skipif(not WHOLE, reason="by day the test of the hold tries it with that click")
async def test_what_is_older_than_the_click_does_not_put_the_microphone_on(
    her_desk: Desk, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream brings a part that was made before the click, and after it the answer comes."""
    desk = her_desk

    async def late(route: Route) -> None:
        """Let the stream bring another change first, and what came of the click much later."""
        await desk.who.ask("PUT", "/me/presence", {"state": "break"})
        await expect(desk.page.locator("#frame")).to_contain_text("After this call")
        monkeypatch.setattr(parts, "OWN_GATHERED", 3.0)
        await route.fulfill(response=await route.fetch())

    await desk.page.evaluate(
        """() => {
          const { mute } = helplineTelephone;
          globalThis.mutes = [];
          helplineTelephone.mute = (off) => { mutes.push(off); mute.call(helplineTelephone, off); };
        }"""
    )
    await desk.page.route("**/mute", late, times=1)
    await press(desk.page, "m")
    await expect(desk.page.locator("#mute")).to_contain_text("Unmute")
    assert await desk.page.evaluate("mutes") == [True], "it was never on in between"
    monkeypatch.undo()
    await press(desk.page, "m")
    await expect(desk.page.locator("#mute")).to_contain_text("Mute")
    assert await desk.page.evaluate("mutes") == [True, False]
    await desk.who.ask("PUT", "/me/presence", {"state": "available"})
    await expect(desk.page.locator("#frame")).not_to_contain_text("After this call")
    await until(child.hears, "the child hears the counsellor again")


async def test_a_reload_and_a_token_that_ends_in_a_talk_keep_child_and_counsellor(
    stage: Stage, her_desk: Desk, child: Child, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = her_desk
    before = await stage.rows("SELECT id, state FROM offers ORDER BY opened_at DESC LIMIT 1")

    async def leave(dialog: Dialog) -> None:
        await dialog.accept()

    # She has followed a dead link: an error is a page with a telephone, too.
    await desk.page.evaluate(
        "() => { const link = document.createElement('a'); link.href = '/nowhere';"
        " document.getElementById('main').append(link); link.click(); }"
    )
    # The desk, which goes, may have two headings.
    await expect(desk.page.locator("#main h1").first).to_have_text("404")
    assert desk.page.url.endswith("/nowhere")
    desk.page.once("dialog", leave)
    renewed = await a_token_that_ends_soon(stage, monkeypatch)
    await desk.page.reload()
    await expect(desk.page.locator("#main h1")).to_have_text("404")
    await until(desk.hears, "the counsellor hears the child again", within=10)
    await picture(desk.page, "error-in-a-talk")
    await until(child.hears, "the child hears the counsellor again", within=10)
    await expect(desk.page.locator("#call-title")).to_contain_text("Talking")
    assert child.leg.has_heard("Veza je slaba"), "and is told meanwhile what happens"
    after = await stage.rows("SELECT id, state FROM offers ORDER BY opened_at DESC LIMIT 1")
    assert after == before
    assert (await stage.call_of(child.leg))["returned"] == 0
    await until(renewed, "the page has asked for the next token", within=45)
    for _ in range(4):
        await asyncio.sleep(0.4)
        await until(child.hears, "the sound goes on", within=2)
        await until(desk.hears, "the sound goes on", within=2)
    # The headset is unplugged: the page says so, and with another one the talk goes on.
    unplug = "(one) => { one.stop(); one.dispatchEvent(new Event('ended')); }"
    await desk.page.evaluate(
        f"helplineTelephone.call.getLocalStream().getAudioTracks().forEach({unplug})"
    )
    await desk.telephone_is("no_microphone")
    await expect(desk.page.locator("#telephone")).to_contain_text("Plug in your headset")
    await until(lambda: child.hears_no_counsellor(), "the child hears nothing")
    await desk.page.get_by_role("button", name="Start the telephone").click()
    await desk.telephone_is("talking")
    await until(child.hears, "the child hears the counsellor by the other headset")
    await desk.page.get_by_role("link", name="Go to your desk").click()
    await expect(desk.page.locator("#desk")).to_have_count(1)


async def a_token_that_ends_soon(
    stage: Stage, patch: pytest.MonkeyPatch
) -> Callable[[], Awaitable[bool]]:
    """Let the telephone of the next page have one, for which it asks anew two seconds later: a
    minute before its end. Return what tells that it has done so."""
    minted = "SELECT count(*) AS n FROM audit_entries WHERE action = 'telephone_token_made'"
    (before,) = await stage.rows(minted)
    mint, lives = tokens.mint, iter([timedelta(seconds=62)])

    def mint_once(*values: Any) -> str:
        with pytest.MonkeyPatch.context() as once:
            once.setattr(tokens, "LIVES", next(lives, tokens.LIVES))
            return mint(*values)

    patch.setattr(tokens, "mint", mint_once)

    async def renewed() -> bool:
        (now,) = await stage.rows(minted)
        return bool(now["n"] >= before["n"] + 2)

    return renewed


# Since when no packet has come, and when the page said so and with which words: by the page's own
# clock, of which a busy machine takes nothing away.
MEASURE = """
() => {
  const at = globalThis.soundAt = {last: performance.now(), told: null, words: ""};
  const box = document.getElementById("telephone");
  helplineTelephone.call.on("sample", (sample) => {
    if (sample.packetsReceived > 0 && at.told === null) at.last = performance.now();
  });
  new MutationObserver(() => {
    if (at.told !== null || box.dataset.state !== "reconnecting") return;
    at.told = performance.now();
    setTimeout(() => { at.words = box.textContent; });
  }).observe(box, {attributes: true, attributeFilter: ["data-state"]});
}
"""


async def test_lost_sound_is_told_within_ten_seconds_and_repaired(
    stage: Stage, her_desk: Desk, child: Child
) -> None:
    desk = her_desk
    await desk.page.evaluate(MEASURE)
    (mine,) = [
        leg for leg in stage.exchange.legs.values() if leg.to == desk.who.address and not leg.over
    ]
    switchboard = stage.exchange.switchboard
    assert switchboard is not None
    line = switchboard.line_of(mine)
    assert line is not None
    line.cut()
    await until(lambda: child.hears_no_counsellor(), "the sound is gone")
    began = time.monotonic()
    await until(child.hears, "the child hears the counsellor again", within=25)
    seconds = time.monotonic() - began
    await until(desk.hears, "the counsellor hears the child again")
    at = await desk.page.evaluate("soundAt")
    print(f"told after {(at['told'] - at['last']) / 1000:.1f} s, repaired after {seconds:.1f} s")
    assert at["told"] - at["last"] <= 10_000
    assert "Reconnecting; you may still be heard" in at["words"]
    assert "it is being repaired" in at["words"]
    assert not mine.over


@pytest.fixture(scope="module")
async def colleague(stage: Stage, browser: Browser) -> AsyncIterator[Desk]:
    """Jelena, a supervisor who takes calls, at a page of her own and with another voice. She is
    not available yet."""
    jelena = await stage.add_counsellor("Jelena", role=Role.SUPERVISOR, state=None)
    made = await Desk.open(stage, jelena, browser, script=says(COLLEAGUE))
    yield made
    assert made.outside == []
    assert made.problems == []
    await made.context.close()


async def clicks_wait_for_the_telephone(page: Page) -> None:
    """Whisper at a page whose telephone does not run yet: first refused, then slow to start."""
    whisper, says = page.get_by_role("button", name="Whisper"), page.locator("#telephone-says")

    async def refuse(route: Route) -> None:
        await route.fulfill(status=503, json={"detail": "The exchange is being repaired."})

    async def dawdle(route: Route) -> None:
        await asyncio.sleep(1.5)
        await route.continue_()

    await page.route("**/board/telephone", refuse)
    await whisper.click()
    await expect(says).to_have_text("This was not done: The exchange is being repaired.")
    await expect(whisper).to_have_attribute("aria-pressed", "false")
    await page.unroute("**/board/telephone")
    await page.route("**/board/telephone", dawdle)
    await whisper.click()
    await expect(says).to_contain_text("The telephone is starting")
    # Once more, out of impatience: it is done once.
    await whisper.click()
    await expect(whisper).to_have_attribute("aria-pressed", "true")
    await expect(says).to_be_hidden()


async def test_a_supervisor_whispers_and_the_child_does_not_hear_it(
    her_desk: Desk, child: Child, colleague: Desk
) -> None:
    page = colleague.page
    # Her telephone may run from another story: a page that is loaded anew has none.
    await page.reload()
    await page.locator(".rail a[data-section=team]").click()
    await clicks_wait_for_the_telephone(page)
    await until(lambda: her_desk.hears_just(COLLEAGUE, CHILD), "the counsellor hears the whisper")
    assert child.hears_just(COUNSELLOR)
    await page.get_by_role("button", name="Join").click()
    await until(lambda: child.hears_just(COUNSELLOR, COLLEAGUE), "the child hears both")
    await page.get_by_role("button", name="Leave").click()
    await colleague.telephone_is("ready")
    await until(lambda: child.hears_just(COUNSELLOR), "the child hears the counsellor alone")


async def ask_in(desk: Desk, name: str, how: str) -> None:
    """Ask a colleague into the talk, by the form on the bar."""
    await desk.page.keyboard.press("t")
    form = desk.page.get_by_role("form", name="A colleague")
    await form.locator("[name=who]").select_option(label=name)
    await form.get_by_role("button", name=how).click()


async def answers(desk: Desk, words: str) -> None:
    """The telephone in the page rings for a colleague's talk, and is answered."""
    await desk.telephone_is("ringing")
    await expect(desk.page.locator("#telephone")).to_contain_text(words)
    await desk.page.get_by_role("button", name="Answer the call", exact=True).click()


async def all_hear(child: Child, *heard: int, **by_desk: tuple[Desk, set[int]]) -> None:
    """Wait until the child hears just these counsellors, and at each desk just those are heard."""
    waits = [until(lambda: child.hears_just(*heard), f"the child hears {heard}")]
    for name, (desk, of) in by_desk.items():
        waits.append(until(partial(desk.hears_just, *of), f"the {name} hears {of}"))
    await asyncio.gather(*waits)


async def test_a_talk_is_handed_over_and_each_hears_whom_they_should(
    stage: Stage, her_desk: Desk, child: Child, colleague: Desk
) -> None:
    desk = her_desk
    await colleague.be_available()
    # Ask first: the counsellors speak with each other, and the child hears neither.
    await ask_in(desk, "Jelena", "Ask first")
    await answers(colleague, "speaks with you first")
    await expect(desk.page.locator("#participants")).to_contain_text("Jelena is in")
    await all_hear(child, counsellor=(desk, {COLLEAGUE}), colleague=(colleague, {COUNSELLOR}))
    await expect(desk.page.locator("#call-title")).to_contain_text("On hold")
    await desk.page.get_by_role("button", name="All together").click()
    both = {"counsellor": (desk, {COLLEAGUE, CHILD}), "colleague": (colleague, {COUNSELLOR, CHILD})}
    await all_hear(child, COUNSELLOR, COLLEAGUE, **both)
    # Handed over: it is the colleague's.
    await desk.page.get_by_role("button", name="Hand over and leave").click()
    await expect(desk.page.locator("#presence")).to_contain_text("Writing up")
    await desk.telephone_is("ready")
    await expect(colleague.page.locator("#call-title")).to_contain_text("Talking")
    hers = {"counsellor": (desk, set[int]()), "colleague": (colleague, {CHILD})}
    await all_hear(child, COLLEAGUE, **hers)
    if WHOLE:
        await is_the_colleagues_in_every_way(colleague, child)
        await is_given_back(desk, child, colleague)
    else:
        await child.hang_up()
        await expect(colleague.page.locator("#presence")).to_contain_text("Writing up")
        await desk.be_ready_again()
    await be(colleague.page, "off_duty")
    call = await stage.call_of(child.leg)
    assert call["returned"] == 0
    (contact,) = await stage.rows("SELECT owner_id FROM contacts WHERE call_id = %s", call["id"])
    has_it = desk if WHOLE else colleague
    assert contact["owner_id"] == has_it.who.id, "the record has followed the talk"


async def is_the_colleagues_in_every_way(colleague: Desk, child: Child) -> None:
    """By day `tests/scenarios/talks/test_transfers.py` has it."""
    await press(colleague.page, "h")
    await until(child.hears_just, "the child hears nobody on hold")
    await press(colleague.page, "h")
    await expect(colleague.page.locator("#call-title")).to_contain_text("Talking")
    await press(colleague.page, "m")
    await expect(colleague.page.locator("#mute")).to_contain_text("Unmute")
    await until(child.hears_just, "the child hears nobody while she is muted")
    await press(colleague.page, "m")


async def is_given_back(desk: Desk, child: Child, colleague: Desk) -> None:
    """Without asking first: the talk goes on until the other one has answered. By day
    `tests/scenarios/talks/test_participants.py` hands one over so.
    """
    await ask_in(colleague, "ana", "Hand over when they answer")
    await desk.telephone_is("ringing")
    await all_hear(child, COLLEAGUE, colleague=(colleague, {CHILD}))
    await answers(desk, "hands a talk over to you")
    gone = {"counsellor": (desk, {CHILD}), "colleague": (colleague, set[int]())}
    await all_hear(child, COUNSELLOR, **gone)
    await colleague.telephone_is("ready")


async def test_a_call_that_is_taken_while_the_signalling_is_away_is_offered_again(
    stage: Stage, desk: Desk, talks: list[Child]
) -> None:
    """The ring comes to no page: the child keeps the first place, and rings here once it can."""
    switchboard = stage.exchange.switchboard
    assert switchboard is not None
    child = Child(stage)
    async with with_the_story(stage, desk):
        await child.choose()
        await expect(desk.page.locator("#offer")).to_be_visible()
        switchboard.away = True
        await switchboard.drop_sockets()
        await press(desk.page, "a")
        await expect(desk.page.locator("#live-call, #offer")).to_have_count(0)
        assert (await stage.call_of(child.leg))["state"] == "queued"
        assert not child.leg.over
        await expect(desk.page.locator("#presence")).to_contain_text("Available")
        switchboard.away = False
        await desk.accept()
        await expect(desk.page.locator("#call-title")).to_contain_text("Talking")
        await until(child.hears, "the child hears the counsellor")
    talks.append(child)


async def test_the_sound_goes_on_while_the_signalling_is_away(
    stage: Stage, her_desk: Desk, child: Child
) -> None:
    desk, switchboard = her_desk, stage.exchange.switchboard
    assert switchboard is not None
    await switchboard.drop_sockets()
    await until(lambda: bool(switchboard.pages_of(desk.who.staff.identity)), "the page is back")
    await until(child.hears, "the sound goes on", within=2)
    switchboard.away = True
    await switchboard.drop_sockets()
    for _ in range(8):
        await asyncio.sleep(0.5)
        await until(child.hears, "the sound goes on", within=2)
        await until(desk.hears, "the sound goes on", within=2)
    switchboard.away = False
    await until(lambda: bool(switchboard.pages_of(desk.who.staff.identity)), "the page is back")
    await asyncio.sleep(1)
    await until(child.hears, "the sound goes on", within=2)
    # The desk's own button ends the talk, and the telephone is free at once.
    await press(desk.page, "e")
    await desk.telephone_is("ready")
    await until(lambda: child.leg.over, "the call ends")
    assert (await stage.call_of(child.leg))["ended_by"] == "counsellor"
    await desk.be_ready_again()
    # Without a talk the page says that it cannot be rung.
    await desk.telephone_is("ready")
    switchboard.away = True
    await switchboard.drop_sockets()
    await desk.telephone_is("reconnecting")
    await picture(desk.page, "reconnecting")
    switchboard.away = False
    await desk.telephone_is("ready", within=30)


@nightly
async def test_declined_rung_out_and_given_up(
    stage: Stage, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day `test_desk_by_mouse` has the first and the last."""
    child = Child(stage)
    await child.choose()
    await expect(desk.page.locator("#offer")).to_be_visible()
    await press(desk.page, "d")
    await expect(desk.page.locator("#offer")).to_have_count(0)
    await child.hang_up()
    with monkeypatch.context() as shorter:
        shorter.setattr(stage.settings, "offer_seconds", 4)
        child = Child(stage)
        await child.choose()
        await expect(desk.page.locator("#offer")).to_be_visible()
    await expect(desk.page.locator("#offer")).to_have_count(0, timeout=20_000)
    await child.hang_up()
    child = Child(stage)
    await child.choose()
    await expect(desk.page.locator("#offer")).to_be_visible()
    await child.hang_up()
    await expect(desk.page.locator("#offer")).to_have_count(0)
    states = await stage.rows("SELECT state FROM offers ORDER BY opened_at DESC LIMIT 3")
    assert [row["state"] for row in states] == ["withdrawn", "missed", "declined"]
    await desk.telephone_is("ready")
    await desk.be_available()


@nightly
async def test_one_browser_has_the_telephone(stage: Stage, desk: Desk, browser: Browser) -> None:
    """Another computer takes it over; the first page says so, and can have it back.

    By day two tabs do; `tests/scenarios/calls/test_telephone_of_a_page.py` has two computers.
    """
    other = await Desk.open(stage, desk.who, browser, script=PLAIN)
    await other.telephone_is("ready")
    await desk.page.evaluate("document.dispatchEvent(new Event('helpline:report'))")
    await desk.telephone_is("elsewhere")
    child = await talk(stage, other)
    await child.hang_up()
    await other.be_ready_again()
    await other.context.close()
    await desk.page.get_by_role("button", name="Start the telephone").click()
    await desk.telephone_is("ready")


async def test_without_a_microphone_a_counsellor_cannot_be_available(
    stage: Stage, desk: Desk, browser: Browser
) -> None:
    await be(desk.page, "break")
    await expect(desk.page.locator("#presence")).to_contain_text("On a break")
    boris = await stage.add_counsellor("boris", state=None)
    deaf = await Desk.open(stage, boris, browser, script=PLAIN)
    await deaf.page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia ="
        " () => Promise.reject(new DOMException('none', 'NotFoundError')); }"
    )
    await be(deaf.page, "available")
    await deaf.telephone_is("no_microphone")
    await expect(deaf.page.locator("#telephone")).to_contain_text("Plug in your headset")
    await expect(deaf.page.locator("#presence")).to_contain_text("Off duty")
    # Even if he is available by another way, no call is offered to him.
    (await boris.ask("PUT", "/me/presence", {"state": "available"})).raise_for_status()
    await expect(deaf.page.locator("#no-offers")).to_contain_text("there is no microphone")
    await picture(deaf.page, "no-microphone")
    child = Child(stage)
    await child.choose()
    await until(lambda: child.leg.waits_in is not None, "the child waits")
    await asyncio.sleep(1)
    assert await boris.offer() is None
    await child.hang_up()
    await boris.ask("PUT", "/me/presence", {"state": "off_duty"})
    await deaf.context.close()
    await desk.be_available()


@nightly
async def test_a_page_that_does_not_come_back_gives_the_child_to_the_queue(
    stage: Stage, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By day `tests/scenarios/calls/test_telephone_of_a_page.py` has the grace and the queue."""
    monkeypatch.setattr(stage.settings, "page_grace_seconds", 5)
    child = await talk(stage, desk)
    await desk.page.goto("about:blank")

    async def waits() -> bool:
        return bool((await stage.call_of(child.leg))["state"] == "queued")

    began = time.monotonic()
    await until(waits, "the child is at the front of the queue", within=25)
    assert time.monotonic() - began > 3
    assert (await stage.call_of(child.leg))["returned"] == 1
    await child.hang_up()
