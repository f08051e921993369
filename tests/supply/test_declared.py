"""What the program imports is declared: no package comes only because another one needs it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.supply.parts import ROOT
from tests.support.program import sources

pytestmark = pytest.mark.whole

_OWN = {"app", "migrations"}
# Each import as it is written: by itself in its line, or with names in brackets.
_IMPORTS = re.compile(
    r"^[ \t]*((?:import [\w.]+|from [\w.]+ import )(?:\([^)]*\)|.*))$", re.MULTILINE
)
# What alone may import the packages of the extra `demo`.
_DEMO = ("demo", "practice")


def test_every_package_that_the_program_imports_is_declared() -> None:
    serving, demo = _declared("dependencies", "embedded"), _declared("demo")
    distributions = packages_distributions()
    missing = set()
    for path in sources.texts():
        in_demo = path.parts[0] in _DEMO
        declared = serving | demo if in_demo else serving
        for name in _imported(path) - _OWN - sys.stdlib_module_names:
            of = {str(canonicalize_name(one)) for one in distributions.get(name, [name])}
            if not of & declared:
                missing.add(f"app/{path}: {name}")
    assert sorted(missing) == [], "declare the package in pyproject.toml, and write the lock anew"


def test_every_declared_package_is_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = set(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==", lock, re.MULTILINE))
    assert _declared("dependencies", "embedded", "demo", "dev") - {"helpline"} <= locked


def _declared(*parts: str) -> set[str]:
    """Return the normal names of what `pyproject.toml` asks for itself, of these parts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {"dependencies": project["dependencies"], **project["optional-dependencies"]}
    return set(_names(line for part in parts for line in named[part]))


def _names(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield str(canonicalize_name(Requirement(line).name))


def _imported(path: Path) -> set[str]:
    """Return the first names of what a file imports, at its beginning or within a function."""
    found: set[str] = set()
    # Each statement is read by itself: to read all files as code takes seconds.
    for line in _IMPORTS.findall(sources.texts()[path]):
        (node,) = ast.parse(line).body
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found
