"""Examples for what changes in a prompt: how it sounds without a caller."""

from collections.abc import Mapping

from app.calls.speech import LineScript
from app.words.keys import PromptKey
from app.words.pages import _

# The keys that callers are told, where it is not key 1.
DIGITS = {PromptKey.OFFER_CALLBACK: "3", PromptKey.ASK_FOR_LAST: "2"}


def example_values(line: LineScript, language: str, key: PromptKey) -> Mapping[str, str]:
    """Return a value for each placeholder of a prompt; its words are in the reader's language."""
    return {
        "line": line.name,
        "digit": _digit(line, language, key),
        "danger": line.danger_digit,
        "message": "1",
        "ahead": "3",
        "emergency": line.emergency,
        "resumes": _("(when the line is open again)"),
        "window": _("(the time that was agreed)"),
        "available": "1",
        "break": "2",
        "off": "3",
        "reason": _("(what has happened)"),
    }


def _digit(line: LineScript, language: str, key: PromptKey) -> str:
    if key in (PromptKey.DANGER, PromptKey.BLOCKED):
        return line.danger_digit
    if key is PromptKey.CHOOSE_LANGUAGE:
        return line.spoken(language).digit
    return DIGITS.get(key, "1")
