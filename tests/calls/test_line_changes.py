"""What is changed of a line is logged with what was before and after; for numbers only the ends."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.calls.lines import finding_lines, leading, lines
from app.calls.lines.line_rows import EarlierNumbers
from app.routing import changing_plans
from app.staff.log_kinds import AuditLog
from app.work import Work
from tests.support.calls.lines import a_line
from tests.support.verbs import logged

BEHIND = ["+381113334444", "+381113334445"]


async def test_each_change_of_a_line_is_logged_with_before_and_after(work: Work) -> None:
    line = await a_line(work)
    assert logged(work)[-1][1] == {
        "before": None,
        "after": {
            "name": "Plavi telefon",
            "languages": ["sr", "en"],
            "country": "RS",
            "timezone": "Europe/Belgrade",
            "practice": False,
            "numbers": [],
            "shown_number": "",
        },
    }
    await lines.set_opening_hours(work, line, "Mo-Fr 08:00-20:00")
    await lines.change_numbers(work, line, leads_here=BEHIND, shown_number=BEHIND[0])
    await changing_plans.change_plan(work, line, backup_after=20, skills={"violence": 1})
    assert logged(work)[-3:] == [
        (
            AuditLog.LINE_HOURS_SET,
            {"before": {"hours": "24/7"}, "after": {"hours": "Mo-Fr 08:00-20:00"}},
        ),
        (
            AuditLog.LINE_NUMBERS_SET,
            {
                "before": {"numbers": [], "shown_number": ""},
                "after": {"numbers": ["+381…44", "+381…45"], "shown_number": "+381…44"},
                "change": str((await kept_numbers(work))[0].id),
            },
        ),
        (
            AuditLog.LINE_PLAN_SET,
            {
                "before": {"backup_after": None, "skills": None},
                "after": {"backup_after": 20, "skills": {"violence": 1}},
            },
        ),
    ]
    _, line = await finding_lines.read_line(work, line.id)
    count = len(logged(work))
    await lines.set_opening_hours(work, line, "Mo-Fr 08:00-20:00")
    await lines.change_numbers(work, line, leads_here=BEHIND, shown_number=None)
    await changing_plans.change_plan(work, line, backup_after=20)
    assert len(logged(work)) == count, "what changes nothing is not logged"
    await changing_plans.change_plan(work, line, partner_number="+381113334446")
    detail: Any = logged(work)[-1][1]
    assert detail.pop("change") == str((await kept_numbers(work))[-1].id)
    assert detail == {
        "before": {"partner_number": ""},
        "after": {"partner_number": "+381…46"},
    }


async def kept_numbers(work: Work) -> list[EarlierNumbers]:
    return list(await work.session.scalars(select(EarlierNumbers).order_by(EarlierNumbers.at)))


async def test_the_whole_numbers_of_the_last_changes_alone_are_kept(work: Work) -> None:
    line = await a_line(work)
    for number in range(lines.CHANGES_KEPT + 3):
        work.now += timedelta(seconds=1)
        await lines.change_numbers(
            work, line, leads_here=[f"+3811133344{number:02}"], shown_number=None
        )
    # A second person can take back each of them.
    assert len(await kept_numbers(work)) == lines.CHANGES_KEPT + 3
    work.now += leading.BACK_WITHIN + timedelta(seconds=1)
    await lines.change_numbers(work, line, leads_here=["+381113334499"], shown_number=None)
    kept = await kept_numbers(work)
    assert len(kept) == lines.CHANGES_KEPT
    assert kept[0].before["leads_here"] == ["+381113334403"]
    assert kept[-1].after["leads_here"] == ["+381113334499"]
