"""Sound that costs little, for tests that do not prove how a talk sounds.

Most of what a talk costs is its sound. Here pages and the exchange use the plainest codec of the
provider, G.711, pages send it in packets of 60 ms, and do not filter what their microphone hears.
"""

import pytest
from playwright.async_api import BrowserContext

from app.practice.voices import PageLine

_PACKETS = "a=ptime:60\r\na=maxptime:60\r\n"
_NO_FILTERS = """
const open = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
if (open) navigator.mediaDevices.getUserMedia = ({ audio, ...more } = {}) => open(
  audio ? { ...more, audio: { ...(audio === true ? {} : audio), ...plain } } : more);
"""


def speak_plainly(patch: pytest.MonkeyPatch) -> None:
    """Let the exchange offer pages this sound."""
    from aiortc import codecs

    plain = [one for one in codecs.CODECS["audio"] if one.mimeType == "audio/PCMU"]
    patch.setitem(codecs.CODECS, "audio", plain)
    offer = PageLine.offer

    async def offer_plainly(self: PageLine) -> str:
        described = await offer(self)
        assert "a=rtcp-mux\r\n" in described
        return described.replace("a=rtcp-mux\r\n", f"a=rtcp-mux\r\n{_PACKETS}", 1)

    patch.setattr(PageLine, "offer", offer_plainly)


async def hear_plainly(context: BrowserContext) -> None:
    """Let the pages of a browser not filter what their microphone hears."""
    await context.add_init_script(_NO_FILTERS)
