"""The texts of a folder of words by their keys, and what each text has to keep to. Pure.

A translator sees the files of a language as one list: `prompts.greeting`, `times.at`,
`letters.message.subject`, `child.page.title`, `chats.danger`, `language.trouble`.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from app.errors import Message
from app.words.keys import LONGEST_TEXT
from app.words.sms import parts_of

# What the keys of each file begin with. The names in `prompts.yaml` are whole as they are.
FILES: Mapping[str, tuple[str, ...]] = {
    "prompts.yaml": (),
    "letters.yaml": ("letters",),
    "child.yaml": ("child",),
    "chats.yaml": ("chats",),
    "language.yaml": ("language",),
}
# The only text about a language itself that is said to people.
_TROUBLE = "language.trouble"
# Lists of any number of entries; a translator writes one on each line.
_LISTS = ("letters.duty_words.", "chats.", "language.until", "language.stop")
_LONGEST_LIST = 10_000
# Letters that are sent by SMS, and those among them that are not sent alone.
_SENT = ("letters.message.", "letters.duty_text.")
_WITHIN = frozenset({"letters.message.subject", "letters.message.sms", "letters.message.email"})
MOST_PARTS = 4
# How many letters a placeholder is taken for; a link is longer.
_FILLED, _LINK = 12, 80


def keyed(file: str, read: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a file by their keys, in the order of the file."""
    found = dict(_leaves(FILES[file], read))
    if file == "language.yaml":
        return {key: text for key, text in found.items() if key == _TROUBLE}
    return found


def _leaves(names: tuple[str, ...], value: Any) -> Iterator[tuple[str, str]]:
    key = ".".join(names)
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves((*names, str(name)), inner)
        case list() if is_list(key):
            yield key, "\n".join(map(str, value))
        case list():
            for number, one in enumerate(value, 1):
                yield from _leaves((*names, str(number)), one)
        case str():
            yield key, value


def laid_over(file: str, read: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, Any]:
    """Return a file with the texts of `own`, by their keys, in place of its own."""
    if not own:
        return dict(read)
    return {name: _over((*FILES[file], str(name)), inner, own) for name, inner in read.items()}


def _over(names: tuple[str, ...], value: Any, own: Mapping[str, str]) -> Any:
    key = ".".join(names)
    match value:
        case dict():
            return {name: _over((*names, str(name)), inner, own) for name, inner in value.items()}
        case list() if is_list(key):
            return entries(own[key]) if key in own else value
        case list():
            return [_over((*names, str(n)), one, own) for n, one in enumerate(value, 1)]
        case str():
            return own.get(key, value)
    return value


def is_list(key: str) -> bool:
    """Return whether a text holds any number of entries, one on each line."""
    return key.startswith(_LISTS)


def is_sent_as_sms(key: str) -> bool:
    """Return whether a text goes out by SMS, which is billed in parts."""
    return key.startswith(_SENT) and key not in _WITHIN


def entries(text: str) -> list[str]:
    """Return the entries of a text that is a list."""
    return [one.strip() for one in text.split("\n") if one.strip()]


def problem_of(key: str, source: str, text: str, shown: str = "") -> Message | None:
    """Return what is wrong with a text, or None. `source` is its English, `shown` names it."""
    name = shown or key
    if not text.strip():
        return Message("%(key)s is empty", key=name)
    wanted = placeholders(source)
    if placeholders(text) != wanted:
        if not wanted:
            return Message("%(key)s must hold no placeholder in braces", key=name)
        return Message(
            "%(key)s must hold exactly these placeholders: %(names)s",
            key=name,
            names=["{" + one + "}" for one in sorted(wanted)],
        )
    allowed = {"\n"} if "\n" in source or is_list(key) else set()
    if {one for one in text if unicodedata.category(one) == "Cc"} - allowed:
        return Message("%(key)s must be one line, without control characters", key=name)
    return _too_long(key, text, name)


def _too_long(key: str, text: str, name: str) -> Message | None:
    most = _LONGEST_LIST if is_list(key) else LONGEST_TEXT
    if len(text) > most:
        return Message("%(key)s may have at most %(most)s characters", key=name, most=most)
    parts = parts_of(_filled(text)) if is_sent_as_sms(key) else 0
    if parts > MOST_PARTS:
        return Message(
            "%(key)s is sent by SMS: it may take at most %(most)s parts, and takes %(parts)s",
            key=name,
            most=MOST_PARTS,
            parts=parts,
        )
    return None


def _filled(text: str) -> str:
    """Return a text with something of a usual length in place of each placeholder."""
    names = placeholders(text)
    return text.format(**{one: "x" * (_LINK if one == "link" else _FILLED) for one in names})


def placeholders(text: str) -> set[str]:
    """Return the names that are filled in where a text is spoken."""
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        return {"braces that do not match"}
    # A form of a value (`{line:9}`, `{line!r}`) is not part of any text.
    return {
        name + (f"!{form}" if form else "") + (f":{width}" if width else "")
        for _, name, width, form in parts
        if name is not None
    }
