"""The pictures of the documents are taken from the program, and show it as it is.

`scripts/docs --pictures` takes them. A picture carries the words that its page had, so a change of
the page is noticed, and another font is not.
"""

import json
import os
import re
import struct
import zlib
from pathlib import Path

import pytest
from playwright.async_api import Page, ViewportSize, expect

from app.demo.stage import Stage
from app.staff.roles import Role
from tests.support.browser import CHROMIUM, ring, signed_in

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")

DOCS = Path(__file__).parent.parent.parent / "docs"
SIZE: ViewportSize = {"width": 1200, "height": 760}
_WORDS = b"tEXtWords\x00"
# The last chunk of every PNG file.
_END = b"\x00\x00\x00\x00IEND\xae\x42\x60\x82"


def with_words(picture: bytes, words: str) -> bytes:
    """Add the words of the page to a picture, as a chunk of text."""
    chunk = _WORDS + json.dumps(words).encode("ascii")
    length, check = struct.pack(">I", len(chunk) - 4), struct.pack(">I", zlib.crc32(chunk))
    return picture.removesuffix(_END) + length + chunk + check + _END


def words_of(picture: bytes) -> str:
    """Return the words of the page from which a picture was taken; empty if it has none."""
    _, found, rest = picture.partition(_WORDS)
    return str(json.JSONDecoder().raw_decode(rest.decode("ascii", "replace"))[0]) if found else ""


def size_of(picture: bytes) -> ViewportSize:
    width, height = struct.unpack(">II", picture[16:24])
    return {"width": width, "height": height}


async def test_the_picture_of_the_board_shows_the_board(live: Stage, page: Page) -> None:
    await page.set_viewport_size(SIZE)
    ana = await live.add_counsellor("ana", role=Role.SUPERVISOR)
    await signed_in(page, live, ana)
    await expect(page.locator("#presence")).to_contain_text("Available")
    await expect(page.locator("#telephone")).to_have_attribute("data-state", "ready")
    await ring(live, digit="9")
    await expect(page.locator("#offer")).to_contain_text("A caller in danger")
    await expect(page.locator("#queue")).to_contain_text("is being offered")
    await expect(page.locator("#presence")).to_contain_text("Ringing")
    words = re.sub(r"\s+", " ", await page.locator("body").inner_text())
    words = re.sub(r"\d+:\d\d", "0:00", words).strip()
    file = DOCS / "board.png"
    if os.environ.get("TAKE_PICTURES"):
        file.write_bytes(with_words(await page.screenshot(animations="disabled"), words))
    picture = file.read_bytes()
    again = "The board has changed since its picture was taken: run scripts/docs --pictures"
    assert size_of(picture) == SIZE, again
    assert words_of(picture) == words, again
