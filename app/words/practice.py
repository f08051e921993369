"""What scripted children say in practice calls: a folder in the folder of each language. Pure.

English is written in the scenarios themselves (`app/training/data`). Another language has a folder
`practice` with a file for each scenario, which holds each of its sentences by its place in it. A
helpline may have imported sentences of its own: they come first, and need no folder.
"""

from collections.abc import Mapping
from functools import cache

import yaml

from app import words

_FOLDER = "practice"
# Characters of a sentence.
LONGEST = 400
# Sentences that a helpline imported, by language and by key: the scenario, then the place.
_own: dict[str, Mapping[str, str]] = {}


def with_folder() -> tuple[str, ...]:
    """Return the languages that have a folder of the sentences, besides English."""
    return tuple(sorted(path.parent.name for path in words.FOLDER.glob(f"*/{_FOLDER}")))


def use(own: Mapping[str, Mapping[str, str]]) -> None:
    """Say these sentences before the shipped ones from now on, and no others."""
    _own.clear()
    _own.update(own)


def own_sentences() -> Mapping[str, Mapping[str, str]]:
    """Return the sentences that a helpline imported, by language and by key."""
    return _own


@cache
def sentences(language: str, scenario: str) -> dict[str, str]:
    """Return the sentences of a scenario in a language, by their places. Raises BadWords."""
    name = f"{language}/{_FOLDER}/{scenario}.yaml"
    try:
        text = (words.FOLDER / name).read_text("utf-8")
        found = yaml.load(text, Loader=words.LOADER)  # noqa: S506
    except FileNotFoundError:
        raise words.BadWords(f"app/words/{name} is missing.") from None
    except yaml.YAMLError as error:
        where = str(error).replace("\n", " ")
        raise words.BadWords(f"app/words/{name} cannot be read: {where}") from None
    for place, text in found.items():
        if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST:
            raise words.BadWords(
                f"app/words/{name}: {place} must be a text of at most {LONGEST} characters."
            )
    return dict(found)


def every_sentence(language: str) -> list[str]:
    """Return all shipped sentences of a language; none where it has no folder. Raises BadWords."""
    files = sorted((words.FOLDER / language / _FOLDER).glob("*.yaml"))
    return [text for file in files for text in sentences(language, file.stem).values()]
