"""What a route can reach: the functions of the program that its own function names, and theirs.

No call is followed at run time. A name that could be a function is taken for one, so that more is
found than is ever called, and nothing less.
"""

import inspect
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any


def reached_from(start: Callable[..., Any]) -> set[FunctionType]:
    """Return the functions of the program that may run when this one does."""
    found: set[FunctionType] = set()
    pending: list[Any] = [start]
    while pending:
        one = inspect.unwrap(pending.pop())
        if not isinstance(one, FunctionType) or one in found or not _is_ours(one.__module__):
            continue
        found.add(one)
        names = {name for code in _codes(one.__code__) for name in code.co_names}
        for name in names:
            value = one.__globals__.get(name)
            if isinstance(value, ModuleType) and _is_ours(value.__name__):
                pending += [getattr(value, attribute, None) for attribute in names]
            else:
                pending.append(value)
    return found


def _is_ours(module: str | None) -> bool:
    return module is not None and module.startswith("app.")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
