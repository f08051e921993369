"""Figures of referrals as they are shown: by whole months that are over, rounded like contacts.

A window of a quarter of an hour would show one child. So, for every reader, referrals are counted
on the same fixed grid as what is said in contacts (`guard.py`), and each count is rounded to base
3. The draw follows from the ids of the referrals that are counted, never from the question: the
same referrals give the same number in every window, row and column, by whatever they are counted.
A referral that is counted several times, as for each of its agencies, adds its number as often.

A time is shown only if the count beside it is shown as six or more: to ten seconds, and above
ten minutes to the minute. A total is the same whatever it is counted by.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.referrals import accountability
from app.referrals.counted import ID_BYTES, MEMBER_BYTES
from app.statistics.counting import referral_figures
from app.statistics.counting.referral_figures import Figures, ReferralsBy
from app.statistics.counting.summary import zones_of
from app.statistics.periods import Window
from app.statistics.protection.guard import Rounding, over_by, rounding_of
from app.work import Work

# The smallest count of referrals, as it is shown, that is given with a time.
_ENOUGH = 6
# The count that belongs to each time, by the end of the time's name.
_OF = {"acknowledge": "acknowledged", "see_child": "seen"}
# A member as `referrals/counted.py` writes it.
_MEMBER = np.dtype([("id", f"V{ID_BYTES}"), ("counts", ">i4"), ("breaches", ">i4")])
# For each count, the sum of its referrals' secret numbers.
_Keys = dict[str, int]


async def by_agency(work: Work, window: Window) -> tuple[Window, list[accountability.Row]]:
    """Return the figures of all agencies and of each one, and the window that was counted.

    Raises NotAllowed if the window has no whole month that is over.
    """
    window = over_by(window, work.now)
    since, until = window.instants((await zones_of(work)).country)
    rounding = rounding_of(work.ground.keys)
    found = await accountability.accountability(work, since, until)
    keys = _keys(rounding, accountability.COUNTED, [row.members for row in found])
    # All agencies come first.
    keys[0] = _together(keys, accountability.COUNTED)
    rows = [
        accountability.Row(
            row.agency,
            row.name,
            row.sector,
            _rounded(rounding, row.values, sums),
            _words(rounding, row.rejections, rejected),
            _words(rounding, row.outcomes, ended),
        )
        for row, sums, rejected, ended in zip(
            found,
            keys,
            _keys_of_words(rounding, [row.rejected_ids for row in found]),
            _keys_of_words(rounding, [row.outcome_ids for row in found]),
            strict=True,
        )
    ]
    # An agency whose count rounds to 0 is left out: its presence would show that it was asked.
    return window, [
        row for row in rows if row.agency == accountability.ALL or row.values["offered"]
    ]


async def by_thing(
    work: Work, window: Window, by: ReferralsBy
) -> tuple[Window, list[Figures], Figures]:
    """Return the figures by one property, those of all referrals, and the window that was counted.

    Raises NotAllowed if the window has no whole month that is over.
    """
    window = over_by(window, work.now)
    since, until = window.instants((await zones_of(work)).country)
    rounding = rounding_of(work.ground.keys)
    found, total = await referral_figures.referral_figures(work, since, until, by)
    keys = _keys(rounding, referral_figures.COUNTED, [one.members for one in found])
    shown = [
        replace(one, numbers=_rounded(rounding, one.numbers, sums), members=b"")
        for one, sums in zip(found, keys, strict=True)
    ]
    every = _together(keys, referral_figures.COUNTED)
    whole = replace(total, numbers=_rounded(rounding, total.numbers, every))
    return window, [one for one in shown if one.numbers["opened"]], whole


def _keys(rounding: Rounding, counts: Iterable[str], members: Sequence[bytes]) -> list[_Keys]:
    """Return the sums of the secret numbers of each row; all members are hashed in one pass."""
    each = np.frombuffer(b"".join(members), dtype=_MEMBER)
    numbers = rounding.keys(each["id"].tobytes())
    sizes = [len(one) // MEMBER_BYTES for one in members]
    sums = {
        name: _sums(numbers * (each["counts"] >> n & 1).astype(np.uint64), sizes)
        for n, name in enumerate(counts)
    }
    sums["breaches"] = _sums(numbers * each["breaches"].astype(np.uint64), sizes)
    return [{name: of[row] for name, of in sums.items()} for row in range(len(members))]


def _keys_of_words(rounding: Rounding, ids: Sequence[Mapping[str, bytes]]) -> list[_Keys]:
    """Return the sums of the secret numbers of each word, hashed in one pass as well."""
    parts = [some for one in ids for some in one.values()]
    numbers = rounding.keys(b"".join(parts))
    sums = iter(_sums(numbers, [len(some) // ID_BYTES for some in parts]))
    return [{word: next(sums) for word in one} for one in ids]


def _sums(numbers: NDArray[np.uint64], sizes: Sequence[int]) -> list[int]:
    """Return the sums of stretches of these sizes.

    Sums beyond 2**64 begin again at 0: only the last bits decide about the draw.
    """
    before = np.concatenate([np.zeros(1, np.uint64), np.cumsum(numbers)])
    found: list[int] = np.diff(before[np.cumsum([0, *sizes])]).tolist()
    return found


def _together(keys: Iterable[_Keys], counts: Iterable[str]) -> _Keys:
    """Return the sums of all rows."""
    keys = list(keys)
    return {name: sum(one[name] for one in keys) for name in (*counts, "breaches")}


def _rounded(rounding: Rounding, values: Mapping[str, Any], keys: _Keys) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, number in values.items():
        if "seconds" not in name:
            found[name] = rounding.rounded(int(number or 0), keys[name])
    for name, number in values.items():
        if "seconds" in name:
            of = next(base for end, base in _OF.items() if name.endswith(end))
            enough = found[of] >= _ENOUGH and number is not None
            found[name] = _coarse(number) if enough else None
    return {name: found[name] for name in values}


def _coarse(seconds: float) -> int:
    step = 10 if seconds < 600 else 60
    return round(seconds / step) * step


def _words(rounding: Rounding, counts: Mapping[str, int], keys: _Keys) -> dict[str, int]:
    shown = {word: rounding.rounded(n, keys[word]) for word, n in counts.items()}
    return {word: n for word, n in shown.items() if n}
