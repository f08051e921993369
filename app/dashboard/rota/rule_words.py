"""Rules of recurrence in words, and the usual ones to choose from."""

import re

from app.words.pages import _, list_words, weekday_short

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_RULE = re.compile(r"FREQ=WEEKLY(?:;INTERVAL=(1|2))?;BYDAY=([A-Z,]+)")
USUAL = (
    "FREQ=DAILY",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=WEEKLY;BYDAY=SA,SU",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU",
)


def rule_words(rule: str) -> str:
    """Return a rule as a person says it; one that is none of the usual stands as it is."""
    if rule == "FREQ=DAILY":
        return _("every day")
    match = _RULE.fullmatch(rule)
    days = match[2].split(",") if match is not None else []
    if match is None or not all(day in _DAYS for day in days):
        return rule
    words = list_words(weekday_short(_DAYS.index(day)) for day in days)
    if match[1] == "2":
        return _("every second week: %(days)s", days=words)
    return _("every week: %(days)s", days=words)


def usual_rules() -> list[tuple[str, str]]:
    """Return the usual rules, each with its words."""
    return [(rule, rule_words(rule)) for rule in USUAL]
