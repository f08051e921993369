"""In how many parts a text goes through the phone network: each is billed. Pure.

See 3GPP TS 23.038 (the default alphabet) and TS 23.040 (joined messages). One letter outside the
alphabet, such as č or any Cyrillic one, makes the whole text twice as long.
"""

_ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# These take two places.
_EXTENDED = frozenset("^{}\\[~]|€\f")
_SINGLE, _JOINED = 160, 153
_SINGLE_WIDE, _JOINED_WIDE = 70, 67


def parts_of(text: str) -> int:
    """Return in how many parts a text is sent."""
    letters = set(text)
    if letters <= _ALPHABET | _EXTENDED:
        sizes = [2 if letter in _EXTENDED else 1 for letter in text]
        return _count(sizes, _SINGLE, _JOINED)
    return _count([2 if ord(letter) > 0xFFFF else 1 for letter in text], _SINGLE_WIDE, _JOINED_WIDE)


def _count(sizes: list[int], single: int, joined: int) -> int:
    """Count the parts; what takes two places is not cut in the middle."""
    if sum(sizes) <= single:
        return 1
    parts, room = 1, joined
    for size in sizes:
        if size > room:
            parts, room = parts + 1, joined
        room -= size
    return parts
