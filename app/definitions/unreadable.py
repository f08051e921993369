"""What is wrong with a file that is not YAML, or whose parts are of the wrong shape. Pure.

The libraries that read a file say this in English only. What people meet has a message of our own,
which says what to write; anything else is quoted.
"""

from collections.abc import Callable
from typing import Any

from app.errors import Message, why

NO_ALIASES = Message("anchors and aliases are not allowed here: write it out")
NO_KEY = Message("there is no such key here")
# By what libyaml calls the problem.
_YAML = {
    "": Message("this is not YAML"),
    "mapping values are not allowed in this context": Message(
        "a colon cannot stand here: put the text into quotation marks, or correct the indentation"
    ),
    "found character that cannot start any token": Message(
        "this character cannot begin a value: put the text into quotation marks, and indent with "
        "spaces, not with tabs"
    ),
    "found unexpected end of stream": Message("a quotation mark is opened and not closed"),
    "did not find expected ',' or ']'": Message(
        "a list that begins with [ needs commas between its items, and ] at its end"
    ),
    "did not find expected ',' or '}'": Message(
        "a map that begins with { needs commas between its keys, and } at its end"
    ),
    "did not find expected '-' indicator": Message(
        "every item of this list has to begin with a hyphen, below the hyphen of the first"
    ),
    "did not find expected node content": Message(
        "a value is expected here: check the brackets and the quotation marks"
    ),
    "did not find expected key": Message(
        "a key is expected here: check the indentation and the quotation marks"
    ),
    "could not find expected ':'": Message("a colon and a space are missing after the key"),
    "found unknown escape character": Message(
        "the character after this backslash means nothing: use single quotation marks"
    ),
    "but found another document": Message("a file holds one definition: leave out the line ---"),
    "found undefined alias": NO_ALIASES,
    "second occurrence": NO_ALIASES,
}
_EMPTY = Message("must not be empty")
_TEXT = Message("must be a text")
_WHOLE_NUMBER = Message("must be a whole number")
_NUMBER = Message("must be a number")
_YES_OR_NO = Message("must be true or false")
_LIST = Message("must be a list")
_MAP = Message("must be a map: keys, each with a value")
_TIME = Message("must be a time of day like 08:00")
# By what pydantic calls the kind of the error.
_SHAPE = {
    "extra_forbidden": NO_KEY,
    "missing": Message("is missing"),
    "string_type": _TEXT,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _YES_OR_NO,
    "bool_parsing": _YES_OR_NO,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _MAP,
    "model_type": _MAP,
    "time_type": _TIME,
    "time_parsing": _TIME,
}
# Those that name a limit, by the same.
_LIMIT: dict[str, Callable[[dict[str, Any]], Message]] = {
    "literal_error": lambda of: _one_of(of["expected"]),
    "enum": lambda of: _one_of(of["expected"]),
    "string_pattern_mismatch": lambda of: Message(
        "must match the pattern %(pattern)s", pattern=of["pattern"]
    ),
    "too_short": lambda of: _not_fewer(of["min_length"]),
    "too_long": lambda of: Message("may have at most %(most)s entries", most=of["max_length"]),
    "string_too_short": lambda of: _not_shorter(of["min_length"]),
    "string_too_long": lambda of: Message(
        "may have at most %(most)s characters", most=of["max_length"]
    ),
    "greater_than_equal": lambda of: Message("must be %(least)s or more", least=of["ge"]),
    "greater_than": lambda of: Message("must be more than %(limit)s", limit=of["gt"]),
    "less_than_equal": lambda of: Message("must be %(most)s or less", most=of["le"]),
    "less_than": lambda of: Message("must be less than %(limit)s", limit=of["lt"]),
    "value_error": lambda of: why(of["error"]),
}


def not_yaml(problem: str) -> Message:
    """Return what is wrong with a file that is not YAML; `problem` is what libyaml says."""
    return _YAML.get(problem) or Message("this is not YAML: %(what)s", what=problem)


def wrong_shape(error: Any) -> Message:
    """Return what is wrong with a part of a file; `error` is one of pydantic's."""
    kind = error["type"]
    if kind in _LIMIT:
        return _LIMIT[kind](error["ctx"])
    return _SHAPE.get(kind) or Message("this is not valid: %(what)s", what=error["msg"])


def _one_of(expected: str) -> Message:
    before, _or, last = expected.rpartition(" or ")
    known = f"{before}, {last}" if before else last
    return Message("must be one of: %(known)s", known=known)


def _not_fewer(least: int) -> Message:
    if least == 1:
        return _EMPTY
    return Message("must have at least %(least)s entries", least=least)


def _not_shorter(least: int) -> Message:
    if least == 1:
        return _EMPTY
    return Message("must have at least %(least)s characters", least=least)
