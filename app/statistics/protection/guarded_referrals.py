"""Figures of referrals as they are shown: by whole months that are over, rounded like contacts.

A window of a quarter of an hour would show one child. So, for every reader, referrals are counted
on the same fixed grid as what is said in contacts (`guard.py`), and each count is rounded to base
3. A time is shown only if the count beside it is shown as six or more: to ten seconds, and above
ten minutes to the minute. A total is the same whatever it is counted by.
"""

from dataclasses import replace
from typing import Any

from app.referrals import accountability
from app.statistics.counting import referral_figures
from app.statistics.counting.referral_figures import Figures
from app.statistics.counting.summary import zones_of
from app.statistics.periods import Window
from app.statistics.protection.guard import Rounding, over_by, rounding_of
from app.work import Work

# The smallest count of referrals, as it is shown, that is given with a time.
_ENOUGH = 6
# The count that belongs to each time, by the end of the time's name.
_OF = {"acknowledge": "acknowledged", "see_child": "seen"}


async def by_agency(work: Work, window: Window) -> tuple[Window, list[accountability.Row]]:
    """Return the figures of all agencies and of each one, and the window that was counted.

    Raises NotAllowed if the window has no whole month that is over.
    """
    window = over_by(window, work.now)
    since, until = window.instants((await zones_of(work)).country)
    rounding = rounding_of(work.ground.keys)
    rows = [
        replace(
            row,
            values=_rounded(rounding, row.values, window, "agency", row.agency),
            rejections=_words(rounding, row.rejections, window, "rejection", row.agency),
            outcomes=_words(rounding, row.outcomes, window, "agency outcome", row.agency),
        )
        for row in await accountability.accountability(work, since, until)
    ]
    # An agency whose count rounds to 0 is left out: its presence would show that it was asked.
    return window, [row for row in rows if row.agency == "all" or row.values["offered"]]


async def by_thing(work: Work, window: Window, by: str) -> tuple[Window, list[Figures], Figures]:
    """Return the figures by one property, those of all referrals, and the window that was counted.

    Raises NotAllowed if the window has no whole month that is over.
    """
    window = over_by(window, work.now)
    since, until = window.instants((await zones_of(work)).country)
    rounding = rounding_of(work.ground.keys)
    found, total = await referral_figures.referral_figures(work, since, until, by)
    shown = [
        replace(one, numbers=_rounded(rounding, one.numbers, window, by, one.value))
        for one in found
    ]
    whole = replace(total, numbers=_rounded(rounding, total.numbers, window, "all", "all"))
    return window, [one for one in shown if one.numbers["opened"]], whole


def _rounded(
    rounding: Rounding, values: dict[str, Any], window: Window, by: str, value: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, number in values.items():
        if "seconds" not in name:
            words = ("referrals", window.words, by, value, name)
            found[name] = rounding.of_words(int(number or 0), *words)
    for name, number in values.items():
        if "seconds" in name:
            of = next(base for end, base in _OF.items() if name.endswith(end))
            enough = found[of] >= _ENOUGH and number is not None
            found[name] = _coarse(number) if enough else None
    return {name: found[name] for name in values}


def _coarse(seconds: float) -> int:
    step = 10 if seconds < 600 else 60
    return round(seconds / step) * step


def _words(
    rounding: Rounding, counts: dict[str, int], window: Window, by: str, value: str
) -> dict[str, int]:
    shown = {
        word: rounding.of_words(n, "referrals", window.words, by, value, word)
        for word, n in counts.items()
    }
    return {word: n for word, n in shown.items() if n}
