"""Who is on duty at an instant: shifts, and what was changed of them. Pure.

Changes are applied in the order in which they were made, and the later word counts: an absence
takes away what there is of somebody's duty by then, an extra stretch adds to it, a swap moves it
to somebody else.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.routing.shifts import RANK, Duty, Layer, Shift, duties

# How far ahead the next shift is looked for: the nearest days first.
_HORIZONS = (timedelta(days=2), timedelta(days=10), timedelta(days=62))
Span = tuple[datetime, datetime]


class ChangeKind(StrEnum):
    ABSENCE = "absence"
    EXTRA = "extra"
    SWAP = "swap"


@dataclass(frozen=True)
class Change:
    """What is different from the shifts, between two instants.

    `layer` is that of an extra stretch, `instead_id` who takes over in a swap.
    """

    kind: ChangeKind
    counsellor_id: UUID
    start: datetime
    end: datetime
    layer: Layer = Layer.PRIMARY
    instead_id: UUID | None = None


@dataclass(frozen=True)
class Rota:
    """Everything that says who is on duty: plain values, safe to remember."""

    shifts: tuple[Shift, ...] = ()
    changes: tuple[Change, ...] = ()
    holidays: frozenset[date] = frozenset()

    def of(self, counsellors: Iterable[UUID]) -> "Rota":
        """The part of it that says when these are on duty; also in place of somebody else."""
        able = frozenset(counsellors)
        swapped = {c.counsellor_id for c in self.changes if c.instead_id in able}
        shifts = tuple(s for s in self.shifts if s.counsellor_id in able | swapped)
        changes = tuple(
            c for c in self.changes if c.counsellor_id in able | swapped or c.instead_id in able
        )
        return Rota(shifts, changes, self.holidays)


@dataclass(frozen=True)
class OnShift:
    """That somebody is on shift: until when as far as is known, and in which layer."""

    until: datetime
    layer: Layer


def stretches(rota: Rota, since: datetime, until: datetime) -> list[Duty]:
    """All stretches of duty that touch `[since, until)`, by their start."""
    found = [d for s in rota.shifts for d in duties(s, since, until, rota.holidays)]
    for change in rota.changes:
        if change.kind is ChangeKind.EXTRA:
            if change.start < until and change.end > since:
                found.append(Duty(change.counsellor_id, change.start, change.end, change.layer))
            continue
        after: list[Duty] = []
        for duty in found:
            if duty.counsellor_id != change.counsellor_id:
                after.append(duty)
                continue
            after += _outside(duty, change)
            begin, end = max(duty.start, change.start), min(duty.end, change.end)
            if change.instead_id is not None and begin < end:
                after.append(Duty(change.instead_id, begin, end, duty.layer, duty.shift_id))
        found = after
    touching = [d for d in found if d.start < until and d.end > since]
    return sorted(touching, key=lambda d: (d.start, d.end, RANK[d.layer], d.counsellor_id))


def _outside(duty: Duty, change: Change) -> list[Duty]:
    """What is left of a stretch before and after a change."""
    parts = ((duty.start, min(duty.end, change.start)), (max(duty.start, change.end), duty.end))
    return [
        Duty(duty.counsellor_id, begin, end, duty.layer, duty.shift_id)
        for begin, end in parts
        if begin < end
    ]


def on_duty(rota: Rota, at: datetime) -> dict[UUID, OnShift]:
    """Who is on shift at an instant; in several layers at once counts as the first of them."""
    present: dict[UUID, OnShift] = {}
    for duty in stretches(rota, at, at + timedelta(microseconds=1)):
        known = present.get(duty.counsellor_id)
        found = OnShift(duty.end, duty.layer)
        if known is not None:
            layer = min(known.layer, duty.layer, key=RANK.__getitem__)
            found = OnShift(max(known.until, duty.end), layer)
        present[duty.counsellor_id] = found
    return present


def next_duty(rota: Rota, after: datetime, able: Container[UUID] | None = None) -> Duty | None:
    """The first stretch of duty that begins after an instant, within two months.

    `able`: of these only.
    """
    for horizon in _HORIZONS:
        for duty in stretches(rota, after, after + horizon):
            if duty.start > after and (able is None or duty.counsellor_id in able):
                return duty
    return None


def next_change(rota: Rota, after: datetime, within: timedelta) -> datetime:
    """The next instant, at most `within` ahead, at which somebody starts or ends."""
    horizon = after + within
    edges = (
        edge
        for duty in stretches(rota, after, horizon)
        for edge in (duty.start, duty.end)
        if after < edge < horizon
    )
    return min(edges, default=horizon)


def holes(wanted: Iterable[Span], covered: Iterable[Span]) -> list[Span]:
    """The parts of what is wanted that nothing covers, in order."""
    left = sorted(span for span in wanted if span[0] < span[1])
    for begin, end in sorted(covered):
        rest: list[Span] = []
        for from_, to in left:
            if begin >= to or end <= from_:
                rest.append((from_, to))
                continue
            if from_ < begin:
                rest.append((from_, begin))
            if end < to:
                rest.append((end, to))
        left = rest
    return left
