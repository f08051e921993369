"""A supervisor takes a changed number of a line back, on the page of the team."""

from uuid import UUID

from app.calls.lines import finding_lines, lines
from app.demo.stage import LINE, Stage
from app.jobs.transaction import send_rows, transaction
from app.staff.accounts import actor_of
from app.staff.models import Staff
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.referrals import page

MINE = "+381641234567"


async def test_a_supervisor_takes_a_number_back_on_the_page_of_the_team(quiet: Stage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    vera = await quiet.add_counsellor("vera", role=Role.SUPERVISOR, shift=False, state=None)
    async with transaction(quiet.ground, PROGRAM) as work:
        work.actor = actor_of(await work.session.get_one(Staff, mila.id))
        line = await finding_lines.line_of_number(work, LINE)
        assert line is not None
        await lines.change_numbers(work, line, leads_here=None, shown_number=MINE)
        await send_rows(work)
    (found,) = (await vera.ask("GET", "/number-changes")).json()
    assert (found["part"], found["by"], found["line_id"]) == ("numbers", "mila", str(line.id))
    assert (await mila.ask("GET", "/number-changes")).json() == []
    shown = (await page(quiet, vera, "/access-requests")).text
    assert f'data-post="/api/v1/number-changes/{found["id"]}/back"' in shown
    assert "Numbers and accounts of lines were changed:" in shown
    back = await vera.ask("POST", f"/number-changes/{found['id']}/back")
    assert back.status_code == 204, back.text
    (row,) = await quiet.rows(
        "SELECT shown_number FROM lines WHERE id = %s", UUID(found["line_id"])
    )
    assert row["shown_number"] is None
    assert "number-changes" not in (await page(quiet, vera, "/access-requests")).text
