"""Who works the duty that a person has ahead, once it is given away. Writes nothing.

The duty comes from shifts, from extra stretches, and from swaps by which the person works for a
colleague. What the person gave away in an agreed swap stays with the colleague who has it. The rest
goes to the taker where they are free. The absences of the person are theirs alone: the taker works
those days too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from app.errors import Refusal
from app.routing.rota import changes, free, on_duty, roster
from app.routing.rota.models import RotaChange, RotaChangeState, ShiftRow
from app.routing.rota.on_duty import ChangeKind, Rota, Span
from app.routing.rota.shifts import (
    ALWAYS_UNTIL,
    Duty,
    Layer,
    Place,
    Shift,
    days_of,
    duties,
    duties_by_day,
    first_instant,
)
from app.staff.models import Staff
from app.work import Work

# A rule of which no day comes within this time is over.
LOOKED_AHEAD = timedelta(days=5 * 366)
# The days of a shift are looked at one by one for a year, and for as long as a change reaches.
_DAY_BY_DAY = timedelta(days=366)
# A stretch that has begun is at most this old.
_RUNNING = timedelta(days=2)
_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Rest:
    """A shift that goes on for the taker, from a day on; some days of it are left out."""

    row: ShiftRow
    first_on: date
    left_out: frozenset[date] = frozenset()


@dataclass
class HandedOn:
    """What becomes of a person's duty: rows that end, rows that are made, and what they mean."""

    shifts: list[ShiftRow]
    # Extra stretches, and swaps by which the person works for a colleague.
    stretches: list[RotaChange]
    # Agreed swaps by which a colleague works for the person, and swaps that are only asked for.
    swaps: list[RotaChange]
    asked: list[RotaChange]
    # Days of a shift that have begun: what was worked of them stands in `made`.
    begun: dict[UUID, set[date]] = field(default_factory=dict)
    # Where duty comes from that the person works for colleagues, and that is not theirs again: days
    # that are left out of a shift, and extra stretches that end. The rest of them is in `made`.
    left_out: list[tuple[UUID, date]] = field(default_factory=list)
    ended: list[RotaChange] = field(default_factory=list)
    rests: list[Rest] = field(default_factory=list)
    made: list[RotaChange] = field(default_factory=list)
    # What colleagues keep by agreed swaps, and stretches for which the taker is not free.
    kept: list[Place] = field(default_factory=list)
    not_free: list[Place] = field(default_factory=list)


def divide(
    start: datetime, end: datetime, swaps: Sequence[RotaChange]
) -> list[tuple[Span, RotaChange | None]]:
    """Divide a stretch among swaps, which are applied in order: each part with its swap, or None
    for what the person keeps."""
    parts: list[tuple[Span, RotaChange | None]] = []
    left: list[Span] = [(start, end)]
    for swap in swaps:
        rest: list[Span] = []
        for span in left:
            begin, finish = max(span[0], swap.from_at), min(span[1], swap.until_at)
            if begin >= finish:
                rest.append(span)
                continue
            parts.append(((begin, finish), swap))
            around = ((span[0], begin), (finish, span[1]))
            rest += [one for one in around if one[0] < one[1]]
        left = rest
    return sorted([*parts, *((span, None) for span in left)], key=lambda part: part[0])


async def work_out(work: Work, staff: Staff, to: Staff | None, shifts: list[ShiftRow]) -> HandedOn:
    """Work out who works what a person has ahead; None leaves it uncovered. The rota is locked."""
    found = await roster.rota_now(work)
    rows = list(
        await work.session.scalars(
            select(RotaChange)
            .where(
                RotaChange.until_at > work.now - _RUNNING,
                RotaChange.state.in_((RotaChangeState.IN_FORCE, RotaChangeState.ASKED)),
                (RotaChange.counsellor_id == staff.id) | (RotaChange.instead_id == staff.id),
            )
            .order_by(RotaChange.settled_at, RotaChange.id)
            .execution_options(populate_existing=True)
        )
    )
    ahead = [row for row in rows if row.until_at > work.now]
    in_force = [row for row in ahead if row.state == RotaChangeState.IN_FORCE]
    away = ChangeKind.ABSENCE
    out = HandedOn(
        shifts,
        [row for row in in_force if row.instead_id == staff.id or row.kind == ChangeKind.EXTRA],
        [row for row in in_force if row.instead_id not in (None, staff.id)],
        [row for row in ahead if row.state == RotaChangeState.ASKED],
    )
    known = {change.id for change in found.changes}
    giving = _Giving(
        work,
        staff,
        to,
        found,
        out,
        [row for row in rows if row.instead_id not in (None, staff.id) and row.id in known],
        [(row.from_at, row.until_at) for row in rows if row.kind == away],
        await changes.room_left(work, to.id) if to is not None else 0,
    )
    await giving.go_through()
    return out


@dataclass
class _Giving:
    """One duty that is given away, while it is worked out."""

    work: Work
    staff: Staff
    to: Staff | None
    found: Rota
    out: HandedOn
    # In the order in which they are applied.
    swaps: list[RotaChange]
    absences: list[Span]
    # How many changes the taker can still have.
    room: int

    def __post_init__(self) -> None:
        self._cuts: dict[tuple[UUID, date | None], list[Span]] = {}
        self._of_taker = self.found.of([self.to.id] if self.to is not None else [])

    async def go_through(self) -> None:
        for shift in self.out.shifts:
            if shift.recurrence is None:
                await self._always(shift)
            else:
                await self._recurring(shift)
        for row in self.out.stretches:
            if row.kind == ChangeKind.EXTRA:
                await self._extra(row)
            else:
                await self._for_colleague(row)
        for (base_id, day), spans in self._cuts.items():
            if day is not None:
                await self._cut_day(base_id, day, spans)
            else:
                await self._cut_extra(base_id, spans)

    async def _recurring(self, row: ShiftRow) -> None:
        shift, now = roster.shift_of(row), self.work.now
        until = max([now + _DAY_BY_DAY, *(c.end for c in self._own_changes())])
        days = list(duties_by_day(shift, now, until, self.found.holidays))
        works = {day: await self._day(row, day, duty) for day, duty in days}
        if self.to is None:
            return
        first_on = next((day for day in works if works[day]), None)
        if first_on is None:
            later = _next_day(self.work, shift, max(works, default=None))
            if works.keys() <= self.out.begun.get(row.id, set()):
                first_on = later
            elif later is not None:
                # Free on no day of a year: the shift ends for good, which is said too.
                begins = first_instant(
                    datetime.combine(later, shift.starts_at), ZoneInfo(shift.timezone)
                )
                self.out.not_free.append(Place(self.to.id, begins, ALWAYS_UNTIL, shift.layer))
        if first_on is not None:
            left_out = frozenset(day for day in works if day > first_on and not works[day])
            self.out.rests.append(Rest(row, first_on, left_out))

    async def _day(self, row: ShiftRow, day: date, duty: Duty) -> bool:
        """Give one day of a shift. Return whether the taker works it by the shift itself."""
        parts = divide(duty.start, duty.end, self.swaps)
        whole = self.to is not None and [swap for _, swap in parts] == [None]
        if duty.start < self.work.now:
            self.out.begun.setdefault(row.id, set()).add(day)
        elif whole and not self._gives_away(duty.start, duty.end):
            refusal = await self._why_not(duty.start, duty.end, duty.layer)
            # An absence cuts the duty of its days, as it does that of any shift.
            return refusal is None or isinstance(refusal, free.AbsentThen)
        for span, swap in parts:
            if swap is not None:
                self._keeps(swap, span, duty.layer)
            else:
                self._worked(span, duty.layer)
                await self._give(span, duty.layer)
        return False

    async def _always(self, row: ShiftRow) -> None:
        now, zone, shift = self.work.now, ZoneInfo(row.timezone), roster.shift_of(row)
        duty = next(duties(shift, now, ALWAYS_UNTIL), None)
        if duty is None:
            return
        today = roster.local_day(self.work, row.timezone)
        midnights = [
            first_instant(datetime.combine(today + _DAY * n, time()), zone) for n in (0, 1)
        ]
        # The shift ends with yesterday: what was worked today stands by itself.
        since = max(duty.start, midnights[0])
        for span, swap in divide(since, duty.end, self.swaps):
            if swap is not None:
                self._keeps(swap, span, duty.layer)
            else:
                self._worked(span, duty.layer)
        if self.to is None or not await self._can_always(row, duty):
            return
        first_on = max(row.first_on, today)
        if since < now:
            self.out.made.append(
                self._new_extra(self.to.id, (now, min(midnights[1], duty.end)), duty.layer)
            )
            first_on = today + _DAY
        if row.last_on is None or row.last_on >= first_on:
            self.out.rests.append(Rest(row, first_on))

    async def _can_always(self, row: ShiftRow, duty: Duty) -> bool:
        """Return whether the taker can be on duty always: unless they are that already.

        Duty besides and absences of the taker are as with any shift without an end.
        """
        assert self.to is not None
        same = tuple(
            one
            for one in self.found.shifts
            if one.counsellor_id == self.to.id
            and one.recurrence is None
            and (one.last_on is None or (row.last_on is not None and one.last_on >= row.last_on))
        )
        place = Place(self.to.id, max(duty.start, self.work.now), duty.end, duty.layer)
        try:
            await free.check_free(
                self.work, replace(self.found, shifts=same, changes=()), self.to, place
            )
        except Refusal:
            self.out.not_free.append(place)
            return False
        return True

    async def _extra(self, row: RotaChange) -> None:
        begins, layer = max(row.from_at, self.work.now), Layer(row.layer)
        for span, swap in divide(begins, row.until_at, self._later(row)):
            # At other times it takes no place of an open shift any more.
            place = row.open_shift_id if span == (row.from_at, row.until_at) else None
            if swap is not None:
                self._keeps(swap, span, layer, place)
            else:
                await self._give(span, layer, row.reason, place)

    async def _for_colleague(self, row: RotaChange) -> None:
        """Give what the person works for a colleague by a swap, which goes on with another."""
        at = next((n for n, one in enumerate(self.found.changes) if one.id == row.id), None)
        if at is None:
            return
        before = replace(self.found, changes=self.found.changes[:at]).of([row.counsellor_id])
        begins = max(row.from_at, self.work.now)
        for duty in on_duty.stretches(before, begins, row.until_at):
            if duty.counsellor_id == row.counsellor_id:
                span = max(duty.start, begins), min(duty.end, row.until_at)
                for part, swap in divide(*span, self._later(row)):
                    await self._instead(row, part, duty, swap)

    async def _instead(
        self, row: RotaChange, span: Span, duty: Duty, swap: RotaChange | None
    ) -> None:
        if swap is not None:
            # The colleague who gave it away first does not get it back.
            self._take(row, span, duty)
            self._keeps(swap, span, duty.layer)
        elif self.to is None or await self._why_not(*span, duty.layer) is not None:
            self._take(row, span, duty)
        elif self.to.id == row.counsellor_id:
            return
        elif self._gives_away(*span):
            self._take(row, span, duty)
            self.out.made.append(self._new_extra(self.to.id, span, duty.layer))
        else:
            self.out.made.append(self._like(row, ChangeKind.SWAP, span))

    def _take(self, row: RotaChange, span: Span, duty: Duty) -> None:
        """Take duty from the colleague who gave it away by a swap: out of where it comes from, so
        that they are free then and can take it back."""
        shift = next((one for one in self.found.shifts if one.id == duty.shift_id), None)
        extra = next((one for one in self.found.changes if one.id == duty.change_id), None)
        if extra is not None and extra.counsellor_id == row.counsellor_id:
            assert extra.id is not None
            self._cuts.setdefault((extra.id, None), []).append(span)
            return
        if shift is not None and extra is None and shift.recurrence is not None:
            for day, whole in duties_by_day(shift, *span, self.found.holidays):
                own = shift.counsellor_id == row.counsellor_id
                if own and whole.start <= span[0] and span[1] <= whole.end:
                    assert shift.id is not None
                    self._cuts.setdefault((shift.id, day), []).append(span)
                    return
        # It comes from a shift without days, or from another colleague: only an absence takes it.
        self.out.made.append(self._like(row, ChangeKind.ABSENCE, span))

    async def _cut_day(self, shift_id: UUID, day: date, spans: list[Span]) -> None:
        """Leave a day out of the shift of a colleague, but for what stays theirs of it."""
        shift = next(one for one in self.found.shifts if one.id == shift_id)
        found = duties_by_day(shift, spans[0][0], spans[0][1], self.found.holidays)
        whole = next(duty for its, duty in found if its == day)
        who = shift.counsellor_id
        first = await self.work.session.scalar(
            select(func.min(RotaChange.settled_at)).where(
                (RotaChange.counsellor_id == who) | (RotaChange.instead_id == who),
                RotaChange.state == RotaChangeState.IN_FORCE,
            )
        )
        self.out.left_out.append((shift_id, day))
        for part in on_duty.uncovered([(whole.start, whole.end)], spans):
            row = self._new_extra(who, part, whole.layer)
            # As the shift, before any change to it.
            row.settled_at = (first or self.work.now) - _MOMENT
            self.out.made.append(row)

    async def _cut_extra(self, change_id: UUID, spans: list[Span]) -> None:
        """End an extra stretch of a colleague, but for what stays theirs of it."""
        row = await self.work.session.get_one(RotaChange, change_id)
        self.out.ended.append(row)
        ahead = max(row.from_at, self.work.now), row.until_at
        for part in on_duty.uncovered([ahead], spans):
            left = self._new_extra(row.counsellor_id, part, Layer(row.layer), row.reason)
            left.settled_at = row.settled_at
            self.out.made.append(left)

    def _keeps(
        self, swap: RotaChange, span: Span, layer: Layer, open_shift: UUID | None = None
    ) -> None:
        """Let the colleague of an agreed swap keep the duty, at its place among the changes."""
        assert swap.instead_id is not None
        row = self._new_extra(swap.instead_id, span, layer, swap.reason, open_shift)
        row.settled_at = swap.settled_at
        self.out.made.append(row)
        if span[1] > self.work.now:
            self.out.kept.append(Place(swap.instead_id, *span, layer))

    def _worked(self, span: Span, layer: Layer) -> None:
        """Keep what the person worked until now as it was."""
        worked = (span[0], min(span[1], self.work.now))
        for part in on_duty.uncovered([worked], self.absences):
            self.out.made.append(self._new_extra(self.staff.id, part, layer))

    async def _give(
        self, span: Span, layer: Layer, reason: str = "", open_shift: UUID | None = None
    ) -> None:
        """Give the rest of a stretch to the taker, if they are free for it."""
        begins, ends = max(span[0], self.work.now), span[1]
        if self.to is None or begins >= ends:
            return
        if self.room <= 0:
            self.out.not_free.append(Place(self.to.id, begins, ends, layer))
        elif await self._why_not(begins, ends, layer) is None:
            self.room -= 1
            self.out.made.append(
                self._new_extra(self.to.id, (begins, ends), layer, reason, open_shift)
            )

    async def _why_not(self, begins: datetime, ends: datetime, layer: Layer) -> Refusal | None:
        """Return why the taker cannot have a stretch, which is then left without a person."""
        assert self.to is not None
        place = Place(self.to.id, begins, ends, layer)
        try:
            await free.check_free(self.work, self._of_taker, self.to, place)
        except Refusal as refusal:
            self.out.not_free.append(place)
            return refusal
        return None

    def _own_changes(self) -> list[on_duty.DutyChange]:
        able = {self.staff.id, self.to.id if self.to is not None else None}
        return [c for c in self.found.changes if c.counsellor_id in able or c.instead_id in able]

    def _gives_away(self, begins: datetime, ends: datetime) -> bool:
        """Return whether a swap of the taker would take a shift of that time away from them."""
        return self.to is not None and any(
            change.kind is ChangeKind.SWAP
            and change.counsellor_id == self.to.id
            and change.start < ends
            and change.end > begins
            for change in self._of_taker.changes
        )

    def _later(self, row: RotaChange) -> list[RotaChange]:
        """Return the swaps that are applied after a change."""
        return [one for one in self.swaps if _order(one) > _order(row)]

    def _new_extra(
        self,
        who: UUID,
        span: Span,
        layer: Layer,
        reason: str = "",
        open_shift: UUID | None = None,
    ) -> RotaChange:
        row = changes.new_extra(self.work, Place(who, *span, layer), reason)
        row.open_shift_id = open_shift
        return row

    def _like(self, row: RotaChange, kind: ChangeKind, span: Span) -> RotaChange:
        """Return a change in the place of a swap: with the taker, or that leaves it uncovered."""
        swaps = kind is ChangeKind.SWAP and self.to is not None
        return RotaChange(
            id=uuid4(),
            kind=kind.value,
            counsellor_id=row.counsellor_id,
            instead_id=self.to.id if swaps and self.to is not None else None,
            layer=row.layer,
            from_at=span[0],
            until_at=span[1],
            reason=row.reason,
            state=RotaChangeState.IN_FORCE.value,
            made_by=self.work.actor.staff_id,
            made_at=self.work.now,
            settled_at=row.settled_at,
        )


def _next_day(work: Work, shift: Shift, after: date | None) -> date | None:
    """Return the next day of a shift, after one of its days or from today on."""
    since = max(shift.first_on, roster.local_day(work, shift.timezone))
    if after is not None:
        since = max(since, after + _DAY)
    return next(days_of(shift, since, since + LOOKED_AHEAD), None)


def _order(row: RotaChange) -> tuple[datetime, UUID]:
    assert row.settled_at is not None
    return row.settled_at, row.id
