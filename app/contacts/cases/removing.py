"""Files without what a camera or program wrote into them. Pure; runs in `looking.py`.

A picture looks the same: it keeps its orientation, its colours and its compression.
"""

import io
import struct
import wave
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lxml import etree
from PIL import Image, PngImagePlugin
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

from app.contacts.cases.heic_pictures import without_words
from app.contacts.cases.mp3_sound import without_tags
from app.contacts.cases.picture_points import PILLOW_FORMATS

_ORIENTATION = 0x0112
# What an archive may unpack to, in bytes and entries.
_MOST_UNPACKED, _MOST_ENTRIES = 300_000_000, 5_000
_SAME_DAY = (1980, 1, 1, 0, 0, 0)


class CannotRemove(Exception):
    """The details cannot be removed from this file."""


def removed(content: bytes, media_type: str) -> bytes:
    """Return the file without details. Raises CannotRemove, or whatever a library raises."""
    return _REMOVERS[media_type](content)


# -- pictures and sound ------------------------------------------------------------------------


def _orientation(picture: Image.Image) -> bytes:
    """Return EXIF that holds how the picture is turned and nothing else; empty if it is not."""
    turned = picture.getexif().get(_ORIENTATION)
    if turned not in range(2, 9):
        return b""
    kept = Image.Exif()
    kept[_ORIENTATION] = turned
    return kept.tobytes()


# Segments of a JPEG by their second byte. Between APP1 and APP15 cameras and programs write what
# they like; a picture needs its colours (APP2) and the program that packed it (APP14), no more.
_END, _SCAN, _COMMENT = 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_JFIF, _COLOURS = b"JFIF\0", b"ICC_PROFILE\0"


def _jpeg(content: bytes) -> bytes:
    """Copy the picture itself, byte by byte: it is not packed anew, so not a point changes.

    What comes after the picture is left out: cameras add smaller ones and films there.
    """
    with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS["image/jpeg"]) as picture:
        turned = _orientation(picture)
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


def _png(content: bytes) -> bytes:
    made = io.BytesIO()
    with Image.open(io.BytesIO(content), formats=PILLOW_FORMATS["image/png"]) as picture:
        if getattr(picture, "n_frames", 1) > 1:
            raise CannotRemove("it moves")
        info, turned = dict(picture.info), _orientation(picture)
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


def _wav(content: bytes) -> bytes:
    made = io.BytesIO()
    with wave.open(io.BytesIO(content), "rb") as source, wave.open(made, "wb") as target:
        target.setnchannels(source.getnchannels())
        target.setsampwidth(source.getsampwidth())
        target.setframerate(source.getframerate())
        target.writeframes(source.readframes(source.getnframes()))
    return made.getvalue()


# -- PDF ---------------------------------------------------------------------------------------

_OF_PROGRAMS = ("/Metadata", "/PieceInfo", "/LastModified", "/CreationDate", "/ModDate", "/LastMod")


def _pdf(content: bytes) -> bytes:
    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        raise CannotRemove("it is protected")
    writer = PdfWriter(clone_from=reader)
    writer.metadata = None
    for one in list(writer._objects):
        if isinstance(one, DictionaryObject):
            _without_programs(one)
    writer.compress_identical_objects(remove_duplicates=False, remove_unreferenced=True)
    writer._ID = None
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def _without_programs(one: DictionaryObject) -> None:
    for name in _OF_PROGRAMS:
        one.pop(NameObject(name), None)
    if "/Rect" in one and one.get("/Subtype") not in (None, NameObject("/Widget")):
        # A remark: who wrote it and when.
        for name in ("/T", "/M"):
            one.pop(NameObject(name), None)
    if isinstance(one, StreamObject) and one.get("/Filter") in ("/DCTDecode", ["/DCTDecode"]):
        one._data = _jpeg(one._data)


# -- documents of text programs ----------------------------------------------------------------

_CORE = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cp:coreProperties xmlns:cp="http://'
    b'schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)
_APP = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Properties xmlns="http://schemas.'
    b'openxmlformats.org/officeDocument/2006/extended-properties"/>'
)
_CUSTOM = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Properties xmlns="http://schemas.'
    b'openxmlformats.org/officeDocument/2006/custom-properties"/>'
)
_META = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<office:document-meta xmlns:office="urn:oasis:names:'
    b'tc:opendocument:xmlns:office:1.0" office:version="1.3"><office:meta/></office:document-meta>'
)
_EMPTY = {
    "docProps/core.xml": _CORE,
    "docProps/app.xml": _APP,
    "docProps/custom.xml": _CUSTOM,
    "meta.xml": _META,
}
# Parts that say who signed or wrote, and that a document does without.
_LEFT_OUT = (
    "META-INF/documentsignatures.xml",
    "META-INF/macrosignatures.xml",
)
# What marks remarks and tracked changes: attributes of Word, and elements of OpenDocument. What the
# text itself shows, such as a field with the date, is not among them.
_OF_WORD = ("/wordprocessingml/", "/office/word/")
_EMPTIED_ATTRIBUTES = {"author", "initials", "userId", "providerId"}
_DROPPED_ATTRIBUTES = {"date", "dateUtc"}
_DC = "http://purl.org/dc/elements/1.1/"
_META_SPACE = "urn:oasis:names:tc:opendocument:xmlns:meta:1.0"
_EMPTIED_ELEMENTS = {
    (_DC, "creator"),
    (_DC, "date"),
    (_META_SPACE, "creator-initials"),
    (_META_SPACE, "date-string"),
}
_OF_THE_MACHINE = {"PrinterName", "PrinterSetup", "Rsid", "RsidRoot"}
_PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
)


def _office(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(made, "w") as target:
        entries = archive.infolist()
        if len(entries) > _MOST_ENTRIES or sum(e.file_size for e in entries) > _MOST_UNPACKED:
            raise CannotRemove("too large")
        for entry in entries:
            if entry.is_dir() or entry.filename in _LEFT_OUT or _is_signature(entry.filename):
                continue
            if entry.flag_bits & 1:
                raise CannotRemove("it is protected")
            body = _part(entry.filename, archive.read(entry))
            new = zipfile.ZipInfo(entry.filename, _SAME_DAY)
            # The first entry of an ODT says what it is, and is read without unpacking.
            new.compress_type = entry.compress_type
            target.writestr(new, body)
    return made.getvalue()


def _is_signature(name: str) -> bool:
    return name.startswith("_xmlsignatures/")


def _part(name: str, body: bytes) -> bytes:
    if name in _EMPTY:
        return _EMPTY[name]
    ending = name.rpartition(".")[2].lower()
    if ending in ("jpg", "jpeg"):
        return _jpeg(body)
    if ending == "png":
        return _png(body)
    if ending in ("tif", "tiff", "heic", "webp"):
        raise CannotRemove("a picture inside")
    if ending in ("xml", "rels"):
        return _xml(body)
    return body


def _xml(body: bytes) -> bytes:
    tree = etree.fromstring(body, _PARSER).getroottree()
    if tree.docinfo.internalDTD is not None:
        raise CannotRemove("it defines entities")
    for element in list(tree.iter(etree.Element)):
        _without_author(element)
    written: bytes = etree.tostring(
        tree, xml_declaration=True, encoding="UTF-8", standalone=tree.docinfo.standalone
    )
    return written


def _without_author(element: Any) -> None:
    tag = etree.QName(element)
    local = tag.localname
    if local == "encryption-data":
        raise CannotRemove("it is protected")
    if (tag.namespace, local) in _EMPTIED_ELEMENTS or local == "sender-initials":
        element.text = ""
    named = _attributes(element)
    if local == "config-item" and named.get("name") in _OF_THE_MACHINE:
        element.text = ""
    if local == "Relationship" and "signature" in str(named.get("Type", "")):
        element.getparent().remove(element)
        return
    for name in list(element.attrib):
        full = etree.QName(name)
        short = full.localname
        if not any(part in str(full.namespace) for part in _OF_WORD):
            continue
        if short in _EMPTIED_ATTRIBUTES:
            element.set(name, "")
        elif short in _DROPPED_ATTRIBUTES or short.startswith("rsid"):
            del element.attrib[name]
    if local in ("rsids", "presenceInfo") and element.getparent() is not None:
        element.getparent().remove(element)


def _attributes(element: Any) -> dict[str, str]:
    return {etree.QName(name).localname: value for name, value in element.attrib.items()}


# -- voice notes -------------------------------------------------------------------------------

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
        struct.pack_into("<I", page, 22, _ogg_sum(page))
        return bytes(page)


def _ogg(content: bytes) -> bytes:
    """Copy the sound of a voice note, page by page, with empty words about it."""
    pages = list(_ogg_pages(content))
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


def _ogg_pages(content: bytes) -> Iterator[_Page]:
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


def _ogg_sums() -> list[int]:
    """Return the checksums of single bytes: CRC-32 with 0x04c11db7, not turned around."""
    sums = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        sums.append(value & 0xFFFFFFFF)
    return sums


_SUMS = _ogg_sums()


def _ogg_sum(page: bytes | bytearray) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _SUMS[value >> 24 ^ byte]
    return value


_REMOVERS: dict[str, Callable[[bytes], bytes]] = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/heic": without_words,
    "audio/mpeg": without_tags,
    "audio/ogg": _ogg,
    "audio/x-wav": _wav,
    "application/pdf": _pdf,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _office,
    "application/vnd.oasis.opendocument.text": _office,
}
