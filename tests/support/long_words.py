"""A language for tests: English with accents, and longer by 40 %, as another language would be."""

import io
import re
import shutil
from pathlib import Path

import yaml
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from app import words
from app.dashboard import page_words
from app.words import pages
from app.words.catalogues import SHIPPED

# A language that is not shipped.
LONG = "hu"
_ACCENTS = str.maketrans("aeiouyAEIOUYcnrst", "áéíöúýÁÉÍÖÚÝćňŕšť")
_KEPT = re.compile(r"(%\(\w+\)[sd]|%%|\{\w*\}|<[^<>]+>|&\w+;|`[^`]*`)")
_PATTERN = re.compile(r"(?=.*[EdMyH]{2})[EdMyHhms :.,/-]+")
_FILLER = "ðþøłđŋæœ"


def longer(text: str) -> str:
    """Return a text with accents, longer by 40 %. What is filled in stays as it is."""
    if _PATTERN.fullmatch(text):
        return text
    parts = [
        part if n % 2 else part.translate(_ACCENTS) for n, part in enumerate(_KEPT.split(text))
    ]
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
    words.forget()
    for kind in SHIPPED:
        catalogue = Catalog(locale=LONG, fuzzy=False)
        # What the pages say now, whether or not any language has it already.
        for message in page_words.wanted(kind):
            if isinstance(message.id, str) and message.id:
                catalogue.add(message.id, longer(message.id), flags=message.flags)
            elif message.id:
                catalogue.add(message.id, tuple(map(longer, message.id)), flags=message.flags)
        out = io.BytesIO()
        write_po(out, catalogue)
        (made / f"{kind}.po").write_bytes(out.getvalue())
    pages.forget()
