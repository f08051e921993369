"""Files of each accepted kind, as cameras and programs write them: with place, time and author."""

import io
import struct
import wave
import zipfile

import av
from PIL import Image, PngImagePlugin
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Text
from pypdf.generic import DictionaryObject, NameObject, NumberObject, StreamObject

# Who took the picture, and where: in no file is any of this left.
WHO, WHERE = "Zorica Snimak", "44 deg 49 N"
DOCX, ODT = (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.oasis.opendocument.text",
)


def picture() -> Image.Image:
    """Return a picture whose corners differ, so that a turned one is noticed."""
    made = Image.radial_gradient("L").resize((80, 48)).convert("RGB")
    made.paste((200, 30, 30), (0, 0, 30, 16))
    made.paste((30, 30, 200), (50, 32, 80, 48))
    return made


def exif(turned: int = 6) -> bytes:
    data = Image.Exif()
    data[0x0112], data[0x013B], data[0x010F] = turned, WHO, "Camera of " + WHO
    data.get_ifd(0x8825)[1], data.get_ifd(0x8825)[29] = "N", WHERE
    return data.tobytes()


def jpeg(turned: int = 6, *, progressive: bool = False) -> bytes:
    made = io.BytesIO()
    profile = b"profile" * 20
    picture().save(
        made,
        "JPEG",
        quality=82,
        exif=exif(turned),
        comment=WHO.encode(),
        icc_profile=profile,
        progressive=progressive,
    )
    # XMP and IPTC, as programs for pictures write them.
    body, more = made.getvalue(), b""
    for marker, head in ((0xE1, b"http://ns.adobe.com/xap/1.0/\0"), (0xED, b"Photoshop 3.0\0")):
        part = head + WHO.encode()
        more += bytes([0xFF, marker]) + struct.pack(">H", len(part) + 2) + part
    return body[:2] + more + body[2:]


def png() -> bytes:
    made, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_text("Author", WHO)
    info.add_itxt("XML:com.adobe.xmp", WHO, zip=True)
    info.add(b"gAMA", struct.pack(">I", 45455))
    clear = picture().convert("RGBA")
    clear.putalpha(120)
    clear.save(made, "PNG", pnginfo=info, exif=exif())
    return made.getvalue()


def wav() -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(256)) * 40)
    part = b"INFOIART" + struct.pack("<I", len(WHO)) + WHO.encode() + b"\0"
    body = made.getvalue() + b"LIST" + struct.pack("<I", len(part)) + part
    return body[:4] + struct.pack("<I", len(body) - 8) + body[8:]


def voice_note(words: str = WHO) -> bytes:
    """Return a second of sound as messengers send it: Opus in Ogg, with words about it."""
    made = io.BytesIO()
    with av.open(made, "w", format="ogg") as file:
        file.metadata["title"], file.metadata["location"] = words, WHERE
        stream = file.add_stream("libopus", rate=48_000, layout="mono")
        for n in range(50):
            frame = av.AudioFrame(format="s16", layout="mono", samples=960)
            frame.planes[0].update(bytes([n % 7, n % 5]) * 960)
            frame.rate, frame.pts = 48_000, n * 960
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return made.getvalue()


def pdf(*, password: str = "") -> bytes:
    writer = PdfWriter()
    page = writer.add_blank_page(200, 200)
    writer.add_metadata({"/Author": WHO, "/Producer": WHO})
    writer.add_annotation(0, Text(text="Seen", rect=(10, 10, 20, 20), title_bar=WHO))
    xmp = StreamObject()
    xmp.set_data(WHO.encode())
    writer.root_object[NameObject("/Metadata")] = writer._add_object(xmp)
    inside = StreamObject()
    inside.set_data(jpeg())
    size = {"/Width": 80, "/Height": 48, "/BitsPerComponent": 8}
    inside.update({NameObject(name): NumberObject(n) for name, n in size.items()})
    for name, value in (
        ("/Type", "/XObject"),
        ("/Subtype", "/Image"),
        ("/ColorSpace", "/DeviceRGB"),
        ("/Filter", "/DCTDecode"),
    ):
        inside[NameObject(name)] = NameObject(value)
    held = DictionaryObject({NameObject("/Im0"): writer._add_object(inside)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): held})
    if password:
        writer.encrypt(password)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def archive(entries: dict[str, bytes | str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as files:
        for name, body in entries.items():
            kind = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            files.writestr(name, body, kind)
    return made.getvalue()


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"


def docx() -> bytes:
    return archive(
        {
            "[Content_Types].xml": "<Types/>",
            "docProps/core.xml": f"<x>{WHO}</x>",
            "docProps/app.xml": f"<x>{WHO}</x>",
            "word/document.xml": (
                f'<w:document xmlns:w="{W}" xmlns:mc="urn:mc" mc:Ignorable="w14">'
                f'<w:p w:rsidR="00AB12"><w:ins w:author="{WHO}" w:date="2026-01-01T10:00:00Z">'
                "<w:r><w:t>She is nine.</w:t></w:r></w:ins></w:p></w:document>"
            ),
            "word/people.xml": (
                '<w15:people xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml">'
                f'<w15:person w15:author="{WHO}"><w15:presenceInfo w15:userId="{WHO}"/>'
                "</w15:person></w15:people>"
            ),
            "word/media/image1.jpeg": jpeg(),
        }
    )


def odt() -> bytes:
    return archive(
        {
            "mimetype": ODT,
            "meta.xml": f"<x>{WHO}</x>",
            "content.xml": (
                f'<o:document xmlns:o="{OFFICE}" xmlns:dc="http://purl.org/dc/elements/1.1/">'
                f"<o:annotation><dc:creator>{WHO}</dc:creator><dc:date>2026-01-01</dc:date>"
                "<t>She is nine.</t></o:annotation></o:document>"
            ),
            "settings.xml": (
                f'<o:s xmlns:o="{OFFICE}" xmlns:config="urn:config">'
                f'<config:config-item config:name="PrinterName">{WHO}</config:config-item></o:s>'
            ),
            "Pictures/1.png": png(),
        }
    )


def everything(content: bytes) -> bytes:
    """Return all bytes of a file, also of what is packed in it."""
    found = [content]
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            found += [everything(files.read(entry)) for entry in files.infolist()]
            found += [str(entry.date_time[0]).encode() for entry in files.infolist()]
    if content.startswith(b"%PDF"):
        for one in PdfReader(io.BytesIO(content)).pages[0].images:
            found.append(one.data)
    return b"".join(found)
