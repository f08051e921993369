"""Who is on duty after absences, extra times and swaps; and that no change leaves a gap."""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from app.routing.rota.on_duty import (
    ChangeKind,
    DutyChange,
    Rota,
    next_duty,
    on_duty,
    stretches,
    uncovered,
)
from app.routing.rota.shifts import Layer, OnHolidays, Shift, days_of
from tests.support.profile import WHOLE, by_day
from tests.support.shifts import ZONES, shift

ANA, BORIS, VERA = uuid4(), uuid4(), uuid4()


K = ChangeKind


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", by_day(reversed(ZONES), 3))
def test_every_minute_of_a_year_is_covered_and_handed_over_once(zone: str) -> None:
    """06-14, 14-22, 22-06 by three people, through every clock change.

    Asked every quarter of an hour, and in the minutes around each start and end.

    Where a time of the wall comes twice both are there for that hour; no minute is uncovered, and a
    counsellor who has gone home does not come back.
    """
    rota = Rota(
        (
            shift(zone, "06:00", 8, ANA),
            shift(zone, "14:00", 8, BORIS),
            shift(zone, "22:00", 8, VERA),
        )
    )
    order = [ANA, BORIS, VERA]
    since, until = at("2026-01-02T00:00"), at("2027-01-02T00:00")
    duties = stretches(rota, since, until)
    wall = ZoneInfo(zone)
    starts = [duty.start for duty in duties]
    quarters = (until - since) // timedelta(minutes=15)
    minutes = {since + n * timedelta(minutes=15) for n in range(quarters)}
    for edge in [edge for duty in duties for edge in (duty.start, duty.end)]:
        minutes |= {edge + timedelta(minutes=n) for n in (-1, 0, 1)}
    handovers, before = 0, None
    for minute in sorted(minute for minute in minutes if since <= minute < until):
        first = bisect_right(starts, minute) - 1
        there = [d.counsellor_id for d in duties[max(0, first - 2) : first + 1] if d.end > minute]
        assert there, f"no counsellor at {minute.astimezone(wall)}"
        assert len(there) <= 2
        newest = there[-1]
        if before is not None and newest != before:
            assert order.index(newest) == (order.index(before) + 1) % 3
            handovers += 1
        if len(there) == 2:
            # Both only while the clock on the wall repeats itself.
            local = minute.astimezone(wall)
            again = local.replace(fold=1 - local.fold)
            assert again.utcoffset() != local.utcoffset(), f"two at {local}"
        before = newest
    assert abs(handovers - 365 * 3) <= 1


@pytest.mark.parametrize("zone", by_day(ZONES))
def test_a_shift_over_the_changed_hour_starts_first_and_ends_last(zone: str) -> None:
    """Shifts at every half hour of the day, on every day of the year, against the wall itself."""
    wall = ZoneInfo(zone)
    for start in range(0, 24 * 60, 30):
        one = Shift(ANA, "FREQ=DAILY", time(start // 60, start % 60), 30, zone, date(2026, 1, 1))
        for duty in stretches(Rota((one,)), at("2026-01-02T00:00"), at("2026-12-31T00:00")):
            begin, end = duty.start.astimezone(wall), duty.end.astimezone(wall)
            assert duty.start <= duty.end
            # No earlier instant shows the time at which it starts, no later one that of its end.
            for edge, step in ((begin, -1), (end, 1)):
                other = (edge.astimezone(UTC) + step * timedelta(hours=1)).astimezone(wall)
                half = (edge.astimezone(UTC) + step * timedelta(minutes=30)).astimezone(wall)
                shown = edge.replace(tzinfo=None)
                assert shown not in (other.replace(tzinfo=None), half.replace(tzinfo=None))


WEEK = Rota((shift("UTC", "08:00", 8, ANA), shift("UTC", "16:00", 8, BORIS)))


def with_changes(*changes: DutyChange) -> Rota:
    return Rota(WEEK.shifts, changes)


def test_an_absence_takes_out_its_time_and_no_more() -> None:
    rota = with_changes(DutyChange(K.ABSENCE, ANA, at("2026-05-05T10:00"), at("2026-05-05T12:00")))
    for hour, who in ((9, {ANA}), (10, set()), (11, set()), (12, {ANA}), (16, {BORIS})):
        assert set(on_duty(rota, at(f"2026-05-05T{hour:02}:00"))) == who
    assert on_duty(rota, at("2026-05-05T09:00"))[ANA].until == at("2026-05-05T10:00")


def test_a_swap_moves_duty_and_its_layer() -> None:
    rota = Rota(
        (
            shift("UTC", "08:00", 8, ANA),
            *(
                Shift(
                    BORIS, "FREQ=DAILY", time(8), 480, "UTC", date(2026, 1, 1), layer=Layer.BACKUP
                ),
            ),
        ),
        (
            DutyChange(
                K.SWAP, BORIS, at("2026-05-05T08:00"), at("2026-05-05T16:00"), instead_id=VERA
            ),
        ),
    )
    present = on_duty(rota, at("2026-05-05T09:00"))
    assert set(present) == {ANA, VERA}
    assert present[VERA].layer is Layer.BACKUP
    assert set(on_duty(rota, at("2026-05-06T09:00"))) == {ANA, BORIS}


def test_the_later_of_two_changes_of_a_duty_counts() -> None:
    absent = DutyChange(K.ABSENCE, ANA, at("2026-05-05T00:00"), at("2026-05-06T00:00"))
    comes = DutyChange(K.EXTRA, ANA, at("2026-05-05T10:00"), at("2026-05-05T12:00"))
    noon = at("2026-05-05T11:00")
    assert set(on_duty(with_changes(absent, comes), noon)) == {ANA}
    assert set(on_duty(with_changes(comes, absent), noon)) == set()


def test_holidays_and_days_left_out() -> None:
    christmas = date(2026, 12, 25)

    def daily(who: UUID, on_holidays: OnHolidays) -> Shift:
        return Shift(
            who,
            "FREQ=DAILY",
            time(8),
            60,
            "UTC",
            date(2026, 1, 1),
            on_holidays=on_holidays,
            except_on=frozenset({date(2026, 12, 27)}),
        )

    rota = Rota(
        (daily(ANA, OnHolidays.WORKS), daily(BORIS, OnHolidays.OFF), daily(VERA, OnHolidays.ONLY)),
        holidays=frozenset({christmas}),
    )
    assert set(on_duty(rota, at("2026-12-24T08:30"))) == {ANA, BORIS}
    assert set(on_duty(rota, at("2026-12-25T08:30"))) == {ANA, VERA}
    assert set(on_duty(rota, at("2026-12-27T08:30"))) == set()


def test_the_next_duty_is_of_counsellors_who_can_take_the_call() -> None:
    now = at("2026-05-05T17:00")
    found = next_duty(WEEK, now)
    assert found is not None
    assert found.counsellor_id == ANA
    found = next_duty(WEEK, now, {BORIS})
    assert found is not None
    assert (found.counsellor_id, found.start) == (BORIS, at("2026-05-06T16:00"))
    gone = with_changes(DutyChange(K.ABSENCE, BORIS, now, at("2026-05-09T00:00")))
    found = next_duty(gone, now, {BORIS})
    assert found is not None
    assert found.start == at("2026-05-09T16:00")


INSTANTS = st.integers(0, 14 * 24 * 4).map(
    lambda quarter: at("2026-10-19T00:00") + timedelta(minutes=15 * quarter)
)


WHO = st.sampled_from([ANA, BORIS, VERA])


@st.composite
def changes(draw: st.DrawFn) -> DutyChange:
    begin, end = sorted((draw(INSTANTS), draw(INSTANTS)))
    kind, who = draw(st.sampled_from(list(K))), draw(WHO)
    other = draw(st.sampled_from([p for p in (ANA, BORIS, VERA) if p != who]))
    return DutyChange(
        kind,
        who,
        begin,
        end + timedelta(minutes=15),
        draw(st.sampled_from(list(Layer))),
        other if kind is K.SWAP else None,
    )


@settings(max_examples=200 if WHOLE else 100, deadline=None)
@given(made=st.lists(changes(), max_size=6), instant=INSTANTS)
def test_random_changes_give_the_same_duty_minute_by_minute(
    made: list[DutyChange], instant: datetime
) -> None:
    """An instant looked at by itself: each change in turn, on a set of who is there."""
    rota = Rota(
        (shift("Europe/Belgrade", "06:00", 12, ANA), shift("Europe/Belgrade", "18:00", 12, BORIS)),
        tuple(made),
    )
    there = [
        (duty.counsellor_id, duty.layer)
        for duty in stretches(Rota(rota.shifts), instant, instant + timedelta(microseconds=1))
    ]
    for change in made:
        if not change.start <= instant < change.end:
            continue
        if change.kind is K.EXTRA:
            there.append((change.counsellor_id, change.layer))
            continue
        moved = [(change.instead_id, layer) for who, layer in there if who == change.counsellor_id]
        there = [one for one in there if one[0] != change.counsellor_id]
        there += [(who, layer) for who, layer in moved if who is not None]
    rank = list(Layer).index
    wanted: dict[UUID, Layer] = {}
    for who, layer in there:
        wanted[who] = min(wanted.get(who, layer), layer, key=rank)
    assert {w: s.layer for w, s in on_duty(rota, instant).items()} == wanted
    # And the list of stretches says the same as the question.
    listed = stretches(rota, at("2026-10-15T00:00"), at("2026-11-10T00:00"))
    assert {d.counsellor_id for d in listed if d.start <= instant < d.end} == set(wanted)


@settings(max_examples=100, deadline=None)
@given(
    spans=st.lists(st.tuples(INSTANTS, INSTANTS).map(sorted), max_size=8),
    wanted=st.lists(st.tuples(INSTANTS, INSTANTS).map(sorted), max_size=3),
    instant=INSTANTS,
)
def test_uncovered_times_are_what_is_wanted_and_not_covered(
    spans: list[list[datetime]], wanted: list[list[datetime]], instant: datetime
) -> None:
    found = uncovered([(a, b) for a, b in wanted], [(a, b) for a, b in spans])
    is_uncovered = any(a <= instant < b for a, b in wanted) and not any(
        a <= instant < b for a, b in spans
    )
    assert any(a <= instant < b for a, b in found) == is_uncovered
    assert all(a < b for a, b in found)


RULES = [
    "FREQ=DAILY",
    "FREQ=WEEKLY;BYDAY=MO,TH",
    "FREQ=WEEKLY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA",
    "FREQ=MONTHLY;BYDAY=1SU",
    "FREQ=DAILY;COUNT=40",
    "FREQ=WEEKLY;BYDAY=FR;UNTIL=20270101T000000",
    "FREQ=MONTHLY;BYMONTHDAY=31",
]


@pytest.mark.parametrize("rule", RULES)
def test_days_by_month_are_the_days_of_the_rule(rule: str) -> None:
    """Months are worked out one by one, and old rules not from their beginning: the same days."""
    for first in (date(2021, 3, 17), date(2026, 11, 30), date(2027, 2, 1)):
        one = Shift(ANA, rule, time(8), 60, "UTC", first)
        found = list(days_of(one, date(2026, 11, 25), date(2027, 2, 20)))
        start = datetime.combine(first, time())
        wanted = rrulestr(rule, dtstart=start).between(
            datetime(2026, 11, 25),
            datetime(2027, 2, 20),
            inc=True,
        )
        assert found == [day.date() for day in wanted]


def test_stretches_come_in_order() -> None:
    found = stretches(WEEK, at("2026-05-01T00:00"), at("2026-05-20T00:00"))
    assert all(a.start <= b.start for a, b in pairwise(found))


def test_shifts_keep_their_hour_when_the_clocks_change() -> None:
    zone = ZoneInfo("Europe/Belgrade")
    night = Shift(uuid4(), "FREQ=DAILY", time(22), 480, zone.key, date(2026, 1, 1))
    day = Shift(uuid4(), "FREQ=DAILY", time(6), 960, zone.key, date(2026, 1, 1))
    since, until = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    found = stretches(Rota((night, day)), since, until)
    for duty in found:
        assert duty.start.astimezone(zone).time() in (time(22), time(6))
    for before, after in pairwise(found):
        assert before.end == after.start, "neither a gap nor two at once"


def test_the_next_three_of_a_fortnightly_shift_are_known() -> None:
    """A fortnightly shift begins on a day that is written down; the next three are certain."""
    shift = Shift(
        uuid4(), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", time(8), 480, "UTC", date(2026, 11, 23)
    )
    rota, at, told = Rota((shift,)), datetime(2026, 11, 25, tzinfo=UTC), []
    for _ in range(3):
        duty = next_duty(rota, at)
        assert duty is not None
        told.append(duty.start.date())
        at = duty.start
    assert told == [date(2026, 12, 7) + timedelta(days=14 * n) for n in range(3)]
