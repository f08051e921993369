"""Who is on duty at an instant: the shifts, and the changes to them. Pure.

Changes are applied in the order in which they came into force, and the later change wins. An
absence removes a counsellor's duty, an extra stretch adds to it, a swap moves it to a colleague.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from app.calls.hours import OwnDays
from app.routing.rota.shifts import RANK, Duty, Layer, Shift, duties

# How far ahead to look for the next shift: the nearest days first.
_HORIZONS = (timedelta(days=2), timedelta(days=10), timedelta(days=62))
Span = tuple[datetime, datetime]


class ChangeKind(StrEnum):
    ABSENCE = "absence"
    EXTRA = "extra"
    SWAP = "swap"


@dataclass(frozen=True)
class DutyChange:
    """A difference from the shifts, between two instants.

    `layer` is the layer of an extra stretch; `instead_id` is who takes over in a swap.
    """

    kind: ChangeKind
    counsellor_id: UUID
    start: datetime
    end: datetime
    layer: Layer = Layer.PRIMARY
    instead_id: UUID | None = None
    id: UUID | None = None


@dataclass(frozen=True)
class Rota:
    """Everything that decides who is on duty: plain values, safe to cache."""

    shifts: tuple[Shift, ...] = ()
    changes: tuple[DutyChange, ...] = ()
    # Holidays of the helpline's country, with its own changes to single days.
    holidays: frozenset[date] = frozenset()
    # These changes alone: a holiday of its own, or (False) a day on which it works.
    own_days: OwnDays = field(default_factory=dict)

    def of(self, counsellors: Iterable[UUID]) -> "Rota":
        """Return the part about these counsellors, including duty that they took over in a swap."""
        able = frozenset(counsellors)
        swapped = {c.counsellor_id for c in self.changes if c.instead_id in able}
        shifts = tuple(s for s in self.shifts if s.counsellor_id in able | swapped)
        changes = tuple(
            c for c in self.changes if c.counsellor_id in able | swapped or c.instead_id in able
        )
        return replace(self, shifts=shifts, changes=changes)


@dataclass(frozen=True)
class OnShift:
    """A counsellor on shift: until when, as far as is known, and in which layer."""

    until: datetime
    layer: Layer


def stretches(rota: Rota, since: datetime, until: datetime) -> list[Duty]:
    """Return all stretches of duty that touch `[since, until)`, by their start."""
    found = [d for s in rota.shifts for d in duties(s, since, until, rota.holidays)]
    for change in rota.changes:
        if change.kind is ChangeKind.EXTRA:
            if change.start < until and change.end > since:
                found.append(_extra(change))
            continue
        after: list[Duty] = []
        for duty in found:
            if duty.counsellor_id != change.counsellor_id:
                after.append(duty)
                continue
            after += _outside(duty, change)
            begin, end = max(duty.start, change.start), min(duty.end, change.end)
            if change.instead_id is not None and begin < end:
                after.append(replace(duty, counsellor_id=change.instead_id, start=begin, end=end))
        found = after
    touching = [d for d in found if d.start < until and d.end > since]
    return sorted(touching, key=lambda d: (d.start, d.end, RANK[d.layer], d.counsellor_id))


def _extra(change: DutyChange) -> Duty:
    return Duty(change.counsellor_id, change.start, change.end, change.layer, change_id=change.id)


def _outside(duty: Duty, change: DutyChange) -> list[Duty]:
    """Return the parts of a stretch before and after a change."""
    parts = ((duty.start, min(duty.end, change.start)), (max(duty.start, change.end), duty.end))
    return [replace(duty, start=begin, end=end) for begin, end in parts if begin < end]


def on_duty(rota: Rota, at: datetime) -> dict[UUID, OnShift]:
    """Return who is on shift at an instant. If in several layers at once, the first counts."""
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
    """Return the first stretch of duty that begins after an instant, within two months.

    `able`: consider only these counsellors.
    """
    for horizon in _HORIZONS:
        for duty in stretches(rota, after, after + horizon):
            if duty.start > after and (able is None or duty.counsellor_id in able):
                return duty
    return None


def next_change(rota: Rota, after: datetime, within: timedelta) -> datetime:
    """Return the next instant, at most `within` ahead, when a stretch of duty starts or ends."""
    horizon = after + within
    edges = (
        edge
        for duty in stretches(rota, after, horizon)
        for edge in (duty.start, duty.end)
        if after < edge < horizon
    )
    return min(edges, default=horizon)


def uncovered(wanted: Iterable[Span], covered: Iterable[Span]) -> list[Span]:
    """Return the parts of `wanted` that `covered` does not cover, in order."""
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
