"""What scripted children say in practice calls: a folder in the folder of each language. Pure.

English is written in the scenarios themselves (`app/training/data`). Another language has a folder
`practice` with a file for each scenario, which holds each of its sentences by its place in it.
"""

from functools import cache

import yaml

from app import words

_FOLDER = "practice"
# Characters of a sentence.
_LONGEST = 400


def languages() -> tuple[str, ...]:
    """Return the languages of practice calls, English first."""
    others = {path.parent.name for path in words.FOLDER.glob(f"*/{_FOLDER}")} - {words.SOURCE}
    return (words.SOURCE, *sorted(others))


@cache
def sentences(language: str, scenario: str) -> dict[str, str]:
    """Return the sentences of a scenario in a language, by their places. Raises BadWords."""
    name = f"{language}/{_FOLDER}/{scenario}.yaml"
    try:
        found = yaml.safe_load((words.FOLDER / name).read_text("utf-8"))
    except FileNotFoundError:
        raise words.BadWords(f"app/words/{name} is missing.") from None
    except yaml.YAMLError as error:
        where = str(error).replace("\n", " ")
        raise words.BadWords(f"app/words/{name} cannot be read: {where}") from None
    for place, text in found.items():
        if not isinstance(text, str) or not 0 < len(text.strip()) <= _LONGEST:
            raise words.BadWords(
                f"app/words/{name}: {place} must be a text of at most {_LONGEST} characters."
            )
    return dict(found)
