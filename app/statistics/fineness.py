"""How finely what was said may be counted by whoever may not read the records.

One contact can be put together again from tables whose cells are single contacts: by quarter-hour
its category and age, by quarter-hour its place and gender. So what stands in the records is counted
by whole days at the least, and two such facts at once over four weeks and by months.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo

from app.errors import NotAllowed
from app.statistics.dimensions import COLUMN, Dimension
from app.statistics.facts import COLUMNS
from app.statistics.periods import Period, Window

_DAY = timedelta(hours=22)
_MONTH = timedelta(days=28) - timedelta(hours=2)
_LONG = (None, Period.MONTH, Period.QUARTER, Period.YEAR)
_DAYS = (*_LONG, Period.DAY, Period.WEEK)


def check_fineness(window: Window, period: Period | None, by: tuple[Dimension, ...]) -> None:
    """Raises NotAllowed with what may be asked for."""
    told = [d for d in by if COLUMNS[COLUMN[d]].part == "record"]
    if not told:
        return
    since, until = window.instants(ZoneInfo("UTC"))
    if until - since < _DAY or period not in _DAYS:
        raise NotAllowed(
            "What was said in contacts is counted by days or longer, since shorter periods show "
            "single contacts. Take a window of a day or more, and days, weeks or months."
        )
    if len(told) > 1 and (until - since < _MONTH or period not in _LONG):
        raise NotAllowed(
            "Two facts of what was said are counted together over four weeks or more, as a whole "
            "or by months, since shorter windows show single contacts."
        )


def check_report(window: Window) -> None:
    """The same for a report's shape, which counts many facts at once. Raises NotAllowed."""
    since, until = window.instants(ZoneInfo("UTC"))
    if until - since < _MONTH:
        raise NotAllowed(
            "A report counts what was said in contacts over four weeks or more, since shorter "
            "windows show single contacts."
        )
