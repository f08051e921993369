"""A counsellor's page with a telephone, a child with a voice, and what each of them hears."""

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.async_api import Browser, BrowserContext, Page, expect

from app.clock import SystemClock
from app.demo.counsellor import Counsellor
from app.demo.stage import LINE, Stage, stage_on
from app.practice.legs import Leg
from app.practice.people import Caller
from app.practice.speech import Sound
from app.practice.voices import loudness
from app.web.access import COOKIE
from tests.support.browser import HERS, available, press
from tests.support.calls.tones import tone
from tests.support.page import share_at
from tests.support.waiting import until

# What the counsellor's microphone plays, what a colleague's does, and what the child says. Hertz.
COUNSELLOR, COLLEAGUE, CHILD = 1000, 1600, 440


@asynccontextmanager
async def stage_with_sound(database: str, **settings: Any) -> AsyncIterator[Stage]:
    """Run a stage on the real clock, with a line and telephones in pages that can be heard."""
    async with stage_on(
        database,
        clock=SystemClock(),
        sound=True,
        wrap_up_seconds=30,
        calls_per_second=20,
        twilio_timeout=5,
        **settings,
    ) as made:
        await made.add_line()
        yield made
        assert made.exchange.faults == []


_LISTEN = """
  const call = globalThis.helplineTelephone.call;
  // After a talk its sound is listened to: it must have ended.
  const stream = (call && call.getRemoteStream()) || globalThis.heardStream;
  if (!stream) return nothing;
  if (globalThis.heardStream !== stream) {
    globalThis.heardStream = stream;
    globalThis.ear ??= new AudioContext({ latencyHint: "playback", sinkId: { type: "none" } });
    globalThis.ear.resume();
    globalThis.meter = globalThis.ear.createAnalyser();
    globalThis.meter.fftSize = 8192;
    globalThis.meter.smoothingTimeConstant = 0;
    globalThis.ear.createMediaStreamSource(stream).connect(globalThis.meter);
  }
  const bins = new Float32Array(4096);
"""
_EAR = (
    """
() => {
  const nothing = {loud: 0, peak: 0};
"""
    + _LISTEN
    + """
  const wave = new Float32Array(8192);
  globalThis.meter.getFloatTimeDomainData(wave);
  globalThis.meter.getFloatFrequencyData(bins);
  const at = bins.indexOf(Math.max(...bins));
  return {
    loud: Math.sqrt(wave.reduce((sum, one) => sum + one * one, 0) / wave.length),
    peak: at * globalThis.ear.sampleRate / 8192,
  };
}
"""
)
# Which tones are heard in the course of half a second: pulses have pauses.
_TONES = (
    """
async (wanted) => {
  const nothing = {};
"""
    + _LISTEN
    + """
  const loudest = {};
  for (const began = Date.now(); Date.now() - began < 600; ) {
    globalThis.meter.getFloatFrequencyData(bins);
    for (const hertz of wanted) {
      const at = Math.round(hertz * 8192 / globalThis.ear.sampleRate);
      loudest[hertz] = Math.max(loudest[hertz] ?? -200, bins[at - 1], bins[at], bins[at + 1]);
    }
    await new Promise((resolve) => { setTimeout(resolve, 40); });
  }
  return loudest;
}
"""
)
# How loud a tone is at least that is heard, in decibels of the strongest sound.
_HEARD = -55


def write_pulses(path: Path, hertz: float = COUNSELLOR) -> None:
    """Write what a microphone plays: pulses, because a browser damps a steady tone as noise."""
    at = np.arange(int(48_000 * 0.4)) / 48_000
    pulse = np.where(at < 0.25, np.sin(2 * np.pi * hertz * at) * 0.6, 0)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes((np.tile(pulse, 20) * 32_767).astype("<i2").tobytes())


def write_phrases(path: Path) -> None:
    """Write a microphone that speaks for a second and a half, and listens for four, in a loop."""
    at = np.arange(48_000 * 11 // 2) / 48_000
    speaks = (at < 1.5) & (at % 0.4 < 0.25)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        tone_ = np.where(speaks, np.sin(2 * np.pi * COUNSELLOR * at) * 0.6, 0)
        file.writeframes((tone_ * 32_767).astype("<i2").tobytes())


@asynccontextmanager
async def with_the_story(stage: Stage, desk: "Desk") -> AsyncIterator[None]:
    """Say at a failure inside what was recorded of the last call, of its legs, and in the page."""
    try:
        yield
    except AssertionError as error:
        rows = await stage.rows(
            "SELECT at, kind, detail FROM call_events WHERE call_id ="
            " (SELECT id FROM calls ORDER BY opened_at DESC LIMIT 1) ORDER BY id"
        )
        legs = list(stage.exchange.legs.values())[-4:]
        told = [f"{one['at']:%H:%M:%S.%f} {one['kind']} {one['detail']}" for one in rows]
        told += [f"{leg.to} {leg.status} {leg.story}" for leg in legs]
        told.append(str(await desk.page.evaluate(_TELEPHONE)))
        error.add_note("\n".join(told))
        raise


_TELEPHONE = """() => ({
  state: helplineTelephone.state, words: helplineTelephone.words,
  call: helplineTelephone.call?.status() ?? "", device: helplineTelephone.device?.state ?? "",
})"""


class Desk:
    """A counsellor at a page of their own."""

    def __init__(self, stage: Stage, who: Counsellor, context: BrowserContext, page: Page) -> None:
        self.stage, self.who, self.context, self.page = stage, who, context, page
        self.outside: list[str] = []
        self.problems: list[str] = []
        context.on("request", lambda r: self._note(r.url))
        page.on("websocket", lambda s: self._note(s.url))
        page.on("pageerror", lambda e: self.problems.append(str(e)))
        page.on("console", lambda m: self._hear_console(m.text))

    @classmethod
    async def open(
        cls, stage: Stage, who: Counsellor, browser: Browser, script: str = "", **more: Any
    ) -> "Desk":
        """Open the page of a person who is signed in. `script` runs before those of the page."""
        context = await browser.new_context(**(HERS | more))
        if script:
            await context.add_init_script(script)
        cookie = {"name": COOKIE, "value": who.cookies[COOKIE], "url": stage.settings.public_url}
        await context.add_cookies([cookie])  # type: ignore[list-item]
        desk = cls(stage, who, context, await context.new_page())
        await desk.page.goto(stage.settings.public_url)
        await expect(desk.page.locator("#connection")).to_have_text("● live")
        return desk

    def _note(self, url: str) -> None:
        if "//127.0.0.1" not in url and not url.startswith(("data:", "blob:")):
            self.outside.append(url)

    def _hear_console(self, text: str) -> None:
        if "Content Security Policy" in text or "Refused" in text:
            self.problems.append(text)

    async def be_available(self) -> None:
        await available(self.page)

    async def telephone_is(self, state: str, within: float = 15) -> None:
        box = self.page.locator("#telephone")
        await expect(box).to_have_attribute("data-state", state, timeout=within * 1000)

    async def accept(self) -> None:
        await expect(self.page.locator("#offer")).to_be_visible()
        await press(self.page, "a")

    async def ear(self) -> dict[str, float]:
        found: dict[str, float] = await self.page.evaluate(_EAR)
        return found

    async def hears(self, hertz: float = CHILD) -> bool:
        ear = await self.ear()
        return abs(ear["peak"] - hertz) < 8 and ear["loud"] > 0.02

    async def hears_nothing(self) -> bool:
        return (await self.ear())["loud"] < 0.003

    async def hears_just(self, *wanted: int) -> bool:
        """Return whether of all who speak these are heard, and no other."""
        loudest: dict[str, float] = await self.page.evaluate(_TONES, [COUNSELLOR, COLLEAGUE, CHILD])
        return {int(hertz) for hertz, level in loudest.items() if level > _HEARD} == set(wanted)

    async def be_ready_again(self) -> None:
        """End the wrap-up."""
        await expect(self.page.locator("#presence")).to_contain_text("Writing up")
        await press(self.page, "r")
        await expect(self.page.locator("#presence")).to_contain_text("Available")


class Child:
    """A child who rings the line, says a tone, and hears."""

    def __init__(self, stage: Stage, hertz: float = CHILD) -> None:
        self._stage = stage
        self.leg: Leg = stage.ring(to=LINE, caller=Caller(tone=tone(hertz, 1.0)))

    async def choose(self, digit: str = "1") -> None:
        await until(lambda: bool(self.leg.heard), "the greeting")
        self._stage.exchange.press(self.leg, digit)

    def heard(self, seconds: float = 1.0) -> Sound:
        voices = self._stage.exchange.voices
        assert voices is not None
        ear = voices.ears.get(self.leg.sid)
        return ear.last(seconds) if ear else np.zeros(0, np.int16)

    def hears(self, hertz: float = COUNSELLOR) -> bool:
        sound = self.heard()
        return share_at(sound, hertz) > 0.9 and loudness(sound) > 0.01

    def hears_no_counsellor(self) -> bool:
        sound = self.heard()
        return share_at(sound, COUNSELLOR) < 0.05 or loudness(sound) < 0.0005

    def hears_just(self, *wanted: int) -> bool:
        """Return whether of both counsellors these are heard, and no other."""
        sound = self.heard()
        heard = {hertz for hertz in (COUNSELLOR, COLLEAGUE) if share_at(sound, hertz) > 0.05}
        return (heard if loudness(sound) > 0.0005 else set()) == set(wanted)

    async def hang_up(self) -> None:
        await self._stage.exchange.hang_up(self.leg)
