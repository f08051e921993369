"""The changes of a line in words, as its page lists them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from app.administration import line_changes
from app.calls.asked import QUESTIONS
from app.dashboard.settings.hours_words import hours_words
from app.dashboard.settings.lines.line_chat_views import CARRIER_WORDS, ICON_WORDS, MEDIA_WORDS
from app.dashboard.settings.log_words import FIELD_WORDS
from app.words.pages import N_, _, country_name, language_name, list_words, refusal_words, said
from app.words.places import zone_name

_PART_WORDS = {
    line_changes.LinePart.NAME: N_("Name"),
    line_changes.LinePart.LANGUAGES: N_("Languages"),
    line_changes.LinePart.FACTS: N_("Number, country and time zone"),
    line_changes.LinePart.HOURS: N_("Opening hours"),
    line_changes.LinePart.NUMBERS: N_("Numbers"),
    line_changes.LinePart.PLAN: N_("Who else is asked as a caller waits"),
    line_changes.LinePart.CHAT: N_("Written conversations"),
    line_changes.LinePart.QUESTIONS: N_("Questions by key"),
    line_changes.LinePart.USE: N_("Whether it is in use"),
}
# The codes in values of a line, by the name of the value.
_WORDS_OF_CODES: Mapping[str, Mapping[str, str]] = {
    "icon": ICON_WORDS,
    "media": MEDIA_WORDS,
    "by": {str(one): text for one, text in CARRIER_WORDS.items()},
    "carrier": {str(one): text for one, text in CARRIER_WORDS.items()},
}


class ChangeRow(NamedTuple):
    """A change of a line on its page."""

    id: int
    at: datetime
    by: str
    what: str
    # Each value, what it was before, and what it became.
    fields: list[tuple[str, str, str]]
    # Why it cannot be taken back, or nothing.
    why_not: str


def change_rows(changes: list[line_changes.LineChange]) -> list[ChangeRow]:
    """Return changes of a line in words."""
    return [
        ChangeRow(
            one.id,
            one.at,
            one.by or _("command line"),
            said(_PART_WORDS[one.part] if one.carrier is None else CARRIER_WORDS[one.carrier]),
            [
                (
                    _field_words(name),
                    _value_words(one.before[name], name),
                    _value_words(value, name),
                )
                for name, value in one.after.items()
            ],
            refusal_words(one.why_not) if one.why_not is not None else "",
        )
        for one in changes
    ]


def _field_words(name: str) -> str:
    """Return what a value is called; one that the program knew once stands as it is."""
    if name == "by":
        # Elsewhere in the log this says who did something.
        return _("Children can also write by")
    return said(FIELD_WORDS[name]) if name in FIELD_WORDS else name.replace("_", " ")


def _value_words(value: Any, name: str = "") -> str:
    match value:
        case str() if name == "hours" and value:
            return hours_words(value)
        case str() if value:
            return _one_words(value, name)
        case bool():
            return _("yes") if value else _("no")
        case None if name == "report_page":
            return _("that of the country")
        case None | "":
            return "–"
        case list() | tuple():
            return list_words(_one_words(str(one), name) for one in value) or "–"
        case dict():
            by_language = name in ("closed", "beginnings")
            inner = [
                f"{language_name(key) if by_language else key}: {_value_words(one)}"
                for key, one in value.items()
            ]
            return "; ".join(inner) or "–"
        case _:
            return str(value)


def _one_words(code: str, name: str) -> str:
    """Return a code in words; a text that is no code stands as it is."""
    match name:
        case "languages":
            return language_name(code)
        case "country":
            return country_name(code)
        case "timezone":
            return zone_name(code)
        case "key_questions":
            return said(QUESTIONS[code].words) if code in QUESTIONS else code
    words = _WORDS_OF_CODES.get(name, {})
    return said(words[code]) if code in words else code
