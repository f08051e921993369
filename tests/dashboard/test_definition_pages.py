"""Any two sets of definitions are compared, on the page and by programs."""

from app.jobs.transaction import transaction
from app.staff.roles import Role
from app.work import PROGRAM
from tests.support.definitions.sets import NEXT, taken, with_short_form
from tests.support.program.quiet import QuietStage
from tests.support.referrals import page


async def test_two_sets_that_are_not_in_force_are_compared(quiet: QuietStage) -> None:
    mila = await quiet.add_counsellor("mila", role=Role.ADMINISTRATOR, shift=False, state=None)
    later = with_short_form(NEXT, ("sr: Naslov", "sr: U jednom redu"))
    async with transaction(quiet.ground, PROGRAM) as work:
        first = await taken(work, with_short_form(), "spring")
        second = await taken(work, later, "autumn")
    at = f"/admin/definitions/{second}"
    usual = (await page(quiet, mila, at)).text
    assert "Compared with what is in force now" in usual
    assert 'id="put-in-force"' in usual
    shown = (await page(quiet, mila, f"{at}?against={first}")).text
    assert "Compared with spring" in shown
    # One label was changed: all that the two share is not listed.
    assert "U jednom redu" in shown
    assert shown.count("<li>") < usual.count("<li>")
    assert 'id="put-in-force"' not in shown, "what would follow is said of what is in force alone"
    same = (await page(quiet, mila, f"{at}?against={second}")).text
    assert "They are the same." in same
    sets = f"/definitions/sets/{second}/compare"
    told = (await mila.ask("GET", f"{sets}?against={first}&language=sr")).json()
    assert any("U jednom redu" in one["words"] for one in told["changes"])
    assert (told["stops"], told["cautions"]) == ([], [])
    assert (await mila.ask("GET", f"{sets}?against=0")).status_code == 404
    assert (await page(quiet, mila, f"{at}?against=0")).status_code == 404
