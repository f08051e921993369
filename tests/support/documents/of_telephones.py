"""A picture and a sound as telephones send them: HEIC and MP3, with place and author."""

import base64
import io
import struct

import av

from tests.support.documents.files import WHERE, WHO

# 320 times 200 points with a transparency, turned by 90 degrees, with EXIF, XMP and a profile of
# colours, as libheif 1.23 packs it; in the EXIF and XMP stand who took it, and where.
_HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAxhtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAAFhpbG9jAAAAAERAAAQAAQAAAAADPAABAAAAAAAAAh8AAgAAAAAFWwABAAAAAAAAADoAAwAAAAAFlQABAAAA"
    "AAAAAGQABAAAAAAF+QABAAAAAAAAABQAAAB3aWluZgAAAAAABAAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAA"
    "AAACAABodmMxAAAAABVpbmZlAgAAAQADAABFeGlmAAAAACppbmZlAgAAAQAEAABtaW1lAGFwcGxpY2F0aW9uL3JkZit4"
    "bWwAAAAAAA5waXRtAAAAAAABAAAB2GlwcnAAAAGwaXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAPPAA/P34+AAADwNgAAEA"
    "GEABDAH//wNwAAADAJAAAAMAAAMAPLoCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwA8oAoIDJZbqSSmubgIaDAgAAADAyAA"
    "AAMAIWIAAQAHRAHBcrBiQAAAAFxjb2xycHJvZnByb2Zwcm9mcHJvZnByb2Zwcm9mcHJvZnByb2Zwcm9mcHJvZnByb2Zw"
    "cm9mcHJvZnByb2Zwcm9mcHJvZnByb2Zwcm9mcHJvZnByb2Zwcm9mAAAAFGlzcGUAAAAAAAABQAAAAMgAAAAQcGl4aQAA"
    "AAADCAgIAAAACWlyb3QDAAAAcmh2Y0MBBAgAAACf+AAAAAA88AD8/Pj4AAAPA2AAAQAXQAEMAf//BAgAAAMAn/gAAAMA"
    "ADy6AkBhAAEAJkIBAQQIAAADAJ/4AAADAAA8wCggMllupJKa5sCAAAAMgAAAAwCEYgABAAdEAcFysGJAAAAADnBpeGkA"
    "AAAAAQgAAAAnYXV4QwAAAAB1cm46bXBlZzpoZXZjOjIwMTU6YXV4aWQ6MQAAAAAgaXBtYQAAAAAAAAACAAEFgQIDBIUA"
    "AgWGAweIhQAAADZpcmVmAAAAAAAAAA5hdXhsAAIAAQABAAAADmNkc2MAAwABAAEAAAAOY2RzYwAEAAEAAQAAAtltZGF0"
    "AAACGygBrxMgihnpKFm1cs/FVm1eBWaO4vVOIvnJolqXJU2UmPsH+iLn0PXiYWF9nksDZZrzKYpx5egIBLzhNnL9KVDT"
    "GTXc0gCB+m5qhgQRLJsqU4/BNXBrlJSwLDoX6dLcOKYgOntZHGrD8WYxxM4zXakU0RupaXyoxQN4Tqbmpr4v4ZfznZRy"
    "YYXrehrlzIYkEUsQm5lZGXFW7TNhVhRIRonJWIQe8sPYvAaMkFEnVzjQFhTSIohucC0esypAwNm3ePL/XkeijOLR6h6T"
    "+ZnaxJw/svnKQ3t8gFMR8R6lhN4sC4Sx7Psv2aU9XZztgVYfXv5Wu10sHWEiBn424sNkv/XeHSZbZARjGZRflK9sMWZt"
    "WPJAgZ87xF8uoT0R13BPegzaRp8LgrdeNL0hsFuQB/dWhIczLzQfNHhl2eY3F71jw8WJsK/Bptr9gE3erRmlRgq1flp+"
    "dJ3uk3W9DuAzFD4SO8zmN368P1sdWVs+0f0O0ZRQ8LWEz/uV++4bsUddphOKImvucRXKsSsYLXKKBZI8cYYfDlVqtdM1"
    "f4DmQRIFrRC0WvJEISGnNP6frPzy3nVbUwU6OkRTA1P9C4b0gfTfb6pFvqRyv4vdUIC1uh/8iaA4/nt1xlySOs62QNfQ"
    "ByZ5yLrmTAa6XiJtVh97UHjojj44uQOOai0Vn6lm7ajn6RohhJPYVln9bg89p2Ygu7TpeBqJvPV1vgLwAAAANigBriZC"
    "wQeAw/Qp//3MRX9ojIv9YUQSQTlZDVyBJhRDRpJdhPynMeNHQIEjgCFAAoADMBiDZgAAAAZFeGlmAABNTQAqAAAACAAD"
    "ARIAAwAAAAEABgAAATsAAgAAAA4AAAAyiCUABAAAAAEAAABAAAAAAFpvcmljYSBTbmltYWsAAAEAHQACAAAABwAAAFIA"
    "AAAANDQgZGVnAAA8eD5ab3JpY2EgU25pbWFrPC94Pg=="
)


def heic() -> bytes:
    """Return a picture with a film and a note after it, as telephones add them."""
    more = b""
    for kind in (b"mpvd", b"uuid", b"free"):
        body = f"{WHO} {WHERE}".encode()
        more += struct.pack(">I4s", 8 + len(body), kind) + body
    return _HEIC + more


def points_of(content: bytes) -> list[bytes]:
    """Return the points of each picture in a HEIC file, and how it is turned."""
    with av.open(io.BytesIO(content), "r") as file:
        found = [str(file.streams.video[0].metadata).encode()]
        for number in range(len(file.streams.video)):
            file.seek(0)
            found += [frame.to_ndarray().tobytes() for frame in file.decode(video=number)]
    return found


def mp3() -> bytes:
    """Return a second of sound with the tags that devices and programs write around it."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp3", options={"id3v2_version": "4"}) as file:
        file.metadata["artist"], file.metadata["location"] = WHO, WHERE
        stream = file.add_stream("libmp3lame", rate=44_100, layout="mono")
        for n in range(38):
            frame = av.AudioFrame(format="s16p", layout="mono", samples=1152)
            frame.planes[0].update(bytes([n % 7 * 9, n % 5 * 11, n, n % 3]) * 576)
            frame.rate, frame.pts = 44_100, n * 1152
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    items = struct.pack("<II", len(WHO), 0) + b"Artist\0" + WHO.encode()
    ape = [
        b"APETAGEX" + struct.pack("<IIII", 2000, len(items) + 32, 1, flags) + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    ]
    lyrics = b"LYRICSBEGIN" + f"AUT{len(WHO):05}{WHO}".encode()
    lyrics += f"{len(lyrics):06}LYRICS200".encode()
    oldest = b"TAG" + WHO.encode().ljust(30, b"\0") + bytes(94) + b"\x0c"
    return made.getvalue() + ape[0] + items + ape[1] + lyrics + oldest


def packets_of(content: bytes) -> list[bytes]:
    """Return the packed sound of an MP3 file, without what stands around it."""
    with av.open(io.BytesIO(content), "r", format="mp3") as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]
