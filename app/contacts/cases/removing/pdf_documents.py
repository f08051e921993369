"""PDF without the names and times of those who wrote it. Pure."""

import io

from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

from app.contacts.cases.removing.cannot_remove import CannotRemove
from app.contacts.cases.removing.jpeg_pictures import without_segments

_OF_PROGRAMS = ("/Metadata", "/PieceInfo", "/LastModified", "/CreationDate", "/ModDate", "/LastMod")


def without_programs(content: bytes) -> bytes:
    """Return the PDF without details. Raises CannotRemove if it is protected."""
    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted:
        raise CannotRemove("it is protected")
    writer = PdfWriter(clone_from=reader)
    writer.metadata = None
    for one in list(writer._objects):
        if isinstance(one, DictionaryObject):
            _drop_programs(one)
    writer.compress_identical_objects(remove_duplicates=False, remove_unreferenced=True)
    writer._ID = None
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def _drop_programs(one: DictionaryObject) -> None:
    for name in _OF_PROGRAMS:
        one.pop(NameObject(name), None)
    if "/Rect" in one and one.get("/Subtype") not in (None, NameObject("/Widget")):
        # A remark: who wrote it and when.
        for name in ("/T", "/M"):
            one.pop(NameObject(name), None)
    if isinstance(one, StreamObject) and one.get("/Filter") in ("/DCTDecode", ["/DCTDecode"]):
        one._data = without_segments(one._data)
