"""PNG pictures without what programs wrote into them. Pure."""

import io
import struct

from PIL import Image, PngImagePlugin

from app.contacts.cases.picture_points import PILLOW_FORMATS
from app.contacts.cases.removing.cannot_remove import CannotRemove
from app.contacts.cases.removing.orientation import orientation_of


def without_chunks(content: bytes) -> bytes:
    """Return the picture without details. Raises CannotRemove if it moves."""
    made = io.BytesIO()
    with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS["image/png"]) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise CannotRemove("it moves")
        info, turned = dict(picture.info), orientation_of(picture)
        colours = PngImagePlugin.PngInfo()
        if "gamma" in info:
            colours.add(b"gAMA", struct.pack(">I", round(info["gamma"] * 100_000)))
        if "srgb" in info:
            colours.add(b"sRGB", bytes([info["srgb"]]))
        if "chromaticity" in info:
            points = [round(one * 100_000) for one in info["chromaticity"]]
            colours.add(b"cHRM", struct.pack(">8I", *points))
        picture.info = {k: v for k, v in info.items() if k == "transparency"}
        picture.save(
            made,
            "PNG",
            pnginfo=colours,
            exif=turned or None,
            icc_profile=info.get("icc_profile"),
        )
    return made.getvalue()
