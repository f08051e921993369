"""Countries and time zones by their names in the language of the reader."""

from functools import lru_cache
from zoneinfo import available_timezones

from babel.core import get_global
from babel.dates import get_timezone_location

from app.words.catalogues import locale_of
from app.words.pages import reader

# Groups of countries, and codes that are no country, which the names of countries hold, too.
_NO_COUNTRY = {"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"}


def country_choices() -> list[tuple[str, str]]:
    """Return each country as its code and its name, by name."""
    return _countries(reader())


@lru_cache(maxsize=32)
def _countries(language: str) -> list[tuple[str, str]]:
    found = [
        (code, str(name))
        for code, name in locale_of(language).territories.items()
        if len(code) == 2 and code.isalpha() and code not in _NO_COUNTRY
    ]
    return sorted(found, key=lambda one: one[1].casefold())


def country_of(zone: str) -> str:
    """Return the code of the country of a time zone, or an empty text."""
    return str(get_global("zone_territories").get(zone, "")) if _is_place(zone) else ""


def zone_choices(now: str = "") -> list[tuple[str, str]]:
    """Return each time zone as its IANA name and its name, by name; also the one that is set now.

    Without it, a form would choose another zone for a line whose own is not offered.
    """
    found = _zones(reader())
    if not now or any(zone == now for zone, _ in found):
        return found
    return sorted([*found, (now, zone_name(now))], key=lambda one: one[1].casefold())


@lru_cache(maxsize=32)
def _zones(language: str) -> list[tuple[str, str]]:
    # The zones without a place count the other way round: "Etc/GMT-1" is an hour ahead of UTC.
    known = {
        zone
        for zone in available_timezones() & set(get_global("zone_territories"))
        if not zone.startswith("Etc/GMT")
    }
    found = [(zone, _name(zone, language)) for zone in known]
    return sorted(found, key=lambda one: one[1].casefold())


@lru_cache(maxsize=2048)
def _name(zone: str, language: str) -> str:
    """Return the country and the city of a zone. Raises LookupError."""
    locale = locale_of(language)
    city = str(get_timezone_location(zone, locale=locale, return_city=True))
    country = locale.territories.get(get_global("zone_territories").get(zone, ""), "")
    return f"{country} – {city}" if _is_place(zone) else city


def _is_place(zone: str) -> bool:
    # UTC and its like are in no country.
    return str(get_global("zone_territories").get(zone, "001")) not in ("001", "ZZ")


def zone_name(zone: str) -> str:
    """Return the name of a time zone, or its code if it is not known."""
    try:
        return _name(zone, reader())
    except LookupError:
        return zone
