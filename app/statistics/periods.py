"""Windows and the periods they are cut into, in the line's own time. Pure.

A window is half-open: it includes its beginning and excludes its end. A day begins with its first
instant on the wall clock, so a day on which the clocks change has 23 or 25 hours (or, where they
change by half an hour, 23.5 or 24.5). An hour that occurs twice is two hours, told apart by the
offset, except where hours of weekdays are compared.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.errors import Invalid
from app.routing.rota.shifts import first_instant

# Every zone's offset is a multiple of this, so a local period is a whole number of quarter-hours.
QUARTER_HOUR = timedelta(minutes=15)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# The most periods in one window: a year of quarter-hours fits.
MOST_PERIODS = 40_000
# The longest window.
LONGEST = timedelta(days=3700)
_FIRST_YEAR, _LAST_YEAR = 1971, 2200


class BadWindow(Invalid):
    """The window or the period is not usable; the message says what to give."""


class Period(StrEnum):
    QUARTER_HOUR = "quarter_hour"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    WEEKDAY_HOUR = "weekday_hour"


# The periods of which a report is made once they are over.
REPORTED = (Period.DAY, Period.WEEK, Period.MONTH, Period.QUARTER, Period.YEAR)
# Those of whole months.
OF_MONTHS = (Period.MONTH, Period.QUARTER, Period.YEAR)


@dataclass(frozen=True)
class Window:
    """Half-open. A date means the first instant of that day, in each line's own zone."""

    begins: date | datetime
    ends: date | datetime

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the beginning and the end in UTC. Raises BadWindow."""
        since, until = (_instant(edge, zone) for edge in (self.begins, self.ends))
        if since >= until:
            raise BadWindow("The window must begin before it ends.")
        if until - since > LONGEST:
            raise BadWindow("A window may be at most ten years long.")
        return since, until

    @property
    def words(self) -> str:
        return f"{_text(self.begins)}/{_text(self.ends)}"

    @property
    def last(self) -> date | datetime:
        """The last day that is in the window, or the instant at which it ends."""
        last = self.ends
        if isinstance(last, date) and not isinstance(last, datetime):
            last -= timedelta(days=1)
        return last


def _text(edge: date | datetime) -> str:
    return edge.isoformat()


def _instant(edge: date | datetime, zone: ZoneInfo) -> datetime:
    if isinstance(edge, datetime):
        return edge.astimezone(UTC)
    return day_begins(edge, zone)


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC."""
    return first_instant(datetime.combine(day, time()), zone)


def read_window(begins: str, ends: str) -> Window:
    """Read a window from two texts: dates, or instants on a quarter-hour, with a time zone.

    Raises BadWindow.
    """
    window = Window(_read_edge(begins), _read_edge(ends))
    # The zone does not matter to this check, unless one edge is a date and the other an instant.
    window.instants(ZoneInfo("UTC"))
    return window


def _read_edge(text: str) -> date | datetime:
    try:
        if len(text) == 10:
            day = date.fromisoformat(text)
            if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
                raise BadWindow(
                    "Give a year from %(first)s to %(last)s.",
                    first=_FIRST_YEAR,
                    last=_LAST_YEAR,
                )
            return day
        edge = datetime.fromisoformat(text)
    except ValueError:
        raise BadWindow(
            "'%(text)s' is neither a date like 2026-03-01 nor an instant like "
            "2026-03-01T08:00:00+01:00.",
            text=text[:40],
        ) from None
    if not _FIRST_YEAR <= edge.year <= _LAST_YEAR:
        raise BadWindow(
            "Give a year from %(first)s to %(last)s.",
            first=_FIRST_YEAR,
            last=_LAST_YEAR,
        )
    if edge.tzinfo is None:
        raise BadWindow("Give an instant with its zone, like 2026-03-01T08:00:00+01:00.")
    if edge.astimezone(UTC).timestamp() % QUARTER_HOUR.total_seconds():
        raise BadWindow("A window must begin and end on a quarter-hour.")
    return edge


@dataclass(frozen=True)
class Cut:
    """A window cut into periods.

    `edges` are seconds since 1970, one more than there are pieces; `bucket` is the index of each
    piece's label (pieces share a label only for hours of weekdays).
    """

    edges: tuple[int, ...]
    bucket: tuple[int, ...]
    labels: tuple[str, ...]


@lru_cache(maxsize=64)
def cut(period: Period | None, since: datetime, until: datetime, zone: ZoneInfo) -> Cut:
    """Cut a window into periods; None leaves it whole. Raises BadWindow."""
    begin, end = int(since.timestamp()), int(until.timestamp())
    if period is None:
        return Cut((begin, end), (0,), ("",))
    if period is Period.WEEKDAY_HOUR:
        return _weekday_hours(since, until, zone)
    edges: list[int] = []
    labels: list[str] = []
    for instant, label in _starts(period, since, until, zone):
        edges.append(max(int(instant.timestamp()), begin))
        labels.append(label)
        if len(edges) > MOST_PERIODS:
            raise BadWindow(
                "That is more than %(most)s periods. Take longer ones.",
                most=MOST_PERIODS,
            )
    return Cut((*edges, end), tuple(range(len(edges))), tuple(labels))


def aligned(cuts: dict[ZoneInfo, Cut]) -> dict[ZoneInfo, Cut]:
    """Give the pieces of all zones one list of labels, in the order of their beginnings."""
    if len(cuts) < 2:
        return cuts
    first: dict[str, int] = {}
    for one in cuts.values():
        if len(one.labels) > len(set(one.bucket)):
            return cuts
        for edge, bucket in zip(one.edges, one.bucket, strict=False):
            label = one.labels[bucket]
            first[label] = min(first.get(label, edge), edge)
    labels = tuple(sorted(first, key=lambda label: (first[label], label)))
    place = {label: n for n, label in enumerate(labels)}
    return {
        zone: Cut(one.edges, tuple(place[one.labels[b]] for b in one.bucket), labels)
        for zone, one in cuts.items()
    }


def _starts(
    period: Period, since: datetime, until: datetime, zone: ZoneInfo
) -> list[tuple[datetime, str]]:
    if period in (Period.QUARTER_HOUR, Period.HOUR):
        return _clock_starts(period, since, until, zone)
    found: list[tuple[datetime, str]] = []
    day = since.astimezone(zone).date()
    while True:
        first = _first_day(period, day)
        begins = day_begins(first, zone)
        if begins >= until:
            return found
        found.append((begins, name_of(period, first)))
        day = _next(period, first)


def _clock_starts(
    period: Period, since: datetime, until: datetime, zone: ZoneInfo
) -> list[tuple[datetime, str]]:
    """Return quarter-hours, or hours on the wall clock; a change of offset begins a new one."""
    found: list[tuple[datetime, str]] = []
    if (until - since) / (QUARTER_HOUR if period is Period.QUARTER_HOUR else 4 * QUARTER_HOUR) > (
        MOST_PERIODS
    ):
        raise BadWindow(
            "That is more than %(most)s periods. Take longer ones.",
            most=MOST_PERIODS,
        )
    at, known = since, None
    while at < until:
        local = at.astimezone(zone)
        key = (local.date(), local.hour, local.utcoffset())
        if period is Period.QUARTER_HOUR or key != known:
            text = local.isoformat(timespec="minutes")
            # The wall-clock hour with the offset in force, even if the offset changes within it.
            found.append(
                (at, text if period is Period.QUARTER_HOUR else f"{text[:13]}:00{text[16:]}")
            )
            known = key
        at += QUARTER_HOUR
    return found


def _weekday_hours(since: datetime, until: datetime, zone: ZoneInfo) -> Cut:
    edges: list[int] = []
    bucket: list[int] = []
    for at, _ in _clock_starts(Period.HOUR, since, until, zone):
        local = at.astimezone(zone)
        edges.append(int(at.timestamp()))
        bucket.append(local.weekday() * 24 + local.hour)
    labels = tuple(f"{day} {hour:02d}" for day in WEEKDAYS for hour in range(24))
    return Cut((*edges, int(until.timestamp())), tuple(bucket), labels)


def _first_day(period: Period, day: date) -> date:
    match period:
        case Period.WEEK:
            return day - timedelta(days=day.weekday())
        case Period.MONTH:
            return day.replace(day=1)
        case Period.QUARTER:
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case Period.YEAR:
            return day.replace(month=1, day=1)
        case _:
            return day


def _next(period: Period, first: date) -> date:
    match period:
        case Period.WEEK:
            return first + timedelta(days=7)
        case Period.MONTH:
            return (first + timedelta(days=32)).replace(day=1)
        case Period.QUARTER:
            return (first + timedelta(days=95)).replace(day=1)
        case Period.YEAR:
            return first.replace(year=first.year + 1)
        case _:
            return first + timedelta(days=1)


def name_of(period: Period, first: date) -> str:
    """Return how a period is called, such as 2026-Q1: its kind and its first day."""
    match period:
        case Period.WEEK:
            year, week, _ = first.isocalendar()
            return f"{year}-W{week:02d}"
        case Period.MONTH:
            return f"{first:%Y-%m}"
        case Period.QUARTER:
            return f"{first.year}-Q{(first.month - 1) // 3 + 1}"
        case Period.YEAR:
            return str(first.year)
        case _:
            return first.isoformat()


def whole_period(period: Period, day: date) -> Window:
    """Return the whole month, quarter, year, week or day in which a local day lies."""
    first = _first_day(period, day)
    return Window(first, _next(period, first))


def last_whole(period: Period, today: date) -> Window:
    """Return the newest period of that kind that is over on a local day."""
    return whole_period(period, _first_day(period, today) - timedelta(days=1))
