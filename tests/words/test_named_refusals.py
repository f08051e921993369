"""A refusal whose words are a constant of its file is a message: its reader reads it translated."""

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

import app.api.app  # noqa: F401 - defines every refusal of the interface
from app.errors import Refusal
from tests.support.program import sources
from tests.support.program.every_message import every_message

pytestmark = pytest.mark.whole

_BY_NAME = re.compile(r"raise \w+\(_?[A-Z]")


def _refusals(of: type[Refusal]) -> Iterator[str]:
    for one in of.__subclasses__():
        yield one.__name__
        yield from _refusals(one)


def _named(tree: ast.Module, nodes: Iterable[ast.AST], refusals: set[str]) -> Iterator[str]:
    """Yield the words that refusals of a file take from its constants."""
    constants = {
        name.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for name in node.targets
        if isinstance(name, ast.Name) and isinstance(node.value.value, str)
    }
    for node in nodes:
        match node:
            case ast.Call(ast.Name(name), [ast.Name(given), *_]) if name in refusals:
                if given in constants:
                    yield constants[given]


def test_a_refusal_that_is_named_is_a_message() -> None:
    refusals = set(_refusals(Refusal))
    assert len(refusals) > 100
    tree = ast.parse('_W = "Not now."\nraise Conflict(_W)')
    assert list(_named(tree, ast.walk(tree), refusals)) == ["Not now."], (
        "one that is none would be seen"
    )
    known = set(every_message())
    said = [
        words
        for path, text in sources.texts().items()
        if _BY_NAME.search(text)
        for words in _named(sources.tree(path), sources.nodes(path), refusals)
    ]
    # What is for the log of an operator is no sentence, and stays in English.
    assert [words for words in said if words[0].isupper() and words not in known] == []
