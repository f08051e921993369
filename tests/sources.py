"""The files of the program, for tests that look for something in all of them."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import app

FOLDER = Path(app.__file__).parent


@cache
def texts() -> Mapping[Path, str]:
    """Return each file by its path in the folder of the program, in the order of the paths."""
    return {path.relative_to(FOLDER): path.read_text() for path in sorted(FOLDER.rglob("*.py"))}


def naming(*words: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the files that have one of these words, parsed: to parse all of them takes seconds."""
    for path, text in texts().items():
        if any(word in text for word in words):
            yield path, ast.parse(text)
