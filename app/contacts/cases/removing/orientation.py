"""How a picture is turned, which is kept. Pure."""

from PIL import Image

_ORIENTATION = 0x0112


def orientation_of(picture: Image.Image) -> bytes:
    """Return EXIF that holds how the picture is turned and nothing else; empty if it is not."""
    turned = picture.getexif().get(_ORIENTATION)
    if turned not in range(2, 9):
        return b""
    kept = Image.Exif()
    kept[_ORIENTATION] = turned
    return kept.tobytes()
