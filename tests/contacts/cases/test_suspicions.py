"""Documents that hold more than they seem to, and those that are made to stop the program."""

import asyncio
import io
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.contacts.cases import details, documents, looking
from app.contacts.cases import suspicions as rules
from app.contacts.cases.details import CannotRemove, Details, TooManyPoints
from app.contacts.cases.suspicions import suspicions
from app.work import Work
from tests.support.documents.files import archive as files_in
from tests.support.documents.files import docx, jpeg, png
from tests.support.documents.of_telephones import heic
from tests.support.profile import by_day

pytestmark = pytest.mark.whole

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
IN_UTF_16 = TEMPLATE.decode().encode("utf-16")
# The type says what a relationship is, and not a word elsewhere.
NAMED_LINK = TEMPLATE.replace(b"http://a.example", b"http://a.example/hyperlink")
BROKEN = ["cannot be looked into", "macros"]


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
        (archive(**{"_rels__a.rels": TEMPLATE.replace(b'"', b"'")}), DOCX, ["loads from outside"]),
        (archive(**{"_rels__a.rels": IN_UTF_16}), DOCX, ["loads from outside"]),
        (archive(**{"_rels__a.rels": NAMED_LINK}), DOCX, ["loads from outside"]),
        (archive(**{"_rels__a.rels": b"<a", "b__vbaProject.bin": b""}), DOCX, BROKEN),
        (b"PK\x03\x04 and no archive", DOCX, ["cannot be looked into"]),
    ],
)
def test_each_suspicion_of_a_document_is_named(content: bytes, mime: str, found: list[str]) -> None:
    assert suspicions(content, mime) == found


@given(st.binary(max_size=3000), st.sampled_from([PDF, DOCX, "image/png", "audio/mpeg"]))
def test_rubbish_is_looked_at_without_an_error(content: bytes, mime: str) -> None:
    assert isinstance(suspicions(content, mime), list)


def test_what_unpacks_without_end_is_not_unpacked() -> None:
    bomb = b"%PDF-1.5\n" + stream(b"\x00" * 4_000_000) * 400
    assert len(bomb) < 3_000_000
    assert suspicions(bomb, PDF) == ["cannot be looked into"]
    relations = {f"word___rels__{n}.rels": b"<x/>" + b"\x00" * 2_000_000 for n in range(12)}
    assert suspicions(archive(**relations), DOCX) == ["cannot be looked into"]


def _work_of(content: bytes, mime: str) -> float:
    began = process_time()
    suspicions(content, mime)
    return process_time() - began


@pytest.mark.parametrize(
    ("made", "mime"),
    [
        (lambda n: archive(**{"word___rels__x.xml.rels": b"<Relationship " * n}), DOCX),
        (lambda n: archive(**{"_rels__a.rels": b'<Relationship TargetMode="' * n}), DOCX),
        (lambda n: b"%PDF-1.5\n" + b"/ObjStm " * 20 * n, PDF),
        (lambda n: b"%PDF-1.5\n" + b"/ObjStm stream\n" * 20 * n, PDF),
        (lambda n: JPEG + b"PK\x03\x04<" * 20 * n, "image/jpeg"),
    ],
)
def test_a_document_of_sixteen_times_the_size_is_not_much_more_than_that_work(
    made: Callable[[int], bytes], mime: str
) -> None:
    small = max(0.005, _work_of(made(1_500), mime))
    # The square of it is 256 times the work.
    assert _work_of(made(24_000), mime) < 64 * small


async def test_a_document_of_a_stranger_is_looked_into_elsewhere(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(*_: object) -> None:
        raise AssertionError("this process looks into it")

    monkeypatch.setattr(rules, "suspicions", fall)
    monkeypatch.setattr("app.contacts.cases.picture_points.check_points", fall)
    monkeypatch.setattr(documents, "suspicions", fall, raising=False)
    hostile = files_in({"word/_rels/x.xml.rels": "<Relationship " * 21_000})
    whole = docx()
    for content, flags in ((whole, []), (hostile, ["cannot be looked into"])):
        checked = await documents.check_document(work, "a.docx", content, Details.KEEP)
        assert (checked.content, checked.flags) == (content, flags)
    cleaned = await documents.check_document(work, "a.docx", whole)
    assert cleaned.content != whole
    told = {n for n in vars(rules).values() if isinstance(n, str) and n in details.WARNINGS}
    assert told == details.WARNINGS


@pytest.mark.parametrize(
    "child",
    by_day(
        [
            "",
            "import time; time.sleep(60)",
            "print('macros,owned')",
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "raise SystemExit(1)",
            "print('macros', end='')",
            "print(); print('x' * 3_000_000)",
        ],
        3,
    ),
)
async def test_a_document_is_flagged_or_refused_when_the_process_that_looks_does_not_end(
    work: Work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, child: str
) -> None:
    (tmp_path / "hostile.py").write_text(child)
    real = asyncio.create_subprocess_exec

    async def other(python: str, *_: str, **more: Any) -> Any:
        if not child:
            raise OSError("no process can be started")
        return await real(python, str(tmp_path / "hostile.py"), **more)

    monkeypatch.setattr("asyncio.create_subprocess_exec", other)
    monkeypatch.setattr(details, "WITHIN", 0.5 if "sleep" in child else 60)
    kept = await documents.check_document(work, "a.jpg", jpeg(), Details.KEEP)
    assert (kept.content, kept.flags) == (jpeg(), ["cannot be looked into"]), "it is evidence"
    with pytest.raises(CannotRemove):
        await documents.check_document(work, "a.jpg", jpeg(), Details.REMOVE)


def test_the_process_that_looks_is_bounded() -> None:
    asks = (
        "from app.contacts.cases import looking; looking._bound(); import os, resource as r;"
        "of = (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE);"
        "print(os.nice(0), *(r.getrlimit(one)[1] for one in of))"
    )
    said = subprocess.check_output([sys.executable, "-c", asks], text=True).split()
    assert int(said[0]) >= 10
    assert [int(one) for one in said[1:]] == [looking.MEMORY, looking.WITHIN, 0]


def _huge_heic() -> bytes:
    """Return a picture that says it has 60,000 times 60,000 points."""
    made = bytearray(heic())
    struct.pack_into(">II", made, made.index(b"ispe") + 8, 60_000, 60_000)
    return bytes(made)


def _huge_png() -> bytes:
    made = bytearray(png())
    struct.pack_into(">II", made, 16, 60_000, 60_000)
    struct.pack_into(">I", made, 29, zlib.crc32(made[12:29]))
    return bytes(made)


def _huge_jpeg() -> bytes:
    made = bytearray(jpeg())
    struct.pack_into(">HH", made, made.index(b"\xff\xc0") + 5, 60_000, 60_000)
    return bytes(made)


@pytest.mark.parametrize(
    ("name", "made", "choice"),
    by_day(
        [
            ("a.heic", _huge_heic, Details.REMOVE),
            ("a.png", _huge_png, Details.KEEP),
            ("a.jpg", _huge_jpeg, Details.REMOVE),
            ("a.heic", _huge_heic, Details.KEEP),
            ("a.png", _huge_png, Details.REMOVE),
            ("a.jpg", _huge_jpeg, Details.KEEP),
        ],
        2,
    ),
)
async def test_a_picture_of_too_many_points_is_refused_whatever_is_chosen(
    work: Work, name: str, made: Callable[[], bytes], choice: Details
) -> None:
    with pytest.raises(TooManyPoints, match="at most 210 million points"):
        await documents.check_document(work, name, made(), choice)


async def test_a_damaged_picture_is_kept_as_evidence_and_flagged(work: Work) -> None:
    damaged = b"\x89PNG\r\n\x1a\n" + b"x" * 300
    checked = await documents.check_document(work, "a.png", damaged, Details.KEEP)
    assert (checked.content, checked.flags) == (damaged, ["cannot be looked into"])
