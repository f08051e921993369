"""Windows and periods as a reader reads them: dates in the order of their language."""

from datetime import date, datetime, timedelta

from babel.dates import format_skeleton

from app.statistics.periods import WEEKDAYS, Period, Window
from app.words.catalogues import locale_of
from app.words.pages import _, clock_words, day_words, reader, weekday_name


def edge_words(edge: date | str) -> str:
    """Return where a window begins or ends: a day, or an instant with its time of day."""
    if not isinstance(edge, str):
        return day_words(edge)
    return day_words(datetime.fromisoformat(edge) if "T" in edge else date.fromisoformat(edge))


def days_of(window: Window) -> str:
    """Return a window for readers: the first day and the last, or the one day."""
    if window.last == window.begins:
        return edge_words(window.begins)
    return _("%(begin)s to %(end)s", begin=edge_words(window.begins), end=edge_words(window.last))


def period_words(period: Period, label: str) -> str:
    """Return a period of a count by the label that programs read, such as `2026-11`."""
    match period:
        case Period.QUARTER_HOUR | Period.HOUR | Period.DAY:
            return edge_words(label)
        case Period.WEEK:
            year, week = label.split("-W")
            first = date.fromisocalendar(int(year), int(week), 1)
            return days_of(Window(first, first + timedelta(days=7)))
        case Period.MONTH:
            year, month = label.split("-")
            return _as("yMMMM", date(int(year), int(month), 1))
        case Period.QUARTER:
            year, quarter = label.split("-Q")
            return _as("yQQQ", date(int(year), int(quarter) * 3, 1))
        case Period.WEEKDAY_HOUR:
            day, hour = label.split(" ")
            return f"{weekday_name(WEEKDAYS.index(day))} {clock_words(f'{hour}:00')}"
        case Period.YEAR:
            return label


def released_words(label: str) -> str:
    """Return the period of a release, which is a year, a quarter or a month."""
    kind = Period.QUARTER if "-Q" in label else Period.MONTH if "-" in label else Period.YEAR
    return period_words(kind, label)


def _as(skeleton: str, day: date) -> str:
    return str(format_skeleton(skeleton, day, locale=locale_of(reader())))
