"""HEIC pictures without what a camera wrote into them (ISO/IEC 23008-12 and 14496-12). Pure.

Nothing is moved and nothing is packed anew: what no picture of the file needs is overwritten where
it stands, so each point stays, and the file keeps its length. How the picture is turned is a
property of it (`irot`, `imir`), and stays.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

# Boxes of the file and of its description. What is not among them is overwritten: cameras add
# films, sounds and notes there.
_OF_FILE = frozenset(b"ftyp meta mdat".split())
_OF_META = frozenset(b"hdlr dinf pitm iinf iref iprp idat iloc grpl".split())
# What a reader has to know of a picture: its size, colours, turning and packing.
_PROPERTIES = frozenset(
    b"ispe pixi colr pasp clap irot imir hvcC lhvC av1C auxC lsel a1op a1lx oinf tols rloc rref "
    b"clli mdcv cclv amve ndwt".split()
)
# What the items of a file are: parts of a picture, or words about it.
_PICTURES = frozenset(b"hvc1 lhv1 av01 grid iden iovl tmap".split())
_EXIF, _XMP, _LINK = b"Exif", b"mime", b"uri "
# In place of the words: EXIF and XMP that say nothing, for readers that look there.
_NOTHING = {
    _EXIF: struct.pack(">I", 0) + b"MM\0*" + struct.pack(">IHI", 8, 0, 0),
    _XMP: b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>',
    _LINK: b"",
}
_MOST_ITEMS = 10_000

# From one place of the file to before another.
_Part = tuple[int, int]


class _Box(NamedTuple):
    """A box: its kind, where it stands, and where what it holds begins and ends."""

    kind: bytes
    start: int
    body: int
    end: int


def without_words(content: bytes) -> bytes:
    """Return the picture without details. Raises ValueError, or what reading cut-off bytes does."""
    made = bytearray(content)
    boxes = list(_boxes(content, 0, len(content)))
    (meta,) = (one for one in boxes if one.kind == b"meta")
    if any(one.kind == b"moov" for one in boxes):
        raise ValueError("it moves")
    parts = list(_boxes(content, meta.body + 4, meta.end))
    of_meta = {one.kind: one for one in parts}
    _free(made, boxes, _OF_FILE)
    _free(made, parts, _OF_META)
    # The name of who wrote the file, after version, kind and what is reserved.
    _blank(made, of_meta[b"hdlr"].body + 24, of_meta[b"hdlr"].end)
    _check_properties(made, content, of_meta[b"iprp"])
    kinds = _kinds(made, content, of_meta[b"iinf"])
    items = _items(content, of_meta[b"iloc"], of_meta.get(b"idat"))
    stores = [one for one in (*boxes, *parts) if one.kind in (b"mdat", b"idat")]
    _keep_only(made, stores, [p for number, p in items if kinds[number] in _PICTURES])
    for number, part in items:
        if kinds[number] not in _PICTURES:
            _say_nothing(made, stores, part, _NOTHING[kinds[number]])
    return bytes(made)


def points_of(content: bytes) -> int:
    """Return the points of the largest picture in the file, as its size says (`ispe`): of a picture
    made of tiles, too. Raises ValueError if none does, or what reading cut-off bytes does."""
    sizes = [
        struct.unpack_from(">II", content, size.body + 4)
        for meta in _boxes(content, 0, len(content))
        if meta.kind == b"meta"
        for iprp in _boxes(content, meta.body + 4, meta.end)
        if iprp.kind == b"iprp"
        for ipco in _boxes(content, iprp.body, iprp.end)
        if ipco.kind == b"ipco"
        for size in _boxes(content, ipco.body, ipco.end)
        if size.kind == b"ispe"
    ]
    if not sizes:
        raise ValueError("it does not say how large it is")
    points: int = max(width * height for width, height in sizes)
    return points


def _boxes(content: bytes, at: int, end: int) -> Iterator[_Box]:
    while at < end:
        size, kind = struct.unpack_from(">I4s", content, at)
        body = at + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", content, body)
            body += 8
        after = end if size == 0 else at + size
        if not body <= after <= end:
            raise ValueError("a box is longer than what it stands in")
        yield _Box(kind, at, body, after)
        at = after


def _blank(made: bytearray, start: int, end: int) -> None:
    if start < end:
        made[start:end] = bytes(end - start)


def _free(made: bytearray, boxes: Iterable[_Box], known: frozenset[bytes]) -> None:
    """Make free space of the boxes that no picture needs."""
    for box in boxes:
        if box.kind not in known:
            made[box.start + 4 : box.start + 8] = b"free"
            _blank(made, box.body, box.end)


def _check_properties(made: bytearray, content: bytes, iprp: _Box) -> None:
    """Blank properties that say when, where or what was taken. Raises ValueError if a reader must
    know one of them to show the picture."""
    inside = list(_boxes(content, iprp.body, iprp.end))
    (listed,) = (one for one in inside if one.kind == b"ipco")
    properties = list(_boxes(content, listed.body, listed.end))
    _free(made, properties, _PROPERTIES)
    needed = {n for one in inside if one.kind == b"ipma" for n in _needed(content, one)}
    for number, one in enumerate(properties, 1):
        if number in needed and one.kind not in _PROPERTIES:
            raise ValueError("a property that is not known is needed")
    _free(made, inside, frozenset((b"ipco", b"ipma")))


def _needed(content: bytes, ipma: _Box) -> Iterator[int]:
    """Yield the numbers of the properties without which a picture is not to be shown."""
    version_flags, count = struct.unpack_from(">II", content, ipma.body)
    at = ipma.body + 8
    id_size = 2 if version_flags >> 24 == 0 else 4
    is_wide = version_flags & 1
    for _ in range(count):
        at += id_size
        for _ in range(content[at]):
            (wide,) = struct.unpack_from(">H", content, at + 1)
            at += 2 if is_wide else 1
            value, top = (wide, 0x8000) if is_wide else (wide >> 8, 0x80)
            if value & top:
                yield value & (top - 1)
        at += 1
        if at > ipma.end:
            raise ValueError("it is cut off")


def _kinds(made: bytearray, content: bytes, iinf: _Box) -> dict[int, bytes]:
    """Return what each item is, and blank its name. Raises ValueError for what is not known."""
    is_short = content[iinf.body] == 0
    found = {}
    for box in _boxes(content, iinf.body + (6 if is_short else 8), iinf.end):
        version = content[box.body]
        if box.kind != b"infe" or version not in (2, 3):
            raise ValueError("an item does not say what it is")
        form = ">HH4s" if version == 2 else ">IH4s"
        number, protected, kind = struct.unpack_from(form, content, box.body + 4)
        if protected or (kind not in _PICTURES and kind not in _NOTHING):
            raise ValueError("an item of a kind that is not known")
        found[number] = kind
        name = box.body + 4 + struct.calcsize(form)
        after = content.index(0, name, box.end)
        made[name:after] = b" " * (after - name)
        if kind == _LINK:
            _blank(made, after, box.end)
    return found


def _items(content: bytes, iloc: _Box, idat: _Box | None) -> list[tuple[int, _Part]]:
    """Return where the bytes of the items stand, by their numbers. Raises ValueError."""
    version = content[iloc.body]
    sizes = content[iloc.body + 4 : iloc.body + 6]
    of_offset, of_length = sizes[0] >> 4, sizes[0] & 15
    of_base, of_index = sizes[1] >> 4, sizes[1] & 15 if version else 0
    at = iloc.body + 6

    def next_number(size: int) -> int:
        nonlocal at
        at += size
        if at > iloc.end:
            raise ValueError("it is cut off")
        return int.from_bytes(content[at - size : at], "big")

    count = next_number(4 if version == 2 else 2)
    if count > _MOST_ITEMS or version > 2:
        raise ValueError("too many items, or of a version that is not known")
    found: list[tuple[int, _Part]] = []
    for _ in range(count):
        item = next_number(4 if version == 2 else 2)
        way = next_number(2) & 15 if version else 0
        if next_number(2) != 0 or way > 1 or (way == 1 and idat is None):
            raise ValueError("what an item holds stands elsewhere")
        base = next_number(of_base) + (idat.body if way == 1 and idat else 0)
        for _ in range(next_number(2)):
            next_number(of_index)
            start = base + next_number(of_offset)
            length = next_number(of_length)
            if length == 0 or len(found) > _MOST_ITEMS:
                raise ValueError("an item does not say how long it is")
            found.append((item, (start, start + length)))
    return found


def _keep_only(made: bytearray, stores: list[_Box], kept: list[_Part]) -> None:
    """Overwrite what no picture holds. Raises ValueError if one stands outside of the stores."""
    for start, after in kept:
        if not any(one.body <= start and after <= one.end for one in stores):
            raise ValueError("a picture stands where none belongs")
    for store in stores:
        at = store.body
        for start, after in sorted(kept):
            if store.body <= start < store.end:
                _blank(made, at, start)
                at = max(at, after)
        _blank(made, at, store.end)


def _say_nothing(made: bytearray, stores: list[_Box], part: _Part, words: bytes) -> None:
    """Write words that say nothing over details, which are overwritten already."""
    start, after = part
    is_blank = any(one.body <= start and after <= one.end for one in stores)
    if is_blank and len(words) <= after - start and not any(made[start:after]):
        made[start : start + len(words)] = words
