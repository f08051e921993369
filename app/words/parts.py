"""Texts on a page that are in another language than the page: each says in which."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from app import words
from app.words import pages, runs


class Foreign(str):
    """A text that there is only in another language than the one that was asked for."""

    language: str

    @classmethod
    def of(cls, text: str, language: str) -> "Foreign":
        found = cls(text)
        found.language = language
        return found


def joined(texts: Sequence[str]) -> str:
    """Return sentences as one text, which is in another language if one of them is."""
    language = next((one.language for one in texts if isinstance(one, Foreign)), None)
    text = " ".join(texts)
    return text if language is None else Foreign.of(text, language)


def lang(language: str, direction: str | None = None) -> Markup:
    """Return the attributes `lang` and `dir` of an element: no text has one without the other.

    `language` is a code of the words or a tag such as `sr-Latn`; `direction` is that of the
    language if it is not given: "auto" for what people type, "page" where only a part is in the
    language.
    """
    if direction == "page":
        direction = words.direction(pages.reader())
    return Markup(' lang="{}" dir="{}"').format(language, direction or words.direction(language))


def lang_of(text: str, language: str | None = None, page: str | None = None) -> Markup:
    """Return the attributes `lang` and `dir` of an element that holds a text, if it needs them.

    `language` is that of the text, unless the text knows better, and `page` that of the page; by
    default both are the reader's.
    """
    found = getattr(text, "language", None) or language
    if not found or found == (page or pages.reader()):
        return Markup()
    return lang(found)


def part(text: str, language: str | None = None, page: str | None = None) -> str:
    """Return a text, within an element of its own if it is in another language than the page."""
    attributes = lang_of(text, language, page)
    if not attributes or not text:
        return text
    return Markup("<span{}>{}</span>").format(attributes, escape(text))


def apart(text: str) -> Markup:
    """Return what a person wrote for within a sentence: it is read in its own direction."""
    return Markup("<bdi>{}</bdi>").format(text)


def ltr(text: str | None, page: str | None = None) -> str:
    """Return a number, an address or a code so that it is read from the left on every page.

    In a text that is read from the right only the runs in it are (`runs.py`). `page` is the
    language of the page, by default the reader's.
    """
    if not text or not words.about(page or pages.reader()).right_to_left:
        return text or ""
    if not runs.has_right_to_left(text):
        return Markup('<bdi dir="ltr">{}</bdi>').format(text)
    pieces, at = [], 0
    for found in runs.RUN.finditer(text):
        pieces += [escape(text[at : found.start()]), ltr(found.group(), page)]
        at = found.end()
    return Markup().join([*pieces, escape(text[at:])])


def ltr_text(text: str | None) -> str:
    """Return the same with signs, for where no element can be: options, titles, names."""
    if not text or not words.about(pages.reader()).right_to_left:
        return text or ""
    return runs.apart(text)


def own_name(language: str) -> str:
    """Return the name of a language in that language."""
    if language in words.written():
        return words.about(language).name
    return pages.language_name(language)
