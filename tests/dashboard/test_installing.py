"""What a browser is given to install the pages: icons that are what the manifest says."""

import struct

from app.dashboard.installing import MANIFEST, manifest
from app.dashboard.templating import BUILT
from app.web.headers import _POLICY


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


def test_the_policy_lets_a_manifest_in_and_nothing_from_outside() -> None:
    assert "manifest-src 'self'" in _POLICY
    assert "http" not in _POLICY
