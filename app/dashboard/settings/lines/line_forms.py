"""The forms of a line: what was changed in one, against what it showed (`was.<name>`).

What a person has not changed stays, also if another person has changed it since.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from app.calls import reporting
from app.calls.chat_rules import ChatRules
from app.calls.speech import LineScript
from app.errors import Conflict

# The settings of writing that the form shows for the languages that the line speaks now.
_BY_LANGUAGE = ("languages", "closed", "beginnings")


def differs(sent: Mapping[str, Any], name: str, value: str, stored: str) -> bool:
    """Return whether a value was changed in a form; so is each one of a form that does not say what
    it showed. Raises Conflict if another person has changed it since."""
    was = sent.get(f"was.{name}")
    if was is None:
        return True
    if value == was:
        return False
    if stored not in (was, value):
        raise Conflict
    return True


def changed_texts(
    sent: Mapping[str, Any], given: Mapping[str, str | None], stored: Mapping[str, str]
) -> dict[str, str]:
    """Return the texts that a form changed; None is one that was not sent. Raises Conflict."""
    return {
        name: value
        for name, value in given.items()
        if value is not None and differs(sent, name, value, stored[name])
    }


def marks_of_chat(rules: ChatRules, line: LineScript) -> dict[str, str]:
    """Return a mark for each setting of writing, as the form shows it."""
    spoken = [one.language for one in line.languages]
    found = {name: getattr(rules, name) for name in ChatRules.__dataclass_fields__}
    found["languages"] = [one for one in rules.languages if one in spoken]
    for name in ("closed", "beginnings"):
        found[name] = {one: words for one, words in found[name].items() if one in spoken}
    found["report_page"] = reporting.report_page(rules, line.country)
    return {name: _mark(name, value) for name, value in found.items()}


def changed_chat(
    sent: Mapping[str, Any], given: dict[str, Any], rules: ChatRules, line: LineScript
) -> dict[str, Any]:
    """Return the settings of writing that the form changed; what it says for languages that the
    line speaks no more stays. Raises Conflict."""
    stored = marks_of_chat(rules, line)
    found = {
        name: value
        for name, value in given.items()
        if value is not None and differs(sent, name, _mark(name, value), stored[name])
    }
    spoken = [one.language for one in line.languages]
    for name in (one for one in _BY_LANGUAGE if one in found):
        before = getattr(rules, name)
        if isinstance(before, Mapping):
            found[name] = {k: v for k, v in before.items() if k not in spoken} | found[name]
        elif found[name]:
            found[name] = [*found[name], *(one for one in before if one not in spoken)]
    return found


def _mark(name: str, value: Any) -> str:
    """Return a short mark of a value: words can be long, and a form writes them in its own way."""
    if name in ("languages", "by", "media"):
        value = sorted(value)
    text = json.dumps(value or "", sort_keys=True).replace("\\r\\n", "\\n")
    return hashlib.sha256(text.encode()).hexdigest()[:32]
