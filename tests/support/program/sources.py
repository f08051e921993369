"""The files of the program, for tests that look for something in all of them.

To read them as code takes seconds: what is read here is read once in a process, and the tests that
do run in one (`_SOURCES` in `tests/conftest.py`).
"""

import ast
import gc
import re
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


@cache
def tree(path: Path) -> ast.Module:
    """Return a file as code, by its path in the folder of the program."""
    with _no_garbage():
        return ast.parse(texts()[path])


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Return every part of a file, as `ast.walk` yields them."""
    with _no_garbage():
        return list(ast.walk(tree(path)))


def having(*words: str, under: str = "") -> Iterator[Path]:
    """Yield the files that have one of these words: to parse all of them takes seconds."""
    for path, text in texts().items():
        if path.as_posix().startswith(under) and any(word in text for word in words):
            yield path


def naming(*words: str, under: str = "") -> Iterator[tuple[Path, ast.Module]]:
    """Yield the files that have one of these words, parsed."""
    for path in having(*words, under=under):
        yield path, tree(path)


# What is imported when a file is loaded: not within a function, nor only for the type checker.
_AT_ONCE = re.compile(r"^(?:from (\S+) import (\([^)]*\)|.*)|import (\S+))", re.MULTILINE)


def loaded_with(module: str) -> set[str]:
    """Return the modules that are loaded with a module of ours, without loading any.

    Only what our files name of a library is there, and not what it loads itself.
    """
    files = {_module(path): text for path, text in texts().items()}
    loaded, found = set[str](), {module}
    while found:
        one = found.pop()
        loaded.add(one)
        named = {one.rpartition(".")[0]}
        for of, names, whole in _AT_ONCE.findall(files.get(one, "")):
            named |= {of or whole, *(f"{of}.{name}" for name in re.findall(r"\w+", names))}
        found |= {name for name in named if name in files or not name.startswith("app")} - loaded
    return loaded


def _module(path: Path) -> str:
    return ".".join(("app", *path.with_suffix("").parts)).removesuffix(".__init__")


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Look for no garbage in the nodes of a file: of all files, that takes as long as to parse.

    They stay, and are not looked through later, either.
    """
    looks = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if looks:
            gc.enable()
