"""What several tests use is in `tests/support`: no test is imported by another one.

What a test uses of another file, of the program or of the tests, has a public name. A private one
is its file's own: it may change without a look at any other file.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.program import sources

FOLDER = Path(__file__).parent
_PRIVATE = re.compile(r"\b_[A-Za-z]\w*")
# A private name after a dot, among imported ones, or a text by itself.
_TAKES_PRIVATE = re.compile(
    r"""\._[A-Za-z]|import\s*(?:\([^)]*|[^\n]*)\b_[A-Za-z]|["']_[A-Za-z]\w*["']"""
)
_IMPORTED = re.compile(r"^ *(?:from|import) (\S+)", re.MULTILINE)
# Public names of every named tuple.
_OF_TUPLES = {"_asdict", "_fields", "_make", "_replace"}
# Names of libraries that the program or the tests have as well: of the scheduler of the tests, and
# of the database's driver, whose connections are kept between tests.
_OF_LIBRARIES = {
    ("conftest.py", "_assign_work_unit"),
    ("support/kept/connections.py", "_closed"),
    ("support/kept/connections.py", "_pool"),
    ("support/kept/connections.py", "_prepared"),
}
_BY_NAME = {"setattr", "getattr", "hasattr", "delattr"}


@cache
def _texts_of_tests() -> dict[str, str]:
    """Return every file of the tests by its path in their folder."""
    files = sorted(FOLDER.rglob("*.py"))
    return {file.relative_to(FOLDER).as_posix(): file.read_text() for file in files}


def _defined(tree: ast.AST) -> Iterator[str]:
    """Yield the names that are defined somewhere in a file or in a class."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(ast.Name("self" | "cls"), name, ast.Store()):
                yield name


def _last_names(node: ast.AST) -> Iterator[str]:
    """Yield the last part of each name in a text, as of `app.server.sockets.listen`."""
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value.rpartition(".")[2]


def _of_others(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the names that a file takes from a module or an object of another file."""
    own = {n for one in ast.walk(tree) if isinstance(one, ast.ClassDef) for n in _defined(one)}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=names):
                yield from ((node.lineno, one.name) for one in names)
            case ast.Attribute(ast.Call(ast.Name("super")), name):
                yield node.lineno, name
            case ast.Attribute(attr=name) if name not in own:
                yield node.lineno, name
            case ast.Call(func=ast.Name(by) | ast.Attribute(attr=by)) if by in _BY_NAME:
                yield from (
                    (node.lineno, name) for given in node.args for name in _last_names(given)
                )
            case ast.For(iter=ast.Tuple() | ast.List() as listed):
                # A loop sets many by their names.
                yield from ((node.lineno, name) for name in _last_names(listed))


@pytest.mark.whole
def test_no_test_is_imported_by_another_one() -> None:
    texts = _texts_of_tests().items()
    found = [(file, name) for file, text in texts for name in _IMPORTED.findall(text)]
    assert len({name for _, name in found if name.startswith("tests.support.")}) > 20
    assert [(file, name) for file, name in found if ".test_" in name] == []


@pytest.mark.whole
def test_beside_tests_are_their_fixtures_alone() -> None:
    """What else helps them is in `tests/support`, where the next test finds it."""
    names = re.compile(r"support/.+|fixtures\.py|(.+/)?(test_\w+|conftest|__init__)\.py")
    assert [file for file in _texts_of_tests() if not names.fullmatch(file)] == []


def _private_of_others() -> Iterator[tuple[str, int, str]]:
    """Yield each private name that a file of the tests may take from another file, and where."""
    for file, text in _texts_of_tests().items():
        # To parse every file, and to look at each of its names, takes seconds.
        if _TAKES_PRIVATE.search(text):
            for line, name in _of_others(ast.parse(text)):
                if _PRIVATE.fullmatch(name) and (file, name) not in _OF_LIBRARIES:
                    yield file, line, name


def _is_ours(name: str) -> bool:
    """Return whether the program has a name, or a file of the tests defines it."""
    word = re.compile(rf"\b{name}\b")
    program, tests = sources.texts().values(), _texts_of_tests().values()
    return any(name in text and word.search(text) for text in program) or any(
        name in text and name in _defined(ast.parse(text)) for text in tests
    )


@pytest.mark.whole
def test_no_private_name_of_another_file_is_used() -> None:
    """A name that neither the program nor the tests have is a library's."""
    used = list(_private_of_others())
    ours = {name for name in {name for *_, name in used} - _OF_TUPLES if _is_ours(name)}
    assert [f"{file}:{line}: {name}" for file, line, name in used if name in ours] == []
    # Those of libraries are seen, so those of ours would be.
    assert len({name for *_, name in used}) > 10
    assert _is_ours("_is_ours")
    assert _is_ours("_goes_on_without")
