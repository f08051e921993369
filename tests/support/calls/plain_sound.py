"""Sound that costs little, for tests that do not prove how a talk sounds.

Most of what a talk costs is its sound. Here pages and the exchange use the plainest codec of the
provider, G.711, in packets of 60 ms, and pages do not filter what their microphone hears.
"""

import asyncio

import numpy as np
import pytest
from playwright.async_api import BrowserContext

from app.practice import voices
from app.practice.speech import Sound
from app.practice.voices import FRAME, PageLine

_PACKETS = "a=ptime:60\r\na=maxptime:60\r\n"
# Lets a page not filter what its microphone hears.
PLAIN = """
const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
if (open) navigator.mediaDevices.getUserMedia = ({ audio, ...more } = {}) => open(
  audio ? { ...more, audio: { ...(audio === true ? {} : audio), ...plain } } : more);
"""


def speak_plainly(patch: pytest.MonkeyPatch) -> None:
    """Let the exchange offer pages this sound."""
    from aiortc import codecs
    from aiortc.codecs import g711

    plain = [one for one in codecs.CODECS["audio"] if one.mimeType == "audio/PCMU"]
    patch.setitem(codecs.CODECS, "audio", plain)
    offer = PageLine.offer

    async def offer_plainly(self: PageLine) -> str:
        described = await offer(self)
        assert "a=rtcp-mux\r\n" in described
        return described.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{_PACKETS}", 1)

    patch.setattr(PageLine, "offer", offer_plainly)
    track = voices.track_of
    patch.setattr(voices, "track_of", lambda source: track(_Gathered(source)))
    patch.setattr(g711, "SAMPLES_PER_FRAME", 3 * FRAME)


class _Gathered(asyncio.Queue[Sound]):
    """What the exchange sends to a page, three times 20 ms at once."""

    def __init__(self, source: asyncio.Queue[Sound]) -> None:
        super().__init__()
        self._source = source

    async def get(self) -> Sound:
        return np.concatenate([await self._source.get() for _ in range(3)])


async def hear_plainly(context: BrowserContext) -> None:
    """Let the pages of a browser not filter what their microphone hears."""
    await context.add_init_script(PLAIN)
    for page in context.pages:
        await page.evaluate(f"() => {{ {PLAIN} }}")


def says(hertz: int) -> str:
    """Return a script that gives a page a microphone of its own, which plays a tone."""
    return f"""
navigator.mediaDevices.getUserMedia = async () => {{
  const sound = new AudioContext({{ latencyHint: "playback", sinkId: {{ type: "none" }} }});
  const tone = sound.createOscillator(), level = sound.createGain();
  await sound.resume();
  const microphone = sound.createMediaStreamDestination();
  tone.frequency.value = {hertz};
  level.gain.value = 0.6;
  tone.connect(level).connect(microphone);
  tone.start();
  return microphone.stream;
}};
"""
