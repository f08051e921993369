"""Documents of Word and OpenDocument without their authors. Pure."""

import io
import zipfile
from typing import Any

from lxml import etree

from app.contacts.cases.removing.cannot_remove import CannotRemove
from app.contacts.cases.removing.jpeg_pictures import without_segments
from app.contacts.cases.removing.png_pictures import without_chunks

# What an archive may unpack to, in bytes and entries.
_MOST_UNPACKED, _MOST_ENTRIES = 300_000_000, 5_000
_SAME_DAY = (1980, 1, 1, 0, 0, 0)
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


def without_authors(content: bytes) -> bytes:
    """Return the document without details. Raises CannotRemove."""
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
        return without_segments(body)
    if ending == "png":
        return without_chunks(body)
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
        _drop_author(element)
    written: bytes = etree.tostring(
        tree, xml_declaration=True, encoding="UTF-8", standalone=tree.docinfo.standalone
    )
    return written


def _drop_author(element: Any) -> None:
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
