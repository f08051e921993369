"""The words by which a number wants no more messages, in every language."""

from functools import cache
from pathlib import Path

import yaml

from app import words

_WORDS = Path(__file__).with_name("opt_out.yaml")


@cache
def stop_words() -> frozenset[str]:
    """Return the words of all languages: a phone is used by more people than one."""
    lists = yaml.load(_WORDS.read_text("utf-8"), Loader=words.LOADER)  # noqa: S506
    return frozenset(str(word).casefold() for listed in lists.values() for word in listed)


def means_stop(text: str) -> bool:
    """Return whether a whole text says that no more is wanted: "stop hitting me" does not."""
    return " ".join(text.casefold().split()).strip(".!") in stop_words()
