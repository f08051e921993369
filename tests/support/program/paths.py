"""Which functions a function of the program leads to, by reading the source.

A function leads to each function and class that its body names; what a decorator, an annotation or
a default names is not counted, nor what a job does later. `reach.py` beside it finds more than is
ever called, which suits what must ask for a proof; here that would hide a route that writes no log.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.program.sources import FOLDER, texts, tree

ROOT = FOLDER

Names = dict[str, set[str]]


class Paths:
    """The functions, classes and tables of the program, and the names that each refers to."""

    def __init__(self) -> None:
        # The definitions of each name; what they refer to is read where a way leads to them.
        self._defined: dict[str, list[tuple[str, ast.stmt]]] = {}
        self._refers: Names = {}
        # What a name of a module means that comes from another one.
        self._imported: dict[str, str] = {}
        self.trees = {FOLDER / path: tree(path) for path in texts()}
        for path, read in self.trees.items():
            module = _module(path)
            self._note_imports(module, read)
            for node in read.body:
                for name in _defined(node):
                    self._defined.setdefault(f"{module}.{name}", []).append((module, node))

    def _note_imports(self, module: str, tree: ast.AST) -> None:
        for node in _statements(tree):
            if isinstance(node, ast.Import):
                for one in node.names:
                    name = one.asname or one.name.partition(".")[0]
                    self._imported[f"{module}.{name}"] = one.name if one.asname else name
            elif isinstance(node, ast.ImportFrom):
                for one in node.names:
                    name = f"{module}.{one.asname or one.name}"
                    self._imported[name] = f"{node.module}.{one.name}"

    def _names(self, module: str, node: ast.AST) -> set[str]:
        found = set()
        for one in _acting(node):
            found |= {f"{module}.{chain}" for chain in _chains(one)}
        return found

    def _referred(self, name: str) -> set[str]:
        """Return what a definition refers to, of what the program defines."""
        if name not in self._refers:
            found = set[str]().union(*(self._names(*one) for one in self._defined[name]))
            self._refers[name] = {one for each in found if (one := self._meaning(each))}
        return self._refers[name]

    def _meaning(self, name: str) -> str | None:
        """Return what is defined under a name, if the program defines it."""
        for _ in range(20):
            if name in self._defined:
                return name
            parts = name.split(".")
            for length in range(len(parts), 0, -1):
                head = ".".join(parts[:length])
                if head in self._imported:
                    name = ".".join([self._imported[head], *parts[length:]])
                    break
                if head in self._defined:
                    return head
            else:
                return None
        return None

    def lead_to(self, start: str, ends: frozenset[str]) -> bool:
        """Return whether a function refers, itself or through others, to one of `ends`."""
        meant = self._meaning(start)
        pending, seen = [meant] if meant else [], set[str]()
        while pending:
            name = pending.pop()
            if name in ends:
                return True
            if name not in seen:
                seen.add(name)
                pending += self._referred(name)
        return False


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement: to walk through expressions, too, takes seconds."""
    pending = [tree]
    while pending:
        one = pending.pop()
        yield one
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(one, part, ())
            # In a conditional expression or a lambda, these are no statements.
            pending += inner if isinstance(inner, list) else ()


def _acting(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is run of a definition, without annotations, decorators and defaults."""
    pending = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending += one.body
        elif isinstance(one, ast.AnnAssign):
            pending += [one.value] if one.value is not None else []
        else:
            yield one
            pending += ast.iter_child_nodes(one)


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [one.id for one in node.targets if isinstance(one, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _chains(node: ast.AST) -> list[str]:
    """Return what a name means: of `(a if ... else b).verb`, both."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.IfExp):
        return _chains(node.body) + _chains(node.orelse)
    if isinstance(node, ast.Attribute):
        return [f"{chain}.{node.attr}" for chain in _chains(node.value)]
    return []
