"""A proposed rota: asked for, worked out from the database, accepted, discarded."""

import asyncio
from datetime import date, timedelta

import pytest

from app.calls.lines import finding_lines
from app.demo.stage import Stage
from app.errors import Invalid, NotAllowed, NotFound
from app.jobs.names import Task
from app.jobs.transaction import transaction
from app.routing.rota import changes, stretches, working_times
from app.routing.rota.planning_rows import ProposalState, RotaProposal
from app.routing.rota.proposals import proposals
from app.routing.rota.proposals.problem import Bar
from app.routing.rota.proposals.proposals import Choice
from app.routing.rota.shifts import Place
from app.routing.rota.working_times import read_available
from app.staff.accounts import actor_of
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.statistics.planning.proposing import problem_of, work_out
from app.work import PROGRAM, Work
from tests.support.duties import a_taker, at, duties_on, log_of, place
from tests.support.verbs import a_line, a_supervisor

WEEK = date(2030, 1, 23)
DAYS = {day: ["08:00-16:00"] for day in ("MO", "TU", "WE", "TH", "FR")}


async def worked_out(work: Work, by: Staff) -> RotaProposal:
    """Ask for a proposal and carry its job out."""
    row = await proposals.propose(work, by, WEEK, 1)
    problem = await problem_of(work, row)
    await proposals.keep(work, row.id, problem, *work_out(problem))
    return row


async def places_of(work: Work, row: RotaProposal, state: str = "proposed") -> set[Place]:
    return {
        Place(one.counsellor_id, one.from_at, one.until_at)
        for one in await proposals.duties_of(work, row)
        if one.state == state
    }


async def two_people(work: Work) -> tuple[Staff, Staff, Staff]:
    """Return a planner, ana who works by day five days a week, and boris in training."""
    if not await finding_lines.all_lines(work):
        await a_line(work)
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    boris = await a_taker(work, "boris")
    boris.training = True
    await working_times.set_times(work, vera, ana.id, 40, read_available(DAYS))
    return vera, ana, boris


async def test_a_proposal_follows_from_times_absences_and_planned_duty(work: Work) -> None:
    vera, ana, boris = await two_people(work)
    await changes.be_absent(work, vera, ana.id, at(22, 0), at(23, 0))
    await stretches.add(work, vera, place(ana, 23, 8, 16))
    row = await worked_out(work, vera)
    assert [job.task for job in work.jobs] == [Task.PROPOSE_ROTA]
    assert row.state == ProposalState.READY
    assert await places_of(work, row) == {place(ana, day, 8, 16) for day in (21, 24, 25)}
    assert await duties_on(work, 21) == set(), "nothing is in force"
    left = proposals.uncovered_of(row)
    # One stretch from Monday evening to Wednesday morning, for each language and in all: to its
    # nights ana comes nearer than to the day on which she is absent.
    tuesday = [one for one in left if one.begins <= at(22, 8) < one.ends]
    assert [(one.begins, one.ends) for one in tuesday] == [(at(21, 16), at(23, 8))] * 3
    assert {dict(one.why)[ana.id] for one in tuesday} == {Bar.UNAVAILABLE}
    assert dict(left[0].why) == {
        ana.id: Bar.UNAVAILABLE,
        boris.id: Bar.TRAINEE,
        vera.id: Bar.NOT_PLANNED,
    }
    assert {one.language for one in left if one.line} == {"sr", "en"}


async def test_all_of_a_proposal_becomes_duty_by_the_verb_that_adds_duty(work: Work) -> None:
    vera, ana, _ = await two_people(work)
    row = await worked_out(work, vera)
    proposed = await places_of(work, row)
    done = await proposals.accept(work, vera, row.id)
    assert (done.made, done.left_out) == (5, ())
    assert await places_of(work, row, "accepted") == proposed
    assert place(ana, 21, 8, 16) in await duties_on(work, 21)
    detail = log_of(work, AuditLog.ROTA_CHANGE_MADE)
    assert (detail["before"], detail["after"]["counsellor"]) == (None, str(ana.id))
    assert log_of(work, AuditLog.PROPOSAL_ACCEPTED)["made"] == 5
    assert row.state == ProposalState.DECIDED
    with pytest.raises(proposals.ProposalDecided):
        await proposals.accept(work, vera, row.id)


async def test_a_proposal_is_decided_by_person_day_and_stretch(work: Work) -> None:
    vera, ana, boris = await two_people(work)
    row = await worked_out(work, vera)
    await proposals.accept(work, vera, row.id, Choice(day=date(2030, 1, 21)))
    assert await places_of(work, row, "accepted") == {place(ana, 21, 8, 16)}
    with pytest.raises(proposals.ProposalDecided):
        await proposals.accept(work, vera, row.id, Choice(staff_id=boris.id))
    one = next(d for d in await proposals.duties_of(work, row) if d.from_at == at(22, 8))
    assert await proposals.discard(work, vera, row.id, Choice(duty_id=one.id)) == 1
    said = log_of(work, AuditLog.PROPOSAL_DISCARDED)
    assert (said["duty"], said["before"], said["after"]) == (str(one.id), "proposed", "discarded")
    choice = Choice(staff_id=ana.id, day=date(2030, 1, 23))
    assert (await proposals.accept(work, vera, row.id, choice)).made == 1
    assert row.state == ProposalState.READY
    assert await proposals.discard(work, vera, row.id) == 2
    assert row.state == ProposalState.DECIDED
    assert await duties_on(work, 22) == await duties_on(work, 25) == set()


async def test_what_has_changed_meanwhile_is_checked_again(work: Work) -> None:
    vera, ana, _ = await two_people(work)
    row = await worked_out(work, vera)
    await changes.be_absent(work, ana, ana.id, at(21, 0), at(22, 0))
    await stretches.add(work, vera, place(ana, 22, 12, 20))
    await stretches.add(work, vera, Place(ana.id, at(23, 18), at(23, 23)))
    done = await proposals.accept(work, vera, row.id)
    why = {one.place: str(one.why) for one in done.left_out}
    assert "ana is absent" in why[place(ana, 21, 8, 16)]
    assert "11 h of rest" in why[place(ana, 22, 8, 16)]
    assert "11 h of rest" in why[place(ana, 23, 8, 16)]
    assert "11 h of rest" in why[place(ana, 24, 8, 16)]
    assert (done.made, row.state) == (1, ProposalState.READY)
    ana.active = False
    await work.session.flush()
    gone = await proposals.accept(work, vera, row.id)
    assert (gone.made, len(gone.left_out)) == (0, 4)
    work.now = at(28, 0)
    assert await proposals.open_proposal(work) is None, "the weeks of it are over"


async def test_working_times_that_have_changed_meanwhile_count(work: Work) -> None:
    vera, ana, _ = await two_people(work)
    row = await worked_out(work, vera)
    await working_times.set_times(
        work, vera, ana.id, 20, read_available({**DAYS, "MO": ["12:00-16:00"]})
    )
    await stretches.add(work, vera, place(ana, 26, 8, 12))
    done = await proposals.accept(work, vera, row.id)
    why = {one.place: str(one.why) for one in done.left_out}
    assert "cannot work at that time" in why.pop(place(ana, 21, 8, 16))
    assert done.made == 2
    assert set(why) == {place(ana, 24, 8, 16), place(ana, 25, 8, 16)}
    assert all("more than the 20 h of their week" in one for one in why.values())


async def test_of_two_planners_who_accept_at_once_one_makes_the_duty(stage: Stage) -> None:
    async with transaction(stage.ground, PROGRAM) as work:
        vera, _, _ = await two_people(work)
        row = await worked_out(work, vera)

    async def accepts() -> int | str:
        try:
            async with transaction(stage.ground, actor_of(vera)) as work:
                return (await proposals.accept(work, vera, row.id)).made
        except proposals.ProposalDecided:
            return "decided"

    assert sorted(map(str, await asyncio.gather(accepts(), accepts()))) == ["5", "decided"]


async def test_one_proposal_is_open_at_a_time_and_one_asked_for_can_be_discarded(
    work: Work,
) -> None:
    vera, ana, _ = await two_people(work)
    row = await proposals.propose(work, vera)
    assert (row.first_on, row.weeks) == (date(2030, 1, 21), 1)
    with pytest.raises(proposals.ProposalOpen):
        await proposals.propose(work, vera)
    with pytest.raises(proposals.ProposalNotReady):
        await proposals.accept(work, vera, row.id)
    problem = await problem_of(work, row)
    await proposals.discard(work, vera, row.id)
    await proposals.keep(work, row.id, problem, *work_out(problem))
    assert await proposals.duties_of(work, row) == [], "what comes after the discarding is not kept"
    work.now += timedelta(minutes=1)
    again = await proposals.propose(work, vera)
    await proposals.fail(work, again.id)
    assert again.state == ProposalState.FAILED
    assert await proposals.latest(work) is again
    with pytest.raises(NotAllowed):
        await proposals.propose(work, ana)


async def test_what_cannot_be_proposed_is_refused(work: Work) -> None:
    vera, ana, _ = await two_people(work)
    for weeks in (0, 5):
        with pytest.raises(Invalid):
            await proposals.propose(work, vera, WEEK, weeks)
    for day in (date(2030, 1, 3), date(2031, 3, 3), date(1999, 1, 1)):
        with pytest.raises(Invalid):
            await proposals.propose(work, vera, day)
    for verb in (proposals.accept, proposals.discard):
        with pytest.raises(NotAllowed):
            await verb(work, ana, ana.id)
        with pytest.raises(NotFound):
            await verb(work, vera, ana.id)
