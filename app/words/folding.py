"""Words as one spelling: in small Latin letters without marks, whatever keyboard they come from.
Pure."""

import unicodedata
from functools import lru_cache

# Cyrillic letters as they are typed in Latin ones, without marks: one spelling for every keyboard.
_LATIN = dict(
    zip(
        "абвгдђежзијклљмнњопрстћуфхцчџшѓѕќйщъьюяіїєґыэё",
        "a b v g d dj e z z i j k l lj m n nj o p r s t c u f h c c dz s g dz k j st a j ju ja "
        "i ji je g y e e".split(),
        strict=True,
    )
)
_LATIN |= {"đ": "dj", "ı": "i", "ø": "o", "ł": "l"}


def folded(text: str) -> tuple[str, list[int]]:
    """Return a text in small Latin letters without marks, and where each letter comes from.

    Nothing is left of a text that has only marks, so it may be empty."""
    letters: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text.lower() if len(text.lower()) == len(text) else text):
        base = _letter(character)
        if base.isspace() and letters and letters[-1] == " ":
            continue
        for letter in " " if base.isspace() else base:
            letters.append(letter)
            places.append(at)
    return "".join(letters), places


@lru_cache(maxsize=4096)
def _letter(character: str) -> str:
    base = _LATIN.get(character)
    if base is None:
        plain = unicodedata.normalize("NFKD", character)
        plain = "".join(c for c in plain if not unicodedata.combining(c))
        base = _LATIN.get(plain, plain)
    return base
