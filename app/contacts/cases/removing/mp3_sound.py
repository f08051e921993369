"""MP3 sound without what a device wrote around it (ISO/IEC 11172-3 and 13818-3, layer III). Pure.

The frames of the sound are copied byte by byte, so not a tone changes. What stands before, between
and after them is left out, whatever it is: ID3, APE and Lyrics3 tags, pictures, and the unknown.
"""

import re
import struct

# Thousands of bits a second, by their number in a frame's head: of MPEG-1, and of MPEG-2 and 2.5.
_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
# Samples a second, by the version and their number: 3 is MPEG-1, 2 is MPEG-2, 0 is MPEG-2.5.
_MPEG_1 = 3
_SAMPLES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_LAYER_3, _MONO = 1, 3
# Version, layer and samples, which all frames of a sound have in common.
_COMMON = 0xFFFE0C00
# Where a frame or a tag may begin, and the tags that may follow a frame.
_BEGINS = re.compile(rb"\xff[\xe0-\xff]|ID3|APETAGEX")
_ID3, _APE, _ID3V1, _LYRICS = b"ID3", b"APETAGEX", b"TAG", b"LYRICSBEGIN"
_ID3V1_SIZE = 128
# The first frame may hold the length of the sound, and after that the name of a program.
_LENGTHS = (b"Xing", b"Info")
_SIZES_OF_LENGTHS = ((1, 4), (2, 4), (4, 100), (8, 4))


def without_tags(content: bytes) -> bytes:
    """Return the sound without details. Raises ValueError if most of the file is no sound."""
    if content[-_ID3V1_SIZE:].startswith(_ID3V1):
        content = content[:-_ID3V1_SIZE]
    made, of_tags, at, common = bytearray(), 0, 0, 0
    while found := _BEGINS.search(content, at):
        at = found.start()
        if length := _tag_at(content, at):
            of_tags += length
        elif length := _frame_at(content, at, common):
            frame = content[at : at + length]
            made += frame if common else _without_program(frame)
            common = _head(content, at) & _COMMON
        at += length or 1
    if not made or 2 * len(made) < len(content) - of_tags:
        raise ValueError("most of it is no sound")
    return bytes(made)


def _head(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "big")


def _tag_at(content: bytes, at: int) -> int:
    """Return how long the tag is that begins here, in bytes; 0 if none does."""
    if content.startswith(_ID3, at) and len(content) >= at + 10:
        flags, *size = content[at + 5 : at + 10]
        if max(size) < 0x80:
            length = size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]
            return 10 + length + (10 if flags & 0x10 else 0)
    if content.startswith(_APE, at) and len(content) >= at + 32:
        size_of_items, _, flags = struct.unpack_from("<III", content, at + 12)
        # A head is followed by the items; a foot ends them.
        return 32 + (size_of_items if flags & 1 << 29 else 0)
    return 0


def _length(head: int, common: int) -> int:
    """Return how long a frame with this head is, in bytes; 0 if it is none of this sound."""
    version, layer = head >> 19 & 3, head >> 17 & 3
    rate, samples = head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version not in _SAMPLES or layer != _LAYER_3:
        return 0
    # A frame without a rate may have any length.
    if rate in (0, 15) or samples == 3 or (common and head & _COMMON != common):
        return 0
    is_first = version == _MPEG_1
    bits = _RATES[0 if is_first else 1][rate] * 1000
    return (144 if is_first else 72) * bits // _SAMPLES[version][samples] + (head >> 9 & 1)


def _frame_at(content: bytes, at: int, common: int) -> int:
    """Return how long the frame is that begins here; 0 if none does, or it is cut off.

    It counts by what follows it: another frame of the sound, a tag, or the end.
    """
    head = _head(content, at)
    length = _length(head, common)
    after = at + length
    if not length or after > len(content):
        return 0
    follows = (
        after == len(content)
        or _length(_head(content, after), head & _COMMON)
        or content.startswith((_ID3, _APE, _ID3V1, _LYRICS), after)
    )
    return length if follows else 0


def _without_program(frame: bytes) -> bytes:
    """Return the first frame without the name of a program and what it says of itself."""
    head = _head(frame, 0)
    is_first, is_mono = head >> 19 & 3 == _MPEG_1, head >> 6 & 3 == _MONO
    sides = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    at = 4 + sides
    if not frame.startswith(_LENGTHS, at):
        return frame
    flags = _head(frame, at + 4)
    kept = at + 8 + sum(size for flag, size in _SIZES_OF_LENGTHS if flags & flag)
    return frame[:kept] + bytes(max(0, len(frame) - kept))
