"""Dates and times of day as a person reads them, in the order and the letters of a language."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, get_timezone_name

from app.words.catalogues import locale_of


def day(value: date, language: str) -> str:
    """Return a date with its year."""
    return str(format_date(value, "medium", locale=locale_of(language)))


def moment(
    at: datetime, language: str, zone: ZoneInfo | None = None, *, named: bool = False
) -> str:
    """Return a date and the time of day, in a zone if one is given, and `named` with its name."""
    local = at.astimezone(zone) if zone is not None else at
    locale = locale_of(language)
    said = str(format_datetime(local, _form(locale), locale=locale))
    return f"{said} {local.tzname()}" if named else said


def zone_words(zone: ZoneInfo, language: str) -> str:
    """Return the name of a zone: "Central European Time"."""
    return str(get_timezone_name(zone, locale=locale_of(language)))


def _form(locale: Locale) -> str:
    """Return the form of an instant; clocks have 24 hours, the rest is as the locale has it."""
    day_form = str(locale.date_formats["medium"].pattern)
    return str(locale.datetime_formats["medium"]).replace("'", "").format("HH:mm", day_form)
