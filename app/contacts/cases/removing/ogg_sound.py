"""Voice notes in Ogg without words about the recording (RFC 3533, RFC 7845). Pure."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from app.contacts.cases.removing.cannot_remove import CannotRemove

# A page of Ogg (RFC 3533): its mark, version, flags, place, stream, number, checksum, and how many
# lengths follow.
_PAGE = struct.Struct("<4sBBqIIIB")
_MARK, _ONE_FILE = b"OggS", 0xFF
# Words about the recording with nothing in them: no program, no title, no place (RFC 7845).
_NO_WORDS = b"OpusTags" + bytes(8)


class _Page(NamedTuple):
    """A page of Ogg, without number and checksum."""

    flags: int
    place: int
    stream: int
    lengths: bytes
    body: bytes

    def at(self, number: int) -> bytes:
        """Return it as the page of that number."""
        head = _PAGE.pack(
            _MARK, 0, self.flags, self.place, self.stream, number, 0, len(self.lengths)
        )
        page = bytearray(head + self.lengths + self.body)
        struct.pack_into("<I", page, 22, _sum(page))
        return bytes(page)


def without_comments(content: bytes) -> bytes:
    """Copy the sound of a voice note, page by page, with empty words about it."""
    pages = list(_pages(content))
    if len({page.stream for page in pages}) != 1 or not pages[0].body.startswith(b"OpusHead"):
        raise CannotRemove("not one stream of Opus")
    words, at = b"", 1
    while not words or pages[at - 1].lengths[-1:] == b"\xff":
        words += pages[at].body
        at += 1
    ended = [length for page in pages[1:at] for length in page.lengths if length < _ONE_FILE]
    if not words.startswith(b"OpusTags") or len(ended) != 1:
        raise CannotRemove("the words are not where they belong")
    empty = _Page(0, 0, pages[0].stream, bytes([len(_NO_WORDS)]), _NO_WORDS)
    return b"".join(page.at(n) for n, page in enumerate([pages[0], empty, *pages[at:]]))


def _pages(content: bytes) -> Iterator[_Page]:
    at = 0
    while at < len(content):
        mark, version, flags, place, stream, _, _, count = _PAGE.unpack_from(content, at)
        at += _PAGE.size
        lengths = content[at : at + count]
        body = content[at + count : at + count + sum(lengths)]
        if mark != _MARK or version or len(lengths) < count or len(body) < sum(lengths):
            raise CannotRemove("no page begins here, or it is cut off")
        yield _Page(flags, place, stream, lengths, body)
        at += count + len(body)


def _sums() -> list[int]:
    """Return the checksums of single bytes: CRC-32 with 0x04c11db7, not turned around."""
    sums = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        sums.append(value & 0xFFFFFFFF)
    return sums


_SUMS = _sums()


def _sum(page: bytes | bytearray) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _SUMS[value >> 24 ^ byte]
    return value
