"""A language in its second script: Serbian is written once, in Latin letters. Pure."""

import re
from collections.abc import Iterable

import cyrtranslit

# What is filled in, marks up, is code or is an address stays as it is. A key or an address begins
# where its word does: a long word that is neither is not read anew from each of its letters.
_KEPT = re.compile(
    r"%\(\w+\)[sd]|%%|\{\w*\}|<[^<>]+>|&\w+;|`[^`]*`|https?://\S+"
    r"|(?<![\w.+-])[\w.+-]+@[\w.-]+\.\w+|(?<!\w)\w+_\w+|(?<!\w)\.\w+|--\w[\w-]*"
)
_WORD = re.compile(r"[^\W\d_]+(?:[’'][^\W\d_]+)*")
# A pattern for dates is no text.
_PATTERN = re.compile(r"(?=.*[EdMyH]{2})[EdMyHhms :.,/-]+")


def to_cyrillic(text: str, source: str, shared: Iterable[str], apart: Iterable[str]) -> str:
    """Return a Serbian text in Cyrillic letters; `source` is its English.

    A word that is in both is a name or a key and stays Latin, unless it is one of `shared`. So does
    a word of capitals, and one with a letter that Serbian does not have. In the beginnings of words
    in `apart`, two letters are not one.
    """
    if _PATTERN.fullmatch(text):
        return text
    names = {one.lower() for one in _WORD.findall(_KEPT.sub(" ", source))} - set(shared)
    parts = []
    at = 0
    for kept in _KEPT.finditer(text):
        parts += [_words(text[at : kept.start()], names, tuple(apart)), kept.group()]
        at = kept.end()
    return "".join([*parts, _words(text[at:], names, tuple(apart))])


def _words(text: str, names: set[str], apart: tuple[str, ...]) -> str:
    return _WORD.sub(lambda found: _word(found.group(), names, apart), text)


def _word(word: str, names: set[str], apart: tuple[str, ...]) -> str:
    low = word.lower()
    is_foreign = low in names or bool(set(low) & set("qwxy"))
    if is_foreign or (len(word) > 1 and word.isupper() and word.isascii()):
        return word
    if low.startswith(apart):
        # The letters are turned one by one.
        return "".join(str(cyrtranslit.to_cyrillic(letter, "sr")) for letter in word)
    return str(cyrtranslit.to_cyrillic(word, "sr"))
