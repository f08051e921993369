"""What is planted, and the search for it in bytes of any kind.

Everything that is planted holds one of a few roots, so that a look at a hundred megabytes takes
seconds; what stands behind a root says by which way it came in.
"""

import base64
import contextlib
import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import cache

from tests.support.planted import CHILD, WORD

NAME = WORD
# Nothing else holds these; the first is the name in every answer of `CHILD`.
SENTENCE = "zelenikisobran"
# A child who rings, one whose telephone is an answer, one who texts, one with WhatsApp, and one in
# Telegram.
NUMBER, OTHER = "+381647391852", str(CHILD["child.a1.phone"])
TEXTS, WHATSAPPS, TELEGRAMS = "+381657391863", "+381667391874", 5_550_173_918
NAMED = (NAME, SENTENCE)
NUMBERS = (NUMBER, OTHER, TEXTS, WHATSAPPS, str(TELEGRAMS))
PLANTED = (*NAMED, *NUMBERS)
# Stands in clear: it names no child. Everything else that is planted is sealed.
HEADLINE = "Beaten at home"
# Codes about health, origin and sexual violence, as answers. They stand in the definitions, too.
CODES = ("psychosocial", "lgbtqi", "V-SEXUAL", "sexual_violence", "mental_health")
# A shorter one is found by chance.
_SHORTEST = 6
_TOLD = 40
# Larger content is looked at once, however often it lies somewhere: most files of a database are in
# each of its databases, in each back-up, and there again at the next look.
_LARGE = 4_096
_LOOKED_AT: dict[tuple[bytes, tuple[str, ...]], frozenset[str]] = {}
# What people put between the digits of a number.
_BETWEEN = b" -/.()"
# How packed content begins, as zlib and as gzip write it; and how much of it is looked at.
_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")
_UNPACKED = 1_000_000
_HASHES = (hashlib.sha256, hashlib.sha1, hashlib.md5)


def said(way: str) -> str:
    """Return a sentence about the child that names the way by which it comes in.

    It ends with the child's number as people write one.
    """
    return f"{SENTENCE}-{way} {NAME}-{way} 064/739-1852"


@cache
def spelt(word: str) -> tuple[tuple[str, bytes], ...]:
    """Return each way in which a word could lie in a file; letters are small by then."""
    one = word.lower().removeprefix("+").removeprefix("381")
    forms = [
        (one, one.encode()),
        (f"{one} as UTF-16", one.encode("utf-16-le")),
        (f"{one} in hexadecimal", one.encode().hex().encode()),
    ]
    for shift in range(3):
        # They depend on what stands before, and those at the ends on what is beside.
        for written in {word, one}:
            coded = base64.b64encode(b" " * shift + written.encode())
            forms.append((f"{word} in base64", coded[4 if shift else 0 : -4].lower()))
    if word in NUMBERS:
        # There are few numbers: by trying them all, the one of a hash without a key is found.
        for number in {word, word.removeprefix("+"), one, f"0{one}"}:
            for hashed in (make(number.encode()) for make in _HASHES):
                told = f"{hashed.name} of {word}"
                forms += [(told, hashed.hexdigest().encode()), (told, hashed.digest().lower())]
    return tuple((told, form) for told, form in forms if len(form) >= _SHORTEST)


def found_in(content: bytes, words: Iterable[str] = PLANTED) -> set[str]:
    """Return what of the words lies in bytes, each with what stands behind it."""
    if len(content) < _LARGE:
        return set(_in_all(content, words))
    key = hashlib.sha256(content).digest(), tuple(words)
    if key not in _LOOKED_AT:
        _LOOKED_AT[key] = frozenset(_in_all(content, words))
    return set(_LOOKED_AT[key])


def _in_all(content: bytes, words: Iterable[str]) -> Iterator[str]:
    """Look at what is there, and at what is packed in it."""
    words = tuple(words)
    yield from _found(content.lower(), words)
    for begin in _PACKED.finditer(content):
        unpacked = _unpacked(memoryview(content)[begin.start() :])
        if len(unpacked) >= _SHORTEST:
            yield from (f"packed: {one}" for one in _found(unpacked.lower(), words))


def _unpacked(content: memoryview) -> bytes:
    """Return what was packed, as far as it goes; nothing if it only looked so."""
    # Either way of packing is recognised.
    packing, unpacked = zlib.decompressobj(wbits=47), b""
    with contextlib.suppress(zlib.error):
        for at in range(0, len(content), _LARGE):
            unpacked += packing.decompress(content[at : at + _LARGE], _UNPACKED)
            if packing.eof or len(unpacked) >= _UNPACKED:
                break
    return unpacked


def _found(small: bytes, words: Iterable[str]) -> Iterator[str]:
    joined = b""
    for word in words:
        for told, form in spelt(word):
            yield from _told(small, told, form)
        if word in NUMBERS:
            joined = joined or small.translate(None, _BETWEEN)
            told, form = spelt(word)[0]
            yield from _told(joined, f"{told} without what is between", form)


def _told(content: bytes, told: str, form: bytes) -> Iterator[str]:
    at = content.find(form)
    if at >= 0:
        near = content[at : at + _TOLD].decode("ascii", "replace")
        yield f"{told}: {''.join(c if c.isprintable() else '.' for c in near)}"
