"""What a route can reach: the functions of the program that its own function names, and theirs.

No call is followed at run time. A name that could be a function is taken for one, so that more is
found than is ever called, and nothing less.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any


def reached_from(start: Callable[..., Any]) -> set[FunctionType]:
    """Return the functions of the program that may run when this one does."""
    found: set[FunctionType] = set()
    pending = _ours([start])
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending |= _named_by(one)
    return found


@cache
def _named_by(one: FunctionType) -> set[FunctionType]:
    """Return the functions of the program that a function names, in any module it names."""
    found: list[Any] = []
    names = {name for code in _codes(one.__code__) for name in code.co_names}
    for name in names:
        value = one.__globals__.get(name)
        if isinstance(value, ModuleType) and _is_ours(value.__name__):
            found += [getattr(value, attribute, None) for attribute in names]
        else:
            found.append(value)
    return _ours(found)


def _ours(values: list[Any]) -> set[FunctionType]:
    plain = (inspect.unwrap(value) for value in values)
    return {one for one in plain if isinstance(one, FunctionType) and _is_ours(one.__module__)}


def _is_ours(module: str | None) -> bool:
    return module is not None and module.startswith("app.")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
