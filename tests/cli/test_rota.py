"""`helpline shift …` as it is typed: duty, weeks, open shifts, templates, proposals."""

import re
from datetime import date

import pytest

from app.cli.rota import planning, roster
from app.errors import BadSettings, NotFound
from app.routing.rota import changes, stretches
from app.routing.rota.open_shifts import NoPlaceLeft
from app.routing.rota.proposals import proposals
from app.statistics.planning.proposing import problem_of, work_out
from app.work import Work
from tests.support.command_line import Types, typed_on
from tests.support.duties import a_taker, at, daily, duties_on, place
from tests.support.verbs import a_line, a_supervisor


@pytest.fixture
async def types(work: Work, monkeypatch: pytest.MonkeyPatch) -> Types:
    await a_line(work)
    return typed_on(work, monkeypatch, roster.app, roster, planning)


async def test_duty_is_added_moved_listed_and_removed(work: Work, types: Types) -> None:
    ana, boris = await a_taker(work, "ana"), await a_taker(work, "boris")
    await types("duty", "add", "ana", "2030-01-16T08:00", "2030-01-16T16:00", "--reason", "exams")
    assert await duties_on(work, 16) == {place(ana, 16, 8, 16)}
    await types(
        "duty", "move", "ana", "2030-01-16T08:00", "--to", "boris", "--from", "2030-01-16T10:00"
    )
    assert await duties_on(work, 16) == {place(boris, 16, 10, 18)}
    work.ground.memory.forget("roster")
    listed = (await types("duty", "list", "2030-01-16", "--days", "1")).output
    assert listed == "2030-01-16T10:00\t2030-01-16T18:00\tprimary\tboris\n"
    await types("duty", "remove", "boris", "2030-01-16T10:00")
    assert await duties_on(work, 16) == set()
    wrong = await types("duty", "add", "ana", "2030-01-16", "2030-01-17T08:00", fails=True)
    assert isinstance(wrong.exception, BadSettings)
    unknown = await types("duty", "remove", "petra", "2030-01-16T10:00", fails=True)
    assert isinstance(unknown.exception, NotFound)


async def test_a_duty_that_repeats_is_changed_with_all_later_ones(work: Work, types: Types) -> None:
    ana, boris = await a_taker(work, "ana"), await a_taker(work, "boris")
    await daily(work, ana)
    await types("duty", "move", "ana", "2030-01-16T08:00", "--to", "boris", "--later")
    assert await duties_on(work, 15) == {place(ana, 15, 8, 16)}
    assert await duties_on(work, 20) == {place(boris, 20, 8, 16)}
    work.ground.memory.forget("roster")
    await types("duty", "remove", "boris", "2030-01-18T08:00", "--later")
    assert await duties_on(work, 18) == await duties_on(work, 20) == set()


async def test_a_week_is_copied_and_what_is_left_out_is_listed(work: Work, types: Types) -> None:
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    for day in (16, 17):
        await stretches.add(work, vera, place(ana, day, 8, 16))
    await changes.be_absent(work, vera, ana.id, at(24, 0), at(25, 0))
    copied = (await types("copy-week", "2030-01-16", "2030-01-23")).output
    assert copied.startswith(
        "1 added, 0 there already, 1 left out.\n2030-01-24T07:00:00+00:00\tana"
    )
    wrong = await types("copy-week", "2030-01-16", "next", fails=True)
    assert isinstance(wrong.exception, BadSettings)


async def test_open_shifts_are_offered_taken_and_withdrawn(work: Work, types: Types) -> None:
    ana, _ = await a_taker(work, "ana"), await a_taker(work, "boris")
    times = ("2030-01-16T08:00", "2030-01-16T16:00")
    made = (await types("open", "add", *times, "--note", "exams")).output.strip()
    await types("open", "sign-up", "ana", made)
    full = await types("open", "sign-up", "boris", made, fails=True)
    assert isinstance(full.exception, NoPlaceLeft)
    assert (await types("open", "list")).output == f"{made}\t{times[0]}\t{times[1]}\t1/1\tana\n"
    await types("open", "sign-off", "ana", made)
    await types("open", "sign-up", "boris", made)
    await types("open", "withdraw", made)
    assert (await types("open", "list")).output == ""
    assert place(ana, 16, 8, 16) not in await duties_on(work, 16)


async def test_templates_are_kept_put_listed_and_deleted(work: Work, types: Types) -> None:
    vera, ana = await a_supervisor(work), await a_taker(work, "ana")
    await stretches.add(work, vera, place(ana, 16, 8, 16))
    assert "1 stretches" in (await types("template", "save", "Usual", "2030-01-16")).output
    assert "1 added, 0 there" in (await types("template", "put", "usual", "2030-01-23")).output
    assert await duties_on(work, 23) == {place(ana, 23, 8, 16)}
    assert (await types("template", "list")).output == "Usual\t1\n"
    await types("template", "delete", "Usual")
    assert (await types("template", "list")).output == ""


async def test_a_rota_is_proposed_shown_accepted_and_discarded(work: Work, types: Types) -> None:
    ana, _ = await a_taker(work, "ana"), await a_taker(work, "boris")
    days = [word for day in ("MO", "TU") for word in ("--available", f"{day} 08:00-16:00")]
    await types("hours", "set", "ana", "16", *days)
    await types("hours", "set", "boris", "0")
    listed = (await types("hours", "list")).output
    assert listed == "ana\t16\tMO 08:00-16:00; TU 08:00-16:00\nboris\t0\tany time\n"
    made = (await types("proposal", "make", "2030-01-23")).output.strip()
    assert "\tasked" in (await types("proposal", "show")).output
    row = await proposals.latest(work)
    assert row is not None
    problem = await problem_of(work, row)
    await proposals.keep(work, row.id, problem, *work_out(problem))
    shown = (await types("proposal", "show", "--id", made)).output
    assert "2030-01-21T08:00\t2030-01-21T16:00\tproposed\tana" in shown
    short = re.search("2030-01-21T16:00\t.*\tuncovered\t2 short\t.*", shown)
    assert short is not None
    assert "unavailable: ana" in short[0]
    assert "not planned: boris" in short[0]
    done = (await types("proposal", "accept", "--name", "ana", "--day", "2030-01-22")).output
    assert done == "1 added, 0 left out.\n"
    assert await duties_on(work, 22) == {place(ana, 22, 8, 16)}
    assert (await types("proposal", "discard")).output == "1 discarded.\n"
    assert row.first_on == date(2030, 1, 21)
