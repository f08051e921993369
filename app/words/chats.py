"""What each language brings for written conversations: beginnings of sentences for counsellors, and
words that speak of danger. Read once, from `<language>/chats.yaml`. Pure."""

from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from app import words
from app.words import danger, texts

_FILE = "chats.yaml"


class ChatWords(NamedTuple):
    """`beginnings`: each is gone on with, and never a whole answer. `danger`: beginnings of words,
    or several words one after the other; each in whichever script it is written in. A translation
    adds to them, and takes none away: no file may keep a cry from being noticed. A common word that
    was imported into an earlier version marks nothing."""

    beginnings: tuple[str, ...]
    danger: tuple[str, ...]


@lru_cache(maxsize=32)
def chat_words(language: str) -> ChatWords:
    """Return what a language brings; without a file, nothing."""
    base = words.spoken_as(language)
    path = words.FOLDER / base / _FILE
    read: dict[str, Any] = {"beginnings": [], "danger": []}
    if path.exists():
        read = yaml.load(path.read_text("utf-8"), Loader=words.LOADER)  # noqa: S506
    own = texts.laid_over(_FILE, read, words.own_texts(base))
    said = tuple(words.in_script(language, one, "") for one in own["beginnings"])
    shipped = dict.fromkeys(map(str, read["danger"]))
    added = (str(one) for one in own["danger"] if str(one) not in shipped)
    more = (one for one in added if danger.common_in(base, one) is None)
    return ChatWords(said, tuple(dict.fromkeys([*shipped, *more])))
