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
def _trees() -> dict[str, ast.Module]:
    """Return every file of the tests by its path in their folder."""
    files = sorted(FOLDER.rglob("*.py"))
    return {file.relative_to(FOLDER).as_posix(): ast.parse(file.read_text()) for file in files}


def _imports() -> list[tuple[str, str]]:
    """Each file with each module that it imports names from."""
    return [
        (file, node.module or "")
        for file, tree in _trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    ]


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


def _texts(node: ast.AST) -> Iterator[str]:
    """Yield the last part of each name in a text, as of `app.server.listen`."""
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
                yield from ((node.lineno, name) for given in node.args for name in _texts(given))
            case ast.For(iter=ast.Tuple() | ast.List() as listed):
                # A loop sets many by their names.
                yield from ((node.lineno, name) for name in _texts(listed))


@pytest.mark.whole
def test_no_test_is_imported_by_another_one() -> None:
    found = _imports()
    assert len({name for _, name in found if name.startswith("tests.support.")}) > 20
    assert [(file, name) for file, name in found if ".test_" in name] == []


@pytest.mark.whole
def test_no_private_name_of_another_file_is_used() -> None:
    """A name that neither the program nor the tests have is a library's."""
    ours = set(_PRIVATE.findall("\n".join(sources.texts().values())))
    ours.update(*map(_defined, _trees().values()))
    ours -= _OF_TUPLES
    found = [
        f"{file}:{line}: {name}"
        for file, tree in _trees().items()
        for line, name in _of_others(tree)
        if _PRIVATE.fullmatch(name) and name in ours and (file, name) not in _OF_LIBRARIES
    ]
    assert len(ours) > 5000
    assert found == []
