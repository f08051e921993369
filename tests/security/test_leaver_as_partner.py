"""A line connects no caller with a person who has left, and its people hear of what it lost."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from app.administration import still_open
from app.administration.leading_letters import letter_of
from app.calls.lines import finding_lines, line_use, lines, lost_partners
from app.calls.lines.leading import Leads
from app.calls.lines.line_rows import Line
from app.cli.staff.leaving import open_lines
from app.dashboard.people.access_requests import access_request_values
from app.dashboard.templating import templates
from app.demo.stage import LINE
from app.jobs.names import Task
from app.people import work_left
from app.referrals.directory.leavers import StillReached
from app.routing import changing_plans
from app.staff.models import Staff
from app.work import PROGRAM, Work
from tests.support.identity.leavers import MOBILE, OTHER, a_leaver, leaves
from tests.support.verbs import (
    a_counsellor,
    a_line,
    a_supervisor,
    an_administrator,
    logged,
)

pytestmark = pytest.mark.whole


async def test_a_partner_with_an_unproven_second_phone_of_a_leaver_is_an_alarm_until_confirmed(
    work: Work,
) -> None:
    ana = await a_counsellor(work, "ana")
    await a_line(work)
    line = await finding_lines.line_of_number(work, LINE)
    assert line is not None
    row = await work.session.get_one(Line, line.id)
    ana.second_phone, row.plan = MOBILE, {"partner_number": MOBILE}
    assert await leaves(work, ana) == StillReached(perhaps_lines=("Plavi telefon",))
    work.actor = PROGRAM
    await still_open.watch(work, ana.id)
    await work.session.flush()
    assert (await still_open.of(work, ana)).perhaps_lines == ("Plavi telefon",)
    assert (await work_left.with_open(work), await still_open.to_close(work)) == ([ana], [])
    # In use again, it is what it was.
    other = "+381112222334"
    await a_line(work, other)
    await line_use.retire(work, row.id)
    assert await still_open.to_close(work) == [ana.id]
    work.jobs.clear()
    await line_use.take_into_use(work, row.id)
    assert [job.task for job in work.jobs].count(Task.WATCH_LEAVER) == 1
    # What is changed beside it confirms nothing, nor does the same number among other values.
    await changing_plans.change_plan(work, line, partner_after=60, partner_number=MOBILE)
    assert await still_open.to_close(work) == []
    await changing_plans.change_plan(work, line, confirm_partner=MOBILE)
    assert await still_open.to_close(work) == [ana.id]
    # On a line that gets it later, it is in doubt as well.
    work.jobs.clear()
    second = await finding_lines.line_of_number(work, other)
    assert second is not None
    await changing_plans.change_plan(work, second, partner_number=MOBILE)
    assert [job.task for job in work.jobs].count(Task.WATCH_LEAVER) == 1
    assert len((await still_open.of(work, ana)).perhaps_lines) == 1


async def without_partner(work: Work, vera: Staff) -> Line:
    """Return a line in use again, whose partner had the telephone of a person who has left."""
    await a_line(work)
    row = await lines.add_line(
        work,
        number="+381112222334",
        name="Druga linija",
        country="RS",
        languages=["sr"],
        timezone="Europe/Belgrade",
    )
    row.plan = {"partner_number": MOBILE, "partner_after": 60}
    await work.session.flush()
    await line_use.retire(work, row.id)
    assert await leaves(work, vera) == StillReached()
    work.jobs.clear()
    await line_use.take_into_use(work, row.id)
    return row


async def test_a_line_that_is_in_use_again_connects_no_caller_with_a_leaver(work: Work) -> None:
    """The plan of a retired line cannot be changed, and its number is no other line's."""
    vera = await a_leaver(work)
    row = await without_partner(work, vera)
    assert (row.active, row.plan) == (True, {"partner_after": 60})
    changed = next(detail for act, detail in logged(work) if act == "line_plan_set")
    assert (list(changed["before"]), changed["of_leaver"]) == (["partner_number"], True)


def shown_to(staff: Staff, values: dict[str, Any]) -> str:
    template = templates.get_template("fragments/people/access_requests.html")
    return " ".join(template.render(**values, staff=staff).split())


async def test_a_line_that_lost_its_partner_is_an_alarm_and_said_to_supervisors(
    work: Work,
) -> None:
    vera = await a_leaver(work)
    olga, mira = await a_supervisor(work, "olga"), await an_administrator(work, "mira")
    work.settings.smtp_url, olga.email = "smtp://127.0.0.1:1", "olga@helpline.example"
    row = await without_partner(work, vera)
    assert (row.partner_lost_at, row.partner_lost_of) == (work.now, vera.id)
    told = {job.task: job.arguments for job in work.jobs}
    changed = told[Task.TELL_LEADS_ELSEWHERE]["changed"]
    assert changed == ["number", "partner_lost"]
    kinds = [Leads(one) for one in changed]
    letter = await letter_of(work, olga.id, None, work.now, row.id, kinds, taken_back=False)
    assert letter is not None
    assert "The line has no partner any more: its number was the phone of a" in letter[2]
    assert told[Task.WATCH_LEAVER] == {"staff_id": str(vera.id)}
    await still_open.watch(work, vera.id)
    await work.session.flush()
    assert await work_left.with_open(work) == [vera]
    assert (await still_open.of(work, vera)).without_partner == (row,)
    assert "without a partner, which was theirs: Druga linija" in await open_lines(work, vera)
    asks, sets = [shown_to(one, await access_request_values(work, one)) for one in (olga, mira)]
    for shown in (asks, sets):
        assert "this line has no partner: its number was the phone of a person who" in shown
        assert "A caller whom no counsellor takes waits on, or is asked for a voice" in shown
    assert ("Ask an administrator" in asks, f"/admin/lines/{row.id}" in asks) == (True, False)
    assert f'href="/admin/lines/{row.id}#partner-number"' in sets


@pytest.mark.parametrize("end", ["another", "none", "retired"])
async def test_a_line_is_without_its_partner_until_a_person_decides(work: Work, end: str) -> None:
    vera = await a_leaver(work)
    row = await without_partner(work, vera)
    line = await finding_lines.line_of_number(work, row.number)
    assert line is not None
    # What is changed beside it decides nothing.
    await changing_plans.change_plan(work, line, partner_after=90)
    assert (await still_open.of(work, vera)).without_partner == (row,)
    since = work.now.isoformat()
    match end:
        case "another":
            await changing_plans.change_plan(work, line, partner_number=OTHER)
            assert row.plan["partner_number"] == OTHER
        case "none":
            await changing_plans.change_plan(work, line, partner_number="")
            await changing_plans.change_plan(work, line, partner_number="")
            said = [detail for act, detail in logged(work) if act == "partner_not_wanted"]
            sides = [(one["before"], one["after"]) for one in said]
            assert sides == [({"partner_lost_at": since}, {"partner_lost_at": None})]
        case "retired":
            await line_use.retire(work, row.id)
    assert (row.partner_lost_at is None) == (end != "retired")
    assert (await still_open.of(work, vera)).without_partner == ()
    assert await lost_partners.all_lost(work) == []
    if end == "retired":
        await line_use.take_into_use(work, row.id)
        assert await lost_partners.all_lost(work) == [row], "it is without one as before"


async def test_a_line_that_is_used_again_by_the_end_of_an_emergency_tells_what_it_lost(
    work: Work,
) -> None:
    vera, olga = await a_leaver(work), await a_supervisor(work, "olga")
    work.settings.smtp_url, olga.email = "smtp://127.0.0.1:1", "olga@helpline.example"
    work.actor = replace(PROGRAM, emergency=uuid4())
    await without_partner(work, vera)
    told = [one.arguments for one in work.jobs if one.task == Task.TELL_LEADS_ELSEWHERE]
    assert [one["changed"] for one in told] == [["partner_lost"]]
