"""What is opened for one reader stays in no cache of the process once the answer is given."""

import asyncio
import gc
import sys
import types
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from functools import _lru_cache_wrapper
from typing import Any
from uuid import uuid4

from app.database.topics import Topic
from app.demo.stage import Stage
from tests.support.contacts import changes

# What leads from a cache to everything else, and holds no words itself.
_ELSEWHERE = (
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.FrameType,
    types.CodeType,
    # What runs at the moment: the test, the server, and requests of others.
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.MethodType,
    asyncio.AbstractEventLoop,
    type,
)
_KEPT = (dict, list, set, frozenset, tuple, deque, _lru_cache_wrapper)


def _caches(stage: Stage) -> Iterator[Any]:
    """Everything of the process that outlives a request: functions that remember, containers of
    modules and classes, the memory of the ground and the state of the application."""
    for name, module in list(sys.modules.items()):
        if name != "app" and not name.startswith("app."):
            continue
        for value in list(vars(module).values()):
            if isinstance(value, _KEPT):
                yield value
            elif isinstance(value, type) and value.__module__ == name:
                yield from (one for one in vars(value).values() if isinstance(one, _KEPT))
    yield stage.ground.memory
    yield stage.app.state


def _way_to(roots: list[Any], words: str) -> list[str]:
    """Return by which objects a cache leads to the words; nothing if none does."""
    raw = words.encode()
    seen: set[int] = {id(roots)}
    # What is reached by one step more than what is in the one before.
    levels: list[list[Any]] = []
    found = roots
    while found:
        fresh = {id(one): one for one in found}
        levels.append([fresh[key] for key in fresh.keys() - seen])
        seen |= fresh.keys()
        by_kind: dict[type, list[Any]] = {}
        for one in levels[-1]:
            by_kind.setdefault(type(one), []).append(one)
        found = []
        for kind, ones in by_kind.items():
            if issubclass(kind, (str, bytes, bytearray)):
                sought = words if issubclass(kind, str) else raw
                if held := [one for one in ones if sought in one]:
                    return _way_back(levels, held[0])
            else:
                found += _referents(kind, ones)
    return []


def _referents(kind: type, ones: list[Any]) -> list[Any]:
    """Return what objects of one kind lead to."""
    if issubclass(kind, _ELSEWHERE):
        return []
    if issubclass(kind, asyncio.Future):
        # A part of a page that is kept, made for all readers of a scope.
        done = (one for one in ones if one.done() and not one.cancelled() and not one.exception())
        return [one.result() for one in done]
    return gc.get_referents(*ones)


def _way_back(levels: list[list[Any]], reached: Any) -> list[str]:
    """Return the kinds of the objects that lead to one of the last level, it first."""
    way = [reached]
    for level in reversed(levels[:-1]):
        leads = (one for one in level if any(x is way[-1] for x in _referents(type(one), [one])))
        way.append(next(leads))
    return [f"{type(one).__module__}.{type(one).__qualname__}" for one in way]


async def test_no_cache_holds_what_was_opened_once_the_answer_is_given(stage: Stage) -> None:
    ana = await stage.add_counsellor("ana")
    # Made here, so that no constant of a module holds it.
    words = "".join(("Zlatanka", uuid4().hex[:8]))
    answers = {"child.a1.name": words, "actions.summary": words}
    made = await ana.ask("POST", "/contacts", {"channel": "email", "answers": answers})
    assert made.status_code == 201, made.text
    assert made.json()["refused"] == {}
    record = made.json()["id"]
    shown = await stage.client.get(
        f"{stage.settings.public_url}/contacts/{record}", headers={"Cookie": ana.cookie_header}
    )
    assert shown.status_code == 200
    assert words in shown.text, "it is opened for its reader"
    assert words in (await ana.ask("GET", f"/contacts/{record}")).text
    later = changes({"caller.name": words})
    saved = await ana.ask("PUT", f"/contacts/{record}/answers", later)
    assert saved.status_code == 200, saved.text
    assert saved.json()["refused"] == saved.json()["conflicts"] == {}
    # A list has none of it, not even opened.
    listed = await ana.ask("GET", "/contacts")
    assert [one["id"] for one in listed.json()["contacts"]] == [record]
    assert words not in listed.text
    # Parts of pages that many see alike are kept for a second.
    await stage.advance(2)
    roots = list(_caches(stage))
    assert len(roots) > 200
    way = _way_to(roots, words)
    assert not way, " < ".join(way)
    # The search finds what is kept.
    stage.ground.memory.keep(
        Topic.CALLS, ("planted",), {"name": [f"<b>{words}</b>"]}, stage.clock.now() + timedelta(1)
    )
    assert any(one is stage.ground.memory for one in roots)
    assert _way_to([stage.ground.memory], words)
