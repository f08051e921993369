"""How many points a picture has, by what it says before one of them is unpacked. Pure."""

import io

from PIL import Image

from app.contacts.cases.removing.heic_pictures import points_of

# The formats of the pictures, as the library names them.
PILLOW_FORMATS = {"image/jpeg": ("JPEG", "MPO"), "image/png": ("PNG",)}
HEIC = "image/heic"


class TooManyPoints(Exception):
    """A small file that would unpack to more than the memory of its reader may hold."""


def check_points(content: bytes, media_type: str, most: int) -> None:
    """Refuse a picture of more than `most` points; any other file passes.

    Raises TooManyPoints, or whatever reading a damaged picture raises.
    """
    if media_type == HEIC:
        points = points_of(content)
    elif media_type in PILLOW_FORMATS:
        try:
            with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS[media_type]) as picture:
                points = picture.width * picture.height
        except Image.DecompressionBombError:
            # The library's own bound is higher.
            raise TooManyPoints from None
    else:
        return
    if points > most:
        raise TooManyPoints
