"""What the log of people's acts says has words, wherever in the program it is written."""

import ast
import importlib
from collections.abc import Iterator
from enum import StrEnum
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from app.contacts.finding.search import ContactsWanted
from app.dashboard.settings.log_pages import values_of
from app.staff.log_kinds import AuditLog
from app.staff.log_values import ActedFrom, FoundBy
from app.statistics.sums import OUTCOMES
from app.words import pages
from tests.support.program import sources
from tests.support.program.every_message import every_message

pytestmark = pytest.mark.whole

_WRITERS = {"write_entry", "write_reading", "write_reading_of", "note_export"}


def _codes(node: ast.expr, module: ModuleType) -> Iterator[str]:
    """Yield the codes that an expression names: literals, members of enums, and parts of both."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            yield from (code for part in parts for code in _codes(part, module))
        case ast.BoolOp(values=parts) | ast.Dict(values=parts):
            yield from (code for part in parts for code in _codes(part, module))
        case ast.IfExp(body=one, orelse=other):
            yield from (*_codes(one, module), *_codes(other, module))
        case ast.Attribute(value=ast.Attribute() as member, attr="value"):
            yield from _codes(member, module)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            enum = getattr(module, name, None)
            if isinstance(enum, type) and issubclass(enum, StrEnum):
                yield str(getattr(enum, attribute))


def _written() -> Iterator[tuple[str, str]]:
    """Yield each code that is written to the log, and where."""
    for path in sources.having(*_WRITERS):
        if path.is_relative_to("demo"):
            continue
        where = "app" / path
        module = importlib.import_module(".".join(where.with_suffix("").parts))
        for node in sources.nodes(path):
            name = getattr(node, "func", None)
            if getattr(name, "attr", getattr(name, "id", "")) in _WRITERS:
                assert isinstance(node, ast.Call)
                for given in node.keywords:
                    for code in _codes(given.value, module):
                        yield code, f"{where}:{node.lineno} {given.arg}"


def test_every_code_that_is_written_to_the_log_has_words() -> None:
    written = list(_written())
    assert len(written) > 15
    known = {*every_message(), ""}
    without = [where for code, where in written if code.replace("_", " ") not in known]
    assert without == []


def test_what_a_list_was_found_by_and_outcomes_of_calls_have_words() -> None:
    codes = {*FoundBy, *ActedFrom, *OUTCOMES}
    assert {code for code in codes if code.replace("_", " ") not in every_message()} == set()
    rest = dict.fromkeys(set(ContactsWanted.__dataclass_fields__) - {"born"}, "x")
    every = ContactsWanted(**rest, born=2010)  # type: ignore[arg-type]
    assert set(every.kinds()) < set(FoundBy)


def test_codes_that_were_stored_as_words_and_events_of_agencies_are_said() -> None:
    detail = {"by": "on call", "what": "referral.recalled", "ids": "command line"}
    entry: Any = SimpleNamespace(action=AuditLog.ALARM_ACKNOWLEDGED, detail=detail)
    with pages.spoken_in("sr"):
        shown = [said.after[0].text for said in values_of(entry, {})]
        known = [pages.code_words(one) for one in ("on_call", "recalled", "command_line")]
    assert shown == known
    assert "command line" not in shown


def test_the_log_says_why_a_request_about_data_was_asked_and_extended() -> None:
    """Those codes are in no catalogue: their words are those of the page of requests."""
    extended: dict[str, Any] = {"because": "complex", "before": {}, "after": {"extended_until": ""}}
    asked = {"kind": "erasure", "because": "by_law", "how": "called_back", "rows": 2}
    over = {"because": "idle"}
    shown = []
    for action, detail in (
        (AuditLog.DATA_REQUEST_EXTENDED, extended),
        (AuditLog.DATA_REQUEST_ASKED, asked),
        (AuditLog.SESSION_OVER, over),
    ):
        entry: Any = SimpleNamespace(action=action, detail=detail)
        shown += [one.after[0].text for one in values_of(entry, {}) if one.after]
    assert shown == [
        "The request is complex",
        "Erase what is held about the person",
        "A law or a court demands it",
        "The number was called back",
        "2",
        "minutes without an act",
    ]
