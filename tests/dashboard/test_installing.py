"""What a browser is given to install the pages: icons that are what the manifest says."""

import re
import struct

from app.dashboard.installing import MANIFEST, manifest
from app.dashboard.templating import BUILT
from app.web.headers import POLICY
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page


async def test_each_icon_is_there_in_its_size() -> None:
    purposes = set()
    for icon in MANIFEST["icons"]:
        file = (BUILT / icon["src"].removeprefix("/static/")).read_bytes()
        purposes.add(icon.get("purpose", "any"))
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", file[16:24])
            assert f"{width}x{height}" == icon["sizes"]
        else:
            assert b"<svg" in file
            assert b"http://www.w3.org/2000/svg" in file
            assert b"<script" not in file
    assert purposes == {"any", "maskable"}
    assert (await manifest()).media_type == "application/manifest+json"


async def test_the_manifest_names_the_helpline_in_the_language_of_its_page(
    quiet: QuietStage,
) -> None:
    ana = await quiet.add_counsellor("ana", state=None, shift=False)
    for language, name, direction in (("en", "Helpline", "ltr"), ("ar", "خط المساعدة", "rtl")):
        await page(quiet, ana, "/page-language", language=language)
        shown = (await page(quiet, ana, "/")).text
        link = re.search(r'rel="manifest" href="([^"]+)"', shown)
        assert link is not None
        found = (await quiet.client.get(quiet.settings.public_url + link[1])).json()
        assert (found["name"], found["lang"], found["dir"]) == (name, language, direction)
        assert found["short_name"] == name


def test_the_policy_lets_a_manifest_in_and_nothing_from_outside() -> None:
    assert "manifest-src 'self'" in POLICY
    assert "http" not in POLICY
