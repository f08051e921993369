"""The number, country and time zone of a line are changed, and a line is retired and used again."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.administration import line_changes
from app.calls import record
from app.calls.lines import finding_lines, line_facts, line_use, lines
from app.calls.lines.line_facts import LineHasCalls
from app.calls.lines.line_rows import Line
from app.calls.lines.line_use import LastLine, OnlyLineOfPeople
from app.calls.lines.lines import LineExists, LineRetired, add_line
from app.demo.stage import Stage
from app.errors import Invalid, NotFound
from app.jobs.transaction import flush, transaction
from app.staff import accounts
from app.staff.log_kinds import AuditLog
from app.staff.models import Staff
from app.staff.roles import Role
from app.statistics.models import StatisticDay
from app.work import PROGRAM, Work
from tests.support.calls.lines import a_line
from tests.support.duties import log_of
from tests.support.referrals import page

pytestmark = pytest.mark.whole

SECOND, THIRD = "+381113334444", "+381113334445"


async def second_line(work: Work, number: str = SECOND, **values: object) -> Line:
    row = await add_line(
        work,
        number=number,
        name="Druga",
        country="RS",
        languages=["sr"],
        timezone="Europe/Belgrade",
        **values,  # type: ignore[arg-type]
    )
    await work.session.flush()
    return row


async def takes_calls_of(work: Work, name: str, *numbers: str) -> Staff:
    staff = await accounts.add_staff(work, name=name, role=Role.COUNSELLOR, lines=list(numbers))
    await work.session.flush()
    return staff


async def numbers_of(work: Work, line_id: object) -> tuple[str, list[str]]:
    row = (await work.session.scalars(select(Line).where(Line.id == line_id))).one()
    _row, line = await finding_lines.read_line(work, row.id)
    return row.number, await finding_lines.numbers_behind(work, line)


async def test_a_short_number_keeps_the_former_one_behind_it_and_back(work: Work) -> None:
    line = await a_line(work)
    ana = await takes_calls_of(work, "ana", line.number)
    await line_facts.change_facts(work, line, number="116111")
    assert await numbers_of(work, line.id) == ("116111", [line.number])
    await work.session.refresh(ana)
    assert ana.lines == ["116111"], "she takes the calls of the line as before"
    said = log_of(work, AuditLog.LINE_FACTS_SET)
    assert said == {
        "before": {"number": line.number},
        "after": {"number": "116111"},
        "stood_behind": False,
    }
    await line_facts.change_facts(work, line, number=line.number)
    assert await numbers_of(work, line.id) == (line.number, [])


async def test_the_former_number_of_a_line_leads_to_it_as_before(work: Work) -> None:
    line = await a_line(work)
    ana = await takes_calls_of(work, "ana", line.number)
    await line_facts.change_facts(work, line, number=SECOND)
    assert await numbers_of(work, line.id) == (SECOND, [line.number])
    await work.session.refresh(ana)
    assert ana.lines == [SECOND]
    await flush(work)
    for number in (line.number, SECOND):
        found = await finding_lines.line_of_number(work, number)
        assert found is not None
        assert (found.id, found.number) == (line.id, SECOND)
    # Back again by hand: the numbers change their places. The own number is not behind itself.
    await line_facts.change_facts(work, line, number=line.number)
    assert await numbers_of(work, line.id) == (line.number, [SECOND])
    await lines.change_numbers(work, line, leads_here=[line.number], shown_number=None)
    assert await numbers_of(work, line.id) == (line.number, [])


async def test_taking_a_new_number_back_leaves_the_numbers_that_lead_to_the_line(
    work: Work,
) -> None:
    line = await a_line(work)
    await lines.change_numbers(work, line, leads_here=[SECOND, THIRD], shown_number=None)
    for number in (SECOND, "+381113337777", "116111"):
        before = await numbers_of(work, line.id)
        await line_facts.change_facts(work, line, number=number)
        after = await numbers_of(work, line.id)
        for then in (before, after, before):
            await flush(work)
            newest = (await line_changes.changes_of(work, line.id))[0]
            await line_changes.take_back(work, line.id, newest.id)
            assert await numbers_of(work, line.id) == then
    # A short number that leads nowhere else keeps the number that was the line's own.
    await lines.change_numbers(work, line, leads_here=[SECOND], shown_number=None)
    await line_facts.change_facts(work, line, number="116111")
    await line_facts.change_facts(work, line, number="+381113337777")
    await lines.change_numbers(work, line, leads_here=[], shown_number=None)
    await flush(work)
    newest = (await line_changes.changes_of(work, line.id))[1]
    await line_changes.take_back(work, line.id, newest.id)
    assert await numbers_of(work, line.id) == ("116111", ["+381113337777"])


async def test_a_line_that_has_had_a_call_stays_real_or_for_practice(work: Work) -> None:
    real = await a_line(work)
    await second_line(work)
    script = await finding_lines.line_of_number(work, SECOND)
    assert script is not None
    for practice in (True, False, True):
        await line_facts.change_facts(work, script, practice=practice)
    await flush(work)
    newest = (await line_changes.changes_of(work, script.id))[0]
    assert newest.can_be_taken_back
    for line, was in ((real, False), (script, True)):
        await record.open_call(
            work,
            provider_sid=f"CA{line.id.hex}",
            raw_from="+381641234567",
            line_id=line.id,
            greeted=True,
        )
        with pytest.raises(LineHasCalls):
            await line_facts.change_facts(work, line, practice=not was)
        row = await work.session.get_one(Line, line.id, populate_existing=True)
        assert row.practice is was
    newest = (await line_changes.changes_of(work, script.id))[0]
    assert not newest.can_be_taken_back
    with pytest.raises(LineHasCalls):
        await line_changes.take_back(work, script.id, newest.id)
    # What else it is can be changed.
    await line_facts.change_facts(work, real, practice=False, timezone="Europe/Zagreb")


async def test_kept_days_of_figures_follow_the_number_of_a_line(work: Work) -> None:
    line = await a_line(work)
    for change, left in (({"timezone": "Europe/Zagreb"}, 1), ({"number": SECOND}, 0)):
        day = StatisticDay(day=work.now.date(), made_at=work.now, records=0, version=1)
        await work.session.merge(day)
        await work.session.flush()
        await line_facts.change_facts(work, line, **change)  # type: ignore[arg-type]
        count = select(func.count()).select_from(StatisticDay)
        assert await work.session.scalar(count) == left


async def test_what_a_line_cannot_be_is_refused(work: Work) -> None:
    line = await a_line(work)
    await second_line(work, leads_here=["+381113335555"])
    for taken in (SECOND, "+381113335555"):
        with pytest.raises(LineExists):
            await line_facts.change_facts(work, line, number=taken)
    wrongs: list[dict[str, Any]] = [{"number": "x"}, {"timezone": "Nis"}, {"country": "Serbia"}]
    for wrong in wrongs:
        with pytest.raises(Invalid):
            await line_facts.change_facts(work, line, **wrong)
    other = (await finding_lines.all_lines(work))[1]
    await line_use.retire(work, other.id)
    with pytest.raises(LastLine):
        await line_facts.change_facts(work, line, practice=True)
    with pytest.raises(LineRetired):
        await line_facts.change_facts(work, line, number=SECOND)


async def test_a_line_is_retired_with_its_numbers_and_used_again(work: Work) -> None:
    line = await a_line(work)
    row = await second_line(work, "116111", leads_here=[SECOND])
    with pytest.raises(NotFound):
        await line_use.take_into_use(work, row.id)
    await line_use.retire(work, row.id)
    said = log_of(work, AuditLog.LINE_RETIRED)
    assert said["before"] == {"active": True, "numbers": ["+381…44"]}
    assert said["after"] == {"active": False, "numbers": []}
    work.ground.memory.forget("lines")
    assert await finding_lines.line_of_number(work, "116111") is None
    assert await finding_lines.line_of_number(work, SECOND) is None
    kept = await finding_lines.line_of_id(work, row.id)
    assert kept is not None
    assert (kept.active, kept.shown_number) == (False, line.number), "its calls have a line"
    with pytest.raises(LineRetired):
        await second_line(work, "116111", leads_here=["+381113335555"])
    with pytest.raises(LastLine):
        await line_use.retire(work, line.id)
    # Another line has its number meanwhile.
    await lines.change_numbers(work, line, leads_here=[SECOND], shown_number=None)
    with pytest.raises(LineExists):
        await line_use.take_into_use(work, row.id)
    await lines.change_numbers(work, line, leads_here=[], shown_number=None)
    await flush(work)
    await line_use.take_into_use(work, row.id)
    assert await numbers_of(work, row.id) == ("116111", [SECOND])
    assert log_of(work, AuditLog.LINE_TAKEN_INTO_USE)["after"]["active"] is True


async def test_a_line_is_not_retired_while_a_person_takes_its_calls_alone(work: Work) -> None:
    line = await a_line(work)
    row = await second_line(work)
    ana = await takes_calls_of(work, "ana", SECOND)
    await takes_calls_of(work, "boris", SECOND, line.number)
    with pytest.raises(OnlyLineOfPeople) as refused:
        await line_use.retire(work, row.id)
    assert "ana" in str(refused.value)
    assert "boris" not in str(refused.value)
    # A line for practice is no other line; for a trainee, another one for practice is.
    practice, other = "+381113335555", "+381113336666"
    drill = await second_line(work, practice, practice=True)
    await second_line(work, other, practice=True)
    ana.lines = [SECOND, practice]
    await takes_calls_of(work, "vera", practice, other)
    with pytest.raises(OnlyLineOfPeople, match="ana"):
        await line_use.retire(work, row.id)
    ana.lines = [SECOND, line.number]
    await line_use.retire(work, row.id)
    await line_use.retire(work, drill.id)


async def test_the_page_offers_a_line_the_zone_that_it_has(stage: Stage) -> None:
    """A zone that the list of the page lacks would be another one after the next save."""
    mila = await stage.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    async with transaction(stage.ground, PROGRAM) as work:
        row = (await work.session.scalars(select(Line))).one()
        row.timezone = "CET"
    shown = (await page(stage, mila, f"/admin/lines/{row.id}")).text
    assert '<option value="CET" selected>' in shown
