"""The duty of a person who leaves: every kind of it goes to a colleague, and none comes back.

Ana leaves in the night of 16 January 2030, at one o'clock in Belgrade.
"""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from app.jobs.transaction import flush
from app.people import changing, ending, holding, leaving, provisioning
from app.people.changing import Changes
from app.people.holding import WorkKind
from app.people.provisioning import PersonEntry
from app.routing.rota import changes, coverage, giving, on_duty, open_shifts, roster, stretches
from app.routing.rota.on_duty import ChangeKind
from app.routing.rota.shifts import ALWAYS_UNTIL, Layer, Place
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import Work
from tests.support.duties import a_taker, at, daily, duties_on, log_of, place
from tests.support.verbs import a_line, an_administrator

pytestmark = pytest.mark.whole

People = tuple[Staff, Staff, Staff]


@pytest.fixture
async def people(work: Work) -> People:
    """Ana, who leaves; Vera, who gets what she has; Boris."""
    await a_line(work)
    ana, vera, boris = [await a_taker(work, name) for name in ("ana", "vera", "boris")]
    await an_administrator(work)
    return ana, vera, boris


async def on_duty_at(work: Work, day: int, hour: int) -> set[UUID]:
    return set(on_duty.on_duty(await roster.rota_now(work), at(day, hour)))


def night(staff: Staff, day: int, layer: Layer = Layer.PRIMARY) -> Place:
    return Place(staff.id, at(day, 22), at(day + 1, 6), layer)


async def swapped(work: Work, ana: Staff, to: Staff, begins: datetime, ends: datetime) -> None:
    """Let a colleague take over duty, after what was planned before."""
    work.now += timedelta(minutes=1)
    await changes.swap(work, None, ana.id, to.id, begins, ends)


async def leaves(work: Work, ana: Staff, to: Staff | None = None) -> leaving.HandedOver:
    """Let Ana leave at one o'clock in the night of the 16th."""
    work.now = at(16, 1)
    plan = leaving.everything_to(to.id) if to else leaving.shifts_uncovered()
    return await leaving.deactivate(work, ana.id, plan, by=None)


async def test_nights_that_were_planned_one_by_one_go_to_the_colleague(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    for day in (15, 17, 18):
        await stretches.add(work, None, night(ana, day))
    work.now = at(16, 1)
    assert (await holding.count(work, ana))[WorkKind.SHIFTS] == 3
    handed = await leaves(work, ana, vera)
    assert (handed.given, handed.uncovered, handed.kept) == ({WorkKind.SHIFTS: 3}, (), ())
    assert await on_duty_at(work, 16, 2) == {vera.id}, "the rest of the running night"
    assert await duties_on(work, 18) == {night(vera, 17), night(vera, 18)}
    # What Ana worked stays hers.
    past = await roster.rota_then(work, at(14, 0))
    assert set(on_duty.on_duty(past, at(15, 23))) == {ana.id}
    assert set(on_duty.on_duty(past, at(16, 2))) == {vera.id}
    made = log_of(work, AuditLog.ROTA_CHANGE_MADE)
    assert made["after"]["counsellor"] == str(vera.id)
    # And they do not come back with her.
    await leaving.reactivate(work, ana.id, by=None)
    assert await on_duty_at(work, 18, 2) == {vera.id}
    assert (await holding.count(work, ana))[WorkKind.SHIFTS] == 0


async def test_the_rest_of_a_running_night_of_a_shift_goes_over_at_once(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    await daily(work, ana, begins=22)
    await leaves(work, ana, vera)
    assert await on_duty_at(work, 16, 2) == {vera.id}
    for day in (17, 18, 25):
        assert await on_duty_at(work, day, 2) == {vera.id}
    assert await on_duty_at(work, 16, 12) == set()
    past = await roster.rota_then(work, at(14, 0))
    assert [set(on_duty.on_duty(past, at(16, hour))) for hour in (0, 2)] == [{ana.id}, {vera.id}]


async def test_a_shift_of_one_day_that_began_yesterday_still_counts(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    row = await daily(work, ana, begins=22)
    row.first_on = row.last_on = at(15, 12).date()
    work.now = at(16, 1)
    assert (await holding.count(work, ana))[WorkKind.SHIFTS] == 1
    await leaves(work, ana, vera)
    assert await on_duty_at(work, 16, 2) == {vera.id}
    assert await giving.shifts_ahead(work, ana) == []


async def test_what_was_worked_today_stays_when_a_person_leaves_after_it(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    await daily(work, ana)
    work.now = at(16, 18)
    await leaving.hand_over(work, ana.id, leaving.everything_to(vera.id), by=None)
    assert await duties_on(work, 16) == {place(ana, 16, 8, 16)}
    assert await duties_on(work, 17) == {place(vera, 17, 8, 16)}
    assert (await holding.count(work, ana))[WorkKind.SHIFTS] == 0
    # At noon, the two share the day.
    work.now = at(17, 12)
    await leaving.hand_over(work, vera.id, leaving.everything_to(ana.id), by=None)
    assert await duties_on(work, 17) == {place(vera, 17, 8, 12), place(ana, 17, 12, 16)}
    assert await duties_on(work, 18) == {place(ana, 18, 8, 16)}


async def test_duty_without_an_end_goes_over_at_once_and_the_morning_stays(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    await roster.add_shift(work, ana, recurrence=None, timezone="Europe/Belgrade")
    await leaves(work, ana, vera)
    past = await roster.rota_then(work, at(14, 12))
    worked = [set(on_duty.on_duty(past, at(16, hour))) for hour in (0, 1, 12)]
    assert worked == [{ana.id}, {vera.id}, {vera.id}]
    assert await on_duty_at(work, 20, 12) == {vera.id}
    # A colleague who is on duty always has nothing to take.
    with pytest.raises(giving.NotFree):
        await leaving.hand_over(
            work, vera.id, leaving.everything_to((await _always(work)).id), by=None
        )


async def _always(work: Work) -> Staff:
    zora = await a_taker(work, "zora")
    await roster.add_shift(work, zora, recurrence=None)
    return zora


async def test_nights_for_which_the_colleague_is_not_free_are_said_before_they_stay_uncovered(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    await daily(work, ana, begins=22)
    await stretches.add(work, None, Place(ana.id, at(19, 8), at(19, 16)))
    # Vera is on duty in one of the nights, and absent in another.
    await stretches.add(work, None, night(vera, 17))
    await changes.be_absent(work, None, vera.id, at(19, 0), at(21, 0))
    work.now = at(16, 1)
    with pytest.raises(giving.NotFree, match="2030-01-17 22:00 to 2030-01-18 06:00"):
        await leaving.deactivate(work, ana.id, leaving.everything_to(vera.id), by=None)
    assert ana.active
    assert await on_duty_at(work, 17, 2) == {ana.id}, "nothing has changed"
    handed = await leaving.deactivate(
        work, ana.id, leaving.everything_to(vera.id), by=None, knowingly=True
    )
    begins = {one.start for one in handed.uncovered}
    assert begins == {at(17, 22), at(18, 22), at(19, 8), at(19, 22), at(20, 22)}
    assert log_of(work, AuditLog.STAFF_HANDED_OVER)["uncovered"] == 5
    # One night, not two; the day on which she is absent stays uncovered.
    assert await duties_on(work, 17) == {night(vera, 16), night(vera, 17)}
    gone = (at(19, 0), at(20, 0))
    assert {one.uncovered for one in await coverage.coverage(work, *gone)} == {(gone,)}
    assert await on_duty_at(work, 22, 2) == {vera.id}


async def test_a_shift_that_the_colleague_could_never_work_is_said_to_end_for_good(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    for staff in (ana, vera):
        await daily(work, staff, begins=22)
    work.now = at(16, 1)
    # First of all that is said, though it begins last.
    with pytest.raises(giving.NotFree, match="2031-01-17 22:00 to …; 2030-01-16 01:00"):
        await leaving.deactivate(work, ana.id, leaving.everything_to(vera.id), by=None)
    handed = await leaving.deactivate(
        work, ana.id, leaving.everything_to(vera.id), by=None, knowingly=True
    )
    assert max(handed.uncovered, key=lambda one: one.start).end == ALWAYS_UNTIL


async def test_who_took_a_night_in_an_agreed_swap_keeps_it(work: Work, people: People) -> None:
    ana, vera, boris = people
    await daily(work, ana, begins=22)
    await stretches.add(work, None, place(ana, 18, 8, 16))
    # The whole night of the 17th, half of the 19th, and the extra day.
    for begins, ends in (
        (at(17, 20), at(18, 8)),
        (at(19, 22), at(20, 2)),
        (at(18, 8), at(18, 16)),
    ):
        await swapped(work, ana, boris, begins, ends)
    handed = await leaves(work, ana, vera)
    assert {(one.counsellor_id, one.start) for one in handed.kept} == {
        (boris.id, at(17, 22)),
        (boris.id, at(19, 22)),
        (boris.id, at(18, 8)),
    }
    assert [await on_duty_at(work, day, 3) for day in (17, 18, 19, 20)] == [
        {vera.id},
        {boris.id},
        {vera.id},
        {vera.id},
    ]
    assert await on_duty_at(work, 20, 1) == {boris.id}
    assert await on_duty_at(work, 18, 12) == {boris.id}


async def test_the_same_swaps_stay_when_the_shifts_stay_uncovered(
    work: Work, people: People
) -> None:
    ana, _, boris = people
    await daily(work, ana, begins=22)
    await swapped(work, ana, boris, at(15, 22), at(18, 6))
    asked = await changes.swap(work, ana, ana.id, boris.id, at(20, 22), at(21, 6))
    await leaves(work, ana)
    assert [await on_duty_at(work, day, 3) for day in (16, 17, 18, 19)] == [
        {boris.id},
        {boris.id},
        {boris.id},
        set(),
    ]
    past = await roster.rota_then(work, at(14, 0))
    assert set(on_duty.on_duty(past, at(15, 23))) == {boris.id}
    assert asked.state == "withdrawn"


async def test_what_a_person_took_for_a_colleague_does_not_fall_back_unsaid(
    work: Work, people: People
) -> None:
    ana, vera, boris = people
    await daily(work, boris, begins=22)
    for day in (15, 17, 18):
        await swapped(work, boris, ana, at(day, 22), at(day + 1, 6))
    # Ana gave one of them away again.
    cara = await a_taker(work, "cara")
    await swapped(work, ana, cara, at(18, 22), at(19, 6))
    await leaves(work, ana, vera)
    assert [await on_duty_at(work, day, 3) for day in (16, 17, 18, 19, 20)] == [
        {vera.id},
        {boris.id},
        {vera.id},
        {cara.id},
        {boris.id},
    ]
    # Left uncovered, it does not ring at Boris, who believes that he is free.
    work.now = at(17, 12)
    await leaving.deactivate(work, vera.id, leaving.shifts_uncovered(), by=None)
    assert await on_duty_at(work, 18, 3) == set()
    assert await on_duty_at(work, 17, 3) == {boris.id}


async def test_who_gave_a_night_away_can_take_it_back_once_it_is_uncovered(
    work: Work, people: People
) -> None:
    ana, _, boris = people
    await daily(work, boris, begins=22)
    await stretches.add(work, None, place(boris, 19, 8, 16))
    # A night that runs; a whole one; a part of one of which he gave another part away before; a
    # part of a day.
    cara = await a_taker(work, "cara")
    await swapped(work, boris, ana, at(15, 22), at(16, 6))
    await swapped(work, boris, ana, at(17, 22), at(18, 6))
    await swapped(work, boris, cara, at(18, 22), at(19, 0))
    await swapped(work, boris, ana, at(19, 4), at(19, 6))
    await swapped(work, boris, ana, at(19, 8), at(19, 12))
    await leaves(work, ana)
    assert await duties_on(work, 18) == {
        Place(cara.id, at(18, 22), at(19, 0)),
    }
    assert await duties_on(work, 19) == {
        Place(boris.id, at(19, 0), at(19, 4)),
        Place(boris.id, at(19, 12), at(19, 16)),
        night(boris, 19),
    }
    assert await on_duty_at(work, 16, 2) == set()
    past = await roster.rota_then(work, at(14, 0))
    assert set(on_duty.on_duty(past, at(15, 23))) == {ana.id}, "what she worked stays hers"
    kinds = {one.kind for one in (await roster.rota_now(work)).changes}
    assert kinds == {ChangeKind.EXTRA, ChangeKind.SWAP}
    for begins, ends in ((at(17, 22), at(18, 6)), (at(19, 4), at(19, 6)), (at(19, 8), at(19, 12))):
        await stretches.add(work, None, Place(boris.id, begins, ends))
    assert await on_duty_at(work, 18, 3) == await on_duty_at(work, 19, 5) == {boris.id}


async def test_a_place_of_an_open_shift_goes_along_or_is_free_again(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    opened = [await open_shifts.open_shift(work, None, at(day, 8), at(day, 16)) for day in (17, 18)]
    for one in opened:
        await open_shifts.sign_up(work, ana, one.id)
    await stretches.add(work, None, place(vera, 18, 6, 10))
    work.now = at(16, 1)
    plan = leaving.everything_to(vera.id)
    await leaving.deactivate(work, ana.id, plan, by=None, knowingly=True)
    offered = await open_shifts.offered_between(work, at(16, 0), at(20, 0))
    assert [one.taken_by for one in offered] == [(vera.id,), ()]


async def test_the_directory_counts_it_too_and_leaves_it_uncovered(
    work: Work, people: People
) -> None:
    ana, _, boris = people
    await stretches.add(work, None, night(ana, 17))
    await stretches.add(work, None, night(ana, 18))
    await swapped(work, ana, boris, at(18, 22), at(19, 6))
    work.now = at(16, 1)
    await provisioning.change(work, ana.id, PersonEntry("ana", active=False))
    assert log_of(work, AuditLog.LEFT_BY_DIRECTORY)["given"] == {"shifts": 2}
    assert [await on_duty_at(work, day, 3) for day in (18, 19)] == [set(), {boris.id}]
    await provisioning.change(work, ana.id, PersonEntry("ana", active=True))
    assert await on_duty_at(work, 18, 3) == set()


async def test_a_role_without_calls_needs_the_nights_handed_over_first(
    work: Work, people: People
) -> None:
    ana, vera, _ = people
    await stretches.add(work, None, night(ana, 17))
    with pytest.raises(ending.StillHolds, match="shifts"):
        await changing.change(work, ana.id, Changes(role=Role.REFERRAL_OFFICER), by=None)
    handed = await leaving.hand_over(work, ana.id, leaving.everything_to(vera.id), by=None)
    assert handed.given == {WorkKind.SHIFTS: 1}
    assert await on_duty_at(work, 18, 3) == {vera.id}
    await changing.change(work, ana.id, Changes(role=Role.REFERRAL_OFFICER), by=None)


async def test_duty_from_before_a_person_left_does_not_come_back(
    work: Work, people: People
) -> None:
    ana, _, _ = people
    await leaves(work, ana)
    await flush(work)
    kept = changes.new_extra(work, night(ana, 20))
    work.session.add(kept)
    await work.session.flush()
    await leaving.reactivate(work, ana.id, by=None)
    assert kept.state == "withdrawn"
    assert await on_duty_at(work, 21, 2) == set()
