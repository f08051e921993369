"""Every regular expression of the program, pumped with hostile repetition.

`try_all` writes a line of JSON for each that takes more than linear work: its place, the pattern,
and the text that it is slow with.
"""

import ast
import functools
import gc
import importlib
import itertools
import json
import re
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path
from re import _constants as of
from re import _parser as parser
from time import process_time
from typing import Any, NamedTuple

from tests.support.profile import WHOLE
from tests.support.program import sources

# Files whose patterns are made as the program runs; `_made` has one of each.
MADE = {
    "errors.py",
    "routing/rota/recurrence.py",
    "routing/rota/working_times.py",
    "training/agency_texts.py",
    "words/danger.py",
    "words/local_hours.py",
}
METHODS = ("search", "match", "fullmatch", "sub", "subn", "findall", "finditer", "split")
# Characters of a text; with WHOLE twice as many find what is slow in a lesser degree.
SHORT, LONG, _LONGEST = (4_000, 16_000, 64_000) if WHOLE else (2_000, 8_000, 32_000)
# Seconds of the processor for LONG characters: below the first all is well, above the second
# nothing is. In between, LONGEST decides: 16 times the characters of SHORT are to be 16 times the
# work, and not the square of that; a moment of something else is no sign.
_NOTICED, _MOMENT = (0.003, 0.05) if WHOLE else (0.001, 0.02)
_PLAIN, _TIMES = LONG * 0.00002, 64
# No more of the processor's seconds for all of them.
_ALL = 120
# What says no character of a class, and what stands in none.
_TRIED = "a 1_-.<x/:,\tžж\x00~"
# What is tried by day makes a repetition fail at its end, which shows most of what is slow.
_ENDS = ("", "\x00") if WHOLE else ("\x00",)


class Found(NamedTuple):
    """A regular expression, where it stands, and by which methods it is used."""

    place: str
    pattern: str | bytes
    flags: int
    methods: tuple[str, ...]


def _uses(nodes: Iterable[ast.AST]) -> dict[str, set[str]]:
    """Return the methods that are called on each name."""
    found: dict[str, set[str]] = {}
    for one in nodes:
        if isinstance(one, ast.Attribute) and one.attr in METHODS:
            name = one.value
            key = name.id if isinstance(name, ast.Name) else getattr(name, "attr", "")
            found.setdefault(key, set()).add(one.attr)
    return found


def _flags(call: ast.Call) -> int:
    words = [*call.args[1:], *(one.value for one in call.keywords if one.arg == "flags")]
    names = {one.attr for word in words for one in ast.walk(word) if isinstance(one, ast.Attribute)}
    flags = 0
    for name in names:
        if isinstance(getattr(re, name, None), re.RegexFlag):
            flags |= getattr(re, name)
    return flags


def _is_function(one: ast.AST) -> bool:
    return isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def _calls(nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.Call, str]]:
    for one in nodes:
        if (
            isinstance(one, ast.Call)
            and isinstance(one.func, ast.Attribute)
            and isinstance(one.func.value, ast.Name)
            and one.func.value.id == "re"
            and one.func.attr in ("compile", *METHODS)
        ):
            yield one, one.func.attr


def _compiled(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _compiled(one)
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _compiled(one)


@functools.cache
def collected() -> tuple[list[Found], set[str]]:
    """Return all regular expressions, and `file:function` of those that are made as it runs."""
    found: list[Found] = []
    made: set[str] = set()
    # What production runs imports nothing of the demo, which reads its own pages.
    read = {
        path: sources.nodes(path)
        for path in sources.having("import re\n")
        if "demo" not in path.parts
    }
    everywhere: dict[str, set[str]] = {}
    for nodes in read.values():
        for name, methods in _uses(nodes).items():
            everywhere.setdefault(name, set()).update(methods)
    for path, nodes in read.items():
        short, own = str(path), _uses(nodes)
        constants = set()
        inside = {id(one) for where in nodes if _is_function(where) for one in ast.walk(where)}
        for call, method in _calls(nodes):
            try:
                pattern = ast.literal_eval(call.args[0])
            except ValueError:
                if id(call) in inside:
                    made.add(short)
                continue
            constants.add(pattern)
            if method != "compile":
                found.append(Found(f"{short}:{call.lineno}", pattern, _flags(call), (method,)))
        if not any(method == "compile" for _, method in _calls(nodes)):
            continue
        module = importlib.import_module(".".join(("app", *path.with_suffix("").parts)))
        for name, value in vars(module).items():
            methods = own.get(name) or everywhere.get(name) or {"search", "fullmatch"}
            for one in _compiled(value):
                found.append(Found(f"{short}:{name}", one.pattern, one.flags, tuple(methods)))
                constants.discard(one.pattern)
        if constants - {one.pattern for one in found}:
            made.add(short)
    return [*found, *_made()], made


def _made() -> Iterator[Found]:
    """Yield one of each kind of those that are made as the program runs (MADE)."""
    from app import errors
    from app.routing.rota import recurrence, working_times
    from app.words import danger

    form = errors.form_of("%(a)s is %(b)s of %(c)s, and %(d)s.")
    yield Found("errors.py:form_of", form.pattern, form.flags, ("fullmatch",))
    of_danger = danger.pattern(("kill", "killing", "zna da"))
    assert of_danger is not None
    yield Found("words/danger.py:pattern", of_danger.pattern, of_danger.flags, tuple(METHODS))
    for name, pattern in recurrence.PARTS.items():
        yield Found(f"routing/rota/recurrence.py:{name}", pattern, 0, ("fullmatch",))
    times = working_times.two_times()
    yield Found("routing/rota/working_times.py", times.pattern, times.flags, ("fullmatch",))
    link = re.escape("https://a.example") + "(/r/[A-Za-z0-9_-]+)"
    yield Found("training/agency_texts.py", link, 0, ("findall",))
    yield Found("words/local_hours.py", re.escape("closed all day"), re.IGNORECASE, ("sub",))


def _fits(items: list[Any], character: str) -> bool:
    compiled = parser.parse("x")
    compiled[0] = (of.IN, items)
    return re._compiler.compile(compiled).fullmatch(character) is not None  # type: ignore[attr-defined]


def _text_of(parts: Any, tried: str = "") -> str:
    """Return a text that fits these parts of a pattern, more or less."""
    text = ""
    for kind, value in parts:
        if kind is of.LITERAL:
            text += chr(value)
        elif kind is of.NOT_LITERAL:
            text += next(one for one in _TRIED if ord(one) != value)
        elif kind is of.ANY:
            text += "a"
        elif kind is of.IN:
            attempts = [tried] if tried else [*_TRIED, *map(chr, range(33, 127))]
            text += next((one for one in attempts if _fits(value, one)), "")
        elif kind is of.BRANCH:
            text += _text_of(value[1][0])
        elif kind is of.SUBPATTERN:
            text += _text_of(value[3])
        elif kind in (of.MAX_REPEAT, of.MIN_REPEAT, of.POSSESSIVE_REPEAT):
            text += _text_of(value[2]) * max(1, min(value[0], 40))
        elif kind is of.ATOMIC_GROUP:
            text += _text_of(value)
    return text


def _pieces(parts: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Yield what may be repeated, each with what stands before it."""
    for kind, value in parts:
        if kind is of.BRANCH:
            for branch in value[1]:
                yield before, _text_of(branch)
                yield from _pieces(branch, before)
        elif kind is of.SUBPATTERN:
            yield from _pieces(value[3], before)
        elif kind is of.ATOMIC_GROUP:
            yield from _pieces(value, before)
        elif kind in (of.ASSERT, of.ASSERT_NOT):
            yield from _pieces(value[1], before)
            yield before, _text_of(value[1])
        elif kind in (of.MAX_REPEAT, of.MIN_REPEAT, of.POSSESSIVE_REPEAT):
            yield before, _text_of(value[2])
            yield from _pieces(value[2], before)
        elif kind is of.IN:
            for one in itertools.islice((one for one in _TRIED if _fits(value, one)), 3):
                yield before, one
        before += _text_of([(kind, value)])
        yield "", before


def pumps(pattern: str | bytes, flags: int) -> list[tuple[str, str]]:
    """Return what to repeat for a pattern, each with what is to stand before it."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    pieces = [one for one in _pieces(parser.parse(text, flags & ~re.UNICODE)) if one[1]]
    pieces = list(dict.fromkeys(pieces))
    single = list(dict.fromkeys(one for _, one in pieces if len(one) == 1))[:4]
    pairs = [("", a + b) for a, b in itertools.permutations(single, 2)]
    return list(dict.fromkeys([*pieces[:24], *(("", one) for one in single), *pairs]))


def _work(compiled: re.Pattern[Any], method: str, text: str) -> float:
    subject: Any = (
        text.encode("latin-1", "replace") if isinstance(compiled.pattern, bytes) else text
    )
    began = process_time()
    if method == "finditer":
        list(compiled.finditer(subject))
    elif method in ("sub", "subn"):
        compiled.sub(lambda _: subject[:0], subject)
    else:
        getattr(compiled, method)(subject)
    return process_time() - began


def is_slow(compiled: re.Pattern[Any], method: str, before: str, pump: str, end: str) -> bool:
    """Return whether four times the text is much more than four times the work."""
    short, long = (before + pump * (n // len(pump)) + end for n in (SHORT, LONG))
    work = _work(compiled, method, long)
    if work < _NOTICED:
        return False
    if work < 10 * _PLAIN and (work := _work(compiled, method, long)) < _NOTICED:
        # The first time, the machine was busy with something else.
        return False
    if work > _PLAIN:
        return True
    longest = before + pump * (_LONGEST // len(pump)) + end
    # A busy machine tells too much of some, and too little of others: the longest is to be slow
    # each time.
    if _work(compiled, method, longest) <= max(_MOMENT, 10 * work):
        return False
    first = max(_work(compiled, method, short) for _ in range(5))
    enough = max(_MOMENT, _TIMES * first, 10 * work)
    return all(_work(compiled, method, longest) > enough for _ in range(3))


def slow_with(one: Found) -> str | None:
    """Return a text with which the pattern is slow, described in short; None if there is none."""
    compiled = re.compile(one.pattern, one.flags)
    for (before, pump), end in itertools.product(pumps(one.pattern, one.flags), _ENDS):
        for method in one.methods:
            if is_slow(compiled, method, before, pump, end):
                return f"{method}: {before!r} + {pump!r} * n + {end!r}"
    return None


def try_all(path: Path) -> None:
    """Pump all of them, within a bound of the processor's time that cannot be passed."""
    resource.setrlimit(resource.RLIMIT_CPU, (_ALL, _ALL))
    found, _ = collected()
    # What is cleaned up meanwhile would be counted.
    gc.disable()
    # By the line: if one never ends, it is the last line.
    with path.open("w", buffering=1) as to:
        for one in found:
            print(json.dumps({"place": one.place, "pattern": repr(one.pattern)}), file=to)
            slow = slow_with(one)
            if slow:
                print(json.dumps({"place": one.place, "slow": slow}), file=to)
        print(json.dumps({"all": len(found)}), file=to)
