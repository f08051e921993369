"""A language for tests: English with accents, and longer by 40 %, as another language would be."""

import io
import re
import shutil
from pathlib import Path
from typing import Any

import lxml.html
import pytest
import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from babel.support import NullTranslations

from app import words
from app.words import catalogues, pages
from app.words.catalogues import SHIPPED, CatalogueKind
from scripts import page_words

# A language that is not shipped.
LONG = "hu"
_ACCENTS = str.maketrans("aeiouyAEIOUYcnrst", "áéíöúýÁÉÍÖÚÝćňŕšť")
KEPT = re.compile(r"(%\(\w+\)[sd]|%%|\{\w*\}|<[^<>]+>|&\w+;|`[^`]*`)")
_PATTERN = re.compile(r"(?=.*[EdMyH]{2})[EdMyHhms :.,/-]+")
_FILLER = "ðþøłđŋæœ"


def longer(text: str) -> str:
    """Return a text with accents, longer by 40 %. What is filled in stays as it is."""
    if _PATTERN.fullmatch(text):
        return text
    parts = [part if n % 2 else part.translate(_ACCENTS) for n, part in enumerate(KEPT.split(text))]
    more = max(1, round(len(text) * 0.4))
    # Words of up to eight letters: what is longer than any word would prove nothing.
    filler = (_FILLER * (more // len(_FILLER) + 1))[:more]
    pieces = [filler[at : at + len(_FILLER)] for at in range(0, more, len(_FILLER))]
    said = "".join(parts)
    end = len(said.rstrip(" .:…?!"))
    return said[:end] + (" " if len(text) > 8 else "") + " ".join(pieces) + said[end:]


def add_long_language(folder: Path) -> None:
    """Add it to a copy of the words: pages, prompts, letters and labels of the definitions."""
    made = folder / LONG
    shutil.copytree(folder / words.SOURCE, made)
    about = yaml.safe_load((made / "language.yaml").read_text())
    about |= {"name": "Magyar", "locale": LONG}
    (made / "language.yaml").write_text(yaml.safe_dump(about, allow_unicode=True))
    # What children are asked: reports say it, too.
    asked = yaml.safe_load((made / "child.yaml").read_text())
    (made / "child.yaml").write_text(yaml.safe_dump(_all_longer(asked), allow_unicode=True))
    words.forget()
    for kind in SHIPPED:
        catalogue = Catalog(locale=LONG, fuzzy=False)
        # Every catalogue has what the pages say now; `tests/words/test_pages.py` compares them. To
        # find it in the sources again takes seconds.
        labels = kind == CatalogueKind.DEFINITIONS
        for message in page_words.wanted(kind) if labels else page_words.read("hr", kind):
            if isinstance(message.id, str) and message.id:
                catalogue.add(message.id, longer(message.id), flags=message.flags)
            elif message.id:
                catalogue.add(message.id, tuple(map(longer, message.id)), flags=message.flags)
        out = io.BytesIO()
        write_po(out, catalogue)
        (made / f"{kind}.po").write_bytes(out.getvalue())
    pages.forget()


def _all_longer(read: Any) -> Any:
    if isinstance(read, dict):
        return {key: _all_longer(inner) for key, inner in read.items()}
    return longer(read) if isinstance(read, str) else read


class _Longer(NullTranslations):
    """Says any message longer, whether or not a catalogue has it."""

    def gettext(self, message: str) -> str:
        return longer(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return longer(msgid1 if n == 1 else msgid2)


def speak_longer(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Add it to a copy of the words without writing a catalogue: quickly, for pages alone."""
    made = folder / LONG
    shutil.copytree(folder / words.SOURCE, made)
    about = yaml.safe_load((made / "language.yaml").read_text())
    (made / "language.yaml").write_text(yaml.safe_dump(about | {"name": "Magyar", "locale": LONG}))
    for kind in SHIPPED:
        (made / f"{kind}.po").write_text(
            'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
        )
    words.forget()
    pages.forget()
    compiled, said = catalogues.compiled, _Longer()
    patch.setattr(
        catalogues,
        "compiled",
        lambda language, kind: said if language == LONG else compiled(language, kind),
    )


# Two words of English in a row: nothing that was translated has a word without an accent.
PHRASE = re.compile(r"(?<![\w/@.'-])[A-Za-z][a-z]+,? [a-z]{2,}(?![\w@/-])")


def sentences_of(language: str) -> set[str]:
    """Return the English of every message that the language says in other words.

    Some words are the same in the other language: "administrator", "e-mail".
    """
    found = {m.id for m in page_words.read("hr", CatalogueKind.PAGES) if isinstance(m.id, str)}
    with pages.spoken_in(language):
        found = {one for one in found - {"min"} if pages.said(one) != one}
    return {one for one in found if "%(" not in one and re.search(r"[a-z]{3}", one)}


def read_in_page(html: str) -> list[str]:
    """Return what a reader reads or hears of a page in its language, without a browser."""
    return read_in(lxml.html.fromstring(html))


def read_in(part: lxml.html.HtmlElement) -> list[str]:
    """Return what a reader reads or hears of a part of a page, or of a whole one in a language.

    What is read by programs, or in a language of its own, is dropped from the part.
    """
    dropped = ".//script | .//style | .//template | .//kbd | .//code"
    for other in part.xpath(f"{dropped} | .//*[@lang]"):
        other.drop_tree()
    texts = part.xpath(
        ".//title/text() | descendant-or-self::*[not(ancestor-or-self::head)]/text()"
    )
    texts += part.xpath(
        "descendant-or-self::*/@*[name()='aria-label' or name()='title' or name()='placeholder']"
    )
    return [" ".join(one.split()) for one in texts if one.strip()]
