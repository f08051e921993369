"""What each language brings for written conversations: beginnings of sentences for counsellors, and
words that speak of danger. Read once, from `<language>/chats.yaml`. Pure."""

from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from app import words

_FILE = "chats.yaml"


class ChatWords(NamedTuple):
    """`beginnings`: each is gone on with, and never a whole answer. `danger`: beginnings of words,
    or several words one after the other; each in whichever script it is written in."""

    beginnings: tuple[str, ...]
    danger: tuple[str, ...]


@lru_cache(maxsize=32)
def chat_words(language: str) -> ChatWords:
    """Return what a language brings; without a file, nothing."""
    path = words.FOLDER / words.spoken_as(language) / _FILE
    if not path.exists():
        return ChatWords((), ())
    # Our own files can be trusted, so the quick loader will do.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=loader)  # noqa: S506
    said = tuple(words.in_script(language, one, "") for one in read["beginnings"])
    return ChatWords(said, tuple(map(str, read["danger"])))
