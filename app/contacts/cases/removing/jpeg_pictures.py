"""JPEG pictures without what cameras and programs wrote into them (ISO/IEC 10918-1). Pure."""

import io
import struct

from PIL import Image

from app.contacts.cases.picture_points import PILLOW_FORMATS
from app.contacts.cases.removing.cannot_remove import CannotRemove
from app.contacts.cases.removing.orientation import orientation_of

# Segments of a JPEG by their second byte. Between APP1 and APP15 cameras and programs write what
# they like; a picture needs its colours (APP2) and the program that packed it (APP14), no more.
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_JFIF, _COLOURS = b"JFIF\0", b"ICC_PROFILE\0"


def without_segments(content: bytes) -> bytes:
    """Copy the picture itself, byte by byte: it is not packed anew, so not a point changes.

    What comes after the picture is left out: cameras add smaller ones and films there.
    """
    with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS["image/jpeg"]) as picture:
        turned = orientation_of(picture)
    made = bytearray(b"\xff\xd8")
    if turned:
        made += b"\xff\xe1" + struct.pack(">H", len(turned) + 2) + turned
    at = 2
    while True:
        if content[at] != 0xFF:
            raise CannotRemove("no segment begins here")
        kind = content[at + 1]
        if kind == 0xFF:
            at += 1
        elif kind == _END:
            return bytes(made + b"\xff\xd9")
        elif kind in _ALONE:
            made += content[at : at + 2]
            at += 2
        else:
            (length,) = struct.unpack_from(">H", content, at + 2)
            after = at + 2 + length
            made += _segment(kind, content[at:after])
            if kind == _SCAN:
                scanned = _next_marker(content, after)
                made += content[after:scanned]
                after = scanned
            at = after


def _segment(kind: int, segment: bytes) -> bytes:
    """Return what is kept of a segment: all of it, or nothing."""
    body = segment[4:]
    if kind == _APP0:
        # Without the small picture that may stand in it.
        head = body[:12] + b"\0\0"
        whole = b"\xff\xe0" + struct.pack(">H", len(head) + 2) + head
        return whole if body.startswith(_JFIF) and len(body) >= 14 else b""
    if kind == _APP2:
        return segment if body.startswith(_COLOURS) else b""
    if kind == _COMMENT or (_APP1 <= kind <= _APP15 and kind != _APP14):
        return b""
    return segment


def _next_marker(content: bytes, at: int) -> int:
    """Return where the packed points end: a zero or a counter after 0xFF belongs to them."""
    while True:
        at = content.index(b"\xff", at)
        if content[at + 1] not in (0x00, *range(0xD0, 0xD8)):
            return at
        at += 2
