"""What is written of an error that nothing caught: its kind and where it was, and not its words.

The words of an error, and the values that Python shows with it, may be a child's. Only what the
system or the connection to the database says is told: it holds no row. No core dump is written,
because the memory of the program holds words, numbers and keys.
"""

import resource
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

# Groups of errors in groups of errors, and the members of each, that are told.
_DEEPEST, _MOST_MEMBERS = 3, 5


def tell_no_words() -> None:
    """Write errors of this process without their words from now on, and no core dump."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    # One byte: with 0, Linux would still hand a dump to a program of the system that collects them.
    longest = 0 if most == 0 else 1
    resource.setrlimit(resource.RLIMIT_CORE, (longest, longest))
    sys.excepthook = _uncaught
    threading.excepthook = _caught_nowhere
    sys.unraisablehook = _caught_nowhere


def tell(error: BaseException) -> None:
    """Write an error to standard error, without its words."""
    print(without_words(error), file=sys.stderr, flush=True)


def _uncaught(
    _kind: type[BaseException], error: BaseException, _trace: TracebackType | None
) -> None:
    tell(error)


def _caught_nowhere(args: Any) -> None:
    if args.exc_value is not None:
        tell(args.exc_value)


def without_words(error: BaseException) -> str:
    """Return where an error came up, and the kinds of it and of those that led to it.

    For a group of errors, the same is returned for each member.
    """
    return "\n".join(_told(error, 0))


def _told(error: BaseException, depth: int) -> list[str]:
    where = "".join(traceback.format_tb(error.__traceback__))
    chain = list(chain_of(error))
    lines = [
        f"Traceback (most recent call last):\n{where}{', after '.join(_kind(one) for one in chain)}"
    ]
    for group in chain:
        if not isinstance(group, BaseExceptionGroup):
            continue
        if depth == _DEEPEST:
            lines.append(f"  {len(group.exceptions)} more inside are not told")
            continue
        members = group.exceptions
        for number, member in enumerate(members[:_MOST_MEMBERS], 1):
            inside = "\n".join(_told(member, depth + 1))
            lines.append(textwrap.indent(f"{number} of {len(members)}: {inside}", "  "))
        if len(members) > _MOST_MEMBERS:
            lines.append(f"  and {len(members) - _MOST_MEMBERS} more")
    return lines


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it, each once."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _kind(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, OSError) and error.strerror:
        return f"{name} ({error.strerror})"
    # Loaded already where there is such an error.
    psycopg = sys.modules.get("psycopg")
    if psycopg is not None and isinstance(error, psycopg.OperationalError):
        return f"{name} ({' '.join(str(error).split())[:300]})"
    return name
