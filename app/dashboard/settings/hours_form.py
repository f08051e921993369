"""The form of opening hours by weekday: its rows, and what was sent."""

from collections.abc import Mapping
from typing import Any

from app.calls.weekly_hours import (
    ALL_DAY,
    DAYS,
    HOLIDAYS,
    MOST_SPANS,
    SentDay,
    Span,
    read_sent,
    read_week,
    write_week,
)
from app.errors import Invalid
from app.words.local_hours import stored_hours
from app.words.pages import N_, _, said, weekday_name

_STATES: dict[SentDay, str] = {
    SentDay.OPEN: N_("open from – until"),
    SentDay.ALWAYS: N_("open round the clock"),
    SentDay.CLOSED: N_("closed all day"),
}


def read_hours(sent: Mapping[str, str], now: str) -> str:
    """Return the text of the hours that were sent, as a text or by weekday. Raises Invalid.

    The same week keeps the text that is stored.
    """
    if "hours" in sent:
        return stored_hours(sent["hours"])
    if not any(f"hours.{day}" in sent for day in DAYS):
        raise Invalid("Enter an opening and a closing time for each open day.")
    week = read_sent(sent)
    return now if week == read_week(now) else write_week(week)


def _state_of(spans: tuple[Span, ...]) -> SentDay:
    if spans == ALL_DAY:
        return SentDay.ALWAYS
    return SentDay.OPEN if spans else SentDay.CLOSED


def hours_rows(text: str, typed: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the rows of the form by weekday, or None if the hours are more than that.

    After a refusal `typed` is what was sent.
    """
    week = read_week(text)
    if week is None:
        return None
    if any(len(spans) > MOST_SPANS for spans in (*week.days.values(), week.holidays or ())):
        return None
    rows = []
    for n, day in enumerate((*DAYS, HOLIDAYS)):
        spans = (week.holidays or ()) if day == HOLIDAYS else week.of(day)
        state = _state_of(spans)
        if day == HOLIDAYS and week.holidays is None:
            state = SentDay.SAME
        # A field for a time has no 24:00.
        times = (
            [] if state is SentDay.ALWAYS else [(b, e.replace("24:00", "00:00")) for b, e in spans]
        )
        times += [("", "")] * (MOST_SPANS - len(times))
        name = f"hours.{day}"
        if name in typed:
            state = SentDay(typed[name]) if typed[name] in set(SentDay) else SentDay.CLOSED
            times = [
                (typed.get(f"{name}.from{k}", ""), typed.get(f"{name}.until{k}", ""))
                for k in ("", "2")
            ]
        states = dict(_STATES)
        if day == HOLIDAYS:
            states = {SentDay.SAME: N_("as on any other day"), **states}
        rows.append(
            {
                "name": name,
                "words": weekday_name(n) if day != HOLIDAYS else _("public holidays"),
                "state": state.value,
                "states": [(code.value, said(words)) for code, words in states.items()],
                "times": [(k, *pair) for k, pair in zip(("", "2"), times, strict=True)],
            }
        )
    return rows
