"""Printed pages: a Typst template filled with data, in fonts for the scripts listed below.

The fonts are those that come with Typst and the Noto families of the packages below. A letter
that is in none of them is never printed as an empty box: it is transliterated into Latin
letters, in square brackets.
"""

import asyncio
import json
import unicodedata
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import Any

import typst
from anyascii import anyascii

# The scripts that the fonts cover, by the first word of a letter's Unicode name. Latin, Greek,
# Cyrillic, Hebrew and Georgian are in the fonts of Typst itself.
_BUILT_IN = frozenset({"LATIN", "GREEK", "CYRILLIC", "HEBREW", "GEORGIAN", "COMBINING", "MODIFIER"})
_PACKAGES = {
    "fontpkg_noto_sans": frozenset({"LATIN", "GREEK", "CYRILLIC"}),
    "fontpkg_noto_sans_arabic": frozenset({"ARABIC"}),
    "fontpkg_noto_sans_devanagari": frozenset({"DEVANAGARI"}),
    "fontpkg_noto_sans_khmer": frozenset({"KHMER"}),
    "fontpkg_noto_sans_tamil": frozenset({"TAMIL"}),
    "fontpkg_noto_sans_telugu": frozenset({"TELUGU"}),
    "fontpkg_noto_sans_thai": frozenset({"THAI"}),
}
_SCRIPTS = _BUILT_IN.union(*_PACKAGES.values())


async def print_page(template: Path, data: dict[str, Any]) -> bytes:
    """Return the PDF of a template, which reads `data` as JSON from its input `data`."""
    return await asyncio.to_thread(_compile, template, data)


def _compile(template: Path, data: dict[str, Any]) -> bytes:
    body = json.dumps(_legible(data), ensure_ascii=False)
    compiled: Any = typst.compile
    made = compiled(_template(template), sys_inputs={"data": body}, font_paths=_fonts())
    assert isinstance(made, bytes)
    return made


@cache
def _template(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _fonts() -> typst.Fonts:
    """Return the fonts, which are looked for once: that takes longer than to print most pages."""
    found = []
    for name in _PACKAGES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        found.append(str(Path(spec.origin).parent / "files"))
    return typst.Fonts(font_paths=found)


def _legible(value: Any) -> Any:
    match value:
        case str():
            return value if value.isascii() else legible(value)
        case dict():
            return {key: _legible(one) for key, one in value.items()}
        case list() | tuple():
            return [_legible(one) for one in value]
        case _:
            return value


def legible(text: str) -> str:
    """Return the text with every letter printable: other scripts in Latin letters, in brackets."""
    parts = []
    for prints, run in groupby(text, _prints):
        letters = "".join(run)
        parts.append(letters if prints else f"[{anyascii(letters).strip() or '?'}]")
    return "".join(parts)


@cache
def _prints(letter: str) -> bool:
    if letter.isascii() or unicodedata.category(letter)[0] not in "LMS":
        return True
    if unicodedata.category(letter)[0] == "S":
        # Emoji are in no font; other symbols are in the fonts.
        return ord(letter) < 0x1F000
    return unicodedata.name(letter, "").partition(" ")[0] in _SCRIPTS
