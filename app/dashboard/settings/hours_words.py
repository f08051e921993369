"""Opening hours in the language of the reader."""

import re

from app.calls.hours import ALWAYS
from app.calls.weekly_hours import ALL_DAY, DAYS, HOLIDAYS, Span, Week, read_week, runs_of
from app.words.pages import _, clock_words, list_words, weekday_short

_TOKEN = re.compile(r'"[^"]*"|\b(?:Mo|Tu|We|Th|Fr|Sa|Su|PH|off|closed)\b|\b\d\d:\d\d\b')


def hours_words(text: str) -> str:
    """Return opening hours as a person reads them: "Mon–Fri 08:00–20:00; holidays closed"."""
    if not text.strip():
        return _("always")
    if text.strip() == ALWAYS:
        return _("open round the clock")
    week = read_week(text)
    # What is more than hours by weekday keeps its form; its days and times are in words.
    return _TOKEN.sub(lambda found: _token(found[0]), text) if week is None else _week_words(week)


def _token(word: str) -> str:
    if word in DAYS:
        return weekday_short(DAYS.index(word))
    if word == HOLIDAYS:
        return _("public holidays")
    if word in ("off", "closed"):
        return _("closed all day")
    return word if word.startswith('"') else clock_words(word)


def _week_words(week: Week) -> str:
    by_hours: dict[tuple[Span, ...], list[int]] = {}
    for n, day in enumerate(DAYS):
        if week.of(day):
            by_hours.setdefault(week.of(day), []).append(n)
    parts = [f"{days_words(numbers)} {_spans_words(spans)}" for spans, numbers in by_hours.items()]
    if week.holidays is not None:
        parts.append(f"{_('public holidays')} {_spans_words(week.holidays)}")
    return "; ".join(parts) or _("closed all day")


def days_words(numbers: list[int]) -> str:
    """Return weekdays in words, those in a row together; 0 is Monday."""
    return list_words(
        weekday_short(first) if first == last else f"{weekday_short(first)}–{weekday_short(last)}"
        for first, last in runs_of(numbers)
    )


def _spans_words(spans: tuple[Span, ...]) -> str:
    if spans == ALL_DAY:
        return _("open round the clock")
    return list_words(f"{clock_words(b)}–{clock_words(e)}" for b, e in spans) or _("closed all day")
