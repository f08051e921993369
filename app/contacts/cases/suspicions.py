"""Warnings about a document for its readers. Pure; runs in the process of `looking.py`.

Macros, scripts and second files inside a document are flagged, and never refused: a threatening
letter may well come as such a file, and it is evidence. Only the bytes are looked at; the
configured scanner looks for known harmful files. Each byte is read a fixed number of times, however
a stranger arranged them.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from lxml import etree

# A PDF's names may be written with hexadecimal escapes: /J#61vaScript.
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_PDF_ACTS = re.compile(rb"/(JavaScript|JS|Launch|OpenAction|AA|RichMedia|XFA)\b")
_PDF_HOLDS = re.compile(rb"/(EmbeddedFiles?|Filespec)\b")
_OBJECTS = re.compile(rb"/ObjStm\b|stream\r?\n")
# How far before its bytes a stream says what it is.
_SAID_BEFORE = 400
# The most that is unpacked of one document, in bytes and in parts.
_MOST, _PARTS = 16_000_000, 200
# How other files begin; a document that holds one of these is two files in one.
_BEGINNINGS = {
    "zip": b"PK\x03\x04",
    "pdf": b"%PDF-",
    "program": b"MZ\x90\x00",
    "elf": b"\x7fELF",
    "rar": b"Rar!\x1a\x07",
    "7z": b"7z\xbc\xaf\x27\x1c",
}
_MARKUP = re.compile(rb"<\s*(script|html|svg|\?php)\b", re.IGNORECASE)
_OFFICE = ("application/vnd.openxmlformats", "application/vnd.oasis")
_MACROS = re.compile(r"vbaProject\.bin$|(^|/)(Basic|Scripts)/.+", re.IGNORECASE)
_OBJECTS_INSIDE = re.compile(r"(^|/)embeddings/|oleObject|(^|/)Object \d+/", re.IGNORECASE)
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)

MACROS, SCRIPTS, FILES, TWO, UNREADABLE, OUTSIDE = (
    "macros",
    "scripts",
    "files inside",
    "two files in one",
    "cannot be looked into",
    "loads from outside",
)


def suspicions(content: bytes, mime: str) -> list[str]:
    """Return the warnings, each once, in alphabetical order."""
    if mime == "application/pdf":
        found = _in_pdf(content)
    elif mime.startswith(_OFFICE):
        found = _in_office(content)
    else:
        found = set()
        if _MARKUP.search(content[:4096]) or _MARKUP.search(content[-4096:]):
            found.add(TWO)
    if _is_two(content, mime):
        found.add(TWO)
    return sorted(found)


def _is_two(content: bytes, mime: str) -> bool:
    own = b"%PDF-" if mime == "application/pdf" else b""
    if mime.startswith(_OFFICE):
        # An archive whose first entry does not begin at the first byte has something before it.
        return not content.startswith(b"PK\x03\x04") or b"%PDF-" in content[:1024]
    if b"PK\x05\x06" in content[-66_000:] and b"PK\x03\x04" in content:
        return True
    for begins in _BEGINNINGS.values():
        # Inside compressed data four bytes match by chance: only the ends count.
        if begins == own:
            continue
        if begins in content[:1024] or content.rfind(begins) > len(content) - 1024 > 0:
            return True
    return False


def _in_pdf(content: bytes) -> set[str]:
    found = set()
    parts = _unpacked(content)
    if parts is None:
        found.add(UNREADABLE)
    for part in (content, *(parts or ())):
        names = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), part)
        if _PDF_ACTS.search(names):
            found.add(SCRIPTS)
        if _PDF_HOLDS.search(names):
            found.add(FILES)
    if re.search(rb"/Encrypt\b", content):
        found.add(UNREADABLE)
    return found


def _unpacked(content: bytes) -> list[bytes] | None:
    """Return the object streams of a PDF that are compressed in the usual way; None if there are
    more than an honest document needs.
    """
    found: list[bytes] = []
    left, view = _MOST, memoryview(content)
    for number, start in enumerate(_object_streams(content)):
        if number == _PARTS or left <= 0:
            return None
        try:
            found.append(zlib.decompressobj().decompress(view[start:], left))
        except zlib.error:
            continue
        left -= len(found[-1])
    return found


def _object_streams(content: bytes) -> Iterator[int]:
    """Yield where the bytes of the object streams begin: shortly after `/ObjStm`."""
    said = None
    for match in _OBJECTS.finditer(content):
        if match[0] == b"/ObjStm":
            said = match.end()
        elif said is not None:
            if match.start() - said <= _SAID_BEFORE:
                yield match.end()
            said = None


def _in_office(content: bytes) -> set[str]:
    found = set()
    left = _MOST
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                if _MACROS.search(entry.filename):
                    found.add(MACROS)
                if _OBJECTS_INSIDE.search(entry.filename):
                    found.add(FILES)
                if entry.flag_bits & 1:
                    found.add(UNREADABLE)
                elif entry.filename.endswith(".rels"):
                    left -= entry.file_size
                    found |= _in_relations(archive, entry) if left >= 0 else {UNREADABLE}
    except Exception:
        # An archive from a stranger can fail in any way: it is kept, and flagged.
        found.add(UNREADABLE)
    return found


def _in_relations(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> set[str]:
    try:
        return {OUTSIDE} if _loads(archive.read(entry)) else set()
    except Exception:
        # The entries after it are looked into all the same.
        return {UNREADABLE}


def _loads(relations: bytes) -> bool:
    """Return whether opening it fetches something: a template or a picture, and not only a link.

    Raises ValueError or etree.XMLSyntaxError for what is no list of relations.
    """
    tree = etree.fromstring(relations, _PARSER).getroottree()
    if tree.docinfo.internalDTD is not None:
        raise ValueError("it defines entities")
    return any(
        one.get("TargetMode", "").strip().lower() == "external"
        and "/hyperlink" not in one.get("Type", "")
        for one in tree.iter("{*}Relationship")
    )
