"""What a camera or a program wrote into a file is removed, and the file looks the same."""

import asyncio
import contextlib
import io
import struct
import wave
import zipfile
from collections.abc import Callable

import av
import pytest
from PIL import Image, ImageChops, ImageOps

from app.contacts.cases import documents
from app.contacts.cases.details import REMOVABLE, CannotRemove, Details, without_details
from app.contacts.cases.picture_points import TooManyPoints, check_points
from app.contacts.cases.removing import cannot_remove
from app.contacts.cases.removing.removing import removed
from app.work import Work
from tests.support.documents.files import (
    DOCX,
    ODT,
    WHERE,
    WHO,
    archive,
    docx,
    everything,
    jpeg,
    odt,
    pdf,
    png,
    voice_note,
    wav,
)
from tests.support.documents.of_telephones import heic, mp3, packets_of, points_of
from tests.support.profile import by_day

pytestmark = pytest.mark.whole

KINDS: dict[str, Callable[[], bytes]] = {
    "application/pdf": pdf,
    "image/jpeg": jpeg,
    "image/png": png,
    "image/heic": heic,
    "audio/mpeg": mp3,
    "audio/ogg": voice_note,
    "audio/x-wav": wav,
    DOCX: docx,
    ODT: odt,
}


@pytest.mark.parametrize("kind", sorted(REMOVABLE))
def test_nothing_of_place_time_or_author_is_left(kind: str) -> None:
    before = KINDS[kind]()
    assert WHO.encode() in everything(before), "the test would prove nothing"
    after = removed(before, kind)
    for said in (WHO, WHERE, WHO.split()[0], "00AB12"):
        assert said.encode() not in everything(after)
    assert b"She is nine." in everything(after) or kind not in (DOCX, ODT)
    if kind in documents.ALLOWED:
        assert documents.kind_of(after, f"x{documents.ALLOWED[kind][0]}") == kind
    # Once more changes nothing that counts.
    assert removed(after, kind)


def _seen(content: bytes) -> Image.Image:
    """Return a picture as a viewer shows it: turned as it says."""
    with Image.open(io.BytesIO(content)) as made:
        return ImageOps.exif_transpose(made).convert("RGBA")


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_picture_looks_the_same_also_if_the_camera_was_turned(turned: int) -> None:
    for progressive in (False, True):
        before = jpeg(turned, progressive=progressive)
        after = removed(before, "image/jpeg")
        assert _seen(before).size == _seen(after).size
        assert ImageChops.difference(_seen(before), _seen(after)).getbbox() is None
        with Image.open(io.BytesIO(before)) as old, Image.open(io.BytesIO(after)) as new:
            assert new.info["icc_profile"] == old.info["icc_profile"], "its colours stay"
            assert dict(new.getexif()) == ({0x0112: turned} if turned > 1 else {})


def test_a_png_stays_as_it_was_to_the_last_point() -> None:
    before, after = png(), removed(png(), "image/png")
    assert ImageChops.difference(_seen(before), _seen(after)).getbbox() is None
    with Image.open(io.BytesIO(after)) as new:
        assert new.info["gamma"] == pytest.approx(0.45455)


def _heard(content: bytes) -> list[bytes]:
    """Return the packets of a voice note, which is read whole."""
    with av.open(io.BytesIO(content), "r") as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


@pytest.mark.parametrize("words", [WHO, WHO * 20_000], ids=["short", "over several pages"])
def test_a_voice_note_sounds_the_same(words: str) -> None:
    before = voice_note(words)
    after = removed(before, "audio/ogg")
    assert _heard(after) == _heard(before)
    assert len(_heard(after)) > 40
    assert len(after) < len(before)
    with av.open(io.BytesIO(after), "r") as file:
        assert not {**file.metadata, **file.streams.audio[0].metadata}
    for broken in (before[:-20], before + b"more", before[:48] + b"x" + before[49:], b"OggS"):
        with pytest.raises((cannot_remove.CannotRemove, struct.error)):
            removed(broken, "audio/ogg")


def test_a_heic_picture_stays_as_it_was_to_the_last_point() -> None:
    before, after = heic(), removed(heic(), "image/heic")
    assert points_of(after) == points_of(before)
    assert len(points_of(before)) == 3, "the picture, and what is transparent of it"
    assert len(after) == len(before), "nothing is moved"
    # How it is turned is a property that stays.
    assert b"irot" in after


def test_a_heic_picture_without_what_its_reader_needs_is_not_made() -> None:
    whole = heic()
    # A picture of an unknown kind, a film, a missing property, and nothing that says where.
    for old, new in (
        (b"hvc1", b"abcd"),
        (b"mpvd", b"moov"),
        (b"hvcC", b"abcd"),
        (b"iloc", b"abcd"),
    ):
        with pytest.raises((ValueError, KeyError)):
            removed(whole.replace(old, new), "image/heic")
    for length in range(12, len(whole), 7):
        with contextlib.suppress(ValueError, KeyError, IndexError, struct.error):
            assert WHO.encode() not in removed(whole[:length], "image/heic")


def test_an_mp3_sounds_the_same() -> None:
    before, after = mp3(), removed(mp3(), "audio/mpeg")
    assert packets_of(after) == packets_of(before)
    assert len(packets_of(before)) > 30
    for tag in (b"ID3", b"APETAGEX", b"LYRICS", b"TAG", b"Lav"):
        assert (tag in before, tag in after) == (True, False)
    with av.open(io.BytesIO(before), "r") as old, av.open(io.BytesIO(after), "r") as new:
        assert old.metadata["artist"] == WHO
        assert dict(new.metadata) == {}
        # A program leaves out what was added to fill the first and the last frame.
        assert abs(float(new.duration or 0) - float(old.duration or 0)) < 2 * 26_123


def test_a_tag_that_reads_like_sound_and_a_sound_that_is_cut_off() -> None:
    sound = removed(mp3(), "audio/mpeg")
    # A picture in the tag is read by the tag's own length, also where it holds sound.
    size = len(sound)
    tag = b"ID3\x04\0\0" + bytes([0, size >> 14, size >> 7 & 127, size & 127]) + sound
    assert removed(tag + sound, "audio/mpeg") == sound
    said = WHO.encode()
    assert removed(sound + said + sound[417:], "audio/mpeg").count(said) == 0
    assert said not in removed(sound[:-100] + b"TAG" + said.ljust(125, b"\0"), "audio/mpeg")
    for none in (b"ID3" + bytes(200), b"\xff\xfb" + said * 100, sound[:600] + said * 1000):
        with pytest.raises(ValueError, match="no sound"):
            removed(none, "audio/mpeg")


@pytest.mark.parametrize("kind", ["jpeg", "png", "heic"])
def test_a_picture_of_too_many_points_is_refused_unpacked(kind: str) -> None:
    made = io.BytesIO()
    if kind != "heic":
        Image.new("1", (320, 200)).save(made, kind)
    content = made.getvalue() or heic()
    check_points(content, f"image/{kind}", 64_000)
    with pytest.raises(TooManyPoints):
        check_points(content, f"image/{kind}", 63_999)


def test_a_sound_sounds_the_same() -> None:
    with (
        wave.open(io.BytesIO(wav())) as old,
        wave.open(io.BytesIO(removed(wav(), "audio/x-wav"))) as new,
    ):
        assert old.getparams() == new.getparams()
        assert old.readframes(10**6) == new.readframes(10**6)


def test_word_still_opens_what_was_changed() -> None:
    with zipfile.ZipFile(io.BytesIO(removed(docx(), DOCX))) as files:
        body = files.read("word/document.xml")
    # The prefixes stay: Word reads `Ignorable` by them.
    assert b'mc:Ignorable="w14"' in body
    assert b"<w:ins w:author=" in body
    with zipfile.ZipFile(io.BytesIO(removed(odt(), ODT))) as files:
        assert files.infolist()[0].filename == "mimetype"
        assert files.infolist()[0].compress_type == zipfile.ZIP_STORED


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    ("content", "kind"),
    # By day a paper, an archive and a picture.
    by_day(
        [
            (pdf(password="x"), "application/pdf"),
            (archive({"word/document.xml": BOMB}), DOCX),
            (b"\xff\xd8\xff\xe0" + b"x" * 3000, "image/jpeg"),
            (b"%PDF-1.4\n" + b"x" * 2000, "application/pdf"),
            (b"\x89PNG\r\n\x1a\n" + b"x" * 300, "image/png"),
            (b"RIFF\0\0\0\0WAVEfmt ", "audio/x-wav"),
            (b"PK\x03\x04 and no archive", DOCX),
            (archive({"word/media/1.tiff": b"x"}), DOCX),
            (archive({"META-INF/manifest.xml": "<a><encryption-data/></a>"}), ODT),
        ],
        3,
    ),
)
async def test_what_cannot_be_cleaned_is_not_taken_for_clean(
    work: Work, content: bytes, kind: str
) -> None:
    with pytest.raises(CannotRemove, match="X-Document-Details: keep"):
        await without_details(work.ground, content, kind)


async def test_it_happens_in_a_process_without_secrets_that_has_an_end(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HELPLINE_SECRET_KEY", "x" * 40)
    cleaned = await without_details(work.ground, jpeg(), "image/jpeg")
    assert WHO.encode() not in cleaned
    # The process says what it has, in place of what it does.
    tells = "import os,sys; sys.stdout.write('\\n' + repr(dict(os.environ)))"
    started: list[tuple[object, ...]] = []
    real = asyncio.create_subprocess_exec

    async def other(*command: object, **more: object) -> object:
        started.append(command)
        return await real(command[0], "-c", tells, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("asyncio.create_subprocess_exec", other)
    said = await without_details(work.ground, jpeg(), "image/jpeg")
    assert b"HELPLINE" not in said
    assert "-I" in started[0]
    monkeypatch.setattr("app.contacts.cases.details.WITHIN", 0.2)
    # What it would say after its end is good: only the end refuses it.
    tells = "import sys, time; time.sleep(2); sys.stdout.write('\\nmade')"
    with pytest.raises(CannotRemove):
        await without_details(work.ground, jpeg(), "image/jpeg")


async def test_the_choice_is_made_before_anything_is_stored(work: Work) -> None:
    checked = await documents.check_document(work, "a.jpg", jpeg())
    assert (checked.details, WHO.encode() in checked.content) == (Details.REMOVE, False)
    checked = await documents.check_document(work, "a.jpg", jpeg(), Details.KEEP)
    assert (checked.details, checked.content) == (Details.KEEP, jpeg())
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"x" * 100
    with pytest.raises(CannotRemove):
        await documents.check_document(work, "a.heic", heic)
    assert {kind for kind in documents.ALLOWED if kind not in REMOVABLE} == set()


async def test_a_sound_is_cleaned_and_what_cannot_be_cleaned_is_kept(work: Work) -> None:
    checked = await documents.check_document(work, "a.mp3", mp3())
    assert (checked.details, WHO.encode() in checked.content) == (Details.REMOVE, False)
    broken = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"x" * 100
    checked = await documents.check_document(work, "a.heic", broken, Details.KEEP)
    assert checked.content == broken
