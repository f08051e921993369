"""The files of the program, for tests that look for something in all of them."""

import ast
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def all_parsed() -> Iterator[None]:
    """Look for no garbage in the millions of nodes of all files: that takes as long as to parse."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
