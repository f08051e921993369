"""Count facts into the sums of groups. Pure, apart from numpy.

A record lies in one period, by the local time of its line, and in one cell of the dimensions, or
in several if a dimension gives it several values. A group is identified by a number made of its
period and values; waits are kept in full, so that percentiles are exact.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.statistics.counting.targets import Targets
from app.statistics.dimensions import Reader
from app.statistics.facts.columns import Block, Words
from app.statistics.periods import Cut
from app.statistics.sums import OUTCOMES, SUMS, WAITS

# The columns of facts from which sums are computed.
CORE = (
    "at",
    "is_call",
    "outbound",
    "line",
    "outcome",
    "circumstance",
    "queued",
    "wait",
    "second_waits",
    "second_wait",
    "second_longest",
    "talk",
    "hold",
    "wrap",
    "offers",
    "missed",
    "declined",
    "transfers",
    "inherited",
    "outside",
    "returned",
    "danger",
    "called_before",
    "first_word",
    "first_answer",
    "messages_of_child",
    "messages_of_helpline",
    "left_typing",
    "code",
    "contact",
    "closed_as",
    "urgency",
)
Key = tuple[int, ...]
# Each call has one outcome, so all outcomes are counted in one pass.
_PLACE = {name: n for n, name in enumerate(OUTCOMES.values())}
# Sums that are a column of facts, of calls alone.
_OF_CALLS = (
    "talk",
    "hold",
    "wrap_up",
    "offers",
    "missed",
    "declined",
    "transfers",
    "inherited",
    "outside",
    "returned",
    "danger",
)
_COLUMN = {"wrap_up": "wrap"}
# The outcomes of calls that a person answers afterwards.
_TO_ANSWER = ("voice_messages", "messages_left", "callbacks_requested")
_SPACE = 2_000_000
# Waits below _SHORT seconds are counted by the second, if there are at most _FEW groups.
_SHORT = 512
_FEW = 4096
_BITS = 24


@dataclass
class Group:
    """What was counted of one period and one value of each dimension."""

    sums: dict[str, int]
    waits: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def longest(self) -> int | None:
        """Return the longest wait of all, whatever the outcome."""
        ends = [int(self.waits[of][-1]) for of in WAITS if len(self.waits.get(of, ()))]
        return max(ends, default=None)

    def percentile(self, of: str, share: float) -> float | int | None:
        """Return a percentile, by linear interpolation between the two nearest values."""
        if of == "all":
            return self.longest()
        waits = self.waits.get(of)
        if waits is None or not len(waits):
            return None
        place = (len(waits) - 1) * share
        below = int(place)
        low = int(waits[below])
        high = int(waits[min(below + 1, len(waits) - 1)])
        return low + (high - low) * (place - below)


def nothing() -> dict[str, int]:
    return dict.fromkeys(SUMS, 0)


class Records:
    """The records of a block that lie in the window, with the values to add up for each."""

    def __init__(
        self,
        block: Block,
        words: dict[str, Words],
        cuts: dict[str, Cut],
        line: str | None,
        targets: Targets,
        keys: NDArray[np.uint64] | None = None,
    ) -> None:
        self.block = block
        self._keys = keys
        self._words = words
        numbers = block.numbers
        at = numbers["at"].astype(np.int64)
        self.period = np.full(block.size, -1, dtype=np.int32)
        lines = words["line"].list
        fits = np.zeros(max(len(lines), 1), dtype=bool)
        # Each line is cut in its own zone; lines of one zone are handled together.
        by_cut: dict[int, tuple[Cut, list[int]]] = {}
        for n, number in enumerate(lines):
            fits[n] = line is None or number == line
            one = cuts.get(number, cuts[""])
            by_cut.setdefault(id(one), (one, []))[1].append(n)
        codes = block.codes["line"]
        for one, members in by_cut.values():
            piece = np.searchsorted(np.array(one.edges), at, side="right") - 1
            inside = (piece >= 0) & (piece < len(one.bucket))
            if len(by_cut) > 1:
                inside &= np.isin(codes, members)
            bucket = np.array(one.bucket, dtype=np.int32)
            self.period[inside] = bucket[piece[inside]]
        if line is not None:
            self.period[~fits[codes]] = -1
        self._targets = targets
        self.added = self._added()
        # The sums to which a record of this block adds something.
        self.some = {name for name, values in self.added.items() if values.any()}

    def _is(self, name: str, *words: str) -> NDArray[np.bool_]:
        known = self._words[name].numbers
        wanted = [known[w] for w in words if w in known]
        codes = self.block.codes[name]
        if not wanted:
            return np.zeros(len(codes), dtype=bool)
        if len(wanted) == 1:
            return np.asarray(codes == wanted[0])
        return np.isin(codes, wanted)

    def _added(self) -> dict[str, NDArray[Any]]:
        """Return a column of values for each sum that this block can have."""
        n = self.block.numbers
        is_call = n["is_call"] == 1
        added: dict[str, NDArray[Any]] = {"calls": is_call, "entered": n["queued"] >= 0}
        known = self._words["outcome"].list
        places = [_PLACE.get(OUTCOMES.get(word, ""), len(OUTCOMES)) for word in known]
        self.outcomes = np.array(places, dtype=np.int64)[self.block.codes["outcome"]]
        answered = self._ended_as("answered")
        added |= self._waits(answered)
        rung = n["outbound"]
        added["outbound"] = rung > 0
        added["outbound_reached"] = rung == 2
        added["outbound_talk"] = np.where(rung == 2, n["talk"] + n["hold"], 0)
        added["outbound_wrap_up"] = np.where(rung == 2, n["wrap"], 0)
        for name in _OF_CALLS:
            added[name] = np.where(is_call, n[_COLUMN.get(name, name)], 0)
        for name in ("talk", "hold", "wrap_up"):
            added[name] = np.where(answered, added[name], 0)
        added["number_known"] = n["called_before"] >= 0
        added["called_before"] = n["called_before"] == 1
        added |= self._in_writing(answered) | self._first_words(answered)
        return added | self._contacts(is_call, answered)

    def _ended_as(self, *sums: str) -> NDArray[np.bool_]:
        return np.isin(self.outcomes, [_PLACE[name] for name in sums])

    def _waits(self, answered: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Return the sums of the time until an answer, or until the caller gave up."""
        n = self.block.numbers
        added: dict[str, NDArray[Any]] = {}
        left = self._ended_as("abandoned_in_queue", "short_abandons")
        wait = n["wait"]
        waited = wait >= 0
        since = np.array([one.since for one in self._targets])
        seconds = np.array([one.seconds for one in self._targets])
        in_force = np.maximum(np.searchsorted(since, n["at"], side="right") - 1, 0)
        in_time = waited & (wait <= seconds[in_force])
        self.answered_wait, self.left_wait = answered & waited, left & waited
        # Calls that left the queue for a message or a call-back.
        put_off = self._ended_as(*_TO_ANSWER)
        self.put_off_wait = put_off & waited
        self.second_wait = n["second_longest"] >= 0
        alone = ~self._is("circumstance", "staffed", "-")
        turned_away = self._ended_as("turned_away")
        added["abandoned_unstaffed"] = left & alone
        added["no_counsellor"] = turned_away & self._is("circumstance", "no_counsellor_on_duty")
        added["out_of_hours"] = turned_away & self._is("circumstance", "out_of_hours")
        added["put_off"] = self.put_off_wait
        added["put_off_in_time"] = put_off & in_time
        added["wait_put_off"] = np.where(self.put_off_wait, wait, 0)
        added["second_waits"] = n["second_waits"]
        added["second_wait"] = n["second_wait"]
        added["answered_in_time"] = answered & in_time
        added["abandoned_in_time"] = left & in_time
        added["wait_answered"] = np.where(self.answered_wait, wait, 0)
        added["wait_abandoned"] = np.where(self.left_wait, wait, 0)
        return added

    def _in_writing(self, answered: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Return the sums of written conversations."""
        n = self.block.numbers
        written = (n["is_call"] == 1) & (n["messages_of_child"] >= 0)
        self.taken = written & answered
        if not written.any():
            return {}
        lost = written & ~answered & ~self._ended_as("not_ended")
        return {
            "conversations": written,
            "conversations_taken": self.taken,
            "messages_of_child": np.where(self.taken, n["messages_of_child"], 0),
            "messages_of_helpline": np.where(self.taken, n["messages_of_helpline"], 0),
            "conversations_lost": lost,
            "left_typing": lost & (n["left_typing"] == 1),
            "codes_given": written & (n["code"] >= 1),
            "codes_used": written & (n["code"] == 2),
        }

    def _first_words(self, answered: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        """Return the sums of the time until a person said the first word, or gave an answer."""
        n = self.block.numbers
        self.spoken = answered & (n["first_word"] >= 0)
        to_answer = self._ended_as(*_TO_ANSWER)
        self.answered_later = to_answer & (n["first_answer"] >= 0)
        return {
            "first_words": self.spoken,
            "first_word": np.where(self.spoken, n["first_word"], 0),
            "to_answer": to_answer,
            "first_answers": self.answered_later,
            "first_answer": np.where(self.answered_later, n["first_answer"], 0),
        }

    def _contacts(
        self, is_call: NDArray[np.bool_], answered: NDArray[np.bool_]
    ) -> dict[str, NDArray[Any]]:
        """Return the sums of contacts, and of the calls that have one."""
        there = ~self._is("contact", "-")
        added: dict[str, NDArray[Any]] = {"contacts": there}
        added["completed"] = self._is("contact", "complete")
        added["non_counselling"] = there & ~self._is("closed_as", "-", "not_closed")
        added["urgent"] = self._is("urgency", "immediate", "urgent")
        added["call_contacts"] = there & is_call
        added["callback_contacts"] = there & (self.block.numbers["outbound"] > 0)
        added["answered_with_contact"] = there & answered
        added["message_contacts"] = there & self._ended_as("voice_messages", "messages_left")
        added["open_contacts"] = there & self._ended_as("not_ended")
        keys = np.zeros(len(there)) if self._keys is None else self._keys.astype(np.float64)
        for name in ("contacts", "completed", "non_counselling", "urgent"):
            added[f"key_{name}"] = np.where(added[name] & there, keys, 0)
        return added


@dataclass
class Tally:
    """Adds up the records of one block after another."""

    readers: tuple[Reader, ...]
    with_waits: bool = True
    # A column for each group.
    _table: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((len(SUMS), 64), dtype=np.int64)
    )
    _waits: dict[str, list[NDArray[np.int64]]] = field(default_factory=dict)
    # Short waits by group and second. Longer waits, and all waits of many groups, are in `_waits`.
    _seconds: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    # The number of each group; numbers are given in turn and never change.
    _numbers: dict[Key, int] = field(default_factory=dict)

    def add(self, records: Records) -> None:
        """Count the records of a block."""
        rows, codes = self._spread(records)
        period = records.period[rows] if rows is not None else records.period
        inside = period >= 0
        rows = np.flatnonzero(inside) if rows is None else rows[inside]
        if not len(rows):
            return
        parts = [period[inside].astype(np.int64), *(c[inside].astype(np.int64) for c in codes)]
        sizes = [int(part.max()) + 1 for part in parts]
        flat = parts[0]
        for part, size in zip(parts[1:], sizes[1:], strict=True):
            flat = flat * size + part
        space = int(np.prod([float(size) for size in sizes]))
        if space <= _SPACE:
            seen = np.flatnonzero(np.bincount(flat, minlength=space))
            place = np.zeros(space, dtype=np.int64)
            place[seen] = np.arange(len(seen))
            group = place[flat]
        else:
            seen, group = np.unique(flat, return_inverse=True)
        keys = self._keys(seen, sizes)
        numbers = np.array([self._numbers.setdefault(k, len(self._numbers)) for k in keys])
        # Most records are in one cell and are added without a lookup; only the rest needs one.
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        of_each = group[first]
        if len(first) < records.block.size:
            # Records outside the window are in a group of their own, which is left out.
            of_each = np.full(records.block.size, len(keys), dtype=np.int64)
            of_each[rows[first]] = group[first]
        self._add_sums(records, None, of_each, numbers)
        if len(first) < len(rows):
            more = np.ones(len(rows), dtype=bool)
            more[first] = False
            self._add_sums(records, rows[more], group[more], numbers)
        if self.with_waits:
            self._add_waits(records, rows, numbers[group])

    def _spread(self, records: Records) -> tuple[NDArray[np.int64] | None, list[NDArray[np.int32]]]:
        """Return record numbers (None: each once, in order) with the value of each dimension."""
        rows: NDArray[np.int64] | None = None
        codes: list[NDArray[np.int32]] = []
        for reader in self.readers:
            several, values = reader.read(records.block)
            if several is None or len(several) == records.block.size:
                # One value each: every record has at least one.
                codes.append(values if rows is None else values[rows])
            elif rows is None:
                codes = [known[several] for known in codes]
                codes.append(values)
                rows = several
            else:
                rows, codes = _join(rows, codes, several, values, records.block.size)
        return rows, codes

    @staticmethod
    def _keys(seen: NDArray[np.int64], sizes: list[int]) -> list[Key]:
        rest = seen.copy()
        parts: list[NDArray[np.int64]] = []
        for size in reversed(sizes[1:]):
            parts.append(rest % size)
            rest = rest // size
        parts.append(rest)
        return list(zip(*(part.tolist() for part in reversed(parts)), strict=True))

    def _add_sums(
        self,
        records: Records,
        rows: NDArray[np.int64] | None,
        group: NDArray[np.int64],
        numbers: NDArray[np.int64],
    ) -> None:
        """Add the values of records to their groups. No rows: each record once, in order."""
        count = len(numbers)
        # One more: the records outside the window.
        table = np.zeros((len(SUMS), count + 1), dtype=np.int64)
        outcomes = records.outcomes if rows is None else records.outcomes[rows]
        width = len(OUTCOMES) + 1
        by_outcome = np.bincount(group * width + outcomes, minlength=table.shape[1] * width)
        for n, name in enumerate(SUMS):
            place = _PLACE.get(name)
            if place is not None:
                table[n] = by_outcome.reshape(-1, width)[:, place]
                continue
            if name not in records.some:
                continue
            values = records.added[name] if rows is None else records.added[name][rows]
            # Most values are 0 for most records.
            some = np.flatnonzero(values)
            if values.dtype == np.bool_:
                table[n] = np.bincount(group[some], minlength=count + 1)
            else:
                weights = values[some].astype(np.float64)
                table[n] = np.rint(np.bincount(group[some], weights=weights, minlength=count + 1))
        if self._table.shape[1] < len(self._numbers):
            wider = np.zeros((len(SUMS), 2 * len(self._numbers)), dtype=np.int64)
            wider[:, : self._table.shape[1]] = self._table
            self._table = wider
        self._table[:, numbers] += table[:, :count]

    def _add_waits(
        self, records: Records, rows: NDArray[np.int64], group: NDArray[np.int64]
    ) -> None:
        for name, mask, column in (
            ("wait_answered", records.answered_wait, "wait"),
            ("wait_abandoned", records.left_wait, "wait"),
            ("wait_put_off", records.put_off_wait, "wait"),
            ("second_wait", records.second_wait, "second_longest"),
            ("first_word", records.spoken, "first_word"),
            ("first_answer", records.answered_later, "first_answer"),
            ("messages_of_child", records.taken, "messages_of_child"),
            ("messages_of_helpline", records.taken, "messages_of_helpline"),
        ):
            chosen = mask[rows]
            if name not in ("wait_answered", "wait_abandoned") and not chosen.any():
                continue
            values = records.block.numbers[column][rows[chosen]].astype(np.int64)
            of_group = group[chosen].astype(np.int64)
            if len(self._numbers) <= _FEW:
                short = values < _SHORT
                counts = np.bincount(of_group[short] * _SHORT + values[short])
                known = self._seconds.get(name)
                if known is None or len(known) < len(counts):
                    grown = np.zeros(max(len(counts), len(self._numbers) * _SHORT), dtype=np.int64)
                    if known is not None:
                        grown[: len(known)] = known
                    self._seconds[name] = known = grown
                known[: len(counts)] += counts
                values, of_group = values[~short], of_group[~short]
            packed = (of_group << _BITS) | np.minimum(values, (1 << _BITS) - 1)
            self._waits.setdefault(name, []).append(packed)

    def groups(self) -> dict[Key, Group]:
        """Return everything that was counted, by period and values."""
        found = {
            key: Group(dict(zip(SUMS, self._table[:, n].tolist(), strict=True)))
            for key, n in self._numbers.items()
        }
        keys = list(self._numbers)
        each_second = np.arange(_SHORT)
        for name, parts in self._waits.items():
            packed = np.concatenate(parts)
            packed.sort()
            group = packed >> _BITS
            edges = np.searchsorted(group, np.arange(len(keys) + 1))
            values = packed & ((1 << _BITS) - 1)
            counts = np.zeros(len(keys) * _SHORT, dtype=np.int64)
            known = self._seconds.get(name, counts)[: len(counts)]
            counts[: len(known)] = known
            for n, key in enumerate(keys):
                short = np.repeat(each_second, counts[n * _SHORT : (n + 1) * _SHORT])
                longer = values[edges[n] : edges[n + 1]]
                waits = np.concatenate([short, longer]) if len(short) else longer
                if len(short) and len(longer) and longer[0] < _SHORT:
                    # The number of groups passed _FEW during the count.
                    waits.sort()
                found[key].waits[name] = waits
        return found


def _join(
    rows: NDArray[np.int64],
    codes: list[NDArray[np.int32]],
    several: NDArray[np.int64],
    values: NDArray[np.int32],
    size: int,
) -> tuple[NDArray[np.int64], list[NDArray[np.int32]]]:
    """Pair every value of one dimension with every value of the other, record by record.

    Both are in the order of the records.
    """
    count = np.bincount(several, minlength=size)
    begin = np.concatenate([[0], np.cumsum(count)[:-1]])
    times = count[rows]
    spread = np.repeat(np.arange(len(rows)), times)
    within = np.arange(len(spread)) - np.repeat(np.cumsum(times) - times, times)
    other = begin[rows[spread]] + within
    return rows[spread], [*(known[spread] for known in codes), values[other]]
