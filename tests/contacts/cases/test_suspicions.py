"""Documents that hold more than they seem to."""

import io
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contacts.cases.suspicions import suspicions

PDF, DOCX = "application/pdf", "application/vnd.openxmlformats-officedocument"


JPEG = b"\xff\xd8\xff\xe0" + b"x" * 3000


def archive(**entries: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as files:
        for name, body in entries.items():
            files.writestr(name.replace("__", "/"), body)
    return made.getvalue()


def stream(body: bytes) -> bytes:
    packed = zlib.compress(body)
    return b"1 0 obj << /Type /ObjStm /Length 9 >> stream\n" + packed + b"\nendstream endobj"


LINK = b'<Relationship Type="http://x/hyperlink" Target="http://a.example" TargetMode="External"/>'


TEMPLATE = LINK.replace(b"hyperlink", b"attachedTemplate")


@pytest.mark.parametrize(
    ("content", "mime", "found"),
    [
        (b"%PDF-1.4\n" + b"x" * 2000, PDF, []),
        (b"%PDF-1.4\n/OpenAction << /S /JavaScript /JS (x) >>" + b"x" * 2000, PDF, ["scripts"]),
        (b"%PDF-1.4\n<< /S /J#61vaScript >>" + b"x" * 2000, PDF, ["scripts"]),
        (b"%PDF-1.5\n" + stream(b"<< /Type /Filespec /EF 1 >>"), PDF, ["files inside"]),
        (b"%PDF-1.5\n" + stream(b"<< /S /Launch >>") + b"x" * 2000, PDF, ["scripts"]),
        (b"%PDF-1.5\n/Encrypt 1 0 R" + b"x" * 2000, PDF, ["cannot be looked into"]),
        (b"%PDF-1.4\n" + b"x" * 2000 + archive(a=b"1"), PDF, ["two files in one"]),
        (JPEG, "image/jpeg", []),
        (JPEG + archive(a=b"1"), "image/jpeg", ["two files in one"]),
        (JPEG + b"%PDF-1.4 and so on", "image/jpeg", ["two files in one"]),
        (JPEG + b"<script>alert(1)</script>", "image/jpeg", ["two files in one"]),
        (archive(word__document=b"x"), DOCX, []),
        (archive(**{"word__vbaProject.bin": b"x"}), DOCX, ["macros"]),
        (archive(**{"Basic__Standard__Module1.xml": b"x"}), "application/vnd.oasis", ["macros"]),
        (archive(**{"word__embeddings__oleObject1.bin": b"x"}), DOCX, ["files inside"]),
        (archive(**{"word___rels__document.xml.rels": LINK}), DOCX, []),
        (archive(**{"word___rels__settings.xml.rels": TEMPLATE}), DOCX, ["loads from outside"]),
        (b"PK\x03\x04 and no archive", DOCX, ["cannot be looked into"]),
    ],
)
def test_what_makes_one_careful(content: bytes, mime: str, found: list[str]) -> None:
    assert suspicions(content, mime) == found


@given(st.binary(max_size=3000), st.sampled_from([PDF, DOCX, "image/png", "audio/mpeg"]))
def test_rubbish_is_looked_at_without_a_fall(content: bytes, mime: str) -> None:
    assert isinstance(suspicions(content, mime), list)


def test_what_unpacks_without_end_is_not_unpacked() -> None:
    bomb = b"%PDF-1.5\n" + stream(b"\x00" * 4_000_000) * 400
    assert len(bomb) < 3_000_000
    assert suspicions(bomb, PDF) == ["cannot be looked into"]
    relations = {f"word___rels__{n}.rels": b"<x/>" + b"\x00" * 2_000_000 for n in range(12)}
    assert suspicions(archive(**relations), DOCX) == ["cannot be looked into"]
